"""Units and scales of tracks whose files do not say them, as given by the user."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from pathlib import Path

from ..errors import ConfigError, OutputError, shorten
from ..units import MS_PER_S
from .wcon_units import PIXELS, millimetres, milliseconds


@dataclass(frozen=True)
class UnitsGiven:
    """What the user says about a file; None leaves it to the file.

    Attributes:
        time_unit: of the times of a table, such as "s" or "ms".
        length_unit: of the coordinates of a table, such as "mm" or "um".
        fps: frames per second, where the file counts frames.
        microns_per_pixel: where the file is in pixels [um].
    """

    time_unit: str | None = None
    length_unit: str | None = None
    fps: float | None = None
    microns_per_pixel: float | None = None

    def __post_init__(self) -> None:
        """Refuse numbers and units that are none.

        Raises:
            ConfigError: if one is given.
        """
        for name in ("fps", "microns_per_pixel"):
            value = getattr(self, name)
            number = isinstance(value, Real) and not isinstance(value, bool)
            if value is not None and not (number and 0.0 < value < math.inf):
                raise ConfigError(f"{name} is {shorten(value)}; give a number above 0")
        for name, size in (("time_unit", milliseconds), ("length_unit", millimetres)):
            try:
                if getattr(self, name) is not None:
                    size(getattr(self, name), name)
            except OutputError as error:
                raise ConfigError(str(error)) from error

    def length_of(self, path: Path, axis: str, written: str | None) -> str:
        """Unit of a coordinate: of its column, or as given.

        Raises:
            OutputError: if there is none, or the two differ.
        """
        if self.microns_per_pixel is not None:
            if (written or self.length_unit or "px") not in PIXELS:
                raise OutputError(f"{path}: its {axis} is not in pixels; leave out microns_per_pixel")
            return f"{float(self.microns_per_pixel)!r}*um"
        example = f"{axis}_mm or {axis} [um], or give length_unit"
        return _agreed(path, axis, written, self.length_unit, millimetres, example)

    def time_of(self, path: Path, written: str | None) -> str:
        """Unit of time: of its column, or as given.

        Raises:
            OutputError: if there is none, or the two differ.
        """
        return _agreed(path, "t", written, self.time_unit, milliseconds, "t_s or t [ms], or give time_unit")

    def frame_ms(self, path: Path) -> float:
        """Time between two frames [ms].

        Raises:
            OutputError: if no frame rate was given.
        """
        if self.fps is None:
            raise OutputError(f"{path} counts frames and does not say how many there are per second; give fps")
        return MS_PER_S / self.fps


def _agreed(path: Path, name: str, written: str | None, given: str | None, size, example: str) -> str:
    if written is None and given is None:
        raise OutputError(f"{path}: the column {name} has no unit; name it {example}")
    if written is not None and given is not None and size(written, f"{path}, {name}") != size(given, name):
        raise OutputError(f"{path}: the column {name} is in {shorten(written)} by its name, but {given} was given")
    return given if written is None else written
