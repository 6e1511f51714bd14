"""Explaining one entry of a large model, against PyTorch's own forward and backward of it.

The two take turns, on the same model and input; medians are shown.  Memory is the peak of a
process of its own for each side.  What importing takes is told apart.

python benchmarks/explanations.py [--model NAME] [--repeats N] [--threads N]
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from timing import limit_threads

EXAMPLES = Path(__file__).parent.parent / "examples" / "torch"
ENTRIES = {
    "resnet18": ("layer1.0.conv1.weight[0,0,1,1]", "layer3.0.conv2.weight[5,7,0,2]"),
    "gpt2": ("h.0.c_fc.weight[3,5]", "h.7.attn.c_attn.weight[900,11]"),
}
"""By model: the entry that is explained, and a further one of another parameter."""


def example(name: str) -> tuple[Any, tuple[Any, ...], Any, Any]:
    """The module, its arguments, the loss and the targets."""
    if str(EXAMPLES) not in sys.path:
        sys.path.insert(0, str(EXAMPLES))
    made: tuple[Any, tuple[Any, ...], Any, Any] = importlib.import_module(name).example()
    return made


def peers(name: str) -> dict[str, Callable[[], Any]]:
    """What is timed, by its title; each call does all of its work anew."""
    import torch

    import chainrule as cr
    from chainrule.explanation.documents.excerpt import excerpt_document
    from chainrule.explanation.documents.terminal import terminal_text
    from chainrule.explanation.messages import Words

    module, args, loss, targets = example(name)
    asked, further = ENTRIES[name]
    model = cr.from_torch(module, args, loss=loss, targets=targets)
    excerpt = cr.explain(model, asked)
    parameter = dict(module.named_parameters())[asked.partition("[")[0]]

    def value() -> Any:
        return loss(module(*args), targets)

    def whole() -> None:
        module.zero_grad()
        value().backward()

    opened = excerpt.entries[0].terms[0].through
    return {
        "PyTorch, forward and backward": whole,
        "PyTorch, one parameter's gradient": lambda: torch.autograd.grad(value(), [parameter]),
        "explain": lambda: cr.explain(model, asked, checked=False),
        "explain, checked by PyTorch": lambda: cr.explain(model, asked),
        "explain, as a document with all paths": lambda: terminal_text(
            excerpt_document(cr.explain(model, asked, checked=False), Words("en"))
        ),
        "a further entry": lambda: excerpt.open(further, checked=False),
        "a term opened": lambda: excerpt.open(opened),
    }


def peak(name: str, side: str) -> float:
    """The peak memory of this process, in MiB, when it has done its work."""
    if side == "PyTorch":
        module, args, loss, targets = example(name)
        loss(module(*args), targets).backward()
    else:
        import chainrule as cr

        module, args, loss, targets = example(name)
        model = cr.from_torch(module, args, loss=loss, targets=targets)
        cr.explain(model, ENTRIES[name][0], checked="checked" in side)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def times(name: str, repeats: int) -> None:
    """Print how long everything takes."""
    import chainrule as cr

    module, args, loss, targets = example(name)
    start = time.perf_counter()
    cr.from_torch(module, args, loss=loss, targets=targets)
    print(f"\n{name}: imported in {time.perf_counter() - start:.1f} s")
    rows = peers(name)
    taken: dict[str, list[float]] = {title: [] for title in rows}
    for _ in range(repeats):
        for title, work in rows.items():
            start = time.perf_counter()
            work()
            taken[title].append(time.perf_counter() - start)
    base = statistics.median(taken["PyTorch, forward and backward"])
    for title, own in taken.items():
        median = statistics.median(own)
        print(f"{title:<40} {1e3 * median:>9.1f} ms {median / base:>7.2f}", flush=True)


def apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function gives in a process of its own, with memory of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def report(name: str, repeats: int) -> None:
    """Print the table of one model; this process stays small, since children inherit its peak."""
    apart(times, name, repeats)
    least = 0.0
    for side in ("PyTorch", "explain", "explain, checked"):
        found = apart(peak, name, side)
        least = least or found
        print(f"{side + ', peak memory':<40} {found:>8.0f} MiB {found / least:>7.2f}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", choices=list(ENTRIES), action="append", help="all")
    parser.add_argument("--repeats", type=int, default=7, help="turns, of which medians are taken")
    parser.add_argument("--threads", type=int, default=2, help="of BLAS and PyTorch")
    options = parser.parse_args()
    limit_threads(options.threads)  # before NumPy is loaded
    for name in options.model or ENTRIES:
        report(name, options.repeats)
    return 0


if __name__ == "__main__":
    sys.exit(main())
