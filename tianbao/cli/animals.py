"""Options that name an animal to compare with, shared by commands and scripts."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError

if TYPE_CHECKING:
    from ..behaviour.kymograph import Kymograph

_MORE = ("animal_episode", "animal_window", "animal_rate")


def add_animal(parser: argparse.ArgumentParser) -> None:
    """Add --animal and what picks a piece of its record."""
    parser.add_argument(
        "--animal", type=Path, metavar="FILE",
        help="set an animal beside it: a track (.wcon, results.h5) or a CSV table of kappa L, columns j0 to jN-1",
    )  # fmt: skip
    parser.add_argument("--animal-episode", metavar="NAME", help="piece of the table, or worm of the track")
    parser.add_argument("--animal-window", metavar="START,STOP", help="part of it [s], such as 0,6")
    parser.add_argument(
        "--animal-rate", type=float, metavar="HZ", help="frames per second of a table without times (default 32)"
    )


def animal_of(args: argparse.Namespace) -> Kymograph | None:
    """The animal that the options name, None for none.

    Raises:
        ConfigError: for options that do not fit together.
        OutputError: if its file is missing or malformed.
    """
    from ..behaviour.kymograph import FRAMES_PER_S, read_kymograph

    if args.animal is None:
        given = next((name for name in _MORE if getattr(args, name) is not None), None)
        if given:
            raise ConfigError(f"--{given.replace('_', '-')} says which part of an animal's record; add --animal FILE")
        return None
    rate = FRAMES_PER_S if args.animal_rate is None else args.animal_rate
    window = _window(args.animal_window)
    return read_kymograph(args.animal, episode=args.animal_episode, window=window, rate=rate)


def _window(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        start, stop = map(float, text.split(","))
    except ValueError as error:
        raise ConfigError(f"--animal-window {text}: give start and stop in seconds, such as 0,6") from error
    return start, stop
