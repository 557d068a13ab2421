"""The section of a report on wiring: the circuit of each worm around its motor neurons, and what was changed in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure

from ..anatomy import connectome_registry
from ..behaviour.midline import curvature_positions
from ..config import config_of
from ..configured import worms_of
from ..errors import TianbaoError
from ..recorded import RecordedRun
from . import circuit, page
from .page import Cell

if TYPE_CHECKING:
    from ..worm import Worm

MOST_CIRCUITS = 3
_POINTS = 49  # needed to design a worm; without effect on its wiring
_LISTED = 25


@dataclass(frozen=True)
class Wired:
    """One kind of wiring and the worms that have it: their names, connections and interventions."""

    names: tuple[str, ...]
    table: pd.DataFrame
    marks: dict[str, circuit.Mark]
    others: tuple[str, ...]
    interventions: str

    def drawn(self) -> Figure:
        """The circuit."""
        who = ", ".join(self.names[:4]) + (" and others" if len(self.names) > 4 else "")
        return circuit.plot_circuit(self.table, self.marks, self.others, f"{who}: {self.interventions or 'intact'}")


def wirings(named: Sequence[tuple[str, RecordedRun, int]]) -> tuple[list[Wired], list[str]]:
    """The wirings of some worms, each once.

    Args:
        named: name, recording and number of each.

    Returns:
        At most `MOST_CIRCUITS`, and sentences on what could not be drawn.
    """
    found: dict[tuple, list[str]] = {}
    worms: dict[tuple, tuple[Worm, str]] = {}
    unread = []
    for name, run, number in named:
        worm = _worm(run, number)
        if worm is None:
            unread.append(name)
            continue
        key = (worm.network_key, worm.pulses)
        found.setdefault(key, []).append(name)
        worms.setdefault(key, (worm, run.interventions_of(number)))
    notes = []
    if unread:
        who = ", ".join(unread[:4]) + (" and others" if len(unread) > 4 else "")
        notes.append(
            f"The wiring of {who} cannot be made again from the recording: it has no configuration of this version, or "
            "was made from wiring files that are not here."
        )
    if len(found) > MOST_CIRCUITS:
        notes.append(f"{len(found)} different wirings; the first {MOST_CIRCUITS} are shown.")
    shown = list(found)[:MOST_CIRCUITS]
    return [_wired(tuple(found[key]), *worms[key]) for key in shown], notes


def _worm(run: RecordedRun, number: int) -> Worm | None:
    """The worm of a recording; None if there is none, or its files are not those of the recording.

    A results file may come from anyone and name any file of the reader: nothing of a file is shown unless it has the
    digest that the recording states, and no message quotes it.
    """
    if run.of_animal or not run.config_toml:
        return None
    try:
        config = config_of(run.config_toml, "recording")
        worm = worms_of(config)[number]
        same = all(run.anatomy.get(key, text) == text for key, text in worm.provenance.items())
    except (TianbaoError, IndexError):
        return None
    built_in = set(worm.connectome.split("+")) <= set(connectome_registry().index) and not worm.morphologies
    stated = bool(run.anatomy) and set(worm.provenance) <= set(run.anatomy)
    return worm if same and (built_in or stated) else None


def _wired(names: tuple[str, ...], worm: Worm, done: str) -> Wired:
    from ..worm import Worm

    positions, model = curvature_positions(_POINTS), worm.model()
    intact = Worm(
        parameters=model.parameters, discretisation=model.discretisation, soma_compartments=model.soma_compartments,
        channel_set=model.channel_set, signs=model.signs, decision=model.decision, fatigue=model.fatigue,
        muscle=model.muscle, connectome=model.wiring, morphologies=model.cell_source, members=model.members,
    )  # fmt: skip
    table = circuit.compared(worm.design(positions), intact.design(positions))
    return Wired(names, table, circuit.marks(model.record), tuple(circuit.touched(model.record)), done)


def tables(wired: Wired) -> Iterator[str]:
    """What was changed in the wiring, and its strongest connections between the classes shown."""
    changed = wired.table[wired.table.changed]
    if len(changed):
        yield f"<h3>Changed connections ({len(changed)} between classes)</h3>"
        yield page.table(_HEAD, map(_row, changed.head(_LISTED).itertuples()))
        if len(changed) > _LISTED:
            yield page.folded("All of them", page.table(_HEAD, map(_row, changed.itertuples())))
    names = {*circuit.COMMAND, *circuit.MOTOR, *circuit.MUSCLES, *wired.others}
    inside = wired.table[wired.table.pre.isin(names) & wired.table.post.isin(names)]
    for kind in ("synapse", "gap junction", "muscle"):
        mine = inside[inside.kind == kind]
        words = {"muscle": "neuromuscular junctions"}.get(kind, f"{kind}s")
        listed = page.table(_HEAD, map(_row, mine.itertuples()))
        yield page.folded(f"All {len(mine)} {words} between these classes", listed)


_HEAD = ("from", "to", "kind", "conductance [nS]", "intact [nS]")


def _row(row) -> list[Cell]:
    kind = row.kind if row.sign == "gap" else f"{row.sign} {'onto muscle' if row.kind == 'muscle' else row.kind}"
    now = "cut" if row.conductance == 0.0 else f"{row.conductance:.4g}"
    return [
        Cell(row.pre), Cell(row.post), Cell(kind), Cell(now, "number changed" if row.changed else "number"),
        Cell(f"{row.intact:.4g}" if row.intact else "none", "number soft"),
    ]  # fmt: skip
