"""Level cell: fitted cells compared with their recordings, sweep by sweep."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from ..electrophysiology.measures import spikes as highest_spikes
from ..electrophysiology.protocols import current_steps
from ..electrophysiology.recordings import Recorded, recorded_windows, recordings
from ..electrophysiology.sweeps import Sweeps
from .check import Check, Result
from .traces import fitted, mode_of, recorded_neurons, recorded_sweeps, steps_of, template_of, values_of, window_means

FITS = Path(__file__).parents[2] / "docs" / "fits" / "membranes"
"""Results of the fits, in a checkout."""
SPIKING_PA = 4.0
"""Current at which AWA must spike [pA]."""

_RELEASED = "recordings released with BAAIWorm, which the cell was fitted to"
_LIU_2018 = "Liu Q. 2018: calcium spikes of AWA need EGL-19"
_UNITS = {"CC": "mV", "VC": "pA"}
_MEASURES = ("trace", "steady", "peak")
_BACK = 5.0  # mV from rest: closer is returned
_REBOUND = -40.0  # mV, that AIY does not reach after its most negative step
_WORSE = 1.3  # [-] most by which the error on a sweep left out of the fit may exceed that on it in the fit
# A spike rises by this much above the higher of its two troughs, this long after the start of the step or later.
_RISE, _AFTER_ONSET = 15.0, 50.0  # mV, ms
_MOST_SPIKES = 200  # of one step
_SPIKES, _PEAK = 2, -20.0  # least number at `SPIKING_PA`, least peak [mV]
_HEIGHT, _LATENCY = 10.0, 500.0  # mV, ms by which spikes of one cell vary between its sweeps


def rms(values: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Root mean square, weighted."""
    return float(np.sqrt(np.average(np.square(values), weights=weights)))


@cache
def compared(neuron: str) -> pd.DataFrame:
    """The windows of a neuron, with the mean of the fitted cell in each.

    Returns:
        Rows of `recorded_windows` with columns `found` [mV or pA] and `phase` ("before", "during" or "after" the step).
    """
    run, every = recorded_sweeps(neuron), recorded_windows()
    time, values = run.time - run.protocol.onset, values_of(run)
    duration, parts = run.protocol.epochs[1].duration, []
    for k, step in enumerate(steps_of(neuron)):
        rows = every[(every.cell == neuron) & (every.step == step)]
        found = window_means(time, values[:, k], rows)
        phase = np.where(rows.start < 0.0, "before", np.where(rows.start < duration, "during", "after"))
        parts.append(rows.assign(found=found, phase=phase))
    return pd.concat(parts, ignore_index=True)


def _error(rows: pd.DataFrame) -> float:
    """Root mean square error over windows, each sweep of equal weight and each window by its length."""
    return rms(np.array([rms(each.found - each["mean"], each.stop - each.start) for _, each in rows.groupby("step")]))


def _recordings() -> Iterator[Result]:
    table = recordings()
    for neuron, rows in table.groupby("cell", sort=False):
        found, unit = recorded_sweeps(str(neuron)).measure(), _UNITS[mode_of(str(neuron))]
        for measure in ("steady", "peak"):
            error = rms(found[measure].to_numpy() - rows[measure].to_numpy())
            bar = rms(rows[f"predecessor_{measure}"].to_numpy() - rows[measure].to_numpy())
            test = f"{neuron}, {measure}: root mean square error over {len(rows)} recorded sweeps"
            source = f"{_RELEASED}; below its own fit"
            yield Result(f"{neuron} {measure}", "cell", test, error, bar, unit, 0.0, source, True, bar)


def _whole() -> Iterator[Result]:
    table = recordings()
    for neuron in recorded_neurons():
        rows, unit = compared(neuron), _UNITS[mode_of(neuron)]
        bar = rms(table[table.cell == neuron].predecessor_trace.to_numpy())
        test = f"{neuron}, whole trace: root mean square error over the windows of {len(steps_of(neuron))} sweeps"
        source = f"{_RELEASED} (means in windows.csv); below its own fit, of which all samples count"
        yield Result(f"{neuron} trace", "cell", test, _error(rows), bar, unit, 0.0, source, True, bar)
        after = rows[rows.phase == "after"]
        if len(after):
            test = f"{neuron}, after the step until the recording ends: root mean square error over the windows"
            yield Result(f"{neuron} after", "cell", test, _error(after), math.nan, unit, 0.0, _RELEASED, informs=True)


