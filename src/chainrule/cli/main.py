"""The `chainrule` command: arguments in, documents or JSON out, an exit status.

Data goes to standard output, everything else to standard error.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from chainrule.errors import ChainruleError, Fault, InputError, NumericError, printable
from chainrule.explanation.documents.choices import LEVELS, Choices, Level
from chainrule.explanation.documents.formats import DOCUMENTS

if TYPE_CHECKING:
    from chainrule.explanation.article import Article
    from chainrule.explanation.documents.blocks import Document
    from chainrule.explanation.excerpt import Excerpt
    from chainrule.explanation.messages import Language, Words
    from chainrule.explanation.schema import Explanation
    from chainrule.explanation.why import Why, WhyMap
    from chainrule.graph.model import Model

__all__ = ["command", "run"]

STATUS = """
\b
Exit status: 0 done, 1 a check failed, 2 bad input, 3 a number that is not
finite, 130 interrupted.
"""

STYLES: dict[str, dict[str, Any]] = {
    "title": {"bold": True},
    "heading": {"bold": True, "underline": True},
    "value": {"fg": "cyan"},
    "good": {"fg": "green"},
    "bad": {"fg": "red", "bold": True},
    "note": {"dim": True},
}

ENDINGS = {form.ending: name for name, form in DOCUMENTS.items() if form.ending} | {".json": "json"}
"""The formats of a document, by the ending of its file."""

LINES = {".jsonl": "jsonl"}
"""The format of derivations that come one by one."""

LANGUAGES = {".py": "python", ".c": "c", ".mjs": "javascript", ".js": "javascript"}
"""The languages of a program, by the ending of its file."""

Command = TypeVar("Command", bound=Callable[..., Any])


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=STATUS,
    no_args_is_help=True,
)
@click.version_option(package_name="chainrule", message="%(prog)s %(version)s")
def command() -> None:
    """Work backpropagation by hand, exactly: every factor of the chain rule with its number.

    MODEL is a file (a TOML or JSON network, or a sheet of equations), "-" for
    standard input, or the name of a shipped example: flowers, macleod, mazur,
    negnevitsky, seed, seed-equations.

    \b
    Examples:
      chainrule explain seed w7
      chainrule step seed --steps 100
    """


def model_options(function: Command) -> Command:
    """What every command takes: the model, and overrides."""
    for decorate in (
        click.argument("model"),
        click.option(
            "--set",
            "overrides",
            metavar="NAME=VALUE",
            multiple=True,
            help="Use another number for NAME; may be repeated.",
        ),
        click.option("--loss", metavar="NAME", help="The loss, in a sheet of equations."),
        click.option(
            "--train",
            metavar="NAMES",
            help='What is trained in a sheet of equations, for example "w,b".',
        ),
    ):
        function = decorate(function)
    return function


def answer_options(function: Command) -> Command:
    """How to answer, for every command that answers in words and numbers."""
    for decorate in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text."),
        click.option(
            "--digits",
            type=click.IntRange(1, 17),
            metavar="N",
            help="Significant digits, with ≈ where they are not exact.  [default: all]",
        ),
        click.option(
            "--lang",
            type=click.Choice(["en", "zh"]),
            help="The language of the document.  [default: that of LANG]",
        ),
    ):
        function = decorate(function)
    return function


level_option = click.option(
    "--level",
    type=click.Choice(LEVELS),
    default="full",
    show_default=True,
    help="Leave out the working of each factor, show it, or show every term of every sum too.",
)

order_option = click.option(
    "--order",
    type=click.Choice(["simultaneous", "sequential"]),
    help="Update all parameters at once, or those nearest the loss first.  [default: the model's]",
)


def document_options(*more: str, ordered: bool = True) -> Callable[[Command], Command]:
    """What every command takes that writes a document, in `more` formats than most.

    Of an `ordered` one the order of the update is asked too.
    """

    def decorated(function: Command) -> Command:
        for decorate in (
            *((order_option,) if ordered else ()),
            level_option,
            click.option(
                "--format",
                "form",
                type=click.Choice([*DOCUMENTS, "json", *more]),
                help="The format.  [default: by the ending of -o FILE, else text]",
            ),
            click.option(
                "-o",
                "--output",
                metavar="FILE",
                help='Write the document to FILE ("-": standard output).',
            ),
        ):
            function = decorate(function)
        return function

    return decorated


@command.command(epilog=STATUS)
@answer_options
@model_options
@level_option
def show(
    model: str, as_json: bool, lang: Any, digits: int | None, level: Level, **choices: Any
) -> None:
    """The forward pass: every quantity of MODEL, with formula and number.

    \b
    Examples:
      chainrule show seed
      chainrule show net.toml --set x1=0.5 --json
    """
    import chainrule.api as api
    from chainrule.explanation.schema import values_as_json
    from chainrule.explanation.values import non_finite

    values = api.show(_load(model, **choices))
    if as_json:
        _print_json(values_as_json(values))
    else:
        from chainrule.explanation.documents.compose import values_document

        _print_document(values_document(values, _words(lang), Choices(level, digits)))
    error = non_finite(list(values.lines))
    if error is not None:
        raise error


@command.command(epilog=STATUS)
@answer_options
@model_options
@click.argument("parameters", metavar="[PARAMETER]...", nargs=-1)
@document_options(*LINES.values())
@click.option(
    "--terms",
    type=click.IntRange(1),
    metavar="N",
    help="Show the N largest terms of each gradient, not its whole derivation.",
)
@click.option(
    "--depth",
    type=click.IntRange(1, 6),
    metavar="N",
    help="With --terms: open these in turn, N levels deep.",
)
def explain(
    model: str,
    parameters: tuple[str, ...],
    order: Any,
    terms: int | None,
    depth: int | None,
    form: str | None,
    output: str | None,
    as_json: bool,
    lang: Any,
    digits: int | None,
    level: Level,
    **choices: Any,
) -> None:
    """The derivation of each PARAMETER's gradient (default: of all that are trained).

    Any number of the model may be asked for, inputs and targets included.

    \b
    Examples:
      chainrule explain seed w7
      chainrule explain flowers w7 --terms 3 --depth 2 --format markdown
    """
    import chainrule.api as api

    chosen = _format(form, output, as_json, LINES)
    loaded = _load(model, **choices)
    if chosen == "jsonl":
        if terms is not None or depth is not None:
            raise click.UsageError("jsonl is of whole derivations: give no --terms, no --depth")
        _stream(api.derivations(loaded, parameters, order=order), output)
        return
    answer = api.explain(loaded, parameters, order=order, terms=terms, depth=depth)
    _deliver(answer, loaded, chosen, output, lang, Choices(level, digits))
    if any(checks.get("verdict") == "disagrees" for checks in answer.checks):
        raise SystemExit(1)
    for name, gradient in getattr(answer, "gradients", {}).items():
        if not math.isfinite(gradient):
            what = f"the derivative by {name} is {gradient}"
            hint = f"`chainrule why` of {name} tells where that comes from"
            raise NumericError(Fault("NumericError", what, needs="finite numbers", hint=hint))


@command.command(epilog=STATUS)
@answer_options
@model_options
@click.argument("wrt", metavar="[PARAMETER]", required=False)
@document_options(ordered=False)
def why(
    model: str,
    wrt: str | None,
    form: str | None,
    output: str | None,
    as_json: bool,
    lang: Any,
    digits: int | None,
    level: Level,
    **choices: Any,
) -> None:
    """Why a gradient is zero, not finite, lost on its way, or nothing of that.

    PARAMETER is an entry, w7 or "fc1.weight[3,1]", whose reason is told with the evidence; or
    an array, of whose entries a map is made.  Without it the map is of all parameters.

    \b
    Examples:
      chainrule why seed w7
      chainrule why net.toml --json
    """
    import chainrule.api as api

    chosen = _format(form, output, as_json)
    loaded = _load(model, **choices)
    answer = api.why(loaded, wrt)
    _deliver(answer, loaded, chosen, output, lang, Choices(level, digits))


@command.command(epilog=STATUS)
@answer_options
@model_options
@document_options()
@click.option(
    "--also",
    metavar="NAME=VALUE,...",
    multiple=True,
    help="Take the step again with other numbers; may be repeated.",
)
def article(
    model: str,
    order: Any,
    form: str | None,
    output: str | None,
    as_json: bool,
    lang: Any,
    digits: int | None,
    level: Level,
    also: tuple[str, ...],
    **choices: Any,
) -> None:
    """A whole worked example of MODEL: from the network to the update and its check.

    \b
    Examples:
      chainrule article seed -o seed.html
      chainrule article net.toml -o net.pdf --lang zh --digits 4
    """
    import chainrule.api as api

    chosen = _format(form, output, as_json)
    others = [_numbers(pairs.split(","), "--also") for pairs in also]
    loaded = _load(model, **choices)
    written = api.article(loaded, order=order, also=others)
    _deliver(written, loaded, chosen, output, lang, Choices(level, digits))
    if not written.report.passed:
        raise SystemExit(1)


@command.command(epilog=STATUS)
@answer_options
@model_options
@click.option(
    "--steps",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="How many steps to take.",
)
@order_option
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help='Write the updated model in the format that it came in ("-": standard output).',
)
@click.option(
    "--engine",
    type=click.Choice(["auto", "reference", "numpy", "numba", "jax"]),
    help="What runs the steps; by default what suits their size and number.",
)
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float64"]),
    help="The numbers that are computed with.  [default: float64]",
)
@click.option(
    "--plot",
    metavar="FILE",
    help="Draw loss and parameters over the steps: FILE.svg, FILE.png or FILE.pdf.",
)
def step(
    model: str,
    steps: int,
    order: Any,
    engine: Any,
    dtype: Any,
    output: str | None,
    plot: str | None,
    as_json: bool,
    lang: Any,
    digits: int | None,
    **choices: Any,
) -> None:
    """Take steps of gradient descent: the loss before and after, the new parameters.

    \b
    Examples:
      chainrule step seed --steps 100 --plot curves.svg
      chainrule step net.toml -o trained.toml
    """
    import chainrule.api as api

    if as_json and output == "-":
        raise click.UsageError("--json and -o - would both write to standard output")
    if plot is not None:
        _check_plot(plot, lang)  # before the steps, which may take their time
    loaded = _load(model, **choices)
    taken = api.step(
        loaded,
        steps,
        order=order,
        follow=plot is not None,
        engine=engine or "auto",
        dtype=dtype or "float64",
    )
    if engine is not None or dtype is not None or taken.engine == "numba":
        single = "" if taken.dtype == "float64" else f", {taken.dtype}"
        click.echo(f"engine: {taken.engine}{single} ({taken.reason})", err=True)
    text = None if output is None else api.updated_text(taken)
    if plot is not None:
        api.plot(taken, plot, language=_words(lang).language)
        click.echo(f"wrote {printable(plot)}", err=True)
    if text is not None and output is not None:
        _write(text, output)
        if output == "-":
            return
    if as_json:
        _print_json(taken.as_json())
    else:
        from chainrule.explanation.documents.compose import steps_document

        _print_document(steps_document(taken, _words(lang), Choices(digits=digits)))


@command.command(epilog=STATUS)
@answer_options
@model_options
def check(model: str, as_json: bool, lang: Any, digits: int | None, **choices: Any) -> None:
    """Check every gradient against derivatives that know nothing of the chain rule.

    Complex steps where every function allows them, central differences always;
    where a kink lies between the two sides, it is said instead.

    \b
    Examples:
      chainrule check seed
      chainrule check net.toml --json
    """
    import chainrule.api as api

    report = api.check(_load(model, **choices))
    if as_json:
        _print_json(report.as_json())
    else:
        from chainrule.explanation.documents.compose import report_document

        _print_document(report_document(report, _words(lang), Choices(digits=digits)))
    if not report.passed:
        raise SystemExit(1)


@command.command(epilog=STATUS)
@model_options
@click.option(
    "--lang",
    type=click.Choice([*dict.fromkeys(LANGUAGES.values()), "numba"]),
    help="The language; numba: the text that this engine compiles for a run of steps.  "
    "[default: by the ending of -o FILE, else python]",
)
@click.option(
    "--what",
    type=click.Choice(["forward", "gradient", "step"]),
    help="What the program computes.  [default: gradient]",
)
@click.option(
    "--form",
    type=click.Choice(["auto", "scalars", "arrays"]),
    default="auto",
    show_default=True,
    help="Straight-line code, or loops and matrix products; auto goes by the model's size.",
)
@order_option
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help='Write the source to FILE: .py, .c, .mjs or .js ("-": standard output).',
)
def source(
    model: str,
    lang: str | None,
    what: Any,
    form: Any,
    order: Any,
    output: str | None,
    **choices: Any,
) -> None:
    """A program that computes MODEL's gradient, and needs nothing else to run.

    A large model, or one with --form arrays, is loops and matrix products; in Python
    these are NumPy's.

    \b
    Examples:
      chainrule source seed --lang javascript
      chainrule source net.toml --what step --form arrays -o step.c
    """
    import chainrule.api as api

    chosen = lang or _by_ending(output, LANGUAGES, "--lang") or "python"
    text = api.source(_load(model, **choices), lang=chosen, what=what, order=order, form=form)
    _write(text, output)


# --------------------------------------------------------------------------- in and out


def _load(model: str, overrides: Sequence[str], loss: str | None, train: str | None) -> Model:
    import chainrule.api as api

    trained = [name.strip() for name in train.split(",") if name.strip()] if train else None
    return api.load(model, loss=loss, trained=trained, values=_numbers(overrides))


def _numbers(overrides: Sequence[str], option: str = "--set") -> dict[str, float]:
    """The pairs of `option`. Raises: InputError with a fault for each bad one."""
    faults, values = [], {}
    for pair in overrides:
        name, equals, text = pair.partition("=")
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not equals or not name.strip() or not math.isfinite(value):
            needs = f"NAME=VALUE with a finite number, for example {option} w7=0.5"
            faults.append(Fault("OptionError", f"{option} {pair}", needs=needs))
        values[name.strip()] = value
    if faults:
        raise InputError(*faults)
    return values


def _width() -> int:
    return shutil.get_terminal_size(fallback=(80, 24)).columns


def _json(data: dict[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False, allow_nan=False)


def _print_json(data: dict[str, Any]) -> None:
    click.echo(_json(data))


def _words(lang: Language | None) -> Words:
    from chainrule.explanation.messages import Words, language_of

    return Words(lang or language_of())


def _format(
    form: str | None, output: str | None, as_json: bool, more: Mapping[str, str] | None = None
) -> str:
    """The format that the options ask for. Raises: click.UsageError where they disagree."""
    if as_json:
        if form not in (None, "json"):
            raise click.UsageError(f"--json and --format {form} are two formats")
        return "json"
    return form or _by_ending(output, {**ENDINGS, **(more or {})}, "--format") or "text"


def _by_ending(output: str | None, endings: Mapping[str, str], option: str) -> str | None:
    """What the ending of a file asks for. Raises: click.UsageError for an unknown one."""
    if output is None or output == "-":
        return None
    ending = os.path.splitext(output)[1].lower()
    if ending not in endings:
        known = ", ".join(endings)
        raise click.UsageError(f"{output} has none of the endings {known}: give {option}")
    return endings[ending]


def _stream(lines: Iterable[str], output: str | None) -> None:
    """Lines of JSON as they come; the exit status is that of `explain`."""
    disagrees = False

    def rows() -> Iterable[str]:
        nonlocal disagrees
        for line in lines:
            checks = line.rfind('"checks"')  # a line is long, and they come last
            disagrees = disagrees or line.find('"verdict": "disagrees"', checks) >= 0
            yield f"{line}\n"

    if output is None or output == "-":
        sys.stdout.writelines(rows())
    else:
        from chainrule.frontends.files import write_atomic

        write_atomic(output, rows())
        click.echo(f"wrote {printable(output)}", err=True)
    if disagrees:
        raise SystemExit(1)


def _deliver(
    result: Explanation | Excerpt | Why | WhyMap | Article,
    model: Model,
    form: str,
    output: str | None,
    lang: Language | None,
    choices: Choices,
) -> None:
    """Write a result in a format, to a file or to standard output."""
    if form == "text" and output in (None, "-"):
        _print_document(_composed(result, lang, choices))
        return
    if form == "json":
        content: str | bytes = _json(result.as_json()) + "\n"
    else:
        content = DOCUMENTS[form].write(_composed(result, lang, choices), model)
    if isinstance(content, bytes) and output in (None, "-") and sys.stdout.isatty():
        raise click.UsageError(f"{form} is not for a terminal: give -o FILE")
    _write(content, output)


def _write(content: str | bytes, output: str | None) -> None:
    """To a file, or to standard output."""
    if output is None or output == "-":
        click.echo(content, nl=False)
        return
    from chainrule.frontends.files import write_atomic

    write_atomic(output, content)
    click.echo(f"wrote {printable(output)}", err=True)


def _composed(
    result: Explanation | Excerpt | Why | WhyMap | Article, lang: Language | None, choices: Choices
) -> Document:
    from chainrule.explanation.excerpt import Excerpt
    from chainrule.explanation.schema import Explanation
    from chainrule.explanation.why import Why, WhyMap

    if isinstance(result, Why):
        from chainrule.explanation.documents.why import why_document

        return why_document(result, _words(lang), choices)
    if isinstance(result, WhyMap):
        from chainrule.explanation.documents.why import why_map_document

        return why_map_document(result, _words(lang), choices)
    if isinstance(result, Excerpt):
        from chainrule.explanation.documents.excerpt import excerpt_document

        return excerpt_document(result, _words(lang), choices)

    if isinstance(result, Explanation):
        from chainrule.explanation.documents.compose import explanation_document

        return explanation_document(result, _words(lang), choices)
    from chainrule.explanation.documents.article import article_document

    return article_document(result, _words(lang), choices)


def _check_plot(file: str, lang: Language | None) -> None:
    """Raises: InputError where no such plot can be drawn; says where Chinese cannot be shown."""
    from chainrule.explanation.documents.plot import plot_format, plot_language

    plot_format(file)
    wanted = _words(lang).language
    if plot_language(wanted) != wanted:
        click.echo("no font here has Chinese characters: the plot is labelled in English", err=True)


def _print_document(document: Document) -> None:
    from chainrule.explanation.documents.terminal import terminal_rows

    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    rows = terminal_rows(document, _width())
    lines = (
        click.style(row.text, **STYLES[row.style]) if colour and row.style in STYLES else row.text
        for row in rows
    )
    click.echo("\n".join(lines), color=colour)


def run(arguments: Sequence[str] | None = None) -> None:
    """The entry point: runs the command and ends with its exit status."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):
            stream.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    try:
        # Not command.main: it ends with status 1, "a check failed", when a pipe is closed.
        with command.make_context(
            "chainrule", list(sys.argv[1:] if arguments is None else arguments)
        ) as context:
            command.invoke(context)
        sys.stdout.flush()
    except ChainruleError as error:
        click.echo(str(error), err=True)
        sys.exit(error.exit_status)
    except click.exceptions.Exit as ending:
        sys.exit(ending.exit_code)
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        click.echo("\n".join(map(printable, shown.getvalue().splitlines())), err=True)
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output has seen enough; keep Python's exit from complaining.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
