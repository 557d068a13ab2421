"""How Sphinx builds the site: `make docs`, without a network."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS / "tables"), str(DOCS.parent)]

# Modules that are documented import NEURON, which ends the process where there is a display that cannot be opened.
os.environ.pop("DISPLAY", None)

import claims  # noqa: E402
from myst_parser.parsers.sphinx_ import MystParser  # noqa: E402

project = "Tianbao"
copyright = "Tianbao contributors, MIT licence"  # noqa: A001
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["tables"]
source_suffix = {".md": "markdown", ".ipynb": "notebook"}
html_theme = "furo"
html_title = "Tianbao"
html_show_sourcelink = False

myst_heading_anchors = 3
# Commands whose lines are not those of a shell session, and excerpts of output.
suppress_warnings = ["misc.highlighting_failure"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_inherit_docstrings = False
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_param = False
# Names between single backticks in docstrings are code.
default_role = "code"

_OUTSIDE = re.compile(r"\[([^\]]*)\]\(((?:\.\./)+)([A-Z_]+\.md)\)")
_CLAIMS = re.compile(r"(<!-- table: claims -->\n).*?(<!-- end -->)", re.DOTALL)
_NOTE = re.compile(r"^(Source|Limitations): (?=\S)")


def _prepared(app, name: str, source: list[str]) -> None:
    """What a page is on the site and cannot be in the repository."""
    if name == "claims":
        # At which commit each table was measured.
        made = claims.table(history=True)
        source[0] = _CLAIMS.sub(lambda found: f"{found[1]}\n{made}\n\n{found[2]}", source[0])
    source[0] = source[0].replace("](../../measured)", "](../../measured/README.md)")
    source[0] = _OUTSIDE.sub(r"{download}`\1 <\2\3>`", source[0])


def _cell(cell: dict) -> str:
    """A cell of a notebook, with what it shows, as a part of a page."""
    source = "".join(cell["source"])
    if cell["cell_type"] != "code":
        return source
    parts = [f"```python\n{source}\n```"]
    for output in cell["outputs"]:
        for kind, data in output.get("data", {}).items():
            text = data if isinstance(data, str) else "".join(data)
            if kind.startswith("image/"):
                parts.append(f"![what the code above draws](data:{kind};base64,{text.replace(chr(10), '')})")
            elif kind == "text/html":
                parts.append(f"````{{raw}} html\n{text}\n````")
            else:
                parts.append(f"```text\n{text}\n```")
    return "\n\n".join(parts)


class _NotebookParser(MystParser):
    """Notebooks as pages, with their stored outputs."""

    supported = ("notebook",)

    def parse(self, inputstring: str, document) -> None:
        """Called by Sphinx with the text of a notebook."""
        super().parse("\n\n".join(map(_cell, json.loads(inputstring)["cells"])), document)


def _docstring(app, what, name, obj, options, lines: list[str]) -> None:
    """Notes of one line, `Source: ...` and `Limitations: ...`, become paragraphs; bars are no substitutions."""
    made, note = [], False
    for line in lines:
        line = line.replace("|", r"\|")
        if _NOTE.match(line):
            made, note = [*made, "", _NOTE.sub(r"*\1*: ", line)], True
        else:
            note = note and bool(line.strip())
            made.append(line.strip() if note else line)
    lines[:] = made


def setup(app) -> None:
    """Called by Sphinx."""
    app.add_source_parser(_NotebookParser)
    app.connect("source-read", _prepared)
    app.connect("autodoc-process-docstring", _docstring, priority=100)
