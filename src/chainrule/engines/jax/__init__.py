"""The JAX engine: an array graph as one compiled function.  Nothing else imports jax."""

from chainrule.errors import Fault, InputError

try:
    import jax as _  # noqa: F401
except ImportError:
    raise InputError(
        Fault(
            "PackageError",
            "the JAX engine needs jax, which is not installed",
            hint="pip install 'chainrule[jax]'",
        )
    ) from None
