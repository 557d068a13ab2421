"""What one run needs: frozen dataclasses, one per section, read from TOML, that refuse unknown keys."""

from __future__ import annotations

import dataclasses
import difflib
import math
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import toml
from .clock import Clock
from .errors import ConfigError, shorten, shorten_path, unknown
from .keys import OPEN, names_in, place_of, unknown_key
from .options import (
    ArenaSection,
    BodySection,
    CheckpointSection,
    RecordSection,
    WormSection,
    option,
)
from .rows import number, whole
from .typed import typed

SPACING = 1.5
"""Default distance between worms on a grid [mm]."""

# The longest file that can be a configuration [bytes]; what is larger is something else given by mistake.
_LARGEST = 1_000_000
_MOST_WORMS = 10_000
_TABLES = ("parameters", "members")  # of one worm


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """What one run of the worm needs. Keys of sections are written with a dot, such as `clock.dt`.

    Attributes:
        duration: [ms]
        seed: of noise, initial voltages and posture.
        stream: of random numbers; worm k takes stream + k of those that the seed gives.
        engine: one of `tianbao.engine.choice.ENGINES`, or "auto".
        worm, arena, clock, body, record, checkpoint: sections.
        medium: drags of a medium of your own; empty when `arena.medium` is a name.
        material: changes of the tissue, rows of body.csv.
        parameters: changes of the class-level parameters, rows of network/parameters.csv.
        members: recorded cells whose fit is another member of their ensemble -> its number, or "all"; see `Worm`.
        interventions: what is done to every worm, in order: tables of `verb` and its arguments.
        worms: one table per worm where there are several: what differs from section `worm`, changes of
            `parameters` and `members`, and `interventions` of its own, which come after those of every worm.
        fields: concentrations in the arena: tables of `kind`, such as "gaussian", and its options.
    """

    duration: float = option(10_000.0, "[ms]")
    seed: int = option(1, "of noise, initial voltages and posture")
    stream: int = option(0, "of random numbers: worm k takes stream + k of those that the seed gives")
    engine: str = option("auto", "auto (native, or neuron for one worm without a C compiler), neuron or native")
    worm: WormSection = option(WormSection, "")
    arena: ArenaSection = option(ArenaSection, "")
    clock: Clock = option(Clock, "")
    body: BodySection = option(BodySection, "")
    record: RecordSection = option(RecordSection, "")
    checkpoint: CheckpointSection = option(CheckpointSection, "")
    medium: Mapping[str, Any] = option(dict, "")
    material: Mapping[str, float] = option(dict, "")
    parameters: Mapping[str, float] = option(dict, "")
    members: Mapping[str, int] = option(dict, "")
    interventions: tuple[Mapping[str, Any], ...] = option((), "")
    worms: tuple[Mapping[str, Any], ...] = option((), "")
    fields: tuple[Mapping[str, Any], ...] = option((), "")

    def get(self, key: str) -> Any:
        """Value under a dotted key.

        Raises:
            ConfigError: for an unknown key.
        """
        section, _, name = key.partition(".")
        known = _fields(self)
        if section not in known:
            raise ConfigError(_unknown_key(key))
        inside = getattr(self, section)
        if not name:
            return inside
        values = inside if isinstance(inside, Mapping) else _fields(inside)
        if name not in values:
            raise ConfigError(_unknown_key(key))
        return inside[name] if isinstance(inside, Mapping) else getattr(inside, name)

    def updated(self, changes: Mapping[str, Any], where: str = "configuration") -> RunConfig:
        """A copy with some keys changed; None leaves a key as it is.

        Args:
            changes: dotted keys, or sections as mappings.
            where: how errors call the place the changes come from.

        Raises:
            ConfigError: for an unknown key or a value of the wrong type.
        """
        if not isinstance(changes, Mapping):
            raise ConfigError(f"{where}: a configuration is a table of keys, not {shorten(repr(changes))}")
        known, given, within = _fields(self), {}, {}
        for key, value in _split(changes):
            section, _, name = key.partition(".")
            if section not in known:
                raise ConfigError(f"{where}: {_unknown_key(key)}")
            if value is None:
                continue
            before = getattr(self, section)
            if name:
                within.setdefault(section, {})[name] = _checked(before, section, name, value, where)
            else:
                given[section] = _whole(before, section, value, where)
        for section, values in within.items():
            before = getattr(self, section)
            # All of a section at once: some of its values are only possible together.
            try:
                given[section] = (
                    {**before, **values} if isinstance(before, Mapping) else dataclasses.replace(before, **values)
                )
            except ConfigError as error:
                raise ConfigError(f"{where}: {error}") from error
        return dataclasses.replace(self, **given)

    def to_toml(self, *, comments: Mapping[str, str] | None = None) -> str:
        """The configuration as `read_config` reads it.

        Args:
            comments: text behind a dotted key, beside those of the keys that are always there; without it
                nothing is commented.
        """
        about = {} if comments is None else {**_about(), **comments}
        lines, tables = [], []
        for name in _fields(self):
            value = getattr(self, name)
            if name in _LISTS:
                tables += [["", f"[[{name}]]", *toml.lines(each, "", {})] for each in value]
            elif isinstance(value, Mapping) or dataclasses.is_dataclass(value):
                flat = value if isinstance(value, Mapping) else {key: getattr(value, key) for key in _fields(value)}
                if flat:
                    tables.append(["", f"[{name}]", *toml.lines(flat, f"{name}.", about)])
            else:
                lines += toml.lines({name: value}, "", about)
        return "\n".join([*lines, *(line for table in tables for line in table)]) + "\n"

    def differences(self, other: RunConfig) -> dict[str, tuple[Any, Any]]:
        """Dotted keys whose values differ: (here, there), None where one has no such key."""
        ours, theirs = dict(self._flat()), dict(other._flat())
        keys = list(dict.fromkeys([*ours, *theirs]))
        return {key: (ours.get(key), theirs.get(key)) for key in keys if ours.get(key) != theirs.get(key)}

    def _flat(self) -> Iterator[tuple[str, Any]]:
        for name in _fields(self):
            value = getattr(self, name)
            if dataclasses.is_dataclass(value):
                yield from ((f"{name}.{key}", getattr(value, key)) for key in _fields(value))
            elif isinstance(value, Mapping):
                yield from ((f"{name}.{key}", each) for key, each in value.items())
            else:
                yield name, value


