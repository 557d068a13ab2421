"""What holds neurons at their working point: tonic currents of classes, driving conductances of templates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .. import anatomy
from ..cells.templates import templates
from ..errors import ConfigError, unknown
from ..parameters import table
from ..rows import read_rows

TABLE = Path(__file__).with_name("drives.csv")

_DRIVES = {"class": ("current",), "template": ("conductance", "reversal")}


@dataclass(frozen=True)
class Drives:
    """Names of the free parameters that drive neurons.

    Attributes:
        currents: class -> parameters whose sum is its tonic current [pA].
        conductances: membrane template -> parameters of its driving conductance [nS] and of its reversal [mV].
    """

    currents: dict[str, tuple[str, ...]]
    conductances: dict[str, tuple[str, str]]


@cache
def drives(path: Path = TABLE) -> Drives:
    """The table of drives, checked.

    Raises:
        ConfigError: for an unknown class, template, drive or parameter, or a conductance without a reversal.
    """
    known = {"class": set(anatomy.neurons()["class"]), "template": set(templates())}
    currents: dict[str, tuple[str, ...]] = {}
    found: dict[str, dict[str, str]] = {}
    for where, row in read_rows(path):
        of, name, drive, parameter = (row[key] for key in ("of", "name", "drive", "parameter"))
        for what, value, choice in (
            ("kind of driven cells", of, _DRIVES),
            (of, name, known.get(of, ())),
            (f"drive of a {of}", drive, _DRIVES.get(of, ())),
            ("parameter", parameter, table()),
        ):
            if value not in choice:
                raise ConfigError(f"{where}: {unknown(what, value, choice)}")
        if of == "class":
            currents[name] = (*currents.get(name, ()), parameter)
        else:
            found.setdefault(name, {})[drive] = parameter
    for name, pair in found.items():
        if set(pair) != set(_DRIVES["template"]):
            raise ConfigError(f"{path.name}: the drive of template '{name}' needs a conductance and a reversal")
    return Drives(currents, {name: (pair["conductance"], pair["reversal"]) for name, pair in found.items()})
