"""`tianbao view`, `video`, `report`, `plot` and `draw`: look at a run, compare runs, draw the anatomy."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError, OutputError, shorten, unknown
from .animals import add_animal, animals_of
from .session import add_command, add_force, fresh, opened

if TYPE_CHECKING:
    from ..recording import Recording

_RESULTS = "results.h5"
# Kind on the command line -> method of Recording.plot.
KINDS = {
    "kymograph": "curvature", "traces": "traces", "raster": "raster", "trajectory": "trajectory",
    "activity": "activity", "muscles": "muscles", "sensed": "sensed", "track": "track",
}  # fmt: skip
_OF_ALL = ("track", "trajectory")  # show every worm unless one is named
_FILMS = (".mp4", ".webm", ".gif")
_OWN_FILMS = ("crawl", "swim")  # written by the run itself


def register(commands: argparse._SubParsersAction) -> None:
    """Add the commands."""
    _register_moving(commands)
    _register_report(commands)
    _register_pictures(commands)


def _register_moving(commands: argparse._SubParsersAction) -> None:
    view = add_command(
        commands, "view", _view, "view a run in three dimensions: body, muscles, neurons coloured by voltage",
        """tianbao view output/forward_crawl
        tianbao view output/forward_crawl --screenshot worm.png --time 4000""",
    )  # fmt: skip
    _add_result(view)
    add_force(view)
    view.add_argument("--screenshot", type=Path, metavar="FILE", help="write one picture, without a display")
    view.add_argument("--time", type=float, metavar="MS", help="time of the picture, or to start at [ms]")
    view.add_argument("--worm", type=int, default=0, metavar="K", help="the one the camera follows, from 0 (default 0)")

    video = add_command(
        commands, "video", _video, "write a video of a run, or a small loop for a web page",
        """tianbao video output/forward_crawl
        tianbao video output/forward_crawl --out crawl.webp --width 560 --from 3000 --to 9000
        tianbao video output/pair --worm 1 --out second.mp4""",
    )  # fmt: skip
    _add_result(video)
    add_force(video)
    video.add_argument("--out", type=Path, metavar="FILE", help="MP4, GIF or WebP (default: video.mp4 with the result)")
    video.add_argument("--worm", type=int, metavar="K", help="the one it follows, from 0 (default: all in view)")
    video.add_argument("--width", type=int, metavar="PIXEL", help="of the picture (default 1280, of GIF and WebP 640)")
    video.add_argument("--from", type=float, default=0.0, dest="start", metavar="MS", help="where it starts [ms]")
    video.add_argument("--to", type=float, dest="stop", metavar="MS", help="where it ends [ms] (default: the end)")


def _register_report(commands: argparse._SubParsersAction) -> None:
    report = add_command(
        commands, "report", _report, "write an HTML report of one run, or of several with means and 95 % intervals",
        """tianbao report output/forward_crawl
        tianbao report output/wild_type output/avb_killed --out compared.html
        tianbao report output/my_sweep --out sweep.html
        tianbao report output/seed_* output/animal_1 output/animal_2 --out animals_and_model.html
        tianbao report output/forward_crawl --animal animal.wcon
        tianbao report output/forward_crawl --animal kymographs.csv --animal-episode omega --animal-window 0,6""",
    )  # fmt: skip
    report.add_argument(
        "results", nargs="+", type=Path, metavar="RESULT",
        help=f"{_RESULTS} of a run or an imported track, its folder, or the folder of a sweep",
    )  # fmt: skip
    add_force(report)
    report.add_argument("--out", type=Path, metavar="FILE", help="default: report.html next to the first result")
    report.add_argument(
        "--video", type=Path, action="append", metavar="FILE",
        help="MP4 to include, one per RESULT in the same order (default: the one in the folder of each)",
    )  # fmt: skip
    add_animal(report, several=True)


def _register_pictures(commands: argparse._SubParsersAction) -> None:
    plot = add_command(
        commands, "plot", _plot, "draw one picture of a run",
        """tianbao plot output/forward_crawl kymograph
        tianbao plot output/forward_crawl activity --out activity.pdf
        tianbao plot output/forward_crawl traces --neurons 'DB*' 'VB*'
        tianbao plot output/pair muscles --worm 1""",
    )  # fmt: skip
    _add_result(plot)
    plot.add_argument("kind", metavar="KIND", help=", ".join(KINDS))
    add_force(plot)
    plot.add_argument("--out", type=Path, metavar="FILE", help="picture (default: KIND.png next to the result)")
    plot.add_argument(
        "--worm", type=int, metavar="K", help="number of the worm, from 0 (default 0; all for track and trajectory)"
    )
    plot.add_argument("--neurons", nargs="+", metavar="GLOB", help="for traces: names or globs of recorded neurons")

    draw = add_command(
        commands, "draw", _draw, "draw a neuron's traced morphology, the location of its synapses, or the whole wiring",
        """tianbao draw AVAL
        tianbao draw VB5 --synapses --out vb5.png
        tianbao draw --connectome""",
    )  # fmt: skip
    draw.add_argument("neuron", nargs="?", metavar="NEURON", help="such as AVAL")
    draw.add_argument("--synapses", action="store_true", help="draw its synapses, gap junctions and partners")
    draw.add_argument("--connectome", action="store_true", help="the wiring of all neurons, class by class")
    add_force(draw)
    draw.add_argument("--out", type=Path, metavar="FILE", help="picture (default: named after its content)")


def _add_result(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("result", type=Path, metavar="RESULT", help=f"{_RESULTS}, or its folder")


def _view(args: argparse.Namespace) -> int:
    from ..view.viewer import show

    recording, _ = opened(args.result)
    written = show(recording, args.worm, time=args.time, screenshot=fresh(args.screenshot, args.force))
    if written is not None:
        print(f"wrote {written}")
    return 0


def _video(args: argparse.Namespace) -> int:
    recording, folder = opened(args.result)
    part = {"worm": args.worm, "width": args.width, "start": args.start, "stop": args.stop}
    written = recording.video(fresh(args.out, args.force) or folder / "video.mp4", **part)
    print(f"wrote {written} ({written.stat().st_size / 1e6:.1f} MB)")
    return 0


def _report(args: argparse.Namespace) -> int:
    from ..io.files import check_file
    from ..view.replay import MISSING, can_replay
    from ..view.report import write_report

    paths = [run for path in args.results for run in _runs(path)]
    if args.video and len(args.video) > len(paths):
        raise ConfigError(f"report: {len(args.video)} videos for {len(paths)} results; give one each at most")
    animals = animals_of(args)
    runs = [opened(path) for path in paths]
    films = list(args.video or []) or [_film(folder) for _, folder in runs]
    films += [None] * (len(runs) - len(films))
    # The report of one run is stored with it; a report of several belongs to none of them.
    out = fresh(args.out, args.force) or (runs[0][1] / "report.html" if len(runs) == 1 else Path("compared.html"))
    if out.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"a report is a page: let --out end in .html, as in {shorten(out.stem)}.html")
    check_file(out)
    written = write_report([each for each, _ in runs], out, video=films, names=_names(paths), animal=animals)
    print(f"wrote {written} ({written.stat().st_size / 1e6:.1f} MB)")
    if not can_replay():
        print(MISSING)
    return 0


def _runs(path: Path) -> list[Path]:
    """The finished runs of a sweep's folder; the path itself if it is no such folder."""
    from ..sweeps.folder import FINISHED, PLAN, load_plan, outcome, run_folder

    if not (path / PLAN).is_file():
        return [path]
    plan = load_plan(path)
    folders = [(run, run_folder(path, plan, run)) for run in plan.runs]
    done = [folder for run, folder in folders if outcome(folder, run).status == FINISHED]
    kept = [folder for folder in done if (folder / _RESULTS).is_file()]
    if not kept:
        why = f"kept no {_RESULTS}" if done else "has no finished run yet"
        raise ConfigError(f"report: the sweep {path} {why}; see tianbao sweep")
    return kept


