"""Networks described in TOML or JSON: read, validated, and written back with new numbers."""

from __future__ import annotations

from chainrule.frontends.network.spec import (
    InputsSpec,
    LayerSpec,
    NetworkSpec,
    network_from_data,
    parse_network,
    rewrite_network,
)

__all__ = [
    "InputsSpec",
    "LayerSpec",
    "NetworkSpec",
    "network_from_data",
    "parse_network",
    "rewrite_network",
]
