"""Run notebooks and store what they print, as the examples are kept.

python tools/run_notebook.py examples/gradients-of-resnet18.ipynb

Needs the packages nbformat, nbclient and ipykernel, which the tests bring.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def main(names: list[str]) -> None:
    """Run each notebook in its own folder, and write it with its outputs."""
    for name in names:
        file = Path(name)
        notebook = nbformat.read(file, as_version=4)
        NotebookClient(
            notebook, timeout=300, resources={"metadata": {"path": file.parent}}
        ).execute()
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)  # when it ran
        notebook.metadata["language_info"] = {"name": "python"}
        nbformat.validate(notebook)
        nbformat.write(notebook, file)


if __name__ == "__main__":
    main(sys.argv[1:])