def _film(folder: Path) -> Path | None:
    """The video stored with the results of a run: its own, or the only one."""
    found = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in _FILMS and path.name[0] != "."]
    found = [path for path in found if path.stem in _OWN_FILMS] or found
    return found[0] if len(found) == 1 else None


def _names(paths: list[Path]) -> list[str]:
    """Short names that tell results apart: the folder of a results.h5, else the name of the file."""
    full = [path.resolve() for path in paths]
    short = [path.parent.name if path.name == _RESULTS else path.stem if path.is_file() else path.name for path in full]
    return short if len(set(short)) == len(short) else [f"{name} ({k + 1})" for k, name in enumerate(short)]


def _plot(args: argparse.Namespace) -> int:
    from ..view.plots import picture_path

    if str(args.result) in KINDS and args.kind not in KINDS:
        raise ConfigError(f"plot: the result comes first: tianbao plot {shorten(args.kind)} {args.result}")
    # A kind may have its name in Python, as in run.plot.curvature().
    args.kind = next((kind for kind, method in KINDS.items() if method == args.kind), args.kind)
    if args.kind not in KINDS:
        raise ConfigError(f"plot: {unknown('kind', args.kind, KINDS)}")
    recording, folder = opened(args.result)
    worm = 0 if args.worm is None and args.kind not in _OF_ALL else args.worm
    options = {"worm": worm}
    recording.track(worm or 0)
    if args.neurons:
        if args.kind != "traces":
            raise ConfigError(f"plot: --neurons is for traces, not for {args.kind}")
        options["neurons"] = args.neurons
    if nothing := _nothing(recording, args.kind, worm):
        raise OutputError(f"{args.result}: no picture of the kind {args.kind}: {nothing}")
    out = picture_path(fresh(args.out, args.force) or folder / f"{args.kind}.png")
    print(f"wrote {getattr(recording.plot, KINDS[args.kind])(out, **options)}")
    return 0


