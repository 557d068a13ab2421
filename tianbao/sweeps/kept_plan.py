"""Reads the plan.json of a sweep's folder, which may have been edited: everything in it is checked or computed anew."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from ..config import RunConfig
from ..errors import ConfigError, TianbaoError, shorten
from .plan import DEFAULT_JOB, MOST_RUNS, Plan, PlannedRun, digest, is_job, names_of, seal_of

_RUN = {"number": int, "name": str, "overrides": dict, "digest": str}
_LONGEST = 1000  # characters of a key, a metric or a path


def plan_from_json(text: str, where: str) -> Plan:
    """A plan that `Plan.to_json` wrote.

    Names and digests are computed anew, so that no name can lead out of the folder of the sweep.

    Args:
        text: content of the file.
        where: its path, for error messages.

    Raises:
        ConfigError: if it was edited, truncated, or written by a release with other settings.
    """
    try:
        kept = json.loads(text, parse_constant=_no_number, object_pairs_hook=_once)
        base, rest = _base(kept, where), _rest(kept)
        seal = kept.pop("seal", None)  # plans of earlier releases have none
        if seal is not None and seal != seal_of(kept):
            raise ValueError("it was edited after it was written")
        runs = _runs(kept["runs"], rest["varied"])
    except (ValueError, KeyError, RecursionError) as error:
        raise ConfigError(
            f"{where} is damaged ({shorten(error) or type(error).__name__}): give another folder, or delete this file"
        ) from error
    plan = Plan(base, runs=runs, **rest)
    _check_runs(plan, where)
    return plan


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A table, in which no key stands twice."""
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("a key stands twice in one table")
    return table


def _base(kept: Any, where: str) -> RunConfig:
    if not isinstance(kept, dict) or not isinstance(kept.get("base"), str):
        raise ValueError("it holds no base configuration")
    try:
        return RunConfig().updated(tomllib.loads(kept["base"]), where="base")
    except TianbaoError as error:
        raise ConfigError(f"{where}: {error}; give another folder, or delete this file") from error


def _rest(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Everything beside base and runs, of the right kind."""
    found: dict[str, Any] = {}
    for name in ("varied", "metrics"):
        values = kept.get(name)
        good = isinstance(values, list) and all(isinstance(each, str) and len(each) <= _LONGEST for each in values)
        if not good or len(set(values)) < len(values):
            raise ValueError(f"'{name}' is not a list of different names")
        found[name] = tuple(values)
    found["video"], found["job"] = kept.get("video"), kept.get("job", DEFAULT_JOB)
    found["job_path"] = kept.get("job_path", "")
    if not isinstance(found["video"], bool):
        raise ValueError("'video' is neither true nor false")
    if not is_job(found["job"]):
        raise ValueError("'job' does not name a function as module:function")
    path = found["job_path"]
    if not isinstance(path, str) or "\0" in path or len(path) > _LONGEST:
        raise ValueError("'job_path' is not a path")
    return found


def _runs(entries: Any, varied: tuple[str, ...]) -> tuple[PlannedRun, ...]:
    if not isinstance(entries, list) or not 1 <= len(entries) <= MOST_RUNS:
        raise ValueError(f"'runs' is not a list of 1 to {MOST_RUNS} runs")
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict) or set(entry) != set(_RUN):
            raise ValueError(f"entry {number} of 'runs' does not have the keys {', '.join(_RUN)}")
        for key, kind in _RUN.items():
            if type(entry[key]) is not kind:
                raise ValueError(f"'{key}' of run {number} is not of type {kind.__name__}")
        if tuple(entry["overrides"]) != varied:
            raise ValueError(f"run {number} does not have the varied keys in their order")
    return tuple(PlannedRun(**entry) for entry in entries)


def _check_runs(plan: Plan, where: str) -> None:
    """Every number, name and digest is the one that this plan gives."""
    seen: dict[str, int] = {}
    for number, run in enumerate(plan.runs, start=1):
        try:
            mark = digest(plan.config(run), plan.job)
        except (TianbaoError, ValueError, TypeError, RecursionError) as error:
            said = shorten(error)
            raise ConfigError(f"{where}: run {number} cannot be used ({said}); give another folder") from error
        if (run.number, run.digest) != (number, mark):
            raise ConfigError(f"{where}: run {number} was written by another release, or edited; give another folder")
        if mark in seen:
            raise ConfigError(f"{where}: runs {seen[mark]} and {number} are the same; give another folder")
        seen[mark] = number
    for run, name in zip(plan.runs, names_of([each.overrides for each in plan.runs]), strict=True):
        if run.name != name:
            raise ConfigError(
                f"{where}: run {run.number} is named '{shorten(run.name)}' where its values give '{name}'; "
                "give another folder"
            )
