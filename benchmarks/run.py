"""Speed as ratios within one run: peers and chainrule interleaved, medians compared.

python benchmarks/run.py [PART ...] [--json] [--repeats N] [--threads N] [--work TEXT ...] [--check]
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from timing import limit_threads, machine

PARTS = ("steps", "first", "derivations")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1, help="of BLAS, PyTorch and XLA")
    parser.add_argument(
        "--work", action="append", metavar="TEXT", help="only works whose name has this in it"
    )
    parser.add_argument("--check", action="store_true", help="compare weights, and time nothing")
    options = parser.parse_args()
    unknown = set(options.part) - set(PARTS)
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}")
    limit_threads(options.threads)

    # What loads NumPy comes after the threads are limited.
    import steps
    import tables
    import works

    chosen = [
        work
        for work in works.all_works()
        if any(text in work.name for text in options.work or [""])
    ]
    _, missing = steps.present()
    if options.check:
        rows = steps.check(chosen)
        print("\n".join([*tables.checked(rows), *missing]))
        return 0 if all(near for *_, near in rows) else 1

    result: dict[str, Any] = {"machine": machine(options.threads), "missing": missing}
    parts = options.part or PARTS
    if "steps" in parts:
        result["a step, seconds"] = steps.measure(chosen, options.repeats)
    if "first" in parts:
        result["to the first epoch, seconds"] = steps.first_steps(
            chosen, max(3, options.repeats // 3)
        )
    if "derivations" in parts:
        import derivations

        result |= derivations.measure(options.repeats)
    print(json.dumps(result) if options.json else "\n".join(tables.written(result)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