def _nothing(recording: Recording, kind: str, worm: int | None) -> str:
    """Why there is nothing to draw; "" if there is."""
    from ..network.inputs import AMINES

    track = recording.track(worm or 0)
    if len(recording.time) < 2:
        return "fewer than two frames were recorded"
    needed = {
        "traces": (track.neurons, "no voltages were recorded; choose neurons with record.voltage"),
        "raster": (track.neurons, "no voltages were recorded; choose neurons with record.voltage"),
        "muscles": (track.muscles, "no muscles were recorded; only a simulated worm has them"),
        "activity": (track.muscles or track.neurons, "neither voltages nor muscles were recorded"),
        "sensed": (set(track.inputs) - {AMINES}, "nothing was sensed; give the arena a field"),
    }
    held, why = needed.get(kind, (True, ""))
    return "" if held else why


def _draw(args: argparse.Namespace) -> int:
    from ..anatomy import neuron_name
    from ..view import anatomy
    from ..view.plots import picture_path

    if args.connectome == (args.neuron is not None) or (args.connectome and args.synapses):
        raise ConfigError("draw: give the name of a neuron, such as AVAL, or --connectome alone")
    if args.connectome:
        print(f"wrote {anatomy.plot_connectome(picture_path(fresh(args.out, args.force) or 'connectome.png'))}")
        return 0
    draw = anatomy.plot_synapses if args.synapses else anatomy.plot_morphology
    name = neuron_name(args.neuron)
    out = fresh(args.out, args.force) or (f"{name}_synapses.png" if args.synapses else f"{name}.png")
    print(f"wrote {draw(name, picture_path(out))}")
    return 0
