"""How fast each engine integrates the nervous system, as ratios measured in one go on one core.

Question: what does each engine and each switch gain over NEURON as it comes, at which distance from its answer?
See: a table and a bar plot; every contestant runs in a process of its own, in turn, the fastest round counts.
Time: two to three minutes; --core-neuron adds one of compiling, --peers another two.
Compare: docs/measured/engines.csv; --check FILE fails when a ratio fell by more than a quarter. Seconds
depend on the machine and its load, ratios hardly.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from race import race, stream

TOLERATED = 0.75  # of a recorded ratio
STREAM_SIZES = {"one array per node of the worm (17,600 doubles each)": 17_600, "64 MB each": 8_000_000}


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, write; exit status 1 if a ratio fell."""
    args = _arguments().parse_args(arguments)
    import pandas as pd

    from tianbao.io.files import prepare_folder

    out = prepare_folder(args.out)
    core = _core(args.core)
    print(f"core {core}, load {os.getloadavg()[0]:.2f}, {args.duration:g} ms of biology, {args.rounds} rounds")
    for name, elements in STREAM_SIZES.items():
        bandwidth = stream(core, elements)
        print(f"triad, {name}: " + (f"{bandwidth:.1f} GB/s" if bandwidth else "no C compiler"), flush=True)
    tables = [] if args.no_worm else [_measured("worm", _worm(args), args, core)]
    if args.peers or args.no_worm:
        import peers

        tables.append(_measured("peers", peers.contestants(args.extra_site), args, core))
    table = pd.concat(tables)
    table.to_csv(out / "engines.csv", index=False)
    print(f"load at the end {os.getloadavg()[0]:.2f}")
    _plot(table, out / "engines.png")
    print(f"wrote engines.csv and engines.png in {out}")
    return _check(table, pd.read_csv(args.check), args.check) if args.check else 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--duration", type=float, default=1_000.0, help="ms of biology per measurement")
    parser.add_argument("--rounds", type=int, default=3, help="of which the fastest counts")
    parser.add_argument("--core", type=int, help="pin everything to this core; the last one by default")
    parser.add_argument(
        "--only", default="", help="only worm contestants whose name contains this, and what they refer to"
    )
    parser.add_argument("--core-neuron", action="store_true", help="also CoreNEURON, compiled for this machine")
    parser.add_argument("--peers", action="store_true", help="also a model that other simulators can run")
    parser.add_argument("--no-worm", action="store_true", help="only that model")
    parser.add_argument("--extra-site", help="site-packages with arbor or jaxley, looked up before our own")
    parser.add_argument("--out", type=Path, default=Path("output/engines"))
    parser.add_argument("--check", type=Path, help="table whose ratios must still be reached")
    return parser


def _core(asked: int | None) -> int | None:
    if not hasattr(os, "sched_getaffinity"):
        return None
    return asked if asked is not None else max(os.sched_getaffinity(0))


def _worm(args: argparse.Namespace) -> list:
    import worm_brain

    listed = worm_brain.contestants()
    if args.core_neuron:
        import core_neuron

        listed += core_neuron.worm_contestants()
    kept = {listed[0].name} | {each.name for each in listed if args.only in each.name}
    kept |= {each.against for each in listed if each.name in kept}
    return [each for each in listed if each.name in kept]


def _measured(name: str, contestants: list, args: argparse.Namespace, core: int | None):
    """The rows of one model, printed."""
    import pandas as pd

    rows = race(contestants, args.duration, args.rounds, core)
    table = pd.DataFrame(rows)
    print(f"\n{name}\n{table.to_string(index=False)}\n", flush=True)
    table.insert(0, "model", name)
    return table


def _check(table, recorded, path: Path) -> int:
    """1 if the ratio of a contestant that ran fell below three quarters of the recorded one."""
    key = ["model", "variant"]
    both = table.merge(recorded, on=key, suffixes=("", "_recorded"))
    slower = both[both.ratio < TOLERATED * both.ratio_recorded]
    for row in slower.itertuples():
        print(f"{row.model}, {row.variant}: ratio {row.ratio:.2f}, recorded {row.ratio_recorded:.2f}")
    if both.empty:
        print(f"{path.name} records none of the contestants that ran")
        return 1
    print(f"{len(both) - len(slower)} of {len(both)} ratios hold against {path.name}")
    return int(len(slower) > 0)


def _plot(table, path: Path) -> None:
    """Bars of the ratio, one panel per model."""
    from tianbao.view import style

    groups = list(table.groupby("model", sort=False))

    def draw(figure) -> None:
        heights = [len(group) for _, group in groups]
        panels = figure.subplots(len(groups), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axes, (name, group) in zip(panels, groups, strict=True):
            ours = group.variant.str.startswith("native")
            colours = [style.DORSAL if each else style.NEUTRAL for each in ours]
            bars = axes.barh(group.variant, group.ratio, color=colours)
            axes.bar_label(bars, [f"{each:.1f}x" for each in group.ratio], padding=3, color=style.INK)
            axes.margins(x=0.1, y=0.02)
            axes.invert_yaxis()
            axes.set_title(f"{name}: speed against {group.variant.iloc[0]}", loc="left")
            axes.set_xlabel("CPU time per step, NEURON / this [-]")

    style.render(draw, (9.0, 1.2 + 0.32 * len(table) + 0.6 * len(groups)), path)


if __name__ == "__main__":
    sys.exit(main())
