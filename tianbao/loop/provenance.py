"""What made a result: configuration, versions, mechanisms, revision."""

from __future__ import annotations

import dataclasses
import subprocess
from importlib.metadata import version
from typing import TYPE_CHECKING

from .. import mechanisms, paths
from ..config import to_toml

if TYPE_CHECKING:
    from .simulation import Simulation


def config_toml(simulation: Simulation) -> str:
    """The resolved configuration of a run, as TOML."""
    worm, body = simulation.worm, simulation.body
    return to_toml(
        {
            "run": {
                "seed": simulation.seed,
                **dataclasses.asdict(simulation.clock),
                "slabs": body.mesh.slabs,
                "initial_curvature": simulation.initial_curvature,
            },
            "worm": {
                "at": list(worm.at),
                "heading": worm.heading,
                "discretisation": worm.discretisation,
                "channel_set": worm.channel_set,
                "signs": worm.signs,
                "interventions": worm.interventions,
            },
            "material": dataclasses.asdict(body.material),
            "medium": dataclasses.asdict(body.medium),
            "parameters": dict(worm.parameters),
        }
    )


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
        said = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=12"],
            cwd=root, capture_output=True, text=True, timeout=10, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return said.stdout.strip()
