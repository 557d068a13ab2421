"""What made a result: versions, mechanisms, revision."""

from __future__ import annotations

import csv
import hashlib
import subprocess
from importlib.metadata import version
from pathlib import Path

from .. import mechanisms, paths

_ROOMS = "cells", "network", "muscles", "body", "environment", "sensing"  # whose tables hold values of worm or arena
_WORDS = "source", "certainty", "meaning"  # columns that no run depends on


def versions() -> dict[str, str]:
    """Versions of Tianbao and of what it computes with."""
    return {name: version(name) for name in ("tianbao", "neuron", "netpyne", "taichi", "numpy")}


def mechanism_hash() -> str:
    """Digest of the compiled mechanisms."""
    return mechanisms.digest()


def table_hash() -> str:
    """Digest of the tables of values and of the connectome, on which every worm rests, but for words about them."""
    content, package = hashlib.sha256(), Path(__file__).parents[1]
    tables = [each for room in _ROOMS for each in (package / room).rglob("*.csv")]
    for path in sorted([*tables, *(paths.data_root() / "connectome").glob("*.csv")]):
        with path.open(encoding="utf-8", newline="") as lines:
            rows = [[value for name, value in row.items() if name not in _WORDS] for row in csv.DictReader(lines)]
        content.update(repr((path.name, rows)).encode())
    return content.hexdigest()[:16]


def git_revision() -> str:
    """Commit of the checkout, with "+" when it has local changes; "" outside a checkout."""
    root = paths.checkout()
    if root is None:
        return ""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=12"],
            cwd=root, capture_output=True, text=True, timeout=10, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return described.stdout.strip()
