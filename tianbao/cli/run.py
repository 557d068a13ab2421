"""`tianbao run`, `resume` and `info`: run a simulation, resume it, summarise a result."""

from __future__ import annotations

import argparse
import itertools
import math
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import SPACING, RunConfig, on_a_grid, parse_setting, read_config
from ..engine.choice import AUTO, ENGINES
from ..errors import ConfigError, DivergedError, printable, shorten
from .session import EXIT_FAILED, EXIT_INTERRUPTED, Parser, add_command, run_script

if TYPE_CHECKING:
    from ..loop.observers import Observer
    from ..recording import Recording
    from ..view.worms import Who

_MOST_TABLES = 3  # of worms; of more, one line each
_SETTINGS = ("duration", "seed", "engine")


def register(commands: argparse._SubParsersAction) -> None:
    """Add the commands."""
    run = add_command(
        commands, "run", _run, "run a simulation and write results, plots, a report and a video",
        """tianbao run
        tianbao run my.toml --out output/mine
        tianbao run --set arena.medium=water --set clock.tick=2
        tianbao run --do "ablate AVB*" --do "knock_out unc-2" --engine native
        tianbao run --worms 5 --spacing 1.5
        tianbao run --live 'AVB*' 'DB*'
        tianbao run --print-config > my.toml""",
    )  # fmt: skip
    add_run_arguments(run, "output/run", RunConfig())
    run.add_argument("--print-config", action="store_true", help="print the complete configuration and exit")
    resume = add_command(
        commands, "resume", _resume, "resume a run from its latest checkpoint",
        """tianbao resume output/run
        tianbao resume output/run --duration 20000""",
    )  # fmt: skip
    resume.add_argument("run", type=Path, help="folder of the run, or its checkpoint")
    resume.add_argument("--duration", type=float, help="total simulated time [ms] (default: as planned)")
    resume.add_argument("--no-video", action="store_true", help="skip the video")
    _add_live(resume)
    info = add_command(
        commands, "info", _info, "summarise the contents and origin of a result",
        """tianbao info output/run
        tianbao info output/run --config""",
    )  # fmt: skip
    info.add_argument("result", type=Path, help="results.h5, or the folder of a run")
    info.add_argument("--config", action="store_true", help="print its configuration, from which it can be run again")


def crawl_parser(
    description: str, out: str = "output/forward_crawl", preset: Mapping[str, Any] | None = None
) -> argparse.ArgumentParser:
    """The command-line options of scripts that simulate crawling or swimming.

    Args:
        description: of the script.
        out: default folder for results.
        preset: values of dotted keys that apply unless a file or an option overrides them.
    """
    parser = Parser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_run_arguments(parser, out, RunConfig().updated(preset or {}))
    return parser


def run_crawl(args: argparse.Namespace) -> int:
    """Simulate, print the gait next to the published ranges, write all files.

    Returns:
        0 if the worm crawled (in water: swam), 1 if it did not, 2 after an error, 130 after Ctrl-C.
    """
    return run_script(_run, args)


def add_run_arguments(parser: argparse.ArgumentParser, out: str, default: RunConfig) -> None:
    """Add the options shared by all commands that run a simulation.

    Args:
        parser: to add them to.
        out: default folder for results.
        default: values that apply unless a file or an option overrides them.
    """
    parser.set_defaults(default=default, print_config=False, default_out=Path(out))
    parser.add_argument("config", nargs="?", type=Path, help="TOML file; tianbao run --print-config writes one")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="such as clock.dt=0.25")
    parser.add_argument("--do", action="append", default=[], metavar="WHAT", help="intervention, such as 'ablate AVB*'")
    parser.add_argument("--duration", type=float, help=f"simulated time [ms] (default {default.duration:g})")
    parser.add_argument("--seed", type=int, help=f"of noise and initial state (default {default.seed})")
    parser.add_argument("--medium", help=f"agar, wet_agar, water ... (default {default.arena.medium})")
    parser.add_argument("--engine", help=f"{', '.join((AUTO, *ENGINES))} (default {default.engine})")
    parser.add_argument("--worms", type=int, help="how many worms, on a square grid (default 1)")
    parser.add_argument("--spacing", type=float, help=f"between worms on the grid [mm] (default {SPACING:g})")
    parser.add_argument(
        "--out", type=Path, help=f"folder for results (default {out}; if that holds a finished run {out}_2 and so on)"
    )
    parser.add_argument("--force", action="store_true", help="replace the finished run in --out")
    parser.add_argument("--verify", action="store_true", help="first compare both engines over a second")
    parser.add_argument("--no-video", action="store_true", help="skip the video")
    _add_live(parser)


