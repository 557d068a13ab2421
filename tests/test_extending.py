"""A channel, a sense, a field and an assay can be added by following docs/extending.md: a file and a row each."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pages import blocks

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "extending.md"
COPIED, LINKED = ("tianbao", "mod"), ("morphologies", "connectome", "setup.cfg", "pyproject.toml")


@pytest.mark.slow
def test_a_copy_of_the_checkout_that_follows_the_page_runs_in_both_engines(tmp_path):
    for name in COPIED:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in LINKED:
        (tmp_path / name).symlink_to(ROOT / name)
    files, rows, script = [], [], ""
    for block in blocks(PAGE.read_text(encoding="utf-8")):
        first, _, rest = block.text.partition("\n")
        if row := re.fullmatch(r"# row of (\S+)", first):
            with open(tmp_path / row[1], "a", encoding="utf-8") as table:
                table.write(rest)
            rows.append(row[1])
        elif file := re.fullmatch(r"[#:] ((?:tianbao|mod)/\S+)", first):
            assert not (tmp_path / file[1]).exists()
            (tmp_path / file[1]).write_text(rest, encoding="utf-8")
            files.append(file[1])
        else:
            script = block.text
    assert len(files) == 4 and len(rows) == 6
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "TIANBAO_MECHS": str(tmp_path / "mechs")}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=400,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    warmth = [float(each) for each in re.findall(r"([\d.]+) degC at the nose", done.stdout)]
    # The nose of a worm that starts around the origin, heading along x, is half a millimetre up the ramp.
    assert len(warmth) == 2 and warmth[0] == warmth[1] and 20.7 < warmth[0] < 21.1
