"""The configuration of a recording as a flat table, compared with the defaults and with other runs."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from ..anatomy import match_neurons
from ..environment import Field, made_again
from ..errors import TianbaoError
from ..recorded import RecordedRun

_MISSING = object()
_RECORDED = "record.voltage"


def settings(recording: RecordedRun) -> dict[str, Any]:
    """Every setting of a run by its dotted key, without interventions; empty if it has no configuration.

    Those of several worms are `worms.0.at` and so on, those of a field `fields.nacl.peak`.
    """
    parsed = _parsed(recording.config_toml)
    listed = {name: _by_name(name, parsed.pop(name)) for name in ("worms", "fields") if parsed.get(name)}
    flat = _flat({**parsed, **listed})
    return {key: value for key, value in flat.items() if not key.endswith("interventions")}


def worm_settings(recording: RecordedRun, worm: int = 0) -> dict[str, Any]:
    """What the configuration says of one worm: section `worm`, and what its entry of `worms` changes."""
    parsed = _parsed(recording.config_toml)
    section, entries = parsed.get("worm"), parsed.get("worms")
    entry = entries[worm] if isinstance(entries, list) and worm < len(entries) else {}
    return {**(section if isinstance(section, dict) else {}), **(entry if isinstance(entry, dict) else {})}


def interventions(recording: RecordedRun, worm: int = 0) -> list[str]:
    """The interventions on one worm, one line each, such as `ablate: neurons AVB*`."""
    listed = _parsed(recording.config_toml).get("interventions") or []
    own = worm_settings(recording, worm).get("interventions") or []
    return [line for each in (listed, own) for line in (map(_told, each) if isinstance(each, list) else [str(each)])]


def fields(recording: RecordedRun) -> list[Field]:
    """The fields of the arena as they start, made again from the configuration; one written in Python cannot."""
    listed = _parsed(recording.config_toml).get("fields")
    return made_again(listed if isinstance(listed, list) else [])


@cache
def defaults() -> Mapping[str, Any]:
    """Default of every setting by its dotted key."""
    from ..body.material import Material
    from ..config import RunConfig
    from ..parameters import defaults as parameters

    flat = _flat(tomllib.loads(RunConfig().to_toml()))
    flat |= {f"parameters.{name}": value for name, value in parameters().items()}
    return flat | {f"material.{name}": value for name, value in dataclasses.asdict(Material()).items()}


def default_of(key: str) -> Any:
    """Default of a setting, None if it has none; that of an entry of `worms` is that of section `worm`."""
    default = _default(key)
    return None if default is _MISSING else default


def changed(key: str, value: Any) -> bool:
    """Whether a setting differs from its default; an arena has no fields by default."""
    default = _default(key)
    if default is _MISSING or _same(default, value):
        return key.startswith("fields.")
    # A recording names its neurons one by one, the default by globs.
    return key != _RECORDED or _neurons(default) != _neurons(value)


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


def _default(key: str) -> Any:
    section, _, rest = key.partition(".")
    if section == "worms":
        inside = rest.partition(".")[2]
        key = inside if inside.startswith("parameters.") else f"worm.{inside}"
    return defaults().get(key, _MISSING)


def _by_name(section: str, listed: Any) -> dict[str, Any]:
    """Tables of a list by their number, or by their name where each has one of its own."""
    tables = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    names = [str(each.get("name", "")) for each in tables]
    named = section == "fields" and all(names) and len(set(names)) == len(names)
    return {
        (names[k] if named else str(k)): {key: value for key, value in each.items() if not named or key != "name"}
        for k, each in enumerate(tables)
    }


def _neurons(globs: Any) -> Any:
    """The neurons that a setting names, in order; the setting itself if it names none."""
    try:
        return sorted(match_neurons(*globs))
    except (TianbaoError, TypeError):
        return globs


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
