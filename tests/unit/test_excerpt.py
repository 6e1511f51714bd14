"""Excerpts: entries by their largest terms, the terms opened, and the documents of both."""

from __future__ import annotations

import functools
import json
import math
import re
from dataclasses import replace
from typing import Any

import nbformat
import pytest
import torch
from golden.comparing import compare
from helpers.documents import values
from helpers.pages import parsed, text
from torch import nn

import chainrule as cr
from chainrule.explanation.documents.blocks import Document, Heading
from chainrule.explanation.documents.choices import Choices
from chainrule.explanation.documents.excerpt import excerpt_document
from chainrule.explanation.documents.html import html
from chainrule.explanation.documents.markdown import markdown
from chainrule.explanation.documents.pdf.content import content
from chainrule.explanation.documents.terminal import terminal_rows
from chainrule.explanation.excerpt import Entry, Excerpt
from chainrule.explanation.messages import LANGUAGES, Language
from chainrule.explanation.messages import Words as Messages
from chainrule.graph.build import Builder
from chainrule.graph.model import LeafValue, Model
from chainrule.graph.node import Origin

SEED = cr.load("seed")


def explained(model: Any, *names: str, terms: int = 8, depth: int = 1, **choices: Any) -> Excerpt:
    answer: Excerpt = cr.explain(model, list(names), terms=terms, depth=depth, **choices)
    return answer


def entry(model: Any, name: str, terms: int = 8, depth: int = 1) -> Entry:
    return explained(model, name, terms=terms, depth=depth).entries[0]


def document(excerpt: Excerpt, language: Language = "en", **choices: Any) -> Document:
    return excerpt_document(excerpt, Messages(language), Choices(**choices))


def printed(excerpt: Excerpt, language: Language = "en", width: int = 80, **choices: Any) -> str:
    rows = terminal_rows(document(excerpt, language, **choices), width)
    return "\n".join(row.text for row in rows) + "\n"


def summed(*numbers: float, **more: Any) -> Model:
    """E = Σ k · (n · w): one use, with a term for each number."""
    w = cr.var("w", more.get("w", 1.0))
    z = (cr.var("n", list(numbers), trained=False) * w).named("z")
    return cr.model(z.sum().named("E"))


# ------------------------------------------------------------------------ numbers by hand


def test_the_seed_by_hand() -> None:
    """∂E/∂out_h1 = δ_o1 · w7 + δ_o2 · w8, with the numbers of the page on the chain rule."""
    found = entry(SEED, "out_h1")
    o1, o2 = 0.8910896614765176, 0.9043299248500164
    terms = {
        "net_o1": -(0.01 - o1) * o1 * (1 - o1) * 0.4,
        "net_o2": -(0.99 - o2) * o2 * (1 - o2) * 0.45,
    }
    assert {term.through: term.value for term in found.terms} == pytest.approx(terms, rel=1e-14)
    assert found.gradient == pytest.approx(sum(terms.values()), rel=1e-14)
    assert found.size == pytest.approx(terms["net_o1"] - terms["net_o2"], rel=1e-14)
    assert (found.count, found.zero, found.rest, found.coverage) == (2, 0, 0.0, 1.0)
    assert found.cancellation == pytest.approx(found.gradient / found.size)
    first = found.terms[0]
    assert (first.slope.formula, first.slope.value) == ("w7", 0.4)
    assert first.product.formula == "dE_dnet_o1*w7"
    assert eval(first.product.substituted) == first.value
    assert first.adjoint == pytest.approx(0.08550876190610517)


def test_of_a_long_sum_the_largest_terms() -> None:
    found = entry(summed(1.0, -16.0, 4.0, 2.0, -8.0), "w", terms=2)
    assert [(term.through, term.value) for term in found.terms] == [("z[1]", -16.0), ("z[4]", -8.0)]
    assert (found.count, found.shown, found.rest, found.size) == (5, 24.0, 7.0, 31.0)
    assert found.gradient == found.rest + sum(term.value for term in found.terms) == -17.0
    assert found.coverage == 24 / 31
    assert found.cancellation == 17 / 31


def test_terms_that_are_zero_are_counted_and_told_only_where_there_are_no_others() -> None:
    found = entry(summed(0.0, 3.0, 0.0, -1.0), "w")
    assert [term.value for term in found.terms] == [3.0, -1.0]
    assert (found.count, found.zero, found.coverage) == (4, 2, 1.0)
    nothing = entry(summed(0.0, 0.0), "w")
    assert (nothing.gradient, nothing.zero, nothing.coverage, nothing.cancellation) == (0, 2, 1, 1)
    assert [term.value for term in nothing.terms] == [0.0]
    assert "Terms that are 0: 2 of 2." in printed(explained(summed(0.0, 0.0), "w"))


