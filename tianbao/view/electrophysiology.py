"""Plots of patch-clamp experiments: traces, I-V curves, gates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..cells.channels import CHANNELS, PARAMETER_SETS
from ..electrophysiology.gates import gates as gates_of
from ..electrophysiology.traces import Traces
from . import style

_RECORDED = {"marker": "o", "ls": "", "ms": 4.5}
_PREDECESSOR = {"marker": "x", "ls": "", "ms": 5.0, "color": style.FAINT}
_SETS = dict(zip(PARAMETER_SETS, ("-", ":"), strict=True))


def sweeps(
    run: Traces, path: str | Path | None = None, title: str | None = None, recorded: pd.DataFrame | None = None
) -> Figure | Path:
    """Traces of a protocol, and peak and steady state over the level of the step.

    Args:
        run: of a family of steps.
        path: picture to write; None gives the figure.
        title: the cell's name if None.
        recorded: rows of recordings.csv to compare with.
    """

    def draw(figure: Figure) -> None:
        """Traces on the left, curves on the right."""
        traces, curve = figure.subplots(1, 2, width_ratios=(1.7, 1.0))
        _traces(traces, run)
        _curve(curve, run, recorded)
        figure.suptitle(title or run.cell)

    return style.render(draw, (9.0, 3.4), path)


def _traces(axes: Axes, run: Traces) -> None:
    voltage_clamp = run.protocol.mode == "voltage"
    values, unit = (run.current, "pA") if voltage_clamp else (run.voltage, "mV")
    levels = run.protocol.levels(run.protocol.measured)
    shades = style.ELAPSED(np.linspace(0.05, 0.95, len(levels)))
    # The capacitive transient of a clamp would dominate the plot.
    inside = np.abs(run.time - run.protocol.onset) > 0.5 if voltage_clamp else slice(None)
    for k, (level, shade) in enumerate(zip(levels, shades, strict=True)):
        label = f"{level:g} {'mV' if voltage_clamp else 'pA'}"
        axes.plot(run.time[inside], values[inside, k], color=shade, lw=0.9, label=label)
    if voltage_clamp:
        end = run.protocol.onset + run.protocol.epochs[run.protocol.measured].duration
        within = (run.time > run.protocol.onset + 0.5) & (run.time < end)
        low, high = values[within].min(), values[within].max()
        axes.set_ylim(low - 0.08 * (high - low), high + 0.08 * (high - low))
    axes.set(xlabel="time [ms]", ylabel=f"{'current' if voltage_clamp else 'voltage'} [{unit}]")
    axes.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _curve(axes: Axes, run: Traces, recorded: pd.DataFrame | None) -> None:
    found = run.measure().sort_values("level")
    for measure, colour in (("peak", style.DORSAL), ("steady", style.VENTRAL)):
        axes.plot(found.level, found[measure], color=colour, lw=1.2, label=f"{measure}, model")
        if recorded is not None:
            axes.plot(recorded.step, recorded[measure], color=colour, label=f"{measure}, recorded", **_RECORDED)
            axes.plot(recorded.step, recorded[f"predecessor_{measure}"], **_PREDECESSOR)
    if recorded is not None:
        axes.plot([], [], label="predecessor's fit", **_PREDECESSOR)
    current_clamp = run.protocol.mode == "current"
    axes.set(
        xlabel="current [pA]" if current_clamp else "voltage [mV]",
        ylabel="voltage [mV]" if current_clamp else "current [pA]",
    )
    axes.legend(fontsize=7, frameon=False)


def traces(runs: Sequence[tuple[str, Traces]], path: str | Path | None = None, title: str = "") -> Figure | Path:
    """First sweep of several experiments on one axis, each with its label."""

    def draw(figure: Figure) -> None:
        """One voltage trace per experiment."""
        axes = figure.subplots()
        for (label, run), shade in zip(runs, style.ELAPSED(np.linspace(0.0, 0.9, len(runs))), strict=True):
            axes.plot(run.time, run.voltage[:, 0], color=shade, lw=1.0, label=label)
        axes.set(xlabel="time [ms]", ylabel="voltage [mV]", title=title)
        axes.legend(fontsize=8, frameon=False)

    return style.render(draw, (9.0, 3.2), path)


def gates(path: str | Path | None = None, channels: Sequence[str] | None = None) -> Figure | Path:
    """Steady states and time constants over voltage: set C19 solid, set H dotted.

    Args:
        path: picture to write; None gives the figure.
        channels: of `CHANNELS`; all voltage-gated ones if None.

    Raises:
        ConfigError: for an unknown channel.
    """
    curves = {name: {kind: gates_of(name, kind) for kind in PARAMETER_SETS} for name in channels or CHANNELS}
    curves = {name: each for name, each in curves.items() if len(each["C19"])}

    def draw(figure: Figure) -> None:
        """One row per channel: steady states and time constants."""
        axes = figure.subplots(len(curves), 2, squeeze=False, sharex=True)
        for row, (name, sets) in zip(axes, curves.items(), strict=True):
            for kind, table in sets.items():
                shades = style.ELAPSED(np.linspace(0.1, 0.9, table.gate.nunique()))
                for (gate, each), shade in zip(table.groupby("gate", sort=False), shades, strict=True):
                    label = str(gate).removeprefix(f"{name}_") if kind == "C19" else None
                    row[0].plot(each.voltage, each.steady, _SETS[kind], color=shade, lw=1.1, label=label)
                    row[1].semilogy(each.voltage, each.tau, _SETS[kind], color=shade, lw=1.1)
            row[0].set_ylabel(name)
            row[0].legend(fontsize=6.5, frameon=False)
        axes[0][0].set_title("steady state")
        axes[0][1].set_title("time constant [ms]")
        for each in axes[-1]:
            each.set_xlabel("voltage [mV]")

    return style.render(draw, (8.0, 1.35 * max(2, len(curves)) + 0.6), path)
