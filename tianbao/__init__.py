"""Tianbao: a whole C. elegans in one closed loop.

    import tianbao as tb
    run = tb.Simulation(tb.Worm(), tb.Arena("agar"), seed=1).run(5_000.0)
    run.gait()

Names are loaded when they are first used, so that `import tianbao` starts neither NEURON nor
Taichi.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from .errors import AnatomyError, ConfigError, DivergedError, MechanismError, OutputError, TianbaoError

if TYPE_CHECKING:
    from .agreement import verify
    from .apparatus import Pulse
    from .behaviour.kymograph import Kymograph, read_kymograph
    from .body import Material
    from .clock import Clock
    from .electrophysiology.cell import PatchedCell
    from .electrophysiology.protocols import current_pulses, current_steps, voltage_steps
    from .environment import (
        Arena,
        Basin,
        Bath,
        Dish,
        Drop,
        Gaussian,
        Gradient,
        Lattice,
        Lawn,
        Medium,
        Pillar,
        Plane,
        Plume,
        Ring,
        SignedDistance,
        pillar_array,
    )
    from .experiment import resume
    from .io.checkpoints import Checkpoints
    from .io.results import open_recording as open  # noqa: A004
    from .learning.gradients import gradient, jacobian
    from .loop import Loop, Observation, Simulation
    from .membranes import sources
    from .network.design import sign_sources
    from .parameters import Parameters
    from .placing import scattered
    from .recording import Recording
    from .sweeps.run import sweep
    from .view.live import Live
    from .worm import Worm

_HOMES = {
    "Arena": ".environment",
    "Basin": ".environment",
    "Bath": ".environment",
    "Checkpoints": ".io.checkpoints",
    "Clock": ".clock",
    "Dish": ".environment",
    "Drop": ".environment",
    "Gaussian": ".environment",
    "Gradient": ".environment",
    "Kymograph": ".behaviour.kymograph",
    "Lattice": ".environment",
    "Lawn": ".environment",
    "Live": ".view.live",
    "Loop": ".loop",
    "Material": ".body",
    "Medium": ".environment",
    "Observation": ".loop",
    "Parameters": ".parameters",
    "PatchedCell": ".electrophysiology.cell",
    "Pillar": ".environment",
    "Plane": ".environment",
    "Plume": ".environment",
    "Pulse": ".apparatus",
    "Recording": ".recording",
    "Ring": ".environment",
    "SignedDistance": ".environment",
    "Simulation": ".loop",
    "Worm": ".worm",
    "current_pulses": ".electrophysiology.protocols",
    "current_steps": ".electrophysiology.protocols",
    "gradient": ".learning.gradients",
    "jacobian": ".learning.gradients",
    "pillar_array": ".environment",
    "read_kymograph": ".behaviour.kymograph",
    "read_track": ".io.import_track",
    "resume": ".experiment",
    "scattered": ".placing",
    "sign_sources": ".network.design",
    "sources": ".membranes",
    "sweep": ".sweeps.run",
    "verify": ".agreement",
    "voltage_steps": ".electrophysiology.protocols",
}

# Packages that are reached without an import of their own: tianbao.behaviour.gait.
_ROOMS = ("anatomy", "behaviour", "learning")

__all__ = [
    "AnatomyError",
    "Arena",
    "Basin",
    "Bath",
    "Checkpoints",
    "Clock",
    "ConfigError",
    "Dish",
    "DivergedError",
    "Drop",
    "Gaussian",
    "Gradient",
    "Kymograph",
    "Lattice",
    "Lawn",
    "Live",
    "Loop",
    "Material",
    "MechanismError",
    "Medium",
    "Observation",
    "OutputError",
    "Parameters",
    "PatchedCell",
    "Pillar",
    "Plane",
    "Plume",
    "Pulse",
    "Recording",
    "Ring",
    "SignedDistance",
    "Simulation",
    "TianbaoError",
    "Worm",
    "current_pulses",
    "current_steps",
    "gradient",
    "jacobian",
    "open",
    "pillar_array",
    "read_kymograph",
    "read_track",
    "resume",
    "scattered",
    "sign_sources",
    "sources",
    "sweep",
    "verify",
    "voltage_steps",
]


def __getattr__(name: str):
    if name == "open":
        return importlib.import_module(".io.results", __name__).open_recording
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name], __name__), name)
    if name in _ROOMS:
        return importlib.import_module(f".{name}", __name__)
    from .arguments import elsewhere
    from .errors import unknown

    if answer := elsewhere("tianbao", name):
        raise AttributeError(f"module 'tianbao': unknown attribute '{name}': {answer}")
    raise AttributeError(f"module 'tianbao': {unknown('attribute', name, [*__all__, *_ROOMS])}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_ROOMS})