def _add_live(parser: argparse.ArgumentParser) -> None:
    words = "show bodies and voltages in a browser while it runs, of NEURONs or a few; prints the address"
    parser.add_argument("--live", nargs="*", metavar="NEURON", help=words)
    parser.add_argument("--live-port", type=int, metavar="PORT", help="to serve it on (default: any that is free)")


def _live(args: argparse.Namespace, duration: float | None) -> list[Observer]:
    """The live view, if one was asked for."""
    if args.live is None:
        if args.live_port is not None:
            raise ConfigError("--live-port is the port of the live view; give --live, too")
        return []
    for each in args.live:
        if each.endswith(".toml"):
            raise ConfigError(f"--live takes neurons, and {each} is a file: put it before --live")
    from ..view.live import Live

    return [Live(*args.live, port=args.live_port or 0, duration=duration)]


def _check_file(path: Path) -> None:
    """Refuse a word that is not a file because it lost its option, or quotes that the shell has to be given.

    Raises:
        ConfigError: with the option that it may belong to.
    """
    text = str(path)
    if os.path.exists(path) or path.suffix == ".toml":
        return
    if "=" in text:
        raise ConfigError(f"'{shorten(text)}' is a setting: write --set before each, as in --set {shorten(text)}")
    if os.sep not in text and (any(each in "*?" for each in text) or text.isupper()):
        todo = f"write an intervention as one word in quotes, as in --do 'ablate {shorten(text)}'"
        raise ConfigError(f"there is no file {shorten(text)}: {todo}")


def configured(args: argparse.Namespace) -> RunConfig:
    """The configuration given by file, then `--set`, then dedicated options such as `--seed`.

    Raises:
        ConfigError: for an unknown key, or a value of the wrong type.
    """
    from ..interventions import parse_command

    settings = dict(parse_setting(each) for each in args.set)
    if args.config:
        _check_file(args.config)
    config = read_config(args.config, args.default) if args.config else args.default
    where = "command line"
    config = config.updated(settings, where=where)
    named = {name: getattr(args, name) for name in _SETTINGS} | {"arena.medium": args.medium}
    config = config.updated(named, where=where)
    if args.worms is not None:
        config = on_a_grid(config, args.worms, SPACING if args.spacing is None else args.spacing)
    elif args.spacing is not None:
        raise ConfigError("--spacing is the distance between several worms; give --worms, too")
    done = tuple(parse_command(each) for each in args.do)
    return config.updated({"interventions": (*config.interventions, *done)}, where=where)


def _run(args: argparse.Namespace) -> int:
    from ..experiment import perform

    config = configured(args)
    if args.print_config:
        return _print_config(config)
    if args.verify and not _verified(config):
        return EXIT_FAILED
    folder = args.out or _free(args.default_out, args.force)
    try:
        live = _live(args, config.duration)
        outcome = perform(config, folder, video=not args.no_video, force=args.force, observers=live)
    except DivergedError as error:
        print(f"saved before the error: {', '.join(map(str, error.files))}", file=sys.stderr)
        raise
    return _tell(outcome, folder)


def _verified(config: RunConfig) -> bool:
    """Whether both engines do the same with a configuration, in words."""
    from ..agreement import verify

    found = verify(config)
    print(found)
    return found.holds


