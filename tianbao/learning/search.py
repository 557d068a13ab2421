"""Search for keys of a configuration: what asks for trials learns from their losses; each generation is one sweep.

    space = {"parameters.gap_gain": {"from": 0.5, "to": 2.0, "scale": "log"}}
    found = search(space, "-forward_speed_mm_s", generations=10, population=8, out="output/search", duration=8000.0)
    found.best, found.loss, found.table

Whatever can be swept can be searched: parameters of the model, of the worm, of its arena, or with a `job` of your own
the settings of a training.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..errors import ConfigError, shorten, unknown
from ..io.files import write_atomically
from ..rows import number, whole
from ..sweeps.designs import Axis, read_axis
from ..sweeps.plan import make_plan
from ..sweeps.run import sweep

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

TABLE = "trials.csv"
_MOST = 10_000  # generations, trials of one
_SPREAD = 0.25  # of the first trials of an evolution, in the unit cube: four fifths of them then lie inside of it
_EDGE = 1e-12

Loss = str | Callable[[Mapping[str, Any]], float]
"""Name of a column of the sweep's table, with a minus in front to make it large; or a function of a row of it."""


class Asker(Protocol):
    """What proposes trials as points of the unit cube, and learns from their losses.

    After the same losses it has to propose the same trials: that is how a search goes on where it was stopped.
    """

    def ask(self, many: int) -> np.ndarray:
        """Points to try, shape (many, axes), each between 0 and 1."""

    def tell(self, points: np.ndarray, losses: np.ndarray) -> None:
        """Losses of the points that were asked for, shape (many,); NaN where a trial failed."""


class Evolution:
    """CMA-ES (Hansen 2016, arXiv:1604.00772), by the package `cma`.

    Args:
        axes: number of keys.
        population: trials of a generation.
        seed: of its random numbers, which no one else draws from.
    """

    def __init__(self, axes: int, population: int, seed: int) -> None:
        import cma

        random = np.random.default_rng(seed)
        options = {
            "popsize": population, "bounds": [0.0, 1.0], "verbose": -9, "seed": math.nan,
            "randn": lambda *shape: random.standard_normal(shape),
        }  # fmt: skip
        # One axis is searched as the first of two: the package needs two.
        self._axes = axes
        self._found = cma.CMAEvolutionStrategy(np.full(max(axes, 2), 0.5), _SPREAD, options)
        self._asked: list[np.ndarray] = []

    def ask(self, many: int) -> np.ndarray:
        """See `Asker`."""
        self._asked = self._found.ask(many)
        return np.clip(np.array(self._asked)[:, : self._axes], 0.0, 1.0)

    def tell(self, points: np.ndarray, losses: np.ndarray) -> None:
        """See `Asker`; a failed trial counts as worse than all others."""
        known = losses[np.isfinite(losses)]
        worst = known.max() + max(1.0, np.ptp(known)) if len(known) else 0.0
        self._found.tell(self._asked, np.where(np.isfinite(losses), losses, worst).tolist())


class Estimator:
    """A tree-structured Parzen estimator (Bergstra et al. 2011), by the package `optuna`.

    Args:
        axes: number of keys.
        population: trials of a generation.
        seed: of its random numbers.
    """

    def __init__(self, axes: int, population: int, seed: int) -> None:
        import optuna

        # Its own news of every trial say nothing that trials.csv does not.
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        # The trials of a generation do not know each other's losses: open ones count as bad, so that they spread.
        sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True, n_startup_trials=max(population, 10))
        self._failed = optuna.trial.TrialState.FAIL
        self._study, self._names = optuna.create_study(sampler=sampler), [f"{k}" for k in range(axes)]
        self._asked: list = []

    def ask(self, many: int) -> np.ndarray:
        """See `Asker`."""
        self._asked = [self._study.ask() for _ in range(many)]
        return np.array([[each.suggest_float(name, 0.0, 1.0) for name in self._names] for each in self._asked])

    def tell(self, points: np.ndarray, losses: np.ndarray) -> None:
        """See `Asker`."""
        for trial, loss in zip(self._asked, losses.tolist(), strict=True):
            if math.isfinite(loss):
                self._study.tell(trial, loss)
            else:
                self._study.tell(trial, state=self._failed)


