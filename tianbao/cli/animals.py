"""Options for comparing a run with an animal, shared by commands and scripts."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError

if TYPE_CHECKING:
    from ..behaviour.kymograph import Kymograph

_MORE = ("animal_episode", "animal_window", "animal_rate")


def add_animal(parser: argparse.ArgumentParser) -> None:
    """Add --animal and the options that select a part of its recording."""
    parser.add_argument(
        "--animal", type=Path, metavar="FILE",
        help="compare with an animal: a track (see import-track), results.h5, or a CSV table of kappa L, j0 to jN-1",
    )  # fmt: skip
    parser.add_argument("--animal-episode", metavar="NAME", help="episode of the table, or worm of the track")
    parser.add_argument("--animal-window", metavar="START,STOP", help="time window of it [s], such as 0,6")
    parser.add_argument(
        "--animal-rate", type=float, metavar="HZ", help="frames per second of a table without times (default 32)"
    )


def animal_of(args: argparse.Namespace) -> Kymograph | None:
    """The animal given by the options, or None.

    Raises:
        ConfigError: for options that do not fit together.
        OutputError: if its file is missing or malformed.
    """
    from ..behaviour.kymograph import FRAMES_PER_S, read_kymograph

    if args.animal is None:
        given = next((name for name in _MORE if getattr(args, name) is not None), None)
        if given:
            raise ConfigError(f"--{given.replace('_', '-')} selects part of an animal's recording; add --animal FILE")
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
