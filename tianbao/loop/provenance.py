"""What made a result: versions, mechanisms, revision."""

from __future__ import annotations

import subprocess
from importlib.metadata import version

from .. import mechanisms, paths


def versions() -> dict[str, str]:
    """Versions of Tianbao and of what it computes with."""
    return {name: version(name) for name in ("tianbao", "neuron", "netpyne", "taichi", "numpy")}


def mechanism_hash() -> str:
    """Digest of the compiled mechanisms."""
    return mechanisms.digest()


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
