"""The PyTorch importer: a module and a loss become a model.

PyTorch itself traces the module (`torch.export`); each operation of that trace is built
from primitives by one table, `operations.py`.  PyTorch is imported here and nowhere else,
and only when a module is given.
"""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chainrule.errors import Fault, InputError
from chainrule.graph.model import Model

_PACKAGE = str(Path(__file__).parents[2])

__all__ = ["OLDEST", "TESTED", "from_torch"]

OLDEST = "2.6"
"""The oldest PyTorch that is accepted."""
TESTED = "2.13"
"""The PyTorch that the tests run with."""


def from_torch(
    module: Any,
    args: Any,
    kwargs: Mapping[str, Any] | None = None,
    *,
    loss: Any,
    targets: Any = None,
    seed: int = 0,
) -> Model:
    """The model of a PyTorch module's loss at these arguments.

    `args` is a tensor or a tuple of them.  `loss` is a function of the module's output, and of
    `targets` where they are given; a loss module; or a name: `cross_entropy`, `mse`, `nll`,
    `l1`, `smooth_l1`, `huber`, `bce`, `bce_with_logits`.  The module is taken as it is, in
    training mode or not; what it draws at random is drawn once, from `seed`.

    The model's leaves are the parameters under their qualified names, trained where they
    require a gradient, and every floating argument and buffer that the loss depends on.  Their
    numbers are the module's own memory, not copies, but for half-precision types, which become
    `float32`.

    Shapes: the loss ().

    Raises: InputError when PyTorch is missing, when it cannot export the module, when the loss
    is not one number, or with a fault for every operation that has no steps here.
    """
    _check_installed()
    from chainrule.importers.torch.follow import follow

    if loss is None:
        raise InputError(
            Fault(
                "OptionError",
                "no loss was given",
                needs="a function of the module's output, a loss module, or a name",
                hint='loss="cross_entropy" with targets, or loss=lambda output: output.sum()',
            )
        )
    return follow(module, args, dict(kwargs or {}), loss, targets, seed, _caller())


def _caller() -> tuple[str, int]:
    """The user's line, where a loss that is given by its name stands."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def _check_installed() -> None:
    """Raises: InputError where PyTorch is missing or too old; warns of one newer than tested."""
    if importlib.util.find_spec("torch") is None:
        raise InputError(
            Fault("ImportError", "PyTorch is not installed", hint='pip install "chainrule[torch]"')
        )
    import torch

    version = _release(torch.__version__)
    if version < _release(OLDEST):
        raise InputError(
            Fault(
                "ImportError",
                f"PyTorch is {torch.__version__}",
                needs=f"{OLDEST} or newer",
                hint='pip install "chainrule[torch]"',
            )
        )
    if version > _release(TESTED):
        warnings.warn(
            f"PyTorch {torch.__version__} is newer than {TESTED}, which chainrule is tested with",
            UserWarning,
            stacklevel=3,
        )


def _release(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(minor)
