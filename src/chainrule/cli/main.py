"""The `chainrule` command: arguments in, documents or JSON out, an exit status.

Data goes to standard output, everything else to standard error.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import math
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from chainrule.errors import ChainruleError, Fault, InputError, printable
from chainrule.explanation.documents.formats import DOCUMENTS

if TYPE_CHECKING:
    from chainrule.explanation.documents.blocks import Document
    from chainrule.explanation.messages import Language, Words
    from chainrule.explanation.schema import Explanation
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
    """What every command takes: the model, overrides, and how to answer."""
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
        click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text."),
        click.option(
            "--lang",
            type=click.Choice(["en", "zh"]),
            help="The language of the document.  [default: that of LANG]",
        ),
    ):
        function = decorate(function)
    return function


order_option = click.option(
    "--order",
    type=click.Choice(["simultaneous", "sequential"]),
    help="Update all parameters at once, or those nearest the loss first.  [default: the model's]",
)


@command.command(epilog=STATUS)
@model_options
def show(model: str, as_json: bool, lang: Any, **choices: Any) -> None:
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

        _print_document(values_document(values, _words(lang)))
    error = non_finite(list(values.lines))
    if error is not None:
        raise error


@command.command(epilog=STATUS)
@model_options
@click.argument("parameters", metavar="[PARAMETER]...", nargs=-1)
@order_option
@click.option(
    "--format",
    "form",
    type=click.Choice([*DOCUMENTS, "json"]),
    help="What to write.  [default: by the ending of -o FILE, else text]",
)
@click.option(
    "-o", "--output", metavar="FILE", help='Write the document to FILE ("-": standard output).'
)
def explain(
    model: str,
    parameters: tuple[str, ...],
    order: Any,
    form: str | None,
    output: str | None,
    as_json: bool,
    lang: Any,
    **choices: Any,
) -> None:
    """The derivation of each PARAMETER's gradient (default: of all that are trained).

    Any number of the model may be asked for, inputs and targets included.

    \b
    Examples:
      chainrule explain seed w7
      chainrule explain seed w1 w7 --format markdown
    """
    import chainrule.api as api

    chosen = _format(form, output, as_json)
    loaded = _load(model, **choices)
    loaded = dataclasses.replace(loaded, order=order or loaded.order)
    explanation = api.explain(loaded, parameters)
    if output is not None and output != "-":
        from chainrule.frontends.files import write_atomic

        write_atomic(output, _document(explanation, loaded, chosen, lang))
        click.echo(f"wrote {printable(output)}", err=True)
    elif chosen == "text":
        from chainrule.explanation.documents.compose import explanation_document

        _print_document(explanation_document(explanation, _words(lang)))
    else:
        click.echo(_document(explanation, loaded, chosen, lang), nl=False)
    if any(item.checks.get("verdict") == "disagrees" for item in explanation.derivations):
        raise SystemExit(1)


@command.command(epilog=STATUS)
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
def step(
    model: str, steps: int, order: Any, output: str | None, as_json: bool, lang: Any, **choices: Any
) -> None:
    """Take steps of gradient descent: the loss before and after, the new parameters.

    \b
    Examples:
      chainrule step seed --steps 100
      chainrule step net.toml -o trained.toml
    """
    import chainrule.api as api

    if as_json and output == "-":
        raise click.UsageError("--json and -o - would both write to standard output")
    loaded = _load(model, **choices)
    taken = api.step(loaded, steps, order=order)
    if output is not None:
        text = api.updated_text(taken)
        if output == "-":
            click.echo(text, nl=False)
            return
        from chainrule.frontends.files import write_atomic

        write_atomic(output, text)
        click.echo(f"wrote {printable(output)}", err=True)
    if as_json:
        _print_json(taken.as_json())
    else:
        from chainrule.explanation.documents.compose import steps_document

        _print_document(steps_document(taken, _words(lang)))


@command.command(epilog=STATUS)
@model_options
def check(model: str, as_json: bool, lang: Any, **choices: Any) -> None:
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

        _print_document(report_document(report, _words(lang)))
    if not report.passed:
        raise SystemExit(1)


# --------------------------------------------------------------------------- in and out


def _load(model: str, overrides: Sequence[str], loss: str | None, train: str | None) -> Model:
    import chainrule.api as api

    trained = [name.strip() for name in train.split(",") if name.strip()] if train else None
    return api.load(model, loss=loss, trained=trained, values=_numbers(overrides))


def _numbers(overrides: Sequence[str]) -> dict[str, float]:
    """The pairs of `--set`. Raises: InputError with a fault for each bad one."""
    faults, values = [], {}
    for pair in overrides:
        name, equals, text = pair.partition("=")
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not equals or not name.strip() or not math.isfinite(value):
            needs = "NAME=VALUE with a finite number, for example --set w7=0.5"
            faults.append(Fault("OptionError", f"--set {pair}", needs=needs))
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


def _format(form: str | None, output: str | None, as_json: bool) -> str:
    """The format that the options ask for. Raises: click.UsageError where they disagree."""
    if as_json:
        if form not in (None, "json"):
            raise click.UsageError(f"--json and --format {form} are two formats")
        return "json"
    if form is not None or output is None or output == "-":
        return form or "text"
    ending = os.path.splitext(output)[1].lower()
    if ending not in ENDINGS:
        known = ", ".join(ENDINGS)
        raise click.UsageError(f"{output} has none of the endings {known}: give --format")
    return ENDINGS[ending]


def _document(
    explanation: Explanation, model: Model, form: str, lang: Language | None
) -> str | bytes:
    """An explanation in a format, with a newline at its end."""
    if form == "json":
        return _json(explanation.as_json()) + "\n"
    from chainrule.explanation.documents.compose import explanation_document

    return DOCUMENTS[form].write(explanation_document(explanation, _words(lang)), model)


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