def _free(folder: Path, force: bool) -> Path:
    """The first of FOLDER, FOLDER_2, FOLDER_3 ... that holds no finished run."""
    from ..io.results import is_finished

    numbered = (folder.with_name(f"{folder.name}_{number}") for number in itertools.count(2))
    return next(each for each in itertools.chain([folder], numbered) if force or not is_finished(each))


def _resume(args: argparse.Namespace) -> int:
    from ..experiment import finished, resume

    if args.duration is None and finished(args.run):
        print(f"{args.run} is complete; use --duration to extend it")
        return 0
    live = _live(args, args.duration)
    outcome = resume(args.run, duration=args.duration, video=not args.no_video, observers=live)
    return _tell(outcome, args.run if args.run.is_dir() else args.run.parent)


def _tell(outcome, folder: Path) -> int:
    _report(outcome)
    print("wrote " + ", ".join(path.name for path in outcome.files) + f" in {folder}")
    if not outcome.recording.complete:
        print(f"stopped early; to continue: tianbao resume {folder}", file=sys.stderr)
        return EXIT_INTERRUPTED
    return EXIT_FAILED if outcome.moved is False else 0


def _report(outcome) -> None:
    """Print measured and published values of each worm, and whether it crawled (in water: swam)."""
    from ..view.worms import who_is_who

    recording = outcome.recording
    worms = who_is_who(recording)
    if len(worms) > _MOST_TABLES:
        _report_briefly(recording, worms)
    for each in worms if len(worms) <= _MOST_TABLES else ():
        if len(worms) > 1:
            print(f"{each.name}: {each.interventions or 'intact'}")
        _table(recording, each.number)
    print(f"{recording.wall_s_per_bio_s:.1f} s of computing per simulated second")
    for each in worms if len(worms) <= _MOST_TABLES else ():
        print("\n".join(_verdict(recording, each.number, each.name if len(worms) > 1 else "the worm")))


def _table(recording: Recording, worm: int) -> None:
    """Metrics of one worm beside the published ranges."""
    from ..behaviour.gait import compare

    gait = recording.gait(worm)
    if not gait.measured_ms:
        return
    print(f"{'':26s}{'measured':>10s}   published")
    for row in compare(gait, recording.medium):
        known = math.isfinite(row.measured)
        measured, mark = f"{row.measured:10.3f}" if known else f"{'-':>10s}", "(outside)" if known else "(not measured)"
        where = "" if row.inside else f"   {mark}"
        print(f"{row.metric:26s}{measured}   {row.low:g} to {row.high:g} {row.unit}  {row.source}{where}")


def _verdict(recording: Recording, worm: int, name: str) -> list[str]:
    """Whether a worm moved as its kind does in this medium, with the acceptance criteria that it did not meet."""
    from ..behaviour.gait import missed, too_short
    from ..io.results import moved

    gait = recording.gait(worm)
    did, whose = moved(gait, recording.medium), "" if name == "the worm" else f"{name}: "
    if did is None:
        measured = f"{gait.forward_speed_mm_s:.3f} mm/s, {gait.frequency_hz:.2f} Hz"
        return [f"{whose}{measured}; no published ranges for this medium"]
    done, not_done = ("swam", "swim") if recording.medium == "water" else ("crawled", "crawl")
    if did:
        return [f"{name} {done}"]
    if short := too_short(gait, recording.medium):
        return [f"{whose}no verdict: {short}"]
    lines = [f"{name} did not {not_done}; acceptance criteria not met:"]
    for each in missed(gait, recording.medium):
        value = getattr(gait, each.metric)
        lines.append(f"  {each.metric} is {value:.4g} {each.unit}, required: {each.low:g} to {each.high:g}")
    return lines


