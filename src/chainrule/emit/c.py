"""C99 with nothing but its mathematical library."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from chainrule.emit.language import Language, StraightLineLanguage
from chainrule.primitives.code import COMPARISONS, FUNCTIONS, Code, call
from chainrule.primitives.formula import Formula
from chainrule.primitives.notation import CHOICE, COMPARISON, PRODUCT, SUM, Values

__all__ = ["C", "CSource", "conditional"]

_CHOICE = """\
/* The {which}; a at a tie; NaN if either is. */
static double {name}(double a, double b)
{{
    return a {sign} b || a != a ? a : b;
}}
"""
_KEYWORDS = """
alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl const
constexpr continue default delete do double else enum explicit export extern false final float for
friend goto if inline int long mutable namespace new noexcept not not_eq nullptr operator or or_eq
override private protected public register restrict return short signed sizeof static
static_assert static_cast struct switch template this thread_local throw true try typedef typeid
typename typeof typeof_unqual union unsigned using virtual void volatile wchar_t while xor xor_eq
"""
_MACROS = """
BUFSIZ EDOM EOF ERANGE FILENAME_MAX FOPEN_MAX FP_ILOGB0 FP_ILOGBNAN FP_INFINITE FP_NAN FP_NORMAL
FP_SUBNORMAL FP_ZERO HUGE_VAL HUGE_VALF HUGE_VALL INFINITY MATH_ERREXCEPT MATH_ERRNO NAN NULL
SEEK_CUR SEEK_DATA SEEK_END SEEK_HOLE SEEK_SET TMP_MAX L_ctermid L_cuserid L_tmpnam P_tmpdir errno
i386 linux math_errhandling stderr stdin stdout unix M_1_PI M_2_PI M_2_SQRTPI M_E M_LN10 M_LN2
M_LOG10E M_LOG2E M_PI M_PI_2 M_PI_4 M_SQRT1_2 M_SQRT2 MAXFLOAT SNAN OVERFLOW UNDERFLOW DOMAIN SING
PLOSS TLOSS X_TLOSS HUGE
"""
_OWN = "forward gradient step main model given result printf NO_MAIN"


def conditional(to: Code, arguments: tuple[Formula, ...], values: Values) -> tuple[str, int]:
    """`c ? a : b`, as all languages of C's family write a choice."""
    condition, first, second = (to.within(item, values, COMPARISON) for item in arguments)
    return f"{condition} ? {first} : {second}", CHOICE


class C(Language):
    """Text that a C compiler reads."""

    reserved = frozenset(
        (*f"{_KEYWORDS} {_MACROS} {_OWN}".split(), *FUNCTIONS, "fabs", "pow", "fmax", "fmin")
    )
    infix: ClassVar = {
        "add": (SUM, " + "),
        "sub": (SUM, " - "),
        "mul": (PRODUCT, "*"),
        "div": (PRODUCT, "/"),
    }
    forms: ClassVar = {
        "where": conditional,
        **COMPARISONS,
        **{name: call(name) for name in (*FUNCTIONS, "pow", "maximum", "minimum")},
    }
    helpers: ClassVar = {
        "maximum": _CHOICE.format(name="maximum", which="larger", sign=">="),
        "minimum": _CHOICE.format(name="minimum", which="smaller", sign="<="),
    }
    spelling: ClassVar = {"abs": "fabs"}
    comment = "/* {} */"
    assign = "const double {name} = {value};"

    def number(self, value: float) -> str:
        """The shortest text that reads back as the same double."""
        if value - value == 0:
            return super().number(value)
        return "NAN" if value != value else ("-" * (value < 0) + "INFINITY")


class CSource(C, StraightLineLanguage):
    """Straight-line C."""

    def source(self) -> str:
        """A translation unit with the function, and a `main` that prints its results."""
        what, body = self.program.what, self.body()
        file = f"{what}.c"
        lines = [
            f"/* {self.headline()}.",
            " *",
            " * Straight-line C99; every operation stands where it is computed.  Compile with",
            " *",
            f" *     cc -std=c99 -O3 -ffp-contract=off {file} -lm",
            " *",
            " * Without -ffp-contract=off a product and a sum may be rounded once, not twice, and",
            " * the last digits differ.  -DNO_MAIN leaves main out.",
            " */",
            "",
            "#include <math.h>",
            "#include <stdio.h>",
            "",
            *(line for text in self.used_helpers() for line in [*text.splitlines(), ""]),
            "/* What is given. */",
            "struct given {",
            *self._fields(name for name, _ in self.program.given),
            "};",
            "",
            f"/* {self.gives().capitalize()}. */",
            "struct result {",
            *self._fields(label for label, _ in self.program.results),
            "};",
            "",
            "/* The numbers of the model. */",
            "const struct given model = {",
            *(
                f"    .{self.identifiers[name]} = {self.number(value)},"
                for name, value in self.program.given
            ),
            "};",
            "",
            f"struct result {what}(const struct given *given)",
            "{",
            *(
                f"    const double {name} = given->{name};"
                for name in map(self.identifiers.__getitem__, self.program.read)
            ),
            "",
            *body,
            "",
            "    return (struct result){",
            *(
                f"        .{self.identifiers[label]} = {self.identifiers[name]},"
                for label, name in self.program.results
            ),
            "    };",
            "}",
            "",
            "#ifndef NO_MAIN",
            "int main(void)",
            "{",
            f"    const struct result result = {what}(&model);",
            *(
                f'    printf("{name} = %.17g\\n", result.{name});'
                for name in (self.identifiers[label] for label, _ in self.program.results)
            ),
            "    return 0;",
            "}",
            "#endif",
        ]
        return "\n".join(lines) + "\n"

    def _fields(self, names: Iterator[str]) -> Iterator[str]:
        for name in names:
            remark = self.remark(name)
            yield f"    double {self.identifiers[name]};" + (f"  {remark}" if remark else "")