def test_terms_that_cancel_to_the_last_digit() -> None:
    found = entry(summed(1e16, 1.0, -1e16), "w")
    assert found.gradient == 1.0  # added one by one it would be 0
    assert found.cancellation == pytest.approx(5e-17)


def residual() -> Model:
    """y = w + tanh(w): w passes unchanged by one way, and is bent on the other."""
    w = cr.var("w", [0.5, -1.0])
    h = cr.tanh(w).named("h")
    return cr.model((((w + h).named("y")) ** 2).sum().named("E"))


def test_an_entry_that_passes_unchanged() -> None:
    found = entry(residual(), "w[1]")
    uses = {use.names: use for use in found.uses}
    assert uses["y",].unchanged
    assert not uses["h",].unchanged
    assert [uses[key,].steps for key in ("y", "h")] == [("add",), ("tanh",)]
    assert [use.count for use in found.uses] == [1, 1]
    assert sum(use.total for use in found.uses) == pytest.approx(found.gradient)
    text = printed(explained(residual(), "w[1]"))
    assert "It passes unchanged into y (add)." in text
    assert "It stands in the formula of h (tanh)." in text
    assert "What comes back from each of these is added." in text


def test_entries_with_names_of_their_own_are_named() -> None:
    (use,) = entry(SEED, "l1").uses
    assert use.names == ("net_h1", "net_h2", "net_h3")
    text = printed(explained(SEED, "l1"))
    assert "It stands in the formulas of net_h1, net_h2, net_h3 (linear, add)." in text


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ("/home/me/net.py", " [block, net.py:7]"),
        ("C:\\me\\net.py", " [block, net.py:7]"),
        ("<stdin>", " [block]"),
        ("<doctest torch.md[0]>", " [block]"),
        ("/tmp/ipykernel_11/22.py", " [block]"),
        ("", " [block]"),
    ],
)
def test_where_a_quantity_stands(place: str, shown: str) -> None:
    excerpt = explained(summed(1.0), "w")
    (found,) = excerpt.entries
    use = replace(found.uses[0], origin=Origin(place, 7, "block"))
    text = printed(replace(excerpt, entries=(replace(found, uses=(use,)),)))
    assert f"It passes unchanged into z (mul).{shown}\n" in text


def test_what_nothing_takes() -> None:
    w, unused = cr.var("w", 2.0), cr.var("v", 3.0)
    beside = (unused * w).named("beside")
    model = replace(cr.model((w * w).named("E")), quantities=(beside.node,))
    model = replace(model, leaves=(*model.leaves, LeafValue(unused.node, (3.0,), "parameter")))
    for name, value in (("v", 3.0), ("beside", 6.0)):
        found = entry(model, name)
        assert (found.value, found.gradient, found.count, found.terms) == (value, 0.0, 0, ())
        assert (found.paths, found.chain.links) == (0.0, ())
        shown = printed(explained(model, name))
        assert "It stands in no formula that the loss depends on." in shown
    assert entry(model, "w").gradient == 4.0


def test_the_loss_itself() -> None:
    found = entry(SEED, "E")
    assert (found.gradient, found.terms, found.chain.product) == (1.0, (), 1.0)


# --------------------------------------------------------------------- paths and chains


WAY = ["net_h1", "out_h1", "net_o1", "out_o1", "E_o1", "E"]


def test_the_sum_over_all_paths() -> None:
    """Of w1: the path over each output, whose two terms have opposite signs."""
    found = entry(SEED, "w1")
    ahead = entry(SEED, "out_h1")
    bend = 0.9129342275597286 * (1 - 0.9129342275597286) * 5.0
    assert found.paths == pytest.approx(ahead.size * bend)
    assert found.chain.is_largest
    assert [link.name for link in found.chain.links] == WAY
    assert found.chain.product == pytest.approx(ahead.terms[0].value * bend)
    assert math.prod(link.slope for link in found.chain.links) == pytest.approx(found.chain.product)


def deep(steps: int) -> Model:
    op = Builder()
    x = node = op.variable("w")
    for number in range(steps):
        node = op.named(op.sin(node), f"y{number}")
    loss = op.named(op.mul(node, node), "E")
    return Model("deep", loss, (LeafValue(x, (0.5,), "parameter", True),))


