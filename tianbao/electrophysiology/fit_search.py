"""Searches for the membrane of one neuron, and what is left free in them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..cells.channels import COUPLED
from ..progress import Progress
from . import fitting
from .fit_data import Described, Sweep
from .fitting import CellFit

CANDIDATES = 14
"""Number of candidates of a generation."""
_FIRST, _SPREAD, _NEARBY = (0.1, 0.5), 0.25, 0.08  # of a start and of a search near a known point, in the unit cube
_AGAIN = 80  # generations of a search near a known point
# A quantity is determined if its standard deviation is less than this share of its value: two deviations from nothing.
_LOOSE = 0.5
_LOOSE_REVERSAL = 10.0  # mV, in place of a share
_MISSED = 9.0  # misfit by which a quantity is missed that is known to between one and two deviations


def random_starts(name: str, described: Described, sweeps: list[Sweep], seeds: int, generations: int) -> list[dict]:
    """Searches from random points.

    Args:
        name: of the cell, for progress.
        described, sweeps: what is searched.
        seeds: 1 to this.
        generations: of each.
    """
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


def eliminate(name: str, described: Described, sweeps: list[Sweep], best: dict) -> dict:
    """Fix or leave out what the sweeps do not determine, worst first, until all that is free is determined."""
    steps, point, needed = [], np.array(best["point"]), set()
    found = search(CellFit(described, sweeps, CANDIDATES), f"{name}, all free", 1, _AGAIN, point)
    while True:
        cell, point = CellFit(described, sweeps, CANDIDATES), np.array(found["point"])
        values = {key: float(each[0]) for key, each in cell.decode(point[None]).items()}
        spread, _ = fitting.uncertainty(cell, point)
        loose = {key: spread[key] / max(abs(values[key]), 1e-9) for key in removable(described)}
        if "leak_reversal" in spread and "leak_reversal" in described.published:
            loose["leak_reversal"] = _LOOSE * spread["leak_reversal"] / _LOOSE_REVERSAL
        steps.append({"free": len(cell.names), "misfit": found["misfit"]})
        open_ = [key for key in loose if loose[key] > _LOOSE and key not in needed]
        if not open_:
            break
        worst = max(open_, key=loose.get)
        less, after = _best_without(f"{name}, {len(cell.names) - 1} free", described, sweeps, worst, values)
        if loose[worst] <= 1.0 and after["misfit"] > found["misfit"] + _MISSED:
            needed.add(worst)
            steps[-1] |= {"needed": worst, "value": values[worst], "deviation": spread[worst]}
            continue
        steps[-1] |= {"gone": worst, "value": values[worst], "deviation": spread[worst]}
        described, found = less, after
    left = {"lowest_egl19_shift": described.lowest_egl19_shift, "pipette": described.pipette}
    left["free_kinetics"], left["kinetics"] = described.free_kinetics, described.kinetics
    fixed = dict(described.fixed)
    return {"free": list(described.free), "fixed": fixed, "without": left, "steps": steps, "point": list(point)}


def _best_without(
    label: str, described: Described, sweeps: list[Sweep], name: str, values: Mapping[str, float]
) -> tuple[Described, dict]:
    """The search with one quantity fixed at its published value or left out, whichever fits better."""
    tried = []
    for published in (True, False):
        less = without(described, name, values, published)
        if tried and less == tried[0][0]:
            continue
        cell = CellFit(less, sweeps, CANDIDATES)
        tried.append((less, search(cell, label, 1, _AGAIN, cell.encode({**values, **less.fixed}))))
    return min(tried, key=lambda each: each[1]["misfit"])


def removable(described: Described) -> list[str]:
    """Quantities that may be fixed or left out; the leak stays."""
    extra = ["egl19_shift"] if described.lowest_egl19_shift else []
    extra += ["pipette"] if described.pipette else []
    return [*described.free, *described.free_kinetics, *extra]


def without(described: Described, name: str, values: Mapping[str, float], keep: bool = True) -> Described:
    """The same search with one quantity fixed at its published value, or left out if there is none.

    Args:
        described: the search.
        name: of a free quantity.
        values: of a candidate [nS], which show whether a published complex has enough of its calcium channel.
        keep: False leaves a conductance out even if there is a published value.
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
    published = described.published.get(name, 0.0) if keep else 0.0
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


def best_of(name: str, described: Described, sweeps: list[Sweep], kept: dict, starts: int, generations: int) -> dict:
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


def left_out(name: str, described: Described, sweeps: list[Sweep], point: np.ndarray) -> list[dict]:
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