def _report_briefly(recording: Recording, worms: list[Who]) -> None:
    """One line per worm, under a line with the published ranges."""
    from ..behaviour.gait import PUBLISHED, missed, too_short
    from ..io.results import moved

    ranges = {each.metric: f"{each.low:g} to {each.high:g}" for each in PUBLISHED if each.medium == recording.medium}
    words = ("swam", "did not swim") if recording.medium == "water" else ("crawled", "did not crawl")
    columns = {"forward_speed_mm_s": "mm/s", "frequency_hz": "Hz", "wavelength_body_lengths": "L"}
    head = "".join(f"{unit:>14s}" for unit in columns.values())
    print(f"{'':10s}{head}\n{'published':10s}" + "".join(f"{ranges.get(metric, ''):>14s}" for metric in columns))
    for each in worms:
        gait = recording.gait(each.number)
        did, short = moved(gait, recording.medium), ", ".join(row.metric for row in missed(gait, recording.medium))
        verdict = "" if did is None else words[0] if did else f"{words[1]} ({short})"
        if did is False and too_short(gait, recording.medium):
            verdict = "no verdict (too short to judge)"
        values = "".join(f"{getattr(gait, metric):14.3f}" for metric in columns)
        done = f"[{each.interventions}]" if each.interventions else ""
        print(f"{each.name:10s}{values}   {'   '.join(filter(None, [verdict, done]))}".rstrip())


def _print_config(config: RunConfig) -> int:
    from ..experiment import resolved
    from ..parameters import table

    rows = table().items()
    notes = {f"parameters.{name}": f"[{row.unit}] {row.low:g} to {row.high:g}: {row.meaning}" for name, row in rows}
    print(resolved(config).to_toml(comments=notes), end="")
    return 0


def _info(args: argparse.Namespace) -> int:
    from ..io.files import result_file
    from ..io.results import open_sealed
    from ..view.worms import who_is_who

    path = result_file(args.result)
    recording, sealed = open_sealed(path)
    if args.config:
        print("\n".join(map(printable, recording.config_toml.splitlines())))
        return 0
    first, worms = recording.worms[0], who_is_who(recording)
    counts = {"midline points": first.midline.shape[1], "muscles": len(first.muscles), "neurons": len(first.neurons)}
    alone, simulated = len(worms) == 1, not recording.of_animal
    state = f", {'complete' if recording.complete else 'stopped early'}, seed {recording.seed}" if simulated else ""
    lines = {
        "file": f"{path} ({path.stat().st_size / 1e6:.1f} MB)",
        "seal": "sealed: nothing was changed since it was written" if sealed
        else "unsealed: of an older release, a change of its numbers would not be noticed",
        "run" if simulated else "track": f"{recording.duration:g} ms, {len(recording.time)} frames{state}",
        "medium": recording.medium,
        "worms": str(len(worms)),
        "recorded": ", ".join(f"{count} {what}" for what, count in counts.items() if count),
        "created": recording.created + _pace(recording),
        "with": ", ".join(f"{name} {version}" for name, version in recording.versions.items()),
        "revision": recording.git_revision or ("not from a checkout" if simulated else ""),
        "mechanisms": recording.mechanism_hash,
        "start": worms[0].place if alone else "",
        "interventions": (recording.interventions or "none") if alone and simulated else "",
        **recording.anatomy,
        **({} if alone else {each.name: _described(each) for each in worms}),
    }  # fmt: skip
    for name, text in lines.items():
        if text:
            print(f"{printable(name):14s}{printable(text)}")
    return 0


def _pace(recording: Recording) -> str:
    """What a second took to compute; "" where nobody knows."""
    pace = recording.wall_s_per_bio_s
    return f", {pace:.2f} s of computing per simulated second" if pace > 0.0 else ""


def _described(who: Who) -> str:
    """One worm of several on one line: start, interventions, and wiring where it is not that of the first."""
    wiring = [f"{name}: {text}" for name, text in who.anatomy.items()]
    return "; ".join([f"starts at {who.place}", f"interventions: {who.interventions or 'none'}", *wiring])