@pytest.mark.parametrize("steps", [10_000, pytest.param(100_000, marks=pytest.mark.long)])
def test_a_chain_of_many_steps(steps: int) -> None:
    excerpt = explained(deep(steps), "w", depth=3)
    (found,) = excerpt.entries
    assert found.gradient == found.paths > 0
    assert found.chain.product == pytest.approx(found.gradient, rel=1e-9)
    assert len(found.chain.links) == steps + 1
    assert f"… and {steps + 1 - 40:,} more." in printed(excerpt)
    assert [*found.opened] == ["y0"]
    assert [*found.opened["y0"].opened] == ["y1"]


# ------------------------------------------------------------------------------ opening


def test_terms_are_opened_to_a_depth() -> None:
    found = entry(SEED, "w1", depth=3)
    assert [*found.opened] == ["net_h1"]
    inner = found.opened["net_h1"]
    assert [*inner.opened] == ["out_h1"]
    assert not inner.opened["out_h1"].opened
    assert inner.gradient == found.terms[0].adjoint
    assert entry(SEED, "w1", depth=1).opened == {}


def test_the_same_run_opens_further_entries() -> None:
    excerpt = explained(SEED, "w1", terms=1)
    opened = excerpt.open("net_h1", "out_h1", "net_h1")
    assert [item.name for item in opened.entries] == ["net_h1", "out_h1"]
    assert len(opened.entries[1].terms) == 1  # the choices stay
    assert len(excerpt.open("out_h1", terms=2).entries[0].terms) == 2


