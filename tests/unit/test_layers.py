"""The hourglass: imports point one way, and `import chainrule` loads nothing heavy."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import chainrule

ROOT = Path(chainrule.__file__).parent
GRAPH = {"errors", "mime", "primitives", "graph"}
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "mime": set(),
    "wire": set(),
    "primitives": {"errors"},
    "graph": {"errors", "mime", "primitives"},
    "differentiate": GRAPH,
    "frontends": GRAPH,
    "importers": GRAPH,
    "explanation": GRAPH | {"differentiate", "wire"},
    "emit": GRAPH | {"differentiate"},
    "engines": GRAPH | {"differentiate", "emit"},
    "verify": GRAPH | {"engines", "wire"},
    "train": GRAPH | {"differentiate", "engines"},
    "workings": GRAPH | {"differentiate", "explanation", "engines", "verify"},
    "excerpts": GRAPH | {"differentiate", "explanation", "engines", "verify"},
    "reasons": GRAPH | {"differentiate", "explanation", "engines"},
    "streamed": GRAPH | {"differentiate", "explanation", "engines", "wire", "workings"},
    "api": GRAPH
    | {
        "differentiate",
        "frontends",
        "explanation",
        "emit",
        "engines",
        "verify",
        "train",
        "examples",
        "workings",
        "streamed",
        "excerpts",
        "reasons",
        "importers",
    },
    "display": GRAPH | {"api", "frontends", "explanation", "engines", "verify", "train"},
    "cli": {"api", "errors", "explanation", "frontends.files"},
    "examples": set(),
}
"""What each part may import, besides itself; `__init__` and `__main__` may import anything."""

HEAVY = (
    "numpy",
    "pydantic",
    "rich",
    "click",
    "torch",
    "jax",
    "sympy",
    "scipy",
    "numba",
    "pandas",
    "typst",
)
MODULES = sorted(ROOT.rglob("*.py"))


def module_name(path: Path) -> str:
    parts = ["chainrule", *path.relative_to(ROOT).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(module: str) -> str:
    """`primitives` for `chainrule.primitives.linear`."""
    return [*module.split("."), "__init__"][1]


def is_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


class Imports(ast.NodeVisitor):
    """Every chainrule module that a module imports when it runs, in functions too."""

    def __init__(self, module: str, is_package: bool) -> None:
        self.package = module if is_package else module.rpartition(".")[0]
        self.found: list[tuple[int, str]] = []

    def visit_If(self, node: ast.If) -> None:
        for statement in node.orelse if is_type_checking(node.test) else [*node.body, *node.orelse]:
            self.visit(statement)

    def visit_Import(self, node: ast.Import) -> None:
        self.found.extend((node.lineno, alias.name) for alias in node.names)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = node.module or ""
        if node.level:
            parts = self.package.split(".")
            above = parts[: len(parts) - node.level + 1]
            base = ".".join([*above, *([node.module] if node.module else [])])
        for alias in node.names:
            inner = f"{base}.{alias.name}"
            file = ROOT.parent.joinpath(*inner.split("."))
            is_module = file.with_suffix(".py").exists() or file.is_dir()
            self.found.append((node.lineno, inner if is_module else base))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    visitor = Imports(module_name(path), path.name == "__init__.py")
    visitor.visit(ast.parse(path.read_text(encoding="utf-8")))
    for line, name in visitor.found:
        if name.split(".")[0] == "chainrule":
            yield line, name


def is_allowed(importer: str, imported: str) -> bool:
    own, other = part_of(importer), part_of(imported)
    if own in ("__init__", "__main__") or own == other:
        return True
    inner = imported.removeprefix("chainrule.")
    return any(inner == part or inner.startswith(f"{part}.") for part in ALLOWED[own])


def test_every_part_has_its_place():
    assert {part_of(module_name(path)) for path in MODULES} - {"__init__", "__main__"} <= set(
        ALLOWED
    )


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down_the_hourglass(path: Path):
    wrong = [
        f"{path.relative_to(ROOT.parent)}:{line} imports {name}"
        for line, name in imports(path)
        if not is_allowed(module_name(path), name)
    ]
    assert wrong == []


def test_the_order_of_the_parts_has_no_cycle():
    done: set[str] = set()
    while len(done) < len(ALLOWED):
        ready = {
            part
            for part, allowed in ALLOWED.items()
            if part not in done and {name.split(".")[0] for name in allowed} <= done
        }
        assert ready, f"no order for {set(ALLOWED) - done}"
        done |= ready


def loaded_by(code: str) -> set[str]:
    """The top-level modules that a new interpreter has after `code`."""
    script = f"import sys\n{code}\nimport json\nprint(json.dumps(sorted(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT.parent), "PATH": ""},
    )
    return {name.split(".")[0] for name in json.loads(run.stdout.splitlines()[-1])}


@pytest.mark.parametrize(
    "code",
    [
        "import chainrule",
        "from chainrule import api",
        "from chainrule import api; api.load('seed')",
        "from chainrule import api; api.show(api.load('seed'))",
        "from chainrule import api; api.explain(api.load('seed'), ['w7'])",
        "from chainrule import api; api.check(api.load('seed'))",
        "from chainrule import api; api.step(api.load('seed'))",
    ],
)
def test_nothing_heavy_is_loaded_for_a_small_network(code: str):
    assert loaded_by(code).isdisjoint(HEAVY)


def test_equations_load_numpy_and_nothing_heavier():
    loaded = loaded_by("from chainrule import api; api.explain(api.load('seed-equations'))")
    assert loaded.isdisjoint(set(HEAVY) - {"numpy"})


def test_import_chainrule_loads_none_of_its_parts():
    loaded_by("import chainrule\nassert not any(n.startswith('chainrule.') for n in sys.modules)")


def test_public_names_are_all_there():
    for name in chainrule.__all__:
        assert getattr(chainrule, name) is not None
    assert set(chainrule.__all__) <= set(dir(chainrule))
