"""Sides of the body, as touch tells them apart.

A place on the wall counts fully for a side if it lies in that half of the body, and less the further it lies beyond
the half's edge, to nothing on the opposite side.
"""

from __future__ import annotations

from ..errors import ConfigError, shorten, unknown

AXES = {"dorsal": (1.0, 0.0), "ventral": (-1.0, 0.0), "left": (0.0, -1.0), "right": (0.0, 1.0)}
"""Named directions across the body: their dorsal and right components."""

SIDES = (
    "", "dorsal", "ventral", "left", "right", "dorsal left", "dorsal right", "ventral left", "ventral right"
)  # fmt: skip
"""Sides in the order in which the body gives the load on each; "" is all around."""


def share(side: str, dorsal: float, right: float) -> float:
    """How much a push on the wall counts for a side [-], 0 to 1.

    Args:
        side: one of `SIDES`.
        dorsal, right: components of the direction in which the place lies from the midline [-].
    """
    found = 1.0
    for name in side.split():
        up, aside = AXES[name]
        found *= min(max(1.0 + up * dorsal + aside * right, 0.0), 1.0)
    return found


def direction(side: str) -> tuple[float, float]:
    """Direction across the body of the middle of a side: dorsal and right component of a unit vector [-]."""
    up, aside = (sum(AXES[name][k] for name in side.split()) for k in range(2))
    length = (up * up + aside * aside) ** 0.5 or 1.0
    return up / length, aside / length


def checked(side: object, where: str) -> str:
    """A side that is known.

    Raises:
        ConfigError: for any other.
    """
    if not isinstance(side, str):
        raise ConfigError(f"{where}: side is a text such as 'dorsal', not {shorten(repr(side))}")
    name = " ".join(side.split())
    if name not in SIDES:
        raise ConfigError(f"{where}: {unknown('side', side, SIDES[1:])}")
    return name
