"""Stimuli applied to a worm from outside: current pulses, channel walls around a part of the body, touch and taps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .anatomy.sides import checked
from .arguments import named_arguments
from .errors import ConfigError, shorten
from .ranges import ranges
from .rows import number, numbers

_MOST_CURRENT = 1e3  # [nA] even if forced
_MOST_BEND = 20.0  # [kappa L], more than a crawling worm ever bends
_LATEST = 1e12  # [ms], far beyond any run
_SHORTEST = 0.05  # [L]; shorter parts are not resolved by 48 slabs

Place = float | Sequence[float]
"""Where a body is touched, nose 0 to tail 1 [L]: a place, or the front and back of a part."""


@named_arguments
@dataclass(frozen=True)
class Pulse:
    """A square current pulse.

    Attributes:
        amplitude: [nA], positive depolarises.
        start, stop: [ms]
        force: whether a current that no neuron of this size gets is meant, above 1 nA (ranges.csv).
    """

    amplitude: float
    start: float
    stop: float
    force: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.force, bool):
            raise ConfigError(f"pulse: force is True or False, not {shorten(repr(self.force))}")
        check_current(self.amplitude, "pulse: 'amplitude'", self.force)
        number(self.start, "pulse", "start", "ms")
        number(self.stop, "pulse", "stop", "ms", endless=True)
        if not 0 <= self.start < self.stop:
            raise ConfigError(
                f"pulse of {self.amplitude} nA from {self.start} to {self.stop} ms: "
                "need 0 <= start < stop"
            )


def check_current(value: float, name: str, force: bool) -> float:
    """A current into one cell [nA].

    Args:
        value: [nA]
        name: of the value in the message.
        force: whether more than a neuron of this size gets is meant.

    Raises:
        ConfigError: for what is not a number, or more than the table of ranges allows unless it is forced.
    """
    where, _, what = name.rpartition(": ")
    value = number(value, where, what.strip("'"), "nA", low=-_MOST_CURRENT, high=_MOST_CURRENT)
    if not force:
        ranges()["stimulate.amplitude"].refuse(value, name, " (1 nA = 1000 pA), or force = true if it is meant")
    return value


@named_arguments
@dataclass(frozen=True)
class Hold:
    """Channel walls that hold a part of the body in a fixed bend (Wen et al. 2012).

    While they are present, the walls cancel the tension of the muscles inside them and bend the part to their own
    curvature; any deviation is pushed back. They are implemented as tension along the body, so they fix the shape of
    the part but neither its position nor its heading: the worm can crawl on with them.

    Attributes:
        curvature: of the channel, positive towards dorsal, 0 for a straight one [kappa L].
        front, back: anterior and posterior end of the part, nose 0 to tail 1 [L].
        start, stop: [ms]
    """

    curvature: float
    front: float
    back: float
    start: float
    stop: float

    def __post_init__(self) -> None:
        number(self.curvature, "hold", "curvature", "kappa L", low=-_MOST_BEND, high=_MOST_BEND)
        for name in ("front", "back"):
            number(getattr(self, name), "hold", name, "L", low=0.0, high=1.0)
        number(self.start, "hold", "start", "ms", high=_LATEST)
        number(self.stop, "hold", "stop", "ms", endless=True)
        if self.back - self.front < _SHORTEST - 1e-9:
            where = f"hold from {self.front:g} to {self.back:g} L"
            raise ConfigError(f"{where}: the back must be at least {_SHORTEST:g} L posterior to the front")
        if not 0 <= self.start < self.stop:
            raise ConfigError(f"hold from {self.start:g} to {self.stop:g} ms: need 0 <= start < stop")

    def check_beside(self, others: Iterable[Hold]) -> None:
        """Check that these walls do not overlap with others at the same time.

        Raises:
            ConfigError: if they do.
        """
        for each in others:
            in_space = min(self.back, each.back) - max(self.front, each.front) > 1e-9
            if in_space and min(self.stop, each.stop) > max(self.start, each.start):
                raise ConfigError(
                    f"hold from {self.front:g} to {self.back:g} L: there are walls from {each.front:g} to "
                    f"{each.back:g} L at the same time; give other times or another part"
                )


@named_arguments
@dataclass(frozen=True)
class Poke:
    """A probe, such as an eyelash, that presses on the body wall for a while; or a tap on the plate.

    Attributes:
        front, back: anterior and posterior end of what it presses on, nose 0 to tail 1 [L]; equal for a point.
        start, stop: [ms]
        indentation: by which it presses the wall in [um].
        side: of the body, such as "dorsal" or "left"; "" for all around.
        gentle_only: whether only the six touch receptor neurons feel it, as a tap.
    """

    front: float
    back: float
    start: float
    stop: float
    indentation: float
    side: str = ""
    gentle_only: bool = False

    def __post_init__(self) -> None:
        what = "tap" if self.gentle_only else "touch"
        for name in ("front", "back"):
            number(getattr(self, name), what, "at", "L", low=0.0, high=1.0)
        number(self.start, what, "start", "ms", high=_LATEST)
        number(self.stop, what, "stop", "ms", endless=True)
        number(self.indentation, what, "indentation", "um")
        ranges()[f"{what}.indentation"].refuse(self.indentation, f"{what}: 'indentation'")
        checked(self.side, what)
        if self.back < self.front:
            raise ConfigError(f"{what} at {self.front:g} to {self.back:g} L: give the front first, nose 0 to tail 1")
        if not 0 <= self.start < self.stop:
            raise ConfigError(f"{what} from {self.start:g} to {self.stop:g} ms: need 0 <= start < stop")


def ends_of(at: Place) -> tuple[float, float]:
    """Front and back of what is touched [L].

    Raises:
        ConfigError: for neither a number nor two of them.
    """
    if isinstance(at, (str, bytes)):
        todo = "give a place from 0 (nose) to 1 (tail), or front and back of a part such as [0.1, 0.3]"
        raise ConfigError(f"touch: at = {shorten(at)} is no place on the body: {todo}")
    if isinstance(at, Sequence) or hasattr(at, "__array__"):
        return numbers(at, "touch", "at", 2, "L")
    place = number(at, "touch", "at", "L")
    return place, place
