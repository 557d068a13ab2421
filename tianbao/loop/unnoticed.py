"""What a run would not notice: units mixed up, or what acts on nothing. Each is worth a warning, not a refusal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from ..clock import Clock
from ..environment import Arena, Lattice, Pillar
from ..errors import shorten
from ..sensing import FoodSense
from ..sensing.sense import receptors, table_senses
from ..worm_model import WormModel

_WEAKEST = 1e-5  # [nA], ten thousandth of the current that moves a neuron by a millivolt or so
_NEAR_ZERO = 0.2  # [mV]: a voltage so close to 0, but not 0, is one in V
_FARTHEST = 100.0  # [mm], a hundred body lengths


def unnoticed(worms: Sequence[WormModel], arena: Arena, clock: Clock, duration: float) -> list[str]:
    """A sentence for each setting that does nothing, or is likely to be in another unit than its own.

    Args:
        worms, arena, clock: of the simulation.
        duration: of the run [ms], infinite if unknown.
    """
    found = [each for worm in worms for each in (*_of_place(worm, arena), *_of_interventions(worm, clock, duration))]
    return list(dict.fromkeys([*found, *_of_fields(worms, arena)]))


def _of_place(worm: WormModel, arena: Arena) -> Iterator[str]:
    if abs(worm.heading) > math.tau:
        degrees = math.radians(worm.heading)
        yield f"worm.heading = {worm.heading:g} rad is more than a full turn: if degrees were meant, give {degrees:.4g}"
    if max(map(abs, worm.at)) > _FARTHEST and not _has_company(worm.at, arena):
        yield f"worm.at = {shorten(list(worm.at))} mm is more than {_FARTHEST:g} mm from the origin: give mm, not um"


def _has_company(at: Sequence[float], arena: Arena) -> bool:
    """Whether something of the arena has its place near a worm, so that the worm is where it was meant to be."""
    middles = [(each.x, each.y) for each in arena.obstacles if isinstance(each, Pillar)]
    middles += [each.centre[:2] for each in (*arena.obstacles, *arena.fields) if hasattr(each, "centre")]
    for each in arena.obstacles:
        middles += each.near(np.array([at[:2]]), 2.0 * each.pitch).tolist() if isinstance(each, Lattice) else []
    return any(math.dist(each, at[:2]) <= _FARTHEST for each in middles)


def _of_interventions(worm: WormModel, clock: Clock, duration: float) -> Iterator[str]:
    for table in worm.record:
        cells = table.get("neuron") or ",".join(table.get("neurons", ())) or table.get("gene", "the body")
        what = f"{table['verb']} {shorten(cells)}"
        start, stop = table.get("start", 0.0), table.get("stop", math.inf)
        if start >= duration:
            yield f"{what}: start = {start:g} ms lies beyond the end of the run at {duration:g} ms: nothing will happen"
        elif stop - start < clock.dt:
            yield f"{what}: {stop - start:g} ms are shorter than a step of {clock.dt:g} ms: give times in ms, not s"
        elif table["verb"] in ("touch", "tap") and stop - start < clock.tick:
            yield f"{what}: {stop - start:g} ms are shorter than a tick of {clock.tick:g} ms and may not be felt"
        amplitude = table.get("amplitude", 1.0)
        if 0.0 < abs(amplitude) < _WEAKEST:
            yield f"{what}: amplitude = {amplitude:g} nA is too weak to change anything: give nA, 0.02 for 20 pA"
        if table["verb"] == "clamp" and 0.0 < abs(table["voltage"]) < _NEAR_ZERO:
            volts = 1e3 * table["voltage"]
            yield f"{what}: voltage = {table['voltage']:g} mV: if V were meant, give {volts:g}"


def _of_fields(worms: Sequence[WormModel], arena: Arena) -> Iterator[str]:
    feels_food = any(each.amines.on for each in worms)
    senses = [each for each in table_senses() if feels_food or each != FoodSense.name]
    read = sorted({each.field for sense in senses for each in receptors(sense)})
    for each in arena.fields:
        if each.name not in read:
            senses = f"the worm senses {', '.join(read)} (docs/senses.md)"
            yield f"field '{shorten(each.name)}' is read by no receptor: {senses}"