def against(traces: Sequence[Recorded]) -> Iterator[Result]:
    """Every sample of whole recordings compared with the fitted cell, public sweeps and others.

    Args:
        traces: see `read_recordings`.
    """
    table = recordings().set_index(["cell", "step"])
    for neuron in dict.fromkeys(each.cell for each in traces):
        mine = [each for each in traces if each.cell == neuron]
        run, unit = recorded_sweeps(neuron, tuple(each.step for each in mine)), _UNITS[mode_of(neuron)]
        errors = []
        for k, each in enumerate(mine):
            counted = _recorded(neuron, each.time)
            found = np.interp(each.time[counted], run.time - run.protocol.onset, values_of(run)[:, k])
            error = rms(found - each.values[counted])
            test = f"{neuron} at {each.step:g} {'pA' if unit == 'mV' else 'mV'}, every sample: root mean square error"
            known = (neuron, each.step) in table.index
            bar = float(table.predecessor_trace[neuron, each.step]) if known else math.nan
            source = f"the recordings given; {'below its own fit' if known else 'not a public sweep'}"
            before = bar if known else None
            name = f"{neuron} {each.step:g} samples"
            yield Result(name, "cell", test, error, bar, unit, 0.0, source, known, before, True, not known)
            errors += [(error, bar)] if known else []
        if errors:
            ours, bar = (rms(np.array(each)) for each in zip(*errors, strict=True))
            test = f"{neuron}, every sample of {len(errors)} public sweeps: root mean square error"
            source = "the recordings given; below its own fit"
            yield Result(f"{neuron} samples", "cell", test, ours, bar, unit, 0.0, source, True, bar)


def _recorded(neuron: str, time: np.ndarray) -> np.ndarray:
    """Which samples of a recording are no padding: those in a window of the cell."""
    every = recorded_windows()
    spans = every[every.cell == neuron][["start", "stop"]].drop_duplicates().to_numpy()
    return ((time[:, None] >= spans[:, 0] - 1e-6) & (time[:, None] < spans[:, 1] - 1e-6)).any(1)


def _returns() -> Iterator[Result]:
    for neuron in recorded_neurons():
        rows = compared(neuron)
        if mode_of(neuron) == "VC" or not (rows.phase == "after").any():
            continue
        away = {step: _away(sweep) for step, sweep in rows.groupby("step") if step}
        worst = max(away, key=lambda step: away[step])
        test = f"{neuron}, distance from its rest when the recording is back within {_BACK:g} mV of its own"
        test = f"{test}: largest of its sweeps, at {worst:g} pA"
        yield Result(f"{neuron} returns", "cell", test, away[worst], _BACK, "mV", 0.0, _RELEASED, True)
    rows = compared("AIYL")
    lowest = rows[(rows.step == rows.step.min()) & (rows.phase == "after")]
    test = f"AIYL, highest mean in a window after {rows.step.min():g} pA (recorded: {lowest['mean'].max():.1f} mV)"
    yield Result("AIYL rebound", "cell", test, float(lowest.found.max()), _REBOUND, "mV", 0.0, _RELEASED, True)


def _away(sweep: pd.DataFrame) -> float:
    """Largest distance [mV] of a model from its rest once the recording is back at its own; 0 if it never is."""
    rest = sweep[sweep.phase == "before"][["mean", "found"]].mean()
    distance = (sweep[sweep.phase == "after"][["mean", "found"]] - rest).abs().to_numpy()
    still = np.flatnonzero(distance[:, 0] > _BACK)
    back = distance[still[-1] + 1 if len(still) else 0 :, 1]
    return float(back.max(initial=0.0))


