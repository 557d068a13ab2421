"""What a file of a worm tracker contains, in whatever format, and the recordings made of it."""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..behaviour.gait import FEWEST_FRAMES_PER_PERIOD, PUBLISHED
from ..config import config_of
from ..errors import ConfigError, OutputError, shorten
from ..units import MS_PER_S
from .tracks import LONGEST_GAP_MS, Sighting, Track, together, track

if TYPE_CHECKING:
    from ..recording import Recording

log = logging.getLogger(__name__)

_SHOWN = 12
# Words in the metadata of trackers -> the corresponding medium with published ranges.
_MEDIA = {
    "agar": ("agar", "ngm", "nematode growth"), "water": ("water", "m9", "buffer", "s basal", "liquid"),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Plate:
    """All worms of one file.

    Attributes:
        path: of the file.
        seen: what the tracker saw, by the tracker's id.
        about: fields of a recording that say where it comes from: `config_toml`, `versions` and so on.
        anatomies: wiring and cells of each worm of a run of ours, by its id.
        longest_gap: longer gaps [ms] end a track, shorter ones are filled by interpolation.
    """

    path: Path
    seen: Mapping[str, Sighting]
    about: Mapping[str, Any]
    anatomies: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    longest_gap: float = LONGEST_GAP_MS

    def __post_init__(self) -> None:
        """Refuse a gap that is no time.

        Raises:
            OutputError: if it is.
        """
        if isinstance(self.longest_gap, bool) or not (
            isinstance(self.longest_gap, int | float) and self.longest_gap >= 0.0
        ):
            raise OutputError(f"longest_gap is {shorten(self.longest_gap)}; give a time in ms, 0 or more")

    def tracks(self, worm: str | None = None) -> list[Track]:
        """Every worm that can be tracked, each at its own times; those that cannot are logged as left out.

        Args:
            worm: id of the only one that is wanted.

        Raises:
            OutputError: if there is no such worm, or none can be tracked: why the first one cannot.
        """
        seen = self.seen
        if worm is not None:
            if str(worm) not in seen:
                known = ", ".join(list(seen)[:_SHOWN]) + (" ..." if len(seen) > _SHOWN else "")
                raise OutputError(f"{self.path} has no worm '{shorten(worm)}'; it contains {known or 'none'}")
            seen = {str(worm): seen[str(worm)]}
        found, reasons = [], []
        for each in seen.values():
            try:
                found.append(track(each, self.longest_gap))
            except OutputError as error:
                reasons.append(str(error))
        if not found:
            raise OutputError(f"{self.path}: {reasons[0] if reasons else 'it contains no data'}")
        for reason in reasons[:_SHOWN]:
            log.warning("left out: %s", reason)
        if len(reasons) > _SHOWN:
            log.warning("left out: %d more worms for such reasons", len(reasons) - _SHOWN)
        _warn_of_aliases(found)
        return found

    def recording(self, worm: str | None = None) -> Recording:
        """One recording of all worms tracked as long as the longest, or of one worm.

        Args:
            worm: id of the only one that is wanted.

        Raises:
            OutputError: see `tracks`.
        """
        return self.of(together(self.tracks(worm)))

    def of(self, tracks: list[Track]) -> Recording:
        """A recording without neurons and muscles of tracks that share their times."""
        from ..recording import Recording, WormTrack

        time, none = tracks[0].time, np.zeros((0, 0))
        worms = tuple(
            WormTrack(
                each.midline, np.zeros((len(time), 0)), (), none, np.zeros(0), (), dorsal=each.dorsal,
                anatomy=self.anatomies.get(each.name, {}),
            )
            for each in tracks
        )  # fmt: skip
        config = _config_of_some(self.about["config_toml"], [each.name for each in tracks])
        return Recording(time=time, worms=worms, **{**self.about, "config_toml": config})


def _warn_of_aliases(tracks: list[Track]) -> None:
    """Say which undulations a low frame rate cannot tell from slower ones; a swimming worm may be among them."""
    rate = min(MS_PER_S / (each.time[1] - each.time[0]) for each in tracks)
    resolved = rate / FEWEST_FRAMES_PER_PERIOD
    if resolved < max(each.high for each in PUBLISHED if each.metric == "frequency_hz"):
        log.warning(
            "%.3g frames per second resolve undulations up to %.3g Hz; a faster one, such as swimming, would be "
            "measured as a slower one", rate, resolved,
        )  # fmt: skip


def _config_of_some(config: str, names: list[str]) -> str:
    """The configuration of a run of ours with the entries of the worms that were read: record "0" is the first."""
    try:
        entries = tomllib.loads(config).get("worms")
        wanted = [int(name) for name in names]
    except (ValueError, RecursionError):
        return config
    if not isinstance(entries, list) or wanted == list(range(len(entries))):
        return config
    try:
        known = config_of(config, "WCON")
        return replace(known, worms=tuple(known.worms[k] for k in wanted if 0 <= k < len(known.worms))).to_toml()
    except ConfigError:  # of a release that knew other keys
        return config


def imported(path: Path, medium: str) -> dict[str, Any]:
    """The fields of a recording that say where it comes from, of a file that says nothing about itself.

    Args:
        path: of the file.
        medium: name of the medium, "" if unknown.
    """
    from ..toml import literal

    config = f"# a track imported from {_on_one_line(path.name)}\n[arena]\nmedium = {literal(plain(medium))}\n"
    return {
        "config_toml": config, "versions": {}, "anatomy": {}, "mechanism_hash": "", "git_revision": "", "seed": 0,
        "created": "", "wall_s_per_bio_s": float("nan"), "complete": True,
    }  # fmt: skip


def plain(text: object) -> str:
    """Text as every file of ours can hold it: without halves of characters, and without zero bytes; "" for no text."""
    if not isinstance(text, str):
        return ""
    return text.encode("utf-8", "replace").decode().replace("\0", "?")


def _on_one_line(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)


def medium_of(media: object) -> str:
    """Name of the medium in Tianbao, or as in the file if there is no equivalent."""
    text = plain(media)
    for name, words in _MEDIA.items():
        if any(word in text.lower() for word in words):
            return name
    return text
