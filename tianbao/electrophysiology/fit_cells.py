"""The fits of recorded cells: what each may change (sims/fit_membranes.toml) and the sweeps it is held to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from . import fitting
from .fit_data import Described, Spikes, Sweep
from .recordings import CLAMP_DURATION, STEP_DURATION, recorded_windows, recordings

_DURATION, _AFTER = 5000.0, 980.0  # ms
# [ms] Of the search: finer for the first milliseconds of a clamp step and for spikes. Errors are given at 0.1 ms.
_STEP = {"AWCL": 0.1, "VD5": 0.5, "AWAL": 0.5}


def described_of(cell: Mapping) -> Described:
    """The search that a table of fit_membranes.toml describes."""
    neuron = cell["neuron"]
    mode = "CC" if "steps" in cell else str(recordings().set_index("cell")["mode"].loc[[neuron]].iloc[0])
    duration, after = _DURATION, _AFTER
    if "steps" not in cell:
        rows = recorded_windows()
        rows = rows[rows.cell == neuron]
        duration = {**CLAMP_DURATION, **STEP_DURATION}.get(neuron, _DURATION)
        after = max(0.0, float(rows.stop.max()) - duration)
    return Described(
        neuron=neuron,
        mode=mode,
        free=tuple(cell["channels"]),
        fixed={},
        published=cell.get("published", {}),
        kinetics=cell.get("kinetics", {}),
        free_kinetics={name: tuple(bounds) for name, bounds in cell.get("free_kinetics", {}).items()},
        states=cell.get("states", 1),
        duration=duration,
        after=after,
        rest=cell.get("rest"),
        start=cell["start"],
        lowest_egl19_shift=cell.get("lowest_egl19_shift", 0.0),
        pipette=mode == "CC" and "steps" not in cell,
        least_leak=cell.get("least_leak", 0.02),
        step=_STEP.get(neuron, 1.0),
    )


def kept_of(cell: Mapping, found: Mapping) -> Described:
    """The search that is left after elimination.

    Args:
        cell: table of fit_membranes.toml.
        found: stages of its fit.
    """
    kept = found["kept"]
    bounds = {name: tuple(each) for name, each in kept["without"]["free_kinetics"].items()}
    own = {**kept["without"], "free_kinetics": bounds}
    return replace(described_of(cell), free=tuple(kept["free"]), fixed=dict(kept["fixed"]), **own)


def sweeps_of(cell: Mapping) -> list[Sweep]:
    """The recorded sweeps of a cell, or those of its published model."""
    if "steps" in cell:
        return _of_model(cell["model"], cell["steps"])
    rows, windows = recordings(), recorded_windows()
    rows, windows = rows[rows.cell == cell["neuron"]], windows[windows.cell == cell["neuron"]]
    found = []
    for row in rows.to_dict("records"):
        level = row["step"]
        own = windows[windows.step == level][["start", "stop", "mean"]].to_numpy()
        gap = cell.get("unscored", {}).get(f"{level:g}")
        spikes = cell.get("spikes", {}).get(f"{level:g}")
        if gap:
            own = own[(own[:, 1] <= gap[0]) | (own[:, 0] >= gap[1])]
        peak = np.nan if spikes else row["peak"]
        found.append(Sweep(level, own, peak, row["steady"], Spikes(**spikes) if spikes else None))
    return found


def _of_model(model: str, levels: list[float]) -> list[Sweep]:
    """Sweeps of a published model in place of recordings."""
    from .cell import PatchedCell
    from .protocols import current_steps

    edges = sorted({(row.start, row.stop) for row in recorded_windows().query("cell == 'AIYL'").itertuples()})
    sweeps = PatchedCell.of_published(model).run(current_steps(levels, duration=_DURATION, after=_AFTER))
    since = sweeps.time - sweeps.protocol.onset
    found = []
    for k, level in enumerate(levels):
        trace = sweeps.voltage[:, k]
        rows = [(start, stop, trace[(since >= start) & (since < stop)].mean()) for start, stop in edges]
        measured = fitting.measures(since, trace[:, None], level, _DURATION, "CC")
        found.append(Sweep(level, np.array(rows), float(measured["peak"][0]), float(measured["steady"][0])))
    return found
