"""Runs what a page of the documentation shows: its python, console and text blocks, in their order."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```(\w*)[ ]*\n(.*?)^```[ ]*$", re.MULTILINE | re.DOTALL)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
_NEAR = 0.15
"""Share by which a number on a page may differ from the one that comes out: processors round differently."""


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        language: behind the fence, empty when none is given.
        text: inside.
        line: of the page, from 1.
    """

    language: str
    text: str
    line: int


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page."""
    return [Block(found[1], found[2], text.count("\n", 0, found.start()) + 1) for found in _FENCE.finditer(text)]


def run_page(
    path: Path,
    folder: Path,
    replaced: Mapping[str, str] | None = None,
    languages: Container[str] = ("python", "console", "text", "toml", "csv"),
    first: str | None = None,
) -> list[str]:
    """Run every block of a page: python in one namespace, console through bash with `tianbao` on the path.

    A text block shows what the block before it printed: its lines must be there in this order, `...` for anything,
    numbers within 15 %. So must the lines under a command in a console block. A command may end with 0, or with 1,
    by which ours say that a claim does not hold. A toml or csv block whose first line is a comment with a file name is
    written into that file.

    Args:
        path: of the page.
        folder: to run in.
        replaced: words of python and console blocks and what stands in for them, such as a shorter duration.
        languages: of the blocks to run.
        first: blocks that hold this word run before the others.

    Returns:
        What each block printed.

    Raises:
        AssertionError: if a block fails or prints something else than the page shows.
    """
    said: list[str] = []
    names: dict[str, object] = {"__name__": "__main__"}
    shims = folder / ".bin"
    page = blocks(path.read_text(encoding="utf-8"))
    for block in sorted(page, key=lambda each: bool(first) and first not in each.text):
        where = f"{path.name}:{block.line}"
        if block.language not in languages:
            continue
        code = _replaced(block.text, replaced or {})
        if block.language == "python":
            said.append(_python("\n" * block.line + code, names, where, folder))
        elif block.language == "console":
            said.append(_console(code, where, folder, _shimmed(shims)))
        elif block.language == "text" and said:
            compare(block.text, said[-1], where)
        elif block.language in ("toml", "csv"):
            _keep(block, folder)
    return said


def run_page_apart(path: Path, folder: Path, **options: object) -> None:
    """`run_page` in a process of its own, which no other test has filled with cells.

    NEURON advances all that a process holds, so that a cell under the pipette is slow beside a worm.

    Raises:
        AssertionError: as `run_page` does.
    """
    paths = f"pathlib.Path({str(path)!r}), pathlib.Path({str(folder)!r})"
    code = f"import pathlib, pages; pages.run_page({paths}, **{options})"
    here = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run([sys.executable, "-c", code], env=here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]


def compare(shown: str, said: str, where: str) -> None:
    """Raise unless every shown line is among the printed ones, in order."""
    printed = iter(said.splitlines())
    for line in filter(str.strip, shown.splitlines()):
        if line.strip() == "...":
            continue
        assert any(_alike(line, each) for each in printed), f"{where}: '{line}' was not printed; it printed\n{said}"


def _alike(shown: str, said: str) -> bool:
    words = [re.escape(each) for each in _NUMBER.sub("\0", " ".join(shown.split())).split("\0")]
    pattern = f"({_NUMBER.pattern})".join(words).replace(re.escape("..."), ".*?")
    found = re.fullmatch(pattern, " ".join(said.split()))
    if found is None:
        return False
    numbers = zip(_NUMBER.findall(shown), found.groups(), strict=True)
    return all(abs(float(one) - float(two)) <= max(_NEAR * abs(float(one)), 0.02) for one, two in numbers)


def _keep(block: Block, folder: Path) -> None:
    """Write a block whose first line is a comment with a file name into that file."""
    found = re.match(r"# (\S+\.(?:toml|csv))\n", block.text)
    if found:
        (folder / found[1]).write_text(block.text[found.end() :], encoding="utf-8")


def _replaced(code: str, words: Mapping[str, str]) -> str:
    for old, new in words.items():
        code = code.replace(old, new)
    return code


def _python(code: str, names: dict, where: str, folder: Path) -> str:
    out = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out):
        exec(compile(code, where, "exec"), names)
    return out.getvalue()


def _console(code: str, where: str, folder: Path, environment: Mapping[str, str]) -> str:
    """Commands behind `$`, each compared with the lines under it."""
    everything = ""
    for part in re.split(r"^\$ ", code, flags=re.MULTILINE)[1:]:
        command, shown = _logical(part)
        done = subprocess.run(
            ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode in (0, 1) and "Traceback" not in done.stderr, (
            f"{where}: {command} ended with {done.returncode}: {done.stderr[-2000:]}"
        )
        compare(shown, done.stdout + done.stderr, f"{where}: {command}")
        everything += done.stdout
    return everything


def _logical(part: str) -> tuple[str, str]:
    """A command with the lines that a backslash continues, and what is shown under it."""
    lines = part.split("\n")
    last = next(number for number, line in enumerate(lines) if not line.endswith("\\"))
    return "\n".join(lines[: last + 1]), "\n".join(lines[last + 1 :])


def _shimmed(shims: Path) -> dict[str, str]:
    """An environment in which `tianbao` and `python` are those that run the tests."""
    if not shims.exists():
        shims.mkdir()
        for name, options in (("tianbao", " -m tianbao.cli"), ("python", "")):
            shim = shims / name
            shim.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)}{options} "$@"\n')
            shim.chmod(0o755)
    return os.environ | {"PATH": f"{shims}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "100"}
