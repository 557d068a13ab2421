"""Runs the notebooks and stores what they show: `python docs/tables/notebooks.py` (two minutes); `--check` compares.

The site shows them as they are stored. A digest in each says which code its outputs are of.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "notebooks"
MOST_BYTES = 300_000  # of one output
_WIDEST, _COLOURS = 1000, 128  # of a stored picture: pixels, and colours
_KEPT = ("image/png", "image/gif", "text/html", "text/plain")


def digest(notebook: dict) -> str:
    """Of the code of a notebook."""
    code = "\n\0".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code")
    return hashlib.sha256(code.encode()).hexdigest()


def faults(notebook: dict) -> Iterator[str]:
    """What is wrong with a stored notebook, in words."""
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    if notebook["metadata"].get("tianbao", {}).get("outputs_of") != digest(notebook):
        yield "its outputs are of other code"
    if not any(cell["outputs"] for cell in code):
        yield "it shows nothing"
    for number, cell in enumerate(code, start=1):
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                yield f"code cell {number} failed"
            if len(str(output)) > MOST_BYTES:
                yield f"code cell {number} shows more than {MOST_BYTES} bytes"


def run(path: Path) -> None:
    """Run a notebook in an empty folder and store it with its outputs."""
    import nbclient
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        nbclient.NotebookClient(notebook, timeout=900, resources={"metadata": {"path": folder}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when it was run
        if cell.cell_type == "code":
            cell.outputs = [_stored(each) for each in cell.outputs if each.output_type != "stream"]
    notebook.metadata.pop("language_info", None)
    notebook.metadata["tianbao"] = {"outputs_of": digest(notebook)}
    nbformat.validate(notebook)
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")


def _stored(output):
    """An output small enough for a repository."""
    if "data" in output:
        output.data = {kind: output.data[kind] for kind in _KEPT if kind in output.data}
        if "image/png" in output.data:
            output.data["image/png"] = _smaller(output.data["image/png"])
        if len(output.data) > 1:
            # What a notebook prints where it cannot show pictures.
            output.data.pop("text/plain", None)
        output.metadata = {}
    return output


def _smaller(encoded: str) -> str:
    from PIL import Image

    picture = Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")
    picture.thumbnail((_WIDEST, 4 * _WIDEST), Image.Resampling.LANCZOS)
    memory = io.BytesIO()
    picture.quantize(_COLOURS, dither=Image.Dither.NONE).save(memory, format="PNG", optimize=True)
    return base64.b64encode(memory.getvalue()).decode()


def main(arguments: list[str] | None = None) -> int:
    """Run the notebooks, or check them."""
    import json

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="run nothing; exit code 1 if outputs are not of the code")
    args = parser.parse_args(arguments)
    code = 0
    for path in sorted(FOLDER.glob("*.ipynb")):
        if not args.check:
            run(path)
        for fault in faults(json.loads(path.read_text(encoding="utf-8"))):
            sys.stdout.write(f"docs/notebooks/{path.name}: {fault}: run python docs/tables/notebooks.py\n")
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
