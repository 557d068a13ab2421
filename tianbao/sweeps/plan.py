"""What a sweep will run: every run with its number, name and configuration, checked before the first one starts."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import RunConfig, read_config, read_toml
from ..errors import ConfigError, shorten, unknown
from ..parameters import defaults
from .designs import DESIGNS, combinations, read_axis, whole_number

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_JOB = "tianbao.sweeps.work:experiment"
MOST_RUNS = 10_000
_KEYS = (
    "base", "vary", "design", "seeds", "samples", "design_seed", "metrics", "duration", "video", "job", "job_path",
)  # fmt: skip
_JOB = re.compile(r"[\w.]+:\w+")
_LONGEST_NAME = 80
_LARGEST_SEED = 2**63
_DEEPEST = 8  # tables of [vary] within one another
_HASH = 16


@dataclass(frozen=True)
class PlannedRun:
    """One run of a sweep.

    Attributes:
        number: from 1.
        name: its varied values as text; part of the name of its folder.
        overrides: dotted keys of RunConfig that differ from the base, including the seed.
        digest: of its complete configuration and its job; identifies results of the run.
    """

    number: int
    name: str
    overrides: Mapping[str, Any]
    digest: str


@dataclass(frozen=True)
class Plan:
    """A sweep before it runs.

    Attributes:
        base: configuration shared by all runs.
        varied: dotted keys that differ between runs, in the order of the description; the seed is last.
        runs: all of them, in order.
        metrics: names in a run's summary that become columns of the table; empty for every number in it.
        video: whether each run writes a video.
        job: function that does a run, "module:function"; see `tianbao.sweeps.work`.
        job_path: absolute path of the folder that holds the job's module; "" if Python finds it anyway.
    """

    base: RunConfig
    varied: tuple[str, ...]
    runs: tuple[PlannedRun, ...]
    metrics: tuple[str, ...] = ()
    video: bool = False
    job: str = DEFAULT_JOB
    job_path: str = ""

    def config(self, run: PlannedRun) -> RunConfig:
        """The complete configuration of a run."""
        return self.base.updated(run.overrides, where=f"run {run.number}")

    def run(self, number: int) -> PlannedRun:
        """The run with a number.

        Raises:
            ConfigError: if it does not exist.
        """
        if not 1 <= number <= len(self.runs):
            raise ConfigError(f"there is no run {number}: this sweep has runs 1 to {len(self.runs)}")
        return self.runs[number - 1]

    def frame(self) -> pd.DataFrame:
        """Number, name and varied values, one row per run."""
        import pandas as pd

        rows = [{"number": run.number, "name": run.name, **self.values(run)} for run in self.runs]
        return pd.DataFrame(rows, columns=["number", "name", *self.varied])

    def values(self, run: PlannedRun) -> dict[str, Any]:
        """Varied values of a run for use in a table: lists and tables as text."""
        values = {key: run.overrides[key] for key in self.varied}
        return {key: value if _plain(value) else json.dumps(value) for key, value in values.items()}

    def to_json(self) -> str:
        """The plan as JSON, for `kept_plan.plan_from_json`."""
        runs = [dataclasses.asdict(run) for run in self.runs]
        rest = {name: getattr(self, name) for name in ("varied", "metrics", "video", "job", "job_path")}
        content = {"base": self.base.to_toml(), **rest, "runs": runs}
        return json.dumps({**content, "seal": seal_of(content)}, indent=1) + "\n"


def read_plan(path: str | Path) -> Plan:
    """Read the description of a sweep, such as sims/sweep_viscosity.toml.

    Raises:
        ConfigError: if the file is missing or not TOML, or if any of its runs could not be started.
    """
    path = Path(path)
    return make_plan(read_toml(path), where=path.name, folder=path.parent)


def make_plan(description: Mapping[str, Any], *, where: str = "sweep", folder: Path | None = None) -> Plan:
    """Plan a sweep.

    Args:
        description: `base` (path of a configuration, or a table of its keys, where `config` may give a path),
            `vary` (dotted key -> list of values, or {from, to, steps, scale}), `design` (one of `DESIGNS`),
            `seeds`, `samples` and `design_seed` (random and latin), `metrics`, `duration` [ms], `video`, `job` and
            `job_path` (folder of the job's module).
        where: location for error messages.
        folder: to which paths in it are relative; the current one if None.

    Raises:
        ConfigError: for an unknown key, or a run that could not be started.
    """
    for key in description:
        if key not in _KEYS:
            raise ConfigError(f"{where}: {unknown('key', str(key), _KEYS)}")
    base = _base(description, where, folder or Path())
    axes = [read_axis(key, spec, base, where) for key, spec in _flat(_table(description, "vary", where))]
    seeds = _seeds(description, where)
    if not axes and not seeds:
        raise ConfigError(f"{where} varies nothing: give [vary] with keys and values, or seeds = [1, 2, 3]")
    if seeds and any(axis.key == "seed" for axis in axes):
        raise ConfigError(f"{where}: 'seed' is under [vary] and in seeds; keep one of them")
    design = description.get("design", "grid")
    if design not in DESIGNS:
        raise ConfigError(f"{where}: {unknown('design', str(design), DESIGNS)}")
    options = {name: description.get(name) for name in ("samples", "design_seed")}
    points = combinations(axes, design, limit=MOST_RUNS // max(len(seeds), 1), where=where, **options)
    overrides = [{**point, **({"seed": seed} if seeds else {})} for point in points for seed in seeds or [None]]
    varied = (*(axis.key for axis in axes), *(("seed",) if seeds else ()))
    job = _job(description, where)
    runs = _runs(base, overrides, job, where)
    metrics = _metrics(description, job, where)
    path = _job_path(description, where, folder or Path())
    return Plan(base, varied, runs, metrics, _flag(description, "video", where), job, path)


def digest(config: RunConfig, job: str) -> str:
    """The digest by which results of a run are recognised."""
    return hashlib.sha256(f"{job}\n{config.to_toml()}".encode()).hexdigest()[:_HASH]


def seal_of(content: Mapping[str, Any]) -> str:
    """Digest of a whole plan as JSON holds it, by which an edited or damaged file is noticed."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:_HASH]


def _runs(base: RunConfig, overrides: Sequence[dict], job: str, where: str) -> tuple[PlannedRun, ...]:
    """Every run, whose configuration is checked so that none fails because of it later."""
    from .check import Check

    runs, first, check = [], {}, Check()
    configs = [base.updated(changes, where=f"{where}, run {k}") for k, changes in enumerate(overrides, start=1)]
    names = names_of(overrides)
    for number, (changes, name, config) in enumerate(zip(overrides, names, configs, strict=True), start=1):
        check(config, f"{where}, run {number}")
        mark = digest(config, job)
        if mark in first:
            raise ConfigError(f"{where}: runs {first[mark]} and {number} are the same; remove a repeated value")
        first[mark] = number
        runs.append(PlannedRun(number, name, changes, mark))
    return tuple(runs)


def _base(description: Mapping[str, Any], where: str, folder: Path) -> RunConfig:
    base = description.get("base", {})
    if isinstance(base, str):
        base = {"config": base}
    if not isinstance(base, Mapping):
        said = shorten(repr(base))
        raise ConfigError(f"{where}: base is the path of a configuration, or a table of its keys; got {said}")
    path = base.get("config")
    if path is not None and not isinstance(path, str):
        raise ConfigError(f"{where}: base.config is the path of a configuration; got {shorten(repr(path))}")
    config = read_config(folder / path) if path else RunConfig()
    config = config.updated({key: value for key, value in base.items() if key != "config"}, where=f"{where}, base")
    # All parameters, not only the changed ones, so that results with other defaults are not confused.
    complete = {"parameters": dict(defaults().replace(**config.parameters)), "duration": description.get("duration")}
    return config.updated(complete, where=where)


def _table(description: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    table = description.get(key, {})
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where}: [{key}] is a table of keys and their values; got {shorten(repr(table))}")
    return table


def _flat(table: Mapping[str, Any], above: str = "") -> list[tuple[str, Any]]:
    """Dotted keys of nested tables; a range such as {from = 1, to = 2} is a value."""
    found = []
    if above.count(".") > _DEEPEST:
        raise ConfigError(f"[vary] {shorten(above)} is nested too deeply; a key has at most two parts")
    for name, value in table.items():
        if isinstance(value, Mapping) and not {"from", "to"} & set(value):
            found += _flat(value, f"{above}{name}.")
        else:
            found.append((f"{above}{name}", value))
    return found


def _seeds(description: Mapping[str, Any], where: str) -> list[int]:
    seeds = description.get("seeds", [])
    if not isinstance(seeds, (list, tuple)) or not all(
        whole_number(each) and 0 <= each < _LARGEST_SEED for each in seeds
    ):
        raise ConfigError(f"{where}: seeds is a list of whole numbers from 0, such as [1, 2, 3]; got {shorten(seeds)}")
    return list(seeds)


def _flag(description: Mapping[str, Any], key: str, where: str) -> bool:
    value = description.get(key, False)
    if not isinstance(value, bool):
        raise ConfigError(f"{where}: {key} is true or false; got {shorten(repr(value))}")
    return value


def _job(description: Mapping[str, Any], where: str) -> str:
    job = description.get("job", DEFAULT_JOB)
    if not is_job(job):
        raise ConfigError(f"{where}: job names a function as 'module:function'; got {shorten(repr(job))}")
    return job


def is_job(job: Any) -> bool:
    """Whether a value names a function as "module:function"."""
    return isinstance(job, str) and _JOB.fullmatch(job) is not None


def _job_path(description: Mapping[str, Any], where: str, folder: Path) -> str:
    """The declared folder of the job's module, absolute; "" if none is declared."""
    path = description.get("job_path", "")
    if not isinstance(path, str) or "\0" in path or (path and not os.path.isdir(folder / path)):
        said = shorten(repr(path))
        raise ConfigError(f"{where}: job_path is the folder that holds the module of the job; got {said}")
    return str((folder / path).resolve()) if path else ""


def _metrics(description: Mapping[str, Any], job: str, where: str) -> tuple[str, ...]:
    """Columns of the table: gait metrics for the default job, for another one whatever it returns."""
    from ..behaviour.gait import METRICS

    known = [*METRICS, "wall_s_per_bio_s"]
    metrics = description.get("metrics", known if job == DEFAULT_JOB else ())
    if not isinstance(metrics, (list, tuple)) or not all(isinstance(each, str) for each in metrics):
        said = shorten(repr(metrics))
        raise ConfigError(f"{where}: metrics is a list of names such as ['forward_speed_mm_s']; got {said}")
    for name in metrics:
        if job == DEFAULT_JOB and name not in known:
            raise ConfigError(f"{where}: {unknown('metric', name, known)}")
    return tuple(dict.fromkeys(metrics))


def names_of(overrides: Sequence[Mapping[str, Any]]) -> list[str]:
    """Short names of runs, of letters, digits and . _ + = - only.

    Last parts of the keys, and values as %g; lists and tables are numbered.
    """
    keys = list(overrides[0])
    last = Counter(key.rpartition(".")[2] for key in keys)
    words = {key: key.rpartition(".")[2] if last[key.rpartition(".")[2]] == 1 else key for key in keys}
    choices: dict[str, list] = {key: [] for key in keys}
    names = []
    for each in overrides:
        parts = []
        for key, value in each.items():
            if not _plain(value):
                if value not in choices[key]:
                    choices[key].append(value)
                value = f"choice{choices[key].index(value) + 1}"
            parts.append(f"{words[key]}={value:g}" if isinstance(value, float) else f"{words[key]}={value}")
        names.append(re.sub(r"[^A-Za-z0-9._+=-]+", "-", "_".join(parts))[:_LONGEST_NAME])
    return names


def _plain(value: Any) -> bool:
    return isinstance(value, (bool, int, float, str))