def on_a_grid(config: RunConfig, count: int, spacing: float) -> RunConfig:
    """A configuration with several equal worms on a square grid, the first where its worm is.

    Args:
        config: of one worm.
        count: how many worms.
        spacing: between neighbours in x and y [mm]; worms are 1 mm long.

    Raises:
        ConfigError: for no worm, a spacing that is not positive, or a configuration that lists its worms.
    """
    whole(count, "worms", "worms", low=1, high=_MOST_WORMS)
    if not number(spacing, "worms", "spacing", "mm") > 0.0:
        raise ConfigError(f"worms: spacing = {spacing:g} mm must be positive")
    if config.worms:
        raise ConfigError(f"the configuration lists {len(config.worms)} worms already: leave out --worms")
    if count == 1:
        return config
    (x, y, z), columns = config.worm.at, math.ceil(math.sqrt(count))
    places = [(x + spacing * (k % columns), y + spacing * (k // columns), z) for k in range(count)]
    return config.updated({"worms": [{"at": each} for each in places]}, where="worms")


def read_config(path: str | Path, default: RunConfig | None = None) -> RunConfig:
    """Read a run configuration.

    Args:
        path: of a TOML file.
        default: what it does not say.

    Raises:
        ConfigError: if the file is missing, is not TOML, or holds an unknown key.
    """
    read = read_toml(path)
    return (default or RunConfig()).updated(read, where=Path(path).name)


def read_toml(path: str | Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        ConfigError: if the file is missing or is not TOML.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise ConfigError(f"a configuration is the path of a TOML file, not {shorten(repr(path))}")
    path = Path(path)
    path = path / "config.toml" if os.path.isdir(path) else path
    try:
        with open(path, "rb") as file:
            content = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"cannot read the configuration {shorten_path(path)}: {reason}") from error
    if len(content) > _LARGEST:
        raise ConfigError(f"{path.name} is larger than a configuration can be; give a TOML file")
    return _parsed(content, path.name)


def _parsed(content: bytes, name: str) -> dict[str, Any]:
    """The tables of a TOML file, with or without a byte order mark."""
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        if content.startswith(b"\x89HDF"):
            raise ConfigError(f"{name} is a results file: give the config.toml that lies beside it") from error
        kind = "UTF-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "another encoding"
        raise ConfigError(f"{name} is a text in {kind}, or no text; save it as TOML in UTF-8") from error
    except RecursionError as error:
        raise ConfigError(f"{name} is not valid TOML: its lists or tables are nested too deeply") from error
    except ValueError as error:  # not TOML, or more digits than Python reads
        raise ConfigError(f"{name} is not valid TOML: {error}{toml.hint(content, str(error))}") from error


def config_of(text: str, where: str) -> RunConfig:
    """The configuration that a result or a checkpoint holds.

    Args:
        text: as `RunConfig.to_toml` writes it.
        where: how errors call the place.

    Raises:
        ConfigError: if it is not TOML, or holds an unknown key.
    """
    return RunConfig().updated(_parsed(text.encode("utf-8", "replace"), f"{where}: its configuration"), where=where)


def parse_setting(text: str) -> tuple[str, Any]:
    """Key and value of `key=value`, the value as TOML or, failing that, as plain text.

    Raises:
        ConfigError: when there is no key or no value.
    """
    key, equals, value = text.partition("=")
    key, value = key.strip(), value.strip()
    if not (key and equals and value):
        raise ConfigError(f"'{text}' is not a setting: write key=value, such as clock.dt=0.25")
    try:
        read = tomllib.loads(f"value = {value}")
    except (ValueError, RecursionError):
        return key, value
    return key, read["value"] if len(read) == 1 else value


def _fields(section: Any) -> tuple[str, ...]:
    return tuple(each.name for each in dataclasses.fields(section))


def _about() -> dict[str, str]:
    found = {}
    for each in dataclasses.fields(RunConfig):
        found[each.name] = each.metadata["about"]
        if dataclasses.is_dataclass(each.default_factory):
            inner = dataclasses.fields(each.default_factory)
            found |= {f"{each.name}.{key.name}": key.metadata["about"] for key in inner}
    return {key: text for key, text in found.items() if text}


def full_place(word: str) -> str | None:
    """The dotted key that ends with this word, such as "parameters.gap_gain"; None if there is none."""
    return place_of(word, _plain())


def _plain() -> list[str]:
    return [*(name for name, _ in RunConfig()._flat()), *OPEN]


def _unknown_key(key: str) -> str:
    return unknown_key(key, _plain())


def _split(changes: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Sections given as mappings, key by key."""
    for key, value in changes.items():
        if isinstance(value, Mapping) and "." not in str(key):
            yield from ((f"{key}.{name}", each) for name, each in value.items())
        else:
            yield str(key), value


def _checked(before: Any, section: str, name: str, value: Any, where: str) -> Any:
    """A new value within a section."""
    if section in _LISTS:
        raise ConfigError(f"{where}: '{section}' is a list of tables; write [[{section}]] instead of [{section}]")
    if isinstance(before, Mapping):
        if name not in names_in(section):
            raise ConfigError(f"{where}: {_unknown_key(f'{section}.{name}')}")
        return value
    if not dataclasses.is_dataclass(before) or name not in _fields(before):
        raise ConfigError(f"{where}: {_unknown_key(f'{section}.{name}')}")
    return typed(f"{section}.{name}", value, getattr(before, name), where)


def _whole(before: Any, section: str, value: Any, where: str) -> Any:
    """A new value at the top level."""
    if section == "medium" and isinstance(value, str):
        raise ConfigError(f"{where}: 'medium' describes a medium of your own; write arena.medium = '{shorten(value)}'")
    if dataclasses.is_dataclass(before) or isinstance(before, Mapping):
        raise ConfigError(f"{where}: '{section}' is a section; give its keys, such as {section}.KEY = ...")
    return _LISTS[section](value, where) if section in _LISTS else typed(section, value, before, where)


def _tables(value: Any, where: str, todo: str) -> tuple[dict[str, Any], ...]:
    """A list of tables."""
    if not isinstance(value, (list, tuple)) or not all(isinstance(each, Mapping) for each in value):
        raise ConfigError(f"{where}: {todo}, got {shorten(repr(value))}")
    return tuple(dict(each) for each in value)


def _interventions(value: Any, where: str) -> tuple[Mapping[str, Any], ...]:
    return _tables(value, where, "interventions are tables with a verb; write [[interventions]] and verb = ...")


def _worms(value: Any, where: str) -> tuple[Mapping[str, Any], ...]:
    todo = "worms are tables; write [[worms]] and at = [x, y, z] for each, or give --worms N"
    return tuple(_worm(each, f"{where}: worm {k}") for k, each in enumerate(_tables(value, where, todo)))


def _worm(table: Mapping[str, Any], where: str) -> dict[str, Any]:
    """One entry of `[[worms]]`, each value of the kind that section `worm` has."""
    default, checked = WormSection(), {}
    known = [*_fields(default), *_TABLES, "interventions"]
    for key, value in table.items():
        if key not in known:
            near = difflib.get_close_matches(str(key).lower(), known, n=1, cutoff=0.6)
            raise ConfigError(f"{where}: {unknown('key', key, known) if near else _unknown_key(str(key))}")
        if key == "interventions":
            checked[key] = list(_interventions(value, where))
        elif key in _TABLES:
            if not isinstance(value, Mapping):
                raise ConfigError(f"{where}: '{key}' is a table, got {shorten(repr(value))}")
            checked[key] = dict(value)
        else:
            checked[key] = typed(key, value, getattr(default, key), where)
    return checked


def _fields_of_arena(value: Any, where: str) -> tuple[Mapping[str, Any], ...]:
    return _tables(value, where, 'fields are tables with a kind; write [[fields]] and kind = "gaussian"')


# Lists of tables, and what checks each.
_LISTS = {"interventions": _interventions, "worms": _worms, "fields": _fields_of_arena}
