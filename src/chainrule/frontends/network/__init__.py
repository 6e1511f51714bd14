"""Networks described in TOML or JSON: read, validated, built, and written back with new numbers."""

from __future__ import annotations

from chainrule.frontends.network.build import build_network, load_network
from chainrule.frontends.network.reader import network_from_data, parse_network
from chainrule.frontends.network.rewrite import rewrite_network
from chainrule.frontends.network.spec import InputsSpec, LayerSpec, NetworkSpec

__all__ = [
    "InputsSpec",
    "LayerSpec",
    "NetworkSpec",
    "build_network",
    "load_network",
    "network_from_data",
    "parse_network",
    "rewrite_network",
]