ASKERS: dict[str, Callable[[int, int, int], Asker]] = {"cma": Evolution, "optuna": Estimator}


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        best: key -> value of the trial with the smallest loss.
        loss: of it.
        table: of all trials, as trials.csv has it.
    """

    best: Mapping[str, Any]
    loss: float
    table: pd.DataFrame


def search(
    space: Mapping[str, Any],
    loss: Loss,
    ask: str | Callable[[int, int, int], Asker] = "cma",
    *,
    generations: int,
    population: int,
    out: str | Path,
    seed: int = 1,
    processes: int | None = None,
    progress: bool = False,
    **description: Any,
) -> Found:
    """Look for the values with the smallest loss; called again with the same arguments, it continues.

    Args:
        space: dotted key of a configuration -> {from, to, scale} or a list of values, as `vary` of a sweep.
        loss: column of the sweep's table, "-" in front for one that is to be large; or a function of a row. With
            several `seeds` the mean over them counts.
        ask: "cma", "optuna", or what makes an `Asker` of the numbers of axes and trials and a seed.
        generations: of trials.
        population: trials of a generation, at least 2.
        out: folder for trials.csv and a sweep per generation.
        seed: of the search; those of the runs are `seeds`.
        processes: runs at a time; the number of cores when None.
        progress: whether each sweep shows the time left.
        **description: of every sweep, such as base, seeds, duration, metrics, job and job_path
            (`tianbao.sweeps.plan.make_plan`).

    Returns:
        The best trial, and the table: `generation`, `trial`, a column per key, `loss`, `runs` and how many `failed`.

    Raises:
        ConfigError: for a wrong argument, a loss that is no column of the table, a search in which every trial failed,
            or if the folder contains another search.
        OutputError: if the folder cannot be written to.
    """
    whole(generations, "search", "generations", low=1, high=_MOST)
    whole(population, "search", "population", low=2, high=_MOST)
    axes = _axes(space, description)
    asker = _asker(ask)(len(axes), population, whole(seed, "search", "seed"))
    rows: list[dict[str, Any]] = []
    for generation in range(generations):
        points = np.asarray(asker.ask(population), float)
        if points.shape != (population, len(axes)) or not (np.abs(points - 0.5) <= 0.5 + _EDGE).all():
            raise ConfigError(f"search: 'ask' gave points of shape {points.shape}; give {population} in the unit cube")
        trials = [{axis.key: axis.at(float(share)) for axis, share in zip(axes, row, strict=True)} for row in points]
        found = _tried(trials, description, Path(out) / f"generation_{generation:04d}", processes, progress, loss)
        asker.tell(points, np.array([each["loss"] for each in found]))
        rows += [{"generation": generation, "trial": len(rows) + k, **trial, **each}
                 for k, (trial, each) in enumerate(zip(trials, found, strict=True))]  # fmt: skip
        _kept(rows, Path(out))
        log.info("generation %d of %d: smallest loss so far %.6g", generation + 1, generations, _least(rows)["loss"])
    best = _least(rows)
    if not math.isfinite(best["loss"]):
        raise ConfigError(f"search: no trial has a loss; see the errors in {Path(out)}, generation_*/table.csv")
    return Found({axis.key: best[axis.key] for axis in axes}, best["loss"], _kept(rows, Path(out)))


def _asker(ask: str | Callable[[int, int, int], Asker]) -> Callable[[int, int, int], Asker]:
    """What makes the asker."""
    if callable(ask):
        return ask
    if ask not in ASKERS:
        raise ConfigError(f"search: {unknown('ask', shorten(ask), ASKERS)}")
    return ASKERS[ask]


def _axes(space: Mapping[str, Any], description: Mapping[str, Any]) -> list[Axis]:
    """The axes of the space, each of which has more than one value."""
    if not isinstance(space, Mapping) or not space:
        raise ConfigError(f"search: space is a table of keys and their ranges, not {shorten(repr(space))}")
    for name in ("vary", "design", "samples", "design_seed"):
        if name in description:
            raise ConfigError(f"search: '{name}' is of a sweep; a search varies what is in its space")
    seeds = description.get("seeds", [0])
    base = make_plan({**description, "seeds": seeds}, where="search").base
    return [read_axis(key, spec, base, "search") for key, spec in space.items()]


def _tried(
    trials: Sequence[Mapping[str, Any]],
    description: Mapping[str, Any],
    folder: Path,
    processes: int | None,
    progress: bool,
    loss: Loss,
) -> list[dict[str, Any]]:
    """Loss of every trial, and how many of its runs were done and failed; the same values are run once."""
    marks = [repr(sorted(trial.items())) for trial in trials]
    place = {mark: k for k, mark in enumerate(dict.fromkeys(marks))}
    different = [trials[marks.index(mark)] for mark in place]
    vary = {key: [trial[key] for trial in different] for key in trials[0]}
    try:
        table = sweep({**description, "vary": vary, "design": "zip"}, folder, workers=processes, progress=progress)
    except ConfigError as error:
        if "contains another sweep" in str(error):
            raise ConfigError(f"{folder.parent} holds another search; give another folder as 'out'") from error
        raise
    seeds = max(len(description.get("seeds", [])), 1)
    parts = [table.iloc[k * seeds : (k + 1) * seeds] for k in range(len(different))]
    return [_judged(parts[place[mark]], loss) for mark in marks]


def _judged(part: pd.DataFrame, loss: Loss) -> dict[str, Any]:
    """Mean loss of the runs of a trial; NaN if one of them failed."""
    done = part[part["status"] == "finished"]
    values = [_loss_of(row, loss) for row in done.to_dict("records")]
    mean = float(np.mean(values)) if len(values) == len(part) else math.nan
    return {"loss": mean, "runs": len(part), "failed": len(part) - len(done)}


def _loss_of(row: Mapping[str, Any], loss: Loss) -> float:
    """Loss of a run."""
    if callable(loss):
        return float(loss(row))
    name = loss.removeprefix("-") if isinstance(loss, str) else loss
    if name not in row:
        raise ConfigError(f"search: {unknown('loss', shorten(name), [*row])}")
    value = row[name]
    if value is None or isinstance(value, float) and math.isnan(value):
        return math.nan  # a gait that could not be measured
    value = number(value, "search", name, endless=True)
    return -value if loss.startswith("-") else value


def _least(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The trial with the smallest loss; those without one come last."""
    return min(rows, key=lambda row: row["loss"] if math.isfinite(row["loss"]) else math.inf)


def _kept(rows: Sequence[Mapping[str, Any]], folder: Path) -> pd.DataFrame:
    """The table of all trials, written to its file."""
    import pandas as pd

    table = pd.DataFrame(rows)
    write_atomically(folder / TABLE, table.to_csv(index=False).encode())
    return table
