"""`tianbao import-track`: tracks of animals, as results files and as a table of gaits."""

from __future__ import annotations

import argparse
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError, shorten
from .session import add_command, add_force, fresh

if TYPE_CHECKING:
    from ..behaviour.gait import Gait
    from ..io.plate import Plate
    from ..io.tracks import Track

_RESULTS = "results.h5"
_SHOWN = {
    "forward_speed_mm_s": "mm/s", "frequency_hz": "Hz", "wavelength_body_lengths": "L", "amplitude": "kappa L",
}  # fmt: skip


def register(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    track = add_command(
        commands, "import-track", _import_track,
        "import tracks of animals (WCON, CSV of midlines, HDF5 of Tierpsy) and measure their gait",
        """tianbao import-track animal.wcon --out animal/results.h5
        tianbao import-track plate.wcon.zip --worm 3 --medium agar --out animal/results.h5
        tianbao import-track plate_featuresN.hdf5 --list
        tianbao import-track midlines.csv --time-unit s --length-unit um
        tianbao report animal output/forward_crawl""",
    )  # fmt: skip
    track.add_argument("track", type=Path, metavar="FILE", help=".wcon, .wcon.zip, .csv, or .hdf5 of Tierpsy")
    track.add_argument("--out", type=Path, metavar="FILE", help=f"default: TRACK/{_RESULTS}")
    add_force(track)
    track.add_argument("--worm", metavar="ID", help="read only this one (default: all, a row of the table each)")
    track.add_argument("--list", action="store_true", help="list the worms of the file and write nothing")
    track.add_argument("--medium", metavar="NAME", help="agar or water, for published ranges (default: the file's)")
    track.add_argument("--time-unit", metavar="UNIT", help="of a CSV table whose header has none, such as s")
    track.add_argument("--length-unit", metavar="UNIT", help="of a CSV table whose header has none, such as um")
    track.add_argument("--fps", type=float, metavar="N", help="frames per second, of a file that only counts frames")
    track.add_argument("--microns-per-pixel", type=float, metavar="N", help="of a file in pixels")


def _import_track(args: argparse.Namespace) -> int:
    from ..io.import_track import read_plate
    from ..io.tracks import throughout
    from ..io.units_given import UnitsGiven

    given = UnitsGiven(args.time_unit, args.length_unit, args.fps, args.microns_per_pixel)
    plate = read_plate(args.track, given, medium=args.medium)
    if args.list:
        return _list(plate)
    together, others = throughout(plate.tracks(args.worm))
    out = args.out or Path(args.track.name.split(".")[0]) / _RESULTS
    if out.suffix.lower() not in ("", ".h5", ".hdf5"):
        raise ConfigError(f"--out {shorten(out.name)}: results end in .h5, as in {shorten(out.stem)}.h5")
    out = out / _RESULTS if out.is_dir() or not out.suffix else out
    fresh(out, args.force or _is_imported(out))
    run = plate.of(together)
    run.save(out)
    written = [out]
    gaits = {each.name: run.gait(k) for k, each in enumerate(together)}
    for each in others:
        gaits[each.name], path = _alone(plate, each, out, len(written))
        written.append(path)
    if len(gaits) == 1:
        print(*gaits.values())
    else:
        _print_gaits(gaits)
        written.insert(1, _write_gaits(gaits, out))
    print("wrote " + ", ".join(map(str, written[:3])) + (f" and {len(written) - 3} more there" if written[3:] else ""))
    return 0


def _is_imported(path: Path) -> bool:
    """Whether a file came from a track, which can be imported again, and not from a run: no neurons, no muscles."""
    from ..errors import OutputError
    from ..io.results import open_recording

    if not path.is_file():
        return False
    try:
        worms = open_recording(path).worms
    except OutputError:
        return False
    return all(not each.neurons and not each.muscles for each in worms)


def _list(plate: Plate) -> int:
    print(f"{'worm':16s}{'frames':>8s}{'with midline':>14s}   times")
    for name, seen in plate.seen.items():
        whole = sum(line is not None for line in seen.lines)
        span = f"{min(seen.time) / 1e3:g} to {max(seen.time) / 1e3:g} s" if seen.time else "none"
        print(f"{name:16s}{len(seen.time):8d}{whole:14d}   {span}")
    return 0


def _alone(plate: Plate, track: Track, out: Path, number: int) -> tuple[Gait, Path]:
    """Write a worm that was not tracked throughout into a file of its own, beside that of the others."""
    recording = plate.of([track])
    name = re.sub(r"[^\w.-]+", "_", track.name)[:40].strip(".") or str(number)
    path = out.with_name(f"{out.stem}_worms") / f"{number}_{name}{out.suffix}"
    recording.save(path)
    return recording.gait(), path


def _print_gaits(gaits: dict[str, Gait]) -> None:
    from ..behaviour.gait import PUBLISHED

    medium = next(iter(gaits.values())).medium
    ranges = {each.metric: f"{each.low:g} to {each.high:g}" for each in PUBLISHED if each.medium == medium}
    print(f"{'worm':16s}" + "".join(f"{unit:>14s}" for unit in (*_SHOWN.values(), "s measured")))
    if ranges:
        print(f"{'published':16s}" + "".join(f"{ranges.get(metric, ''):>14s}" for metric in _SHOWN).rstrip())
    for name, gait in gaits.items():
        values = [getattr(gait, metric) for metric in _SHOWN] + [gait.measured_ms / 1e3]
        shown = [f"{value:14.3f}" if math.isfinite(value) else f"{'-':>14s}" for value in values]
        print(f"{name:16s}" + "".join(shown))
    for name, gait in gaits.items():
        if gait.refused:
            print(f"worm {name}: {gait.refused}")


def _write_gaits(gaits: dict[str, Gait], out: Path) -> Path:
    """All metrics as a CSV table, one row per worm."""
    import pandas as pd

    from ..io.files import write_atomically
    from ..io.tables import plain_cell

    table = pd.DataFrame([{"worm": plain_cell(name), **gait.as_dict()} for name, gait in gaits.items()])
    path = out.with_name(f"{out.stem}_gait.csv")
    return write_atomically(path, table.to_csv(index=False, float_format="%.9g").encode())
