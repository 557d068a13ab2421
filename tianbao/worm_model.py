"""A worm that does not change: its options, the record of its interventions, and all that derives from them."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from . import anatomy
from .apparatus import Hold, Poke, Pulse
from .arguments import NamedAttributes
from .effects import Effects, after
from .network.amines import Amines
from .network.decision import Decision
from .network.design import NetworkDesign, intact_membranes, intact_tables
from .network.fatigue import Fatigue
from .network.signs import Signs
from .parameters import Parameters

# Interventions that act on the worm from outside and leave its nervous system as it is.
_OUTSIDE = ("stimulate", "hold", "touch", "tap")


@dataclass(frozen=True, eq=False)
class WormModel(NamedAttributes):
    """A worm that does not change: what a simulation holds.

    Attributes:
        at, heading, parameters, discretisation, soma_compartments, channel_set, signs, decision, fatigue, amines,
            muscle: see `Worm`.
        wiring: its connectome.
        cell_source: its morphologies.
        members: recorded cells whose fit is another member of their ensemble -> its number; see `Worm`.
        record: its interventions, in order; all else derives from them.
    """

    at: tuple[float, float, float]
    heading: float
    parameters: Parameters
    discretisation: str
    soma_compartments: int
    channel_set: str
    signs: Signs
    decision: Decision
    fatigue: Fatigue
    amines: Amines
    muscle: str
    wiring: anatomy.Connectome
    cell_source: anatomy.CellSource
    members: Mapping[str, int] = field(default_factory=dict)
    record: tuple[dict[str, Any], ...] = ()

    @cached_property
    def effects(self) -> Effects:
        """What the interventions have made of it."""
        tables, membranes = intact_tables(self.signs, self.wiring), intact_membranes(self.members)
        if not self.decision.on:
            tables = replace(tables, turning=tables.turning[:0])
        return after(Effects(tables, membranes, amines=self.amines), self.record)

    @property
    def connectome(self) -> str:
        """Name of the connectome."""
        return self.wiring.name

    @property
    def morphologies(self) -> str:
        """Folder of the user's own morphologies, "" for none."""
        return self.cell_source.folder

    @property
    def interventions(self) -> tuple[dict[str, Any], ...]:
        """Copies of its interventions, in order: tables of `verb` and its arguments."""
        return copy.deepcopy(self.record)

    @property
    def pulses(self) -> tuple[tuple[str, Pulse], ...]:
        """Currents injected into somas: neuron and pulse."""
        return self.effects.pulses

    @property
    def holds(self) -> tuple[Hold, ...]:
        """Walls around parts of the body."""
        return self.effects.holds

    @property
    def pokes(self) -> tuple[Poke, ...]:
        """Touches and taps."""
        return self.effects.pokes

    @property
    def anatomy_changes(self) -> tuple[dict[str, Any], ...]:
        """Interventions that change the nervous system; currents, walls and touch do not."""
        return tuple(each for each in self.interventions if each["verb"] not in _OUTSIDE)

    @cached_property
    def network_key(self) -> tuple:
        """Equal for worms with the same nervous system, wherever they are and whatever acts on them from outside."""
        options = (self.discretisation, self.soma_compartments, self.channel_set, self.muscle)
        record = json.dumps(self.anatomy_changes, sort_keys=True, default=str)
        members = tuple(self.members.items())
        made_of = (self.decision, self.fatigue, self.amines, *self.provenance.values())
        return (*options, *made_of, tuple(dict(self.parameters).items()), members, record)

    @property
    def provenance(self) -> dict[str, str]:
        """Wiring, cells and signs it is made of, user-supplied files with their digests."""
        made_of = {"connectome": self.wiring.provenance, "morphologies": self.cell_source.provenance}
        return {**made_of, "signs": str(self.signs)}

    def design(self, stretch_positions: np.ndarray) -> NetworkDesign:
        """The nervous system to assemble.

        Args:
            stretch_positions: body coordinates at which the body reports kappa L.
        """
        effects = self.effects
        return NetworkDesign(
            parameters=self.parameters,
            tables=effects.tables,
            membranes=effects.membranes,
            decision=self.decision,
            fatigue=self.fatigue,
            discretisation=self.discretisation,
            channel_set=self.channel_set,
            stretch_positions=stretch_positions,
            silenced=effects.silenced,
            soma_compartments=self.soma_compartments,
            muscle=self.muscle,
            conductances=effects.conductances,
            cell_source=self.cell_source,
            modulators=effects.modulators,
            amines=effects.amines,
            touchable=effects.touchable,
            key=(self.network_key, np.asarray(stretch_positions).tobytes()),
        )
