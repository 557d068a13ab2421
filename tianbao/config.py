"""Run configuration: a frozen dataclass, read from TOML, that refuses keys it does not know."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import ConfigError, unknown


@dataclass(frozen=True)
class RunConfig:
    """What one run of the worm needs.

    Attributes:
        duration: [ms]
        seed: of noise, initial voltages and posture.
        medium: name of the medium.
        discretisation: "traced" or "d_lambda".
        soma_compartments: 1 or 2.
        channel_set: kinetic parameter set of the channels, "C19" or "H".
        signs: synaptic signs, "predicted" or "transmitter".
        dt: neural step [ms].
        tick: exchange interval and body step [ms].
        frame: interval of recorded frames [ms].
        order: of the neural step, 1 (backward Euler) or 2 (Crank-Nicolson).
        corrections: of a step across gap junctions, native engine only.
        engine: one of `tianbao.engine.ENGINES`.
        slabs: axial resolution of the body mesh.
        record: neurons or globs whose voltage is kept.
        parameters: changes to the class-level parameters.
    """

    duration: float = 10_000.0
    seed: int = 1
    medium: str = "agar"
    discretisation: str = "traced"
    soma_compartments: int = 2
    channel_set: str = "C19"
    signs: str = "predicted"
    dt: float = 0.5
    tick: float = 4.0
    frame: float = 20.0
    order: int = 1
    corrections: int = 0
    engine: str = "neuron"
    slabs: int = 48
    record: tuple[str, ...] = ("AVA*", "AVB*", "DB*", "VB*", "DD*", "VD*", "SMD*", "RMD*")
    parameters: Mapping[str, float] = field(default_factory=dict)

    def to_toml(self) -> str:
        """The configuration as `read_config` reads it."""
        flat = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        parameters = flat.pop("parameters")
        lines = [f"{key} = {_literal(value)}" for key, value in flat.items()]
        return "\n".join([*lines, "", to_toml({"parameters": parameters})])

    def updated(self, changes: Mapping[str, Any], where: str = "configuration") -> RunConfig:
        """A copy with some keys changed; None leaves a key as it is.

        Raises:
            ConfigError: for an unknown key or a value of the wrong type.
        """
        types = {each.name: type(getattr(self, each.name)) for each in dataclasses.fields(self)}
        kept: dict[str, Any] = {}
        for key, value in changes.items():
            if key not in types:
                raise ConfigError(f"{where}: {unknown('key', key, types)}")
            if value is not None:
                kept[key] = _typed(key, value, types[key], where)
        return dataclasses.replace(self, **kept)


def read_config(path: str | Path, default: RunConfig | None = None) -> RunConfig:
    """Read a run configuration.

    Args:
        path: of a TOML file.
        default: what it does not say.

    Raises:
        ConfigError: if the file is missing, is not TOML, or holds an unknown key.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {path}: {error.strerror or error}") from error
    try:
        return (default or RunConfig()).updated(tomllib.loads(text), where=path.name)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path.name} is not valid TOML: {error}") from error


def to_toml(sections: Mapping[str, Mapping[str, Any]]) -> str:
    """Serialise plain sections of scalars and lists."""
    lines = []
    for name, values in sections.items():
        lines.append(f"[{name}]")
        lines.extend(f"{key} = {_literal(value)}" for key, value in values.items())
        lines.append("")
    return "\n".join(lines)


def _typed(key: str, value: Any, kind: type, where: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is tuple and isinstance(value, list):
        return tuple(value)
    if not isinstance(value, kind) or isinstance(value, bool) and kind is not bool:
        raise ConfigError(f"{where}: '{key}' must be of type {kind.__name__}, got {value!r}")
    return value


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value)
    if hasattr(value, "tolist"):  # a NumPy number or array
        return _literal(value.tolist())
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_literal(each) for each in value) + "]"
    return repr(value)
