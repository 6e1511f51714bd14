"""Records of all primitives, and the formula language that they are written in."""

from chainrule.primitives import linear as linear
from chainrule.primitives import pointwise as pointwise
from chainrule.primitives import take as take
from chainrule.primitives import windows as windows
from chainrule.primitives.formula import Apply, Formula, Number, Symbol
from chainrule.primitives.record import (
    CONSTANT,
    REGISTRY,
    VARIABLE,
    Composite,
    Leaf,
    Linear,
    Pointwise,
    Primitive,
    Select,
)

__all__ = [
    "CONSTANT",
    "REGISTRY",
    "VARIABLE",
    "Apply",
    "Composite",
    "Formula",
    "Leaf",
    "Linear",
    "Number",
    "Pointwise",
    "Primitive",
    "Select",
    "Symbol",
]
