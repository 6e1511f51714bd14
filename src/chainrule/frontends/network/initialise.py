"""Drawing a layer's starting weights."""

from __future__ import annotations

import math
from collections.abc import Callable

from chainrule.frontends.network.spec import Matrix

__all__ = ["initial_weights"]

_SPREADS: dict[str, tuple[str, Callable[[int, int], float]]] = {
    "xavier_uniform": ("uniform", lambda inputs, units: math.sqrt(6 / (inputs + units))),
    "xavier_normal": ("normal", lambda inputs, units: math.sqrt(2 / (inputs + units))),
    "he_uniform": ("uniform", lambda inputs, units: math.sqrt(6 / inputs)),
    "he_normal": ("normal", lambda inputs, units: math.sqrt(2 / inputs)),
    "lecun_normal": ("normal", lambda inputs, units: math.sqrt(1 / inputs)),
    "uniform": ("uniform", lambda inputs, units: 1.0),
    "normal": ("normal", lambda inputs, units: 1.0),
}
_CONSTANTS = {"zeros": 0.0, "ones": 1.0}


def initial_weights(init: str, units: int, inputs: int, seed: int, layer: int) -> Matrix:
    """The starting weights of a layer; the same seed and layer index give the same numbers.

    Shapes: (units, inputs).

    Formula:
        xavier_uniform: U[-a, a), a = sqrt(6 / (inputs + units));
        xavier_normal: N(0, s), s = sqrt(2 / (inputs + units));
        he_uniform: U[-a, a), a = sqrt(6 / inputs);
        he_normal: N(0, s), s = sqrt(2 / inputs);
        lecun_normal: N(0, s), s = sqrt(1 / inputs);
        uniform: U[-1, 1); normal: N(0, 1); zeros; ones.
        The generator is `numpy.random.default_rng([seed, layer])`.

    Source: Xavier Glorot and Yoshua Bengio, 2010, "Understanding the difficulty
        of training deep feedforward neural networks", equation 16 (xavier);
        Kaiming He and others, 2015, "Delving deep into rectifiers", equation 10
        (he); Yann LeCun and others, 1998, "Efficient BackProp", section 4.6
        (lecun).
    """
    if init in _CONSTANTS:
        return ((_CONSTANTS[init],) * inputs,) * units
    import numpy  # here, because it takes longer to import than a small file takes to read

    distribution, spread_of = _SPREADS[init]
    spread = spread_of(inputs, units)
    generator = numpy.random.default_rng([seed, layer])
    drawn = (
        generator.uniform(-spread, spread, (units, inputs))
        if distribution == "uniform"
        else generator.normal(0.0, spread, (units, inputs))
    )
    return tuple(map(tuple, drawn.tolist()))
