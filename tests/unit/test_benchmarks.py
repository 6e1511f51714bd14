"""The benchmarks do what they time: every peer that is here arrives at the same weights."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def run(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=BENCHMARKS,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_peers_arrive_at_the_same_weights() -> None:
    printed = run("run.py", "--check", "--work", "seed", "--work", "4-16-3", "--work", "64-32")
    for peer in ("NumPy, preallocated", "PyTorch, eager", "JAX, epoch as a scan", "chainrule jax"):
        assert printed.count(peer) == 3


def test_a_run_says_what_the_machine_was() -> None:
    result = json.loads(run("run.py", "steps", "--json", "--repeats", "1", "--work", "seed"))
    assert {"processor", "cores", "threads", "load over the last minute"} <= set(result["machine"])
    seconds = result["a step, seconds"]["seed"]
    assert "chainrule numpy" in seconds
    assert all(own > 0 for own in seconds.values())


def test_the_first_epoch_needs_nothing_but_the_work_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "work.npz"
    run("-c", f"import pathlib, works; works.seed().save(pathlib.Path({str(file)!r}))")
    assert run("first.py", "chainrule numpy", str(file)) == ""


def test_steps_of_large_models_are_pytorch_s() -> None:
    """Each is compared before it is timed."""
    printed = run("kernels.py", "--patience", "1", "--model", "gpt2", "--step", "64×768 64×768")
    assert "add 64×768 64×768" in printed
    printed = run("kernels.py", "--patience", "1", "--model", "resnet18", "--step", "512×7×7")
    for name in ("convolution", "batch_norm_fixed", "relu", "add", "average_pool"):
        assert f"{name} 1×512×7×7" in printed


def test_a_peer_that_is_missing_is_said_in_one_line() -> None:
    code = "from peers import Peer; print(Peer('P', 'p', ('no_such.package',), ('no-cc',)).missing)"
    assert run("-c", code) == "P: left out, no_such.package and no-cc missing\n"