def spikes(run: Sweeps, sweep: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Spikes of a current step.

    Args:
        run: of current steps.
        sweep: its number.

    Returns:
        Peak [mV], rise above the higher of the two troughs [mV] and time since the start of the step [ms] of each.
    """
    since, duration = run.time - run.protocol.onset, run.protocol.epochs[1].duration
    peak, rise, when = highest_spikes(since, run.voltage[:, [sweep]], _AFTER_ONSET, duration, _MOST_SPIKES)
    order = np.argsort(when[:, 0], kind="stable")
    order = order[rise[order, 0] >= _RISE]
    return peak[order, 0], rise[order, 0], when[order, 0]


@cache
def awa_runs() -> list[tuple[str, Sweeps]]:
    """AWAL at a small current, intact and without EGL-19."""
    protocol = current_steps([SPIKING_PA])
    return [
        (name, fitted("AWAL", gone).run(protocol)) for name, gone in (("intact", ()), ("without EGL-19", ("egl-19",)))
    ]


def _spikes() -> Iterator[Result]:
    (_, intact), (_, without) = awa_runs()
    peaks, lacking = spikes(intact, 0)[0], spikes(without, 0)[0]
    test = f"AWAL at {SPIKING_PA:g} pA: how many of {_SPIKES} spikes with peaks above {_PEAK:g} mV are missing"
    short = float(max(0, _SPIKES - (peaks > _PEAK).sum()))
    yield Result("AWA spikes", "cell", test, short, 0.0, "1", 0.0, f"{_LIU_2018}; two in the recording")
    test = f"AWAL at {SPIKING_PA:g} pA without EGL-19: number of spikes"
    yield Result("AWA egl-19", "cell", test, float(len(lacking)), 0.0, "1", 0.0, _LIU_2018)
    table = recordings()
    for row in table[table.spikes > 0].itertuples():
        found = spikes(recorded_sweeps(str(row.cell)), steps_of(str(row.cell)).index(row.step))
        name, what = f"{row.cell} {row.step:g} spike", f"{row.cell} at {row.step:g} pA"
        count, test = float(len(found[0])), f"{what}: number of spikes"
        yield Result(f"{name}s", "cell", test, count, row.spikes, "1", 1.0, _RELEASED, warns=True)
        lowest, rise, latency = (float(each.min()) if len(each) else math.nan for each in found)
        for quantity, text, value, wanted, unit, tolerance in (
            ("peak", "lowest peak of a spike", lowest, row.spike_peak, "mV", _HEIGHT),
            ("height", "least rise of a spike", rise, row.spike_height, "mV", _HEIGHT),
            ("latency", "time of the first spike", latency, row.spike_latency, "ms", _LATENCY),
        ):
            test = f"{what}: {text}"
            yield Result(f"{name} {quantity}", "cell", test, value, wanted, unit, tolerance, _RELEASED, warns=True)


def _over(rows: Sequence[dict], key: str, measure: str) -> float:
    """Root mean square of a measure over sweeps; where there are spikes, there is no early peak to compare."""
    return rms(np.array([row[key][measure] for row in rows if row[key][measure] is not None]))


def _left_out() -> Iterator[Result]:
    table = recordings()
    for neuron in recorded_neurons():
        file, unit = FITS / f"{template_of(neuron).upper()}.json", _UNITS[mode_of(neuron)]
        rows = json.loads(file.read_text()).get("left_out") if file.exists() else None
        if not rows:
            test = f"{neuron}: error on sweeps left out of the fit, not computed yet ({file.name})"
            yield Result(f"{neuron} left out", "cell", test, math.nan, math.nan, unit, 0.0, "", informs=True)
            continue
        mine = table[table.cell == neuron]
        before = {
            "trace": rms(mine.predecessor_trace.to_numpy()),
            **{name: rms((mine[f"predecessor_{name}"] - mine[name]).to_numpy()) for name in ("steady", "peak")},
        }
        for measure in _MEASURES:
            out, inside = (_over(rows, key, measure) for key in ("error", "fitted"))
            test = f"{neuron}, {measure}: error on {len(rows)} sweeps, each left out of the fit that predicts it"
            source, name = f"docs/fits/membranes/{file.name}; below", f"{neuron} left out {measure}"
            text, bar = f"{source} {_WORSE:g} x that on the same sweeps in the fit", _WORSE * inside
            yield Result(f"{name} fitted", "cell", test, out, bar, unit, 0.0, text, True)
            text, bar = f"{source} that of the predecessor, which was fitted to all", before[measure]
            yield Result(f"{name} predecessor", "cell", test, out, bar, unit, 0.0, text, True, bar)


CHECKS: dict[str, Check] = {
    "recordings": _recordings,
    "whole traces": _whole,
    "returns": _returns,
    "spikes": _spikes,
    "left out": _left_out,
}
"""Name -> check."""
