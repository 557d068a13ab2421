"""Options for comparing a run with an animal, shared by commands and scripts."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError

if TYPE_CHECKING:
    from ..behaviour.kymograph import Kymograph

_MORE = ("animal_episode", "animal_window", "animal_rate")


def add_animal(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Add --animal and the options that select a part of its recording.

    Args:
        parser: to add them to.
        several: whether files and episodes can be given more than once; see `animals_of`.
    """
    more = {"action": "append"} if several else {}
    again = "; can be repeated" if several else ""
    parser.add_argument(
        "--animal", type=Path, metavar="FILE", **more,
        help="compare with an animal: a track (see import-track), results.h5, or a CSV table of kappa L, j0 to jN-1"
        f"{again}",
    )  # fmt: skip
    parser.add_argument(
        "--animal-episode", metavar="NAME", help=f"episode of the table, or worm of the track{again}", **more
    )
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
    if args.animal is None:
        _nothing_of_none(args)
        return None
    return _read(args, args.animal, args.animal_episode)


def animals_of(args: argparse.Namespace) -> list[Kymograph]:
    """The animals given by the options of `add_animal(several=True)`: every file, and every episode of each.

    Raises:
        ConfigError: for options that do not fit together.
        OutputError: if a file is missing or malformed.
    """
    if args.animal is None:
        _nothing_of_none(args)
        return []
    return [_read(args, path, episode) for path in args.animal for episode in args.animal_episode or [None]]


def _nothing_of_none(args: argparse.Namespace) -> None:
    given = next((name for name in _MORE if getattr(args, name) is not None), None)
    if given:
        raise ConfigError(f"--{given.replace('_', '-')} selects part of an animal's recording; add --animal FILE")


def _read(args: argparse.Namespace, path: Path, episode: str | None) -> Kymograph:
    from ..behaviour.kymograph import FRAMES_PER_S, read_kymograph

    rate = FRAMES_PER_S if args.animal_rate is None else args.animal_rate
    return read_kymograph(path, episode=episode, window=_window(args.animal_window), rate=rate)


def _window(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        start, stop = map(float, text.split(","))
    except ValueError as error:
        raise ConfigError(f"--animal-window {text}: give start and stop in seconds, such as 0,6") from error
    return start, stop
