"""The stages of the fit of one cell: starts, elimination, sweeps left out, ensemble; each stored when it is done."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from ..cells.channels import COUPLED
from ..cells.templates import TEMPLATES
from ..io.files import write_atomically
from ..loop.provenance import git_revision
from ..progress import Progress
from . import fitting
from .fitting import CellFit, Described, Spikes, Sweep
from .recordings import CLAMP_DURATION, recorded_windows, recordings

CANDIDATES = 14
_FIRST, _SPREAD, _NEARBY = (0.1, 0.5), 0.25, 0.08  # of a start and of a search near a known point, in the unit cube
_AGAIN = 80  # generations of a search near a known point
# A quantity is determined if its standard deviation is less than this share of its value: two deviations from nothing.
_LOOSE = 0.5
_LOOSE_REVERSAL = 10.0  # mV, in place of a share
_NONE = 1e-3  # [nS] less of a channel moves nothing
_DURATION, _AFTER = 5000.0, 980.0  # ms
_MEMBERS, _DRAWS = 10, 420
_ACCEPTED = 1.15  # of the best error over whole traces
_STABLE_PA, _DIVERGED, _BACK = (-30.0, -15.0, 15.0, 35.0), 300.0, 5.0  # pA, mV, mV
_KEYS = ("template", "quantity", "value", "unit", "deviation", "source", "certainty")
# [ms] Of the search: finer for the first milliseconds of a clamp step and for spikes. Errors are given at 0.1 ms.
_STEP = {"AWCL": 0.1, "VD5": 0.5, "AWAL": 0.5}


@dataclass
class Stages:
    """Results of stages, in one file.

    Attributes:
        file: JSON.
        again: whether stages that are done are discarded.
        found: stage -> result.
    """

    file: Path
    again: bool = False
    found: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.file.exists() and not self.again:
            self.found = json.loads(self.file.read_text())

    def run(self, name: str, compute: Callable[[], object]) -> object:
        """The result of a stage, computed and stored unless it is there."""
        if name not in self.found:
            self.store(name, compute())
        return self.found[name]

    def store(self, name: str, value: object) -> None:
        """Keep a result."""
        self.found[name] = value
        write_atomically(self.file, (json.dumps(self.found, indent=1) + "\n").encode())


def fit(name: str, cell: dict, stages: Stages, starts: int, generations: int, whole: Path | None = None) -> dict:
    """All stages of one cell.

    Args:
        name: of the cell in fit_membranes.toml.
        cell: its table.
        stages: what is done already.
        starts: seeds 1 to this.
        generations: of each start.
        whole: table of the whole recordings; None leaves errors against them out.

    Returns:
        Stage -> result, as stored.
    """
    sweeps, described = sweeps_of(cell), described_of(cell)
    began = time.perf_counter()
    first = stages.run("starts", lambda: _starts(name, described, sweeps, starts, generations))
    best = min(first, key=lambda each: each["misfit"])
    kept = stages.run("kept", lambda: _eliminate(name, described, sweeps, best))
    reduced = kept_of(cell, stages.found)
    result = stages.run("result", lambda: _result(name, reduced, sweeps, kept, starts, generations))
    stages.run("left_out", lambda: _left_out(name, reduced, sweeps, np.array(result["point"])))
    stages.run("ensemble", lambda: _ensemble(reduced, sweeps, np.array(result["point"])))
    if whole is not None:
        stages.store("whole_recordings", _against(reduced, sweeps, np.array(result["point"]), pd.read_csv(whole)))
    if "script" not in stages.found:
        stages.store("neuron", cell["neuron"])
        stages.store("kinetics", cell.get("kinetics", {}))
        stages.store("revision", git_revision())
        stages.store("seconds", round(time.perf_counter() - began, 1))
        stages.store("script", "sims/fit_membranes.py")
    return stages.found


def described_of(cell: dict) -> Described:
    """The search that a table of fit_membranes.toml describes."""
    neuron = cell["neuron"]
    mode = "CC" if "steps" in cell else str(recordings().set_index("cell")["mode"].loc[[neuron]].iloc[0])
    duration, after = _DURATION, _AFTER
    if "steps" not in cell:
        rows = recorded_windows()
        rows = rows[rows.cell == neuron]
        duration = CLAMP_DURATION.get(neuron, _DURATION)
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


def kept_of(cell: dict, found: dict) -> Described:
    """The search that is left after elimination.

    Args:
        cell: table of fit_membranes.toml.
        found: stages of its fit.
    """
    kept = found["kept"]
    bounds = {name: tuple(each) for name, each in kept["without"]["free_kinetics"].items()}
    own = {**kept["without"], "free_kinetics": bounds}
    return replace(described_of(cell), free=tuple(kept["free"]), fixed=dict(kept["fixed"]), **own)


def sweeps_of(cell: dict) -> list[Sweep]:
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


def _starts(name: str, described: Described, sweeps: list[Sweep], seeds: int, generations: int) -> list[dict]:
    cell = CellFit(described, sweeps, CANDIDATES)
    return [search(cell, f"{name}, start {seed}", seed, generations) for seed in range(1, seeds + 1)]


def search(cell: CellFit, label: str, seed: int, generations: int, near: np.ndarray | None = None) -> dict:
    """One search by CMA-ES.

    Args:
        cell: what is searched.
        label: of its progress.
        seed: of the search and its random start.
        generations: at most.
        near: point of the unit cube to start at; random if None.
    """
    import cma

    began, random = time.perf_counter(), np.random.default_rng(seed)
    first, spread = (random.uniform(*_FIRST, len(cell.names)), _SPREAD) if near is None else (near, _NEARBY)
    options = {"popsize": cell.candidates, "seed": seed, "bounds": [0.0, 1.0], "verbose": -9, "maxiter": generations,
               "tolfun": 2e-2, "tolx": 1e-4}  # fmt: skip
    found = cma.CMAEvolutionStrategy(first, spread, options)
    with Progress(generations, label) as progress:
        while not found.stop():
            points = np.array(found.ask())
            found.tell(list(points), list(cell.misfit(points)))
            progress.advance(1)
    best, misfit = found.best.x, float(found.best.f)
    # A search does not look at the very point it starts from.
    if near is not None and (known := float(cell.misfit(near[None])[0])) < misfit:
        best, misfit = near, known
    return {
        "seed": seed,
        "misfit": misfit,
        "point": [float(each) for each in best],
        "names": cell.names,
        "evaluations": int(found.countevals),
        "seconds": round(time.perf_counter() - began, 1),
    }


def _eliminate(name: str, described: Described, sweeps: list[Sweep], best: dict) -> dict:
    """Fix or leave out what the sweeps do not determine, worst first, until all that is free is determined."""
    steps, point = [], np.array(best["point"])
    while True:
        cell = CellFit(described, sweeps, CANDIDATES)
        found = search(cell, f"{name}, {len(cell.names)} free", 1, _AGAIN, point)
        point = np.array(found["point"])
        values = {key: float(each[0]) for key, each in cell.decode(point[None]).items()}
        spread, _ = fitting.uncertainty(cell, point)
        loose = {key: spread[key] / max(abs(values[key]), 1e-9) for key in _removable(described)}
        if "leak_reversal" in spread and "leak_reversal" in described.published:
            loose["leak_reversal"] = _LOOSE * spread["leak_reversal"] / _LOOSE_REVERSAL
        gone = [key for key in loose if key not in described.free_kinetics and values[key] < _NONE]
        gone = [key for key in gone if key in described.free] or [key for key in loose if loose[key] > _LOOSE]
        steps.append({"free": len(cell.names), "misfit": found["misfit"]})
        if not gone:
            break
        worst = max(gone, key=loose.get)
        steps[-1] |= {"gone": worst, "value": values[worst], "deviation": spread[worst]}
        described = without(described, worst, values)
        values |= described.fixed
        point = CellFit(described, sweeps[:1], 1).encode(values)
    left = {"lowest_egl19_shift": described.lowest_egl19_shift, "pipette": described.pipette}
    left["free_kinetics"], left["kinetics"] = described.free_kinetics, described.kinetics
    fixed = dict(described.fixed)
    return {"free": list(described.free), "fixed": fixed, "without": left, "steps": steps, "point": list(point)}


def _removable(described: Described) -> list[str]:
    extra = ["egl19_shift"] if described.lowest_egl19_shift else []
    extra += ["pipette"] if described.pipette else []
    return [*described.free, *described.free_kinetics, *extra]


def without(described: Described, name: str, values: Mapping[str, float]) -> Described:
    """The same search with one quantity fixed at its published value, or left out if there is none.

    Args:
        described: the search.
        name: of a free quantity.
        values: of a candidate [nS], which show whether a published complex has enough of its calcium channel.
    """
    if name == "egl19_shift":
        return replace(described, lowest_egl19_shift=0.0)
    if name == "pipette":
        return replace(described, pipette=False)
    if name in described.free_kinetics:
        return replace(described, free_kinetics={k: v for k, v in described.free_kinetics.items() if k != name})
    if name == "leak_reversal":
        return replace(described, fixed={**described.fixed, name: described.published[name]})
    lost = {name}
    published = described.published.get(name, 0.0)
    if not published and name not in COUPLED:
        # A complex does not exist without its calcium channel.
        lost |= {each for each in (*described.free, *described.fixed) if each.endswith(f"_{name}")}
    fixed = {key: value for key, value in described.fixed.items() if key not in lost}
    calcium = values.get(name.split("_")[1], 0.0) if name in COUPLED else np.inf
    if published and published <= fitting.MOST_PER_CALCIUM * calcium:
        fixed[name] = published
    free = tuple(each for each in described.free if each not in lost)
    carried = {each.split("_")[0] for each in (*free, *fixed)}
    constants = {key: bounds for key, bounds in described.free_kinetics.items() if key.split(".")[0] in carried}
    return replace(described, free=free, fixed=fixed, free_kinetics=constants)


def _result(name: str, described: Described, sweeps: list[Sweep], kept: dict, starts: int, generations: int) -> dict:
    """The best of searches from the point that elimination left and from random starts."""
    cell = CellFit(described, sweeps, CANDIDATES)
    tried = [search(cell, f"{name}, again", 1, generations, np.array(kept["point"]))]
    tried += [search(cell, f"{name}, reduced, start {seed}", seed, generations) for seed in range(1, starts + 1)]
    best = min(tried, key=lambda each: each["misfit"])
    point = np.array(best["point"])
    spread, _ = fitting.uncertainty(cell, point)
    values = cell.decode(point[None])
    return {
        "tried": [{key: each[key] for key in ("seed", "misfit", "evaluations", "seconds")} for each in tried],
        "misfit": best["misfit"],
        "point": best["point"],
        "capacitance_pF": cell.capacitance,
        "values": {key: [float(values[key][0]), spread.get(key, 0.0)] for key in values},
        "sweeps": errors(cell, point),
    }


def errors(cell: CellFit, point: np.ndarray) -> list[dict]:
    """Error of a candidate on every sweep: whole trace by its windows, after the step, steady state, early peak."""
    time_, traces = cell.simulate(np.resize(point, (cell.candidates, len(point))), min(cell.described.step, 0.1))
    rows = []
    for k, sweep in enumerate(cell.sweeps):
        trace = traces[:, :1, k]
        off = np.array([fitting.means(time_, trace, each)[0] - each[2] for each in sweep.windows])
        length = sweep.windows[:, 1] - sweep.windows[:, 0]
        late = sweep.windows[:, 0] >= cell.described.duration
        found = fitting.measures(time_, trace, sweep.level, cell.described.duration, cell.described.mode)
        rows.append({
            "step": sweep.level,
            "trace": float(np.sqrt(np.average(off**2, weights=length))),
            "after": float(np.sqrt(np.average(off[late] ** 2, weights=length[late]))) if late.any() else None,
            "steady": float(found["steady"][0] - sweep.steady),
            "peak": float(found["peak"][0] - sweep.peak) if np.isfinite(sweep.peak) else None,
        })  # fmt: skip
    return rows


def _left_out(name: str, described: Described, sweeps: list[Sweep], point: np.ndarray) -> list[dict]:
    """Errors on each sweep by a fit to the others."""
    every = CellFit(described, sweeps, CANDIDATES)
    fitted = errors(every, point)
    rows = []
    for k, sweep in enumerate(sweeps):
        others = [each for each in sweeps if each is not sweep]
        cell = CellFit(described, others, CANDIDATES)
        tried = [search(cell, f"{name} without {sweep.level:g}", 1, _AGAIN * 2),
                 search(cell, f"{name} without {sweep.level:g}, near", 1, _AGAIN, point)]  # fmt: skip
        best = min(tried, key=lambda each: each["misfit"])
        found = errors(every, np.array(best["point"]))[k]
        rows.append({"step": sweep.level, "error": found, "fitted": fitted[k], "point": best["point"]})
    return rows


def _ensemble(described: Described, sweeps: list[Sweep], point: np.ndarray) -> list[dict]:
    """The best set and nine others that are as far apart as acceptable ones can be."""
    cell, random = CellFit(described, sweeps, CANDIDATES), np.random.default_rng(1)
    judge = Judge(described)
    _, covariance = fitting.uncertainty(cell, point, prior=True)
    best = traces_off(cell, point[None])[0]
    accepted = [point]
    for k in range(_DRAWS // CANDIDATES):
        # Wider and wider, so that the edge of what is acceptable is met.
        width = 0.5 + 2.0 * k / (_DRAWS // CANDIDATES)
        drawn = np.clip(random.multivariate_normal(point, width**2 * covariance, CANDIDATES), 0.0, 1.0)
        good = (traces_off(cell, drawn) <= _ACCEPTED * best) & judge.one_state(cell, drawn)
        good &= judge.stable(drawn)
        accepted += [each for each in drawn[good] if cell.spikes_enough(each)]
    scale = np.sqrt(np.diag(covariance))
    chosen = [0]
    while len(chosen) < min(_MEMBERS, len(accepted)):
        far = [min(np.linalg.norm((each - accepted[c]) / scale) for c in chosen) for each in accepted]
        chosen.append(int(np.argmax(far)))
    members = []
    for k in chosen:
        values = cell.decode(accepted[k][None])
        members.append({
            "values": {key: float(each[0]) for key, each in values.items()},
            "misfit": float(cell.misfit(accepted[k][None])[0]),
            "trace": float(traces_off(cell, accepted[k][None])[0]),
            "point": list(map(float, accepted[k])),
        })  # fmt: skip
    return members


def traces_off(cell: CellFit, points: np.ndarray) -> np.ndarray:
    """Root mean square error of candidates over the windows of all sweeps [mV or pA], shape (n,)."""
    full = np.resize(points, (cell.candidates, points.shape[1]))
    time_, traces = cell.simulate(full, cell.described.step)
    square = np.zeros(cell.candidates)
    for k, sweep in enumerate(cell.sweeps):
        off = np.stack([fitting.means(time_, traces[:, :, k], each) - each[2] for each in sweep.windows])
        square += np.average(off**2, axis=0, weights=sweep.windows[:, 1] - sweep.windows[:, 0])
    return np.sqrt(square / len(cell.sweeps))[: len(points)]


class Judge:
    """What is required of every set of values, whatever the recordings say.

    Args:
        described: the search.
    """

    def __init__(self, described: Described) -> None:
        own = replace(described, mode="CC", duration=1500.0, after=1500.0, step=0.2)
        sweeps = [Sweep(level, np.zeros((0, 3)), np.nan, np.nan) for level in _STABLE_PA]
        self._cell = CellFit(own, sweeps, CANDIDATES)

    def stable(self, points: np.ndarray) -> np.ndarray:
        """Whether cells neither diverge nor fail to return to rest between -30 and +35 pA, shape (n,)."""
        full = np.resize(points, (CANDIDATES, points.shape[1]))
        time_, traces = self._cell.simulate(full, self._cell.described.step)
        rest = traces[np.flatnonzero(time_ <= 0.0)[-1]]
        finite = np.isfinite(traces).all((0, 2)) & (np.abs(traces).max((0, 2)) < _DIVERGED)
        back = (np.abs(traces[-1] - rest) < _BACK).all(1) | (self._cell.described.states != 1)
        return (finite & back)[: len(points)]

    def one_state(self, cell: CellFit, points: np.ndarray) -> np.ndarray:
        """Whether cells have one stable state, where the recorded cell has, shape (n,)."""
        if cell.described.states != 1:
            return np.ones(len(points), bool)
        return np.max(cell.one_state(cell.decode(points)), axis=0) <= 1.0


def _against(described: Described, sweeps: list[Sweep], point: np.ndarray, table: pd.DataFrame) -> list[dict]:
    """Root mean square error against every sample of the whole recordings."""
    cell = CellFit(described, sweeps, CANDIDATES)
    time_, traces = cell.simulate(np.resize(point, (CANDIDATES, len(point))), min(described.step, 0.1))
    onset = {"CC": 980.0, "VC": {"AWCL": 11.8}.get(described.neuron, 100.2)}[described.mode]
    onset = 988.0 if described.neuron == "AVAL" else onset
    rows = []
    for k, sweep in enumerate(sweeps):
        own = table[table.cell.isin([described.neuron, described.neuron.replace("VD5", "VD05")])]
        own = own[own.step == sweep.level]
        since = own.t_s.to_numpy() * 1e3 - onset
        there = (since > time_[0]) & (since < time_[-1])
        off = np.interp(since[there], time_, traces[:, 0, k]) - own.mV_or_pA.to_numpy()[there]
        rows.append({"step": sweep.level, "trace": float(np.sqrt(np.mean(off**2)))})
    return rows


def summary(found: dict) -> str:
    """Errors of a fit in one line."""
    rows, out = found["result"]["sweeps"], found["left_out"]

    def rms(values) -> float:
        return float(np.sqrt(np.mean([each**2 for each in values if each is not None])))

    line = f"misfit {found['result']['misfit']:.1f}, {len(found['result']['point'])} free: " + ", ".join(
        f"{key} {rms([row[key] for row in rows]):.2f}" for key in ("trace", "steady", "peak")
    )
    line += "; left out " + ", ".join(
        f"{key} {rms([row['error'][key] for row in out]):.2f}" for key in ("trace", "steady", "peak")
    )
    if "whole_recordings" in found:
        line += f"; whole recordings {rms([row['trace'] for row in found['whole_recordings']]):.2f}"
    return f"{line}; {len(found['ensemble'])} members"


def adopt(name: str, cell: dict, found: dict) -> None:
    """Replace the rows of one template in templates.csv by a result."""
    template = name.lower()
    with open(TEMPLATES, newline="") as lines:
        rows = list(csv.DictReader(lines))
    others = [row for row in rows if row["template"] != template]
    # In place of the old ones, or at the end if there were none.
    place = next((k for k, row in enumerate(rows) if row["template"] == template), len(others))
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows([*others[:place], *_rows(template, name, cell, found), *others[place:]])
    write_atomically(TEMPLATES, out.getvalue().encode())


def _rows(template: str, name: str, cell: dict, found: dict) -> list[dict]:
    origin = cell.get("origin", f"traces of {cell['model']} of Nicoletti" if "model" in cell else None)
    source = f"fitted: sims/fit_membranes.py {name}, {origin or 'recordings of ' + cell['neuron']}"
    result = found["result"]
    rows = [("reference_capacitance", result["capacitance_pF"], "pF", "", "traced membrane at 1 uF/cm2", "medium")]
    fixed = found["kept"]["fixed"]
    for quantity, (value, deviation) in result["values"].items():
        unit = {"leak_reversal": "mV", "egl19_shift": "mV", "pipette": "pF"}.get(quantity, "nS")
        if "." in quantity:
            unit = "1"
        elif unit == "nS" and value < _NONE:
            continue
        if quantity in fixed:
            rows.append((quantity, value, unit, "", f"published; the recordings leave it open ({source})", "low"))
            continue
        certain = deviation < (5.0 if unit == "mV" else 0.25 * abs(value))
        rows.append((quantity, value, unit, f"{deviation:.2g}", source, "medium" if certain else "low"))
    for channel, constants in found["kinetics"].items():
        for constant, value in constants.items():
            rows.append((f"{channel}.{constant}", value, "mV", "", cell["kinetics_source"], "medium"))
    return [dict(zip(_KEYS, (template, row[0], f"{row[1]:.4g}", *row[2:]), strict=True)) for row in rows]
