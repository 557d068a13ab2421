"""Fitted sets of multipliers and inputs, kept as data, and how they are put on a worm.

A set changes conductances only; signs and contacts stay those of the connectome. Its inputs are the currents with which
it was fitted, and nothing of a worm until someone injects them.
"""

from __future__ import annotations

import csv
import io
import tomllib
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .. import anatomy
from ..errors import ConfigError, unknown
from ..io.files import write_atomically
from ..rows import finite, read_rows
from ..toml import literal
from ..worm import Worm
from .correlation_levels import Values
from .spontaneous import Edge

DATA = Path(__file__).with_name("correlation_data")
_DIGITS = 4  # of a number in a table
_NEAR_ONE = 0.002  # deviation from 1 [-] below which a multiplier is left out


@dataclass(frozen=True, eq=False)
class CorrelationSet:
    """Multipliers of connections, and inputs of neurons.

    Attributes:
        name: of the set.
        multipliers: (kind, pre, post, sign) -> factor on the conductance [-]; 1 for all others.
        loadings: neuron -> loadings of the common inputs [pA], shape (inputs,).
        private: neuron -> standard deviation of the input of its own [pA].
        provenance: script, revision, cost and numbers of the fit.
    """

    name: str
    multipliers: dict[Edge, float]
    loadings: dict[str, np.ndarray]
    private: dict[str, float]
    provenance: dict = field(default_factory=dict)

    def values(self, edges: tuple[Edge, ...], neurons: tuple[str, ...]) -> Values:
        """What a `SpontaneousBrain` with these edges and neurons takes.

        Raises:
            ConfigError: if the brain lacks a connection of the set.
        """
        known = set(edges)
        if strays := [edge for edge in self.multipliers if edge not in known]:
            raise ConfigError(f"set '{self.name}': the brain has no {strays[0].kind} {strays[0].pre}-{strays[0].post}")
        return Values(
            np.array([self.multipliers.get(edge, 1.0) for edge in edges]),
            np.array([self.loadings[name] for name in neurons]),
            np.array([self.private[name] for name in neurons]),
        )

    def put_on(self, worm: Worm) -> Worm:
        """Scale the connections of a worm, which is changed and returned.

        The multipliers become interventions, which are saved with every result.

        Raises:
            ConfigError: if the worm lacks a connection of the set.
        """
        together: dict[tuple[str, str, float], list[str]] = defaultdict(list)
        for edge, factor in self.multipliers.items():
            together[edge.kind, edge.pre, factor].append(edge.post)
        for (kind, pre, factor), post in together.items():
            scale = worm.scale_gap_junctions if kind == "gap" else worm.scale_synapses
            scale(pre, post, factor)
        return worm


def correlation_sets() -> tuple[str, ...]:
    """Names of the sets that come with Tianbao."""
    return tuple(sorted(path.stem for path in DATA.glob("*.toml")))


def correlation_set(name: str | Path) -> CorrelationSet:
    """A fitted set by its name, or by the path of what `write_set` wrote, without an ending.

    Raises:
        ConfigError: for a set that does not exist, or a table that is damaged.
    """
    path = DATA / name if name in correlation_sets() else Path(name)
    if not path.with_suffix(".toml").is_file():
        raise ConfigError(unknown("correlation set", str(name), correlation_sets()))
    multipliers, loadings, private = {}, {}, {}
    for where, row in read_rows(_table(path, "connections")):
        edge = Edge(row["kind"], row["pre"], row["post"], row["sign"])
        multipliers[edge] = finite(row["factor"], where, "factor")
    for where, row in read_rows(_table(path, "inputs")):
        common = [key for key in row if key.startswith("common_")]
        loadings[row["neuron"]] = np.array([finite(row[key], where, key, "pA") for key in common])
        private[row["neuron"]] = finite(row["private"], where, "private", "pA")
    if missing := set(anatomy.neurons().index) - set(private):
        raise ConfigError(f"set '{name}': {_table(path, 'inputs').name} lacks {min(missing)}")
    provenance = tomllib.loads(path.with_suffix(".toml").read_text(encoding="utf-8"))
    return CorrelationSet(path.name, multipliers, loadings, private, provenance)


def write_set(
    path: str | Path, edges: tuple[Edge, ...], neurons: tuple[str, ...], values: Values, provenance: dict
) -> None:
    """Keep a set as three small files: `_connections.csv`, `_inputs.csv` and `.toml`.

    Args:
        path: of the files without their endings; its last part is the name of the set and holds no dot.
        edges, neurons: of the brain that was fitted.
        values: multipliers and inputs.
        provenance: flat table of what the numbers come from.
    """
    path = Path(path)
    connections = [
        (edge.kind, edge.pre, edge.post, edge.sign, f"{factor:.{_DIGITS}g}")
        for edge, factor in zip(edges, values.multipliers, strict=True)
        if abs(factor - 1.0) > _NEAR_ONE
    ]
    _write(_table(path, "connections"), ("kind", "pre", "post", "sign", "factor"), connections)
    common = [f"common_{k + 1}" for k in range(values.loadings.shape[1])]
    rows = zip(neurons, values.private, values.loadings, strict=True)
    inputs = [(name, f"{own:.{_DIGITS}g}", *(f"{each:.{_DIGITS}g}" for each in shared)) for name, own, shared in rows]
    _write(_table(path, "inputs"), ("neuron", "private", *common), inputs)
    lines = "".join(f"{key} = {literal(value)}\n" for key, value in provenance.items())
    write_atomically(path.with_suffix(".toml"), lines.encode())


def _table(path: Path, what: str) -> Path:
    return path.with_name(f"{path.name}_{what}.csv")


def _write(path: Path, header: tuple, rows: list[tuple]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_atomically(path, text.getvalue().encode())
