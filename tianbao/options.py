"""Options of a run that a configuration file may hold: each is spelled and has its default in one place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


def option(default: Any, about: str = "") -> Any:
    """A field of a frozen dataclass with the comment that a printed configuration carries.

    Args:
        default: its value, or what makes it.
        about: the comment; a section has none.
    """
    if callable(default):
        return field(default_factory=default, metadata={"about": about})
    return field(default=default, metadata={"about": about})


@dataclass(frozen=True, kw_only=True)
class WormSection:
    """The animal; see `tianbao.Worm`."""

    at: tuple[float, ...] = option((0.0, 0.0, 0.0), "middle of the body [mm]")
    heading: float = option(0.0, "direction of the head [rad], 0 along +x")
    connectome: str = option("cook2019", "name, or path of your own CSV; see tianbao connectomes")
    morphologies: str = option("", "folder of SWC files that replace traced neurons; empty for none")
    discretisation: str = option("traced", "traced or d_lambda")
    soma_compartments: int = option(2, "1 or 2")
    channel_set: str = option("C19", "kinetic constants of the channels, C19 or H")
    signs: str = option("published", "of synapses: published, deciding, predicted, transmitter, or a table of families")
    decision: str = option("off", "between forward and backward movement: off, network, or a table of values")
    fatigue: str = option("off", "synapses that tire: off, touch, or a table of classes and their use [1/s]")
    amines: str = option("off", "amines and peptides as slow states: off, on, or a table of strengths")
    muscle: str = option("passive", "membrane of the body wall muscles: passive, or active with action potentials")


@dataclass(frozen=True, kw_only=True)
class ArenaSection:
    """Where it lives; see `tianbao.Arena`."""

    medium: str = option("agar", "agar, wet_agar, water, newtonian, or such as 'water to agar, 0.5'")
    viscosity_pa_s: float = option(0.0, "of medium newtonian [Pa s]")
    gravity: float = option(0.0, "towards smaller z [m/s2]")
    temperature: float = option(20.0, "[degC]; gates and muscles follow it")
    resolved: bool = option(False, "whether the flow that worms cause acts on them; Newtonian media")
    pillars: tuple = option((), "each [x, y, radius, friction], lengths in mm")
    lattices: tuple = option((), "endless fields of pillars, each {radius, pitch, layout, friction, origin, ...} in mm")
    dishes: tuple = option((), "each [x, y, radius, friction]")
    planes: tuple = option((), "each [x, y, z of a point, x, y, z of the normal, friction]")
    solids: tuple[str, ...] = option((), "functions given in Python; a file can only name them")
    flow: str = option("", "a function given in Python; a file can only name it")


@dataclass(frozen=True, kw_only=True)
class BodySection:
    """Mesh and first posture."""

    slabs: int = option(48, "axial resolution of the mesh")
    initial_curvature: float = option(4.0, "amplitude of the bend a run starts from, half that of a crawl [kappa L]")


@dataclass(frozen=True, kw_only=True)
class RecordSection:
    """What is kept beside midline and muscles."""

    voltage: tuple[str, ...] = option(
        ("AVA*", "AVB*", "DB*", "VB*", "DD*", "VD*", "SMD*", "RMD*"), "neurons or globs whose soma voltage is kept"
    )


@dataclass(frozen=True, kw_only=True)
class CheckpointSection:
    """What makes a run go on after it was stopped."""

    every: float = option(1000.0, "interval of checkpoints [ms]; 0 for none")
