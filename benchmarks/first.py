"""The first epoch of one peer, in a process that has done nothing else.

python benchmarks/first.py PEER FILE
"""

from __future__ import annotations

import sys
from pathlib import Path

import works
from peers import PEERS

if __name__ == "__main__":
    name, file = sys.argv[1:]
    peer = next(peer for peer in PEERS if peer.name == name)
    peer.prepare(works.load(Path(file))).run(1)
