"""The configuration of a recording as a flat table, compared with the defaults and with other runs."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from ..recording import Recording

_MISSING = object()


def settings(recording: Recording) -> dict[str, Any]:
    """Every setting of a run by its dotted key, without interventions; empty if it has no configuration."""
    flat = _flat(_parsed(recording.config_toml))
    return {key: value for key, value in flat.items() if not key.endswith("interventions")}


def interventions(recording: Recording) -> list[str]:
    """The interventions, one line each, such as `ablate: neurons AVB*`."""
    parsed = _parsed(recording.config_toml)
    worm = parsed.get("worm", {})
    listed = parsed.get("interventions") or (worm.get("interventions") if isinstance(worm, dict) else None) or []
    return [_told(each) for each in listed] if isinstance(listed, list) else [str(listed)]


@cache
def defaults() -> Mapping[str, Any]:
    """Default of every setting by its dotted key."""
    from ..body.material import Material
    from ..config import RunConfig
    from ..parameters import defaults as parameters

    flat = _flat(tomllib.loads(RunConfig().to_toml()))
    flat |= {f"parameters.{name}": value for name, value in parameters().items()}
    return flat | {f"material.{name}": value for name, value in dataclasses.asdict(Material()).items()}


def changed(key: str, value: Any) -> bool:
    """Whether a setting differs from its default."""
    default = defaults().get(key, _MISSING)
    return default is not _MISSING and not _same(default, value)


def differing(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Keys whose values differ between runs, or that are missing in some of them."""
    keys = list(dict.fromkeys(key for run in runs for key in run))
    first = runs[0] if runs else {}
    return [key for key in keys if not all(_same(first.get(key, _MISSING), run.get(key, _MISSING)) for run in runs)]


def spelled(value: Any) -> str:
    """A value as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(spelled(each) for each in value) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {spelled(each)}" for key, each in value.items())
    return str(value) if value != "" else "none"


def _same(a: Any, b: Any) -> bool:
    return a is b or (isinstance(a, bool) == isinstance(b, bool) and a == b)


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _told(each: Any) -> str:
    if not isinstance(each, Mapping):
        return each if isinstance(each, str) else json.dumps(each, default=str)
    words = [f"{key} {spelled(value)}" for key, value in each.items() if key != "verb"]
    return f"{each.get('verb', 'intervention')}: {'; '.join(words)}" if words else str(each.get("verb", "intervention"))