class Norm(nn.Module):
    """A layer norm, and its own output added: a composite between two uses."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(3)
        self.fc = nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x + self.norm(x))


@functools.cache
def imported() -> Model:
    """Weights and inputs that are the same with every version of PyTorch."""
    module = Norm().double()
    with torch.no_grad():
        for parameter in module.parameters():
            count = parameter.numel()
            parameter.copy_(torch.linspace(-0.5, 1.0, count).reshape(parameter.shape))
    x = torch.tensor([[0.5, -1.0, 2.0], [1.0, 0.0, 3.0]], dtype=torch.float64)
    return cr.from_torch(module, x, loss="cross_entropy", targets=torch.tensor([1, 0]))


def test_a_composite_is_one_step_until_a_step_inside_is_asked_for() -> None:
    model = imported()
    folded = explained(model, "x[0,1]", depth=2)
    assert {use.steps for use in folded.entries[0].uses} == {("layer_norm",), ("add",)}
    inner = folded.open("norm.sqrt[0,0]", "x[0,1]")
    sqrt, again = inner.entries
    assert sqrt.uses[0].names == ("norm.div_2",)
    assert len(again.uses) > len(folded.entries[0].uses)
    assert again.gradient == pytest.approx(folded.entries[0].gradient, rel=1e-12)
    # What was opened there is still folded here.
    assert folded.open("x[0,1]").entries[0].uses == folded.entries[0].uses


def test_a_gradient_by_an_inner_step_is_that_of_differences() -> None:
    found = entry(imported(), "norm.sub[1,2]")
    terms = [term.value for term in found.terms]
    assert found.gradient == pytest.approx(math.fsum(terms), rel=1e-12)


# ------------------------------------------------------------------------- what is asked


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "net_h9",
            'NameError: there is no number called "net_h9"\n'
            "  needs: an entry of a quantity: l1, l2, w1, w2, w3, w4, w5, w6, ...\n"
            '  try: did you mean "net_h3"?',
        ),
        (
            "E_o",
            'NameError: there is no number called "E_o"\n'
            "  needs: an entry of a quantity: l1, l2, w1, w2, w3, w4, w5, w6, ...\n"
            '  try: did you mean "E_o2"?',
        ),
    ],
)
def test_an_unknown_name(name: str, message: str) -> None:
    with pytest.raises(cr.InputError) as caught:
        explained(SEED, name)
    assert str(caught.value) == message


def test_a_place_that_an_array_does_not_have() -> None:
    with pytest.raises(cr.InputError) as caught:
        explained(imported(), "norm[2,0]", "fc.weight[0]", "norm.sqrt")
    assert str(caught.value) == (
        'NameError: "norm[2,0]" is no entry of norm, whose shape is (2, 3)\n'
        "  needs: 2 numbers from 0 on, each below its axis's size\n"
        "  try: norm[0,0] is the first\n"
        'NameError: "fc.weight[0]" is no entry of fc.weight, whose shape is (2, 3)\n'
        "  needs: 2 numbers from 0 on, each below its axis's size\n"
        "  try: fc.weight[0,0] is the first\n"
        'NameError: "norm.sqrt" is no entry of norm.sqrt, whose shape is (2, 1)\n'
        "  needs: 2 numbers from 0 on, each below its axis's size\n"
        "  try: norm.sqrt[0,0] is the first"
    )


def test_nothing_asked() -> None:
    with pytest.raises(cr.InputError) as caught:
        cr.explain(imported(), terms=2)
    assert str(caught.value).endswith(
        "and no entry was asked for\n"
        "  needs: an entry of a parameter, as in norm.weight[0]\n"
        "  try: its parameters: norm.weight, norm.bias, fc.weight, fc.bias"
    )
    with pytest.raises(cr.InputError, match="as in w1\n  try: its parameters: w1, w2, w3, w4, w5"):
        cr.explain(SEED, terms=2)


def test_a_module_is_explained_at_once() -> None:
    module = nn.Linear(2, 1).double()
    excerpt = cr.explain(
        module,
        torch.tensor([[3.0, 5.0]]).double(),
        loss=lambda out: out.sum(),
        wrt="weight[0,1]",
        terms=2,
    )
    assert excerpt.entries[0].gradient == 5.0
    assert excerpt.checks[0]["verdict"] == "agrees"


# --------------------------------------------------------------------------- the check


def test_the_frameworks_own_gradient() -> None:
    excerpt = explained(imported(), "fc.weight[1,2]", "x[0,0]")
    checks, none = excerpt.checks
    assert checks["framework"] == "PyTorch"
    assert checks["version"] == torch.__version__
    assert checks["verdict"] == "agrees"
    assert checks["value"] == pytest.approx(excerpt.entries[0].gradient, rel=1e-12)
    assert none == {}
    assert explained(imported(), "fc.weight[1,2]", checked=False).checks == ({},)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_gradient_that_the_framework_does_not_share(language: Language) -> None:
    model = imported()
    assert model.framework is not None
    own = model.framework.gradient
    altered = replace(model.framework, gradient=lambda name: own(name) + 1e-6)
    excerpt = explained(replace(model, framework=altered), "fc.weight[1,2]")
    assert excerpt.checks[0]["verdict"] == "disagrees"
    assert {"en": "✗ DISAGREES", "zh": "✗ 不一致"}[language] in printed(excerpt, language)


# ------------------------------------------------------------------- NaN and infinities


def not_finite(kind: str) -> Model:
    w = cr.var("w", [[0.0], [1.0], [-1.0]])
    z = (cr.var("x", [[1.0, 2.0, 3.0]], trained=False) @ w).named("z")
    bent = {
        "log of 0": lambda: cr.log(z + 1.0),
        "root of 0": lambda: cr.sqrt(z + 1.0),
        "overflow": lambda: cr.exp(z * -800.0),
        "0 · ∞": lambda: cr.exp(w * 800.0) * cr.exp(w * -800.0),
        "∞ − ∞": lambda: cr.exp(z * z * 800.0).named("h") - cr.exp(z * z * 900.0),
    }
    return cr.model(bent[kind]().sum().named("E"))


@pytest.mark.parametrize("kind", ["log of 0", "root of 0", "overflow", "0 · ∞", "∞ − ∞"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_numbers_that_are_not_finite_are_shown(kind: str, language: Language) -> None:
    excerpt = explained(not_finite(kind), "w[1,0]", "w[0,0]", depth=2)
    assert not all(math.isfinite(item.gradient) for item in excerpt.entries)
    shown = printed(excerpt, language)
    assert "inf" in shown or "nan" in shown
    assert "≈ nan" not in shown
    assert "nan%" not in shown
    json.loads(json.dumps(excerpt.as_json(), allow_nan=False))


def test_a_term_that_is_not_a_number_comes_first() -> None:
    w = cr.var("w", 1.0)
    n = cr.exp(cr.var("k", [700.0, 800.0, 1.0], trained=False))
    h = cr.var("h", [2.0, 0.0, 3.0], trained=False)
    model = cr.model(((w * n).named("z") * h).sum().named("E"))
    found = entry(model, "w", terms=2)
    assert [term.through for term in found.terms] == ["z[1]", "z[0]"]
    assert math.isnan(found.gradient)


# -------------------------------------------------------------------------- documents

EXAMPLES: dict[str, Any] = {
    "flowers": lambda: explained(cr.load("flowers"), "w1", "length[0]", terms=2, depth=2),
    "torch": lambda: explained(imported(), "fc.weight[1,2]", "x[0,1]", terms=2, depth=2),
}


def several() -> Excerpt:
    """Enough entries for a page to have a table of contents."""
    names = (
        "fc.weight[1,2]",
        "fc.bias[0]",
        "norm.bias[2]",
        "norm[0,1]",
        "norm.weight[1]",
        "x[0,1]",
        "norm.sqrt[0,0]",
    )
    return explained(imported(), *names, depth=3)


each_example = pytest.mark.parametrize("example", EXAMPLES)
each_language = pytest.mark.parametrize("language", LANGUAGES)


@pytest.mark.parametrize("width", [60, 80, 120])
@each_language
@each_example
def test_text_as_it_is_printed(example: str, language: Language, width: int) -> None:
    written = printed(EXAMPLES[example](), language, width)
    assert max(map(len, written.splitlines())) <= width
    if width == 80:
        written = re.sub(r"test_excerpt\.py:\d\d\d", "test_excerpt.py:???", written)
        written = written.replace(torch.__version__, "VERSION")
        compare(f"excerpts/{example}-{language}.txt", written)


@each_language
@each_example
def test_every_format_has_the_numbers_of_the_text(example: str, language: Language) -> None:
    excerpt = EXAMPLES[example]()
    made = document(excerpt, language)
    expected = values("\n".join(row.text for row in terminal_rows(made, 400)))
    assert len(expected) > 20
    assert values(markdown(made)) == expected
    assert values(text(parsed(html(made)).find("body/main"))) == expected
    assert json.dumps(content(made))


@each_example
def test_levels(example: str) -> None:
    excerpt = EXAMPLES[example]()
    brief, full, whole = (
        printed(excerpt, level=level) for level in ("brief", "full", "everything")
    )
    assert len(brief) < len(full) <= len(whole)
    assert "Over all paths" in full
    assert "Over all paths" not in brief
    assert repr(excerpt.entries[0].gradient).replace("-", "−") in whole
    assert "≈" in printed(excerpt, digits=3)


def opened_headings(found: Entry) -> int:
    return sum(1 + opened_headings(inner) for inner in found.opened.values())


@each_language
def test_what_opens_stands_in_details(language: Language) -> None:
    excerpt = explained(SEED, "w1", depth=3)
    page = parsed(html(document(excerpt, language)))
    details = list(page.iter("details"))
    assert len(details) == opened_headings(excerpt.entries[0]) == 2
    assert all(item[0].tag == "summary" for item in details)
    assert next(details[0].iter("details")) is details[0]
    assert len([*details[0].iter("details")]) == 2
    assert markdown(document(excerpt)).count("<details>") == 2
    assert any(isinstance(block, Heading) for block in document(excerpt).blocks)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_notebook_of_a_module_has_no_code(language: Language, tmp_path: Any) -> None:
    cr.write(EXAMPLES["torch"](), tmp_path / "torch.ipynb", language=language)
    read = nbformat.read(tmp_path / "torch.ipynb", as_version=4)
    nbformat.validate(read)
    assert {cell.cell_type for cell in read.cells} == {"markdown"}
    cr.write(EXAMPLES["flowers"](), tmp_path / "flowers.ipynb", language=language)
    read = nbformat.read(tmp_path / "flowers.ipynb", as_version=4)
    nbformat.validate(read)
    assert {cell.cell_type for cell in read.cells} == {"markdown", "code"}


@pytest.mark.parametrize("ending", ["txt", "md", "tex", "html", "pdf", "ipynb"])
def test_a_file_of_every_format(ending: str, tmp_path: Any) -> None:
    file = tmp_path / f"answer.{ending}"
    cr.write(EXAMPLES["torch"](), file, language="zh", digits=3, level="brief")
    data = file.read_bytes()
    if ending == "pdf":
        assert data.startswith(b"%PDF")
    else:
        assert "0.123" in data.decode() or "−0." in data.decode() or "-0." in data.decode()


@pytest.mark.parametrize(
    ("file", "choices", "message"),
    [
        ("answer.docx", {}, "OptionError: answer.docx has no format"),
        ("answer.txt", {"format": "word"}, "OptionError: no format is called 'word'"),
    ],
)
def test_a_format_that_is_not_known(file: str, choices: Any, message: str) -> None:
    with pytest.raises(cr.InputError) as caught:
        cr.write(explained(SEED, "w1"), file, **choices)
    assert str(caught.value) == (
        f"{message}\n  needs: one of text, markdown, latex, latex-fragment, notebook, pdf, html"
    )


def test_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    excerpt = explained(SEED, "w1", depth=2)
    found = excerpt._repr_mimebundle_()
    assert set(found) == {"text/html", "text/markdown", "text/latex", "text/plain"}
    assert found["text/plain"] + "\n" == printed(excerpt)
    assert "<details>" in found["text/html"]
    assert all(found.values())
