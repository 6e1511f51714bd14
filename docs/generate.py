"""Write the parts of the documentation that are tables of the source's own records.

python docs/generate.py           write docs/primitives.md, and the tables in docs/formats.md
                                  and docs/torch.md
python docs/generate.py --check   change nothing; exit status 1 if anything would change
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from chainrule.frontends.equations.functions import KNOWN, METHODS, NAMED_NUMBERS
from chainrule.frontends.network.build import _ENTRY_LOSS
from chainrule.frontends.network.initialise import initial_weights
from chainrule.frontends.network.layers import _ACTIVATION_PARAMETERS
from chainrule.frontends.network.words import (
    ACTIVATIONS,
    INITIALISERS,
    LOSSES,
    ORDERS,
    REDUCTIONS,
)
from chainrule.importers.torch.operations import supported
from chainrule.primitives import REGISTRY, Linear, Pointwise, Select
from chainrule.primitives.composites import COMPOSITES
from chainrule.primitives.pointwise import ACTIVATIONS as POINTWISE_ACTIVATIONS

DOCS = Path(__file__).parent
MARKER = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

PREFACE = """\
# Primitives

<!-- Written by docs/generate.py from the records in src/chainrule/primitives; do not edit. -->

Every network is made of these steps, and each is one record in `src/chainrule/primitives`.
What stands here is read from the records: the value and the slopes are the very text that
is evaluated, differentiated and printed. `y` is the step's own result. How to add one is shown in
[CONTRIBUTING](../CONTRIBUTING.md#adding-a-primitive).

- [Pointwise](#pointwise) steps bend each number by itself and know their slope.
- [Linear](#linear) steps mix and move numbers and know their transpose.
- Steps that [select](#selecting) are linear once the numbers are known.
- [Composites](#composites) are functions written in primitives.
"""


# ------------------------------------------------------------------------------- Markdown


def code(text: str) -> str:
    """`text` as code that a table cell can hold."""
    return f"`{text}`".replace("|", "\\|")


def codes(words: Iterable[str]) -> str:
    """Several of them."""
    return ", ".join(code(word) for word in words)


def plain(text: str) -> str:
    """`text` as words that a table cell can hold, none of it read as Markdown."""
    return re.sub(r"([|*_\[\]<>])", r"\\\1", text)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(cell or ' ' for cell in row)} |\n" for row in lines)


# ------------------------------------------------------------------------------ primitives


def pointwise(records: Iterable[Pointwise]) -> str:
    """Value and slopes, one row a record."""
    return table(
        ("name", "operands", "written", "value", "slopes", "at the kink", "source"),
        (
            (
                code(record.name),
                codes(record.operands),
                plain(record.notation),
                code(record.value),
                "<br>".join(
                    f"∂/∂{operand}: {code(slope) if slope else 'none'}"
                    for operand, slope in zip(record.operands, record.slopes, strict=True)
                ),
                f"{code(record.kink + ' = 0')}: {record.at_kink}" if record.kink else "",
                plain(record.source),
            )
            for record in records
        ),
    )


def moving(records: Iterable[Linear | Select]) -> str:
    """Index formulas, one row a record."""
    return table(
        ("name", "operands", "written", "index formula", "at a tie", "source"),
        (
            (
                code(record.name),
                codes(record.operands),
                plain(record.notation),
                code(record.index),
                record.at_tie if isinstance(record, Select) else "",
                plain(record.source),
            )
            for record in records
        ),
    )


def composites() -> str:
    """Formula and derivative, one row a record."""
    return table(
        ("name", "operands", "written", "derivative", "one factor", "source"),
        (
            (
                code(record.name),
                codes(record.operands),
                plain(record.notation),
                plain(record.formula),
                "yes" if record.jacobian is not None else "",
                plain(record.source),
            )
            for record in COMPOSITES.values()
        ),
    )


def primitives_page() -> str:
    """The page of all records."""
    records = list(REGISTRY.values())
    steps = [record for record in records if isinstance(record, Pointwise)]
    activations = [record for record in steps if record.name in POINTWISE_ACTIVATIONS]
    conditions = [record for record in steps if record.condition]
    others = [record for record in steps if record not in (*activations, *conditions)]
    linear = [record for record in records if isinstance(record, Linear)]
    select = [record for record in records if isinstance(record, Select)]
    return "\n".join(
        [
            PREFACE,
            "## Pointwise\n",
            "A slope that is given as *none* is not a missing one: a truth value has no slope, and "
            "`stop` holds its operand\nconstant on purpose.\n",
            "### Arithmetic, functions, choices\n",
            pointwise(others),
            "### Activations\n",
            "The operand of one of these is called the net input of a unit.\n",
            pointwise(activations),
            "### Comparisons\n",
            pointwise(conditions),
            "## Linear\n",
            moving(linear),
            "## Selecting\n",
            moving(select),
            "## Composites\n",
            "A composite is opened into its primitives as it is built. Where it has a derivative "
            "of its own as *one\nfactor*, an explanation reads it so.\n",
            composites(),
        ]
    )


# ---------------------------------------------------------------------- words of a network


def spellings(words: Mapping[str, str]) -> dict[str, list[str]]:
    """The other spellings of each canonical word."""
    found: dict[str, list[str]] = {}
    for spelling, canonical in words.items():
        others = found.setdefault(canonical, [])
        if spelling not in ("", canonical):
            others.append(spelling)
    return found


def spaced(word: str) -> str:
    """A word as a person writes it."""
    return word.replace("_", " ")


def also(words: Iterable[str]) -> str:
    """The other spellings, as a person writes them."""
    return codes(spaced(word) for word in words)


def activations_table() -> str:
    """The activations of a layer."""
    rows = []
    for name, others in spellings(ACTIVATIONS).items():
        record = REGISTRY.get(name)
        value, slope = "out = net; no quantity of its own", ""
        if isinstance(record, Pointwise):
            value, slope = code(record.value), code(record.slopes[0] or "")
        elif name in COMPOSITES:
            value = f"{plain(COMPOSITES[name].notation)}, over the units of the layer"
            slope = plain(COMPOSITES[name].formula)
        key, default = _ACTIVATION_PARAMETERS.get(name, ("", None))
        setting = f"{code(key)}, which is α, default {default:g}" if key else ""
        rows.append((code(spaced(name)), also(others), value, slope, setting))
    return table(("activation", "also", "value", "slope", "setting"), rows)


def losses_table() -> str:
    """The losses."""
    rows = []
    for name, others in spellings(LOSSES).items():
        record = COMPOSITES[_ENTRY_LOSS.get(name, name)]
        reduced = "mean" if name in _ENTRY_LOSS else "sum"
        if record.jacobian is not None:
            reduced = "as one"
        rows.append(
            (
                code(spaced(name)),
                also(others),
                plain(record.notation),
                plain(record.formula),
                reduced,
            )
        )
    return table(("loss", "also", "of one output", "its derivative", "outputs"), rows)


def initialisers_table() -> str:
    """The initialisers, with the formulas of the function's own documentation."""
    text = (initial_weights.__doc__ or "").partition("Formula:")[2].partition("The generator")[0]
    formulas = dict(re.findall(r"(\w+): ([^;.]+)[;.]", text))
    formulas |= {"zeros": "0", "ones": "1"}
    rows = [
        (code(spaced(name)), also(others), plain(formulas[name]))
        for name, others in spellings(INITIALISERS).items()
    ]
    return table(("initialiser", "also", "each weight"), rows)


def choices_list() -> str:
    """The words of the two small choices."""
    return "".join(
        f"- `{key}`: {' or '.join(code(word) for word in spellings(words))}\n"
        for key, words in (("order", ORDERS), ("reduction", REDUCTIONS))
    )


# ----------------------------------------------------------------- functions of equations

GIVES = {
    "square": "x²",
    "where": "a where the condition holds, else b",
    "float": "x, which is one number",
    "array": "a list, nested or not, as one array",
    "sum": "the sum of all entries, or along one axis",
    "mean": "the mean of all entries, or along one axis",
    "max": "the largest of the arguments, or of the entries of one",
    "min": "the smallest of the arguments, or of the entries of one",
    "dot": "the product of two vectors, or of matrices, as `a @ b`",
    "matmul": "the product of two vectors, or of matrices, as `a @ b`",
    "transpose": "the axes reversed, as `x.T`",
    "reshape": "the entries in another shape; one size may be −1",
}


def functions_table() -> str:
    """The functions that a sheet of equations may call."""
    names: dict[str, list[str]] = {}
    for name, known in KNOWN.items():
        names.setdefault(known.name, [])
        if name != known.name:
            names[known.name].append(name)
    rows = []
    for name, others in names.items():
        known = KNOWN[name]
        defaults = {
            parameter: f"{parameter}={'...' if default is None else default}"
            for parameter, default in known.defaults.items()
        }
        taken = [defaults.get(parameter, parameter) for parameter in known.parameters]
        gives = GIVES.get(name)
        if gives is None:
            record = COMPOSITES.get(name) or REGISTRY[name]
            gives = plain(record.notation)
            if name in COMPOSITES and record.operands[0] == "t":
                gives += ", summed over the entries"
        more = ["..."] if known.variadic else []
        rows.append((code(f"{name}({', '.join([*taken, *more])})"), codes(others), gives))
    return (
        table(("function", "also", "gives"), rows)
        + f"\nNumbers that have a name: {codes(NAMED_NUMBERS)}. "
        + f"Of an array `x`: {codes(f'x.{name}()' for name in METHODS)}, `x.T`.\n"
    )


def torch_table() -> str:
    """The operations of PyTorch that are followed."""
    return table(
        ("operation", "becomes", "note"),
        ((code(name), plain(steps), plain(note)) for name, steps, note in supported()),
    )


TABLES: dict[str, Callable[[], str]] = {
    "activations": activations_table,
    "losses": losses_table,
    "initialisers": initialisers_table,
    "choices": choices_list,
    "functions": functions_table,
    "torch": torch_table,
}


# ------------------------------------------------------------------------------------ files


def with_tables(text: str) -> str:
    """A page with the tables between its markers written anew."""
    return MARKER.sub(lambda found: f"{found[1]}\n{TABLES[found[2]]()}\n{found[3]}", text)


def generated() -> dict[Path, str]:
    """Each file, and what it should hold."""
    pages = [DOCS / name for name in ("formats.md", "torch.md")]
    return {
        DOCS / "primitives.md": primitives_page(),
        **{page: with_tables(page.read_text(encoding="utf-8")) for page in pages},
    }


def main(arguments: Sequence[str]) -> int:
    """Write or check; the exit status."""
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    stale = 0
    for path, text in generated().items():
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale = 1
        if arguments:
            print(f"{path.name} is out of date: run python docs/generate.py", file=sys.stderr)
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.name}")
    return stale if arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
