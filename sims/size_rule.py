"""With which power of its size do the conductances of a neuron grow?

Question: recorded neurons differ 17-fold in membrane; do their conductances differ as much? The worm scales the totals
of a recorded cell to a neuron of its class by (capacitance ratio) ** `capacitance_exponent`.
See: for each quantity the slope of ln(conductance) over ln(capacitance) with its 95 % interval, and how well one cell
of a pair predicts the other by the power 0, by 0.25, by 1 (equal densities), and by the slope of all others.
Time: five seconds; with --crawl half a minute per exponent on two cores.
Compare: capacitance_exponent in tianbao/network/parameters.csv.

Three conductances: the leak (published models); all that carries outward current at +10 mV (recordings: steady current
over the distance from E_K, calcium current included; models: potassium channels and leak, because the two of AVA have
no potassium channel that is open there); that below rest (1 / input resistance, by the smallest hyperpolarising step).
Those of recordings (recordings.csv) need no model. Values of one neuron are not independent: the pooled slope has an
intercept for each conductance and data set, and its interval comes from leaving out one neuron at a time. The size is
the capacitance of the traced membrane, as in the worm, or that given with the published model.
"""

from __future__ import annotations

import argparse
import itertools
import math
import multiprocessing
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

import tianbao as tb
from tianbao import anatomy
from tianbao.cells import published
from tianbao.cells.geometry import constants, geometry
from tianbao.cli import run_script
from tianbao.electrophysiology.protocols import Epoch, Protocol
from tianbao.electrophysiology.recordings import recordings
from tianbao.io.files import prepare_folder
from tianbao.parameters import defaults
from tianbao.units import PF_PER_UM2_AT_1_UF_CM2

# Published model -> the neuron whose tracing gives its size, where the model names only the class.
TRACED = {"AWC": "AWCL", "RMD": "RMDL", "AIY": "AIYL", "RIM": "RIML"}
PLATEAU = 10.0  # mV: the lowest voltage that lies between steps of every cell that reached it
HELD = Protocol("voltage", (Epoch(2000.0, (PLATEAU,)),), measured=0)
PAIR = 2  # neurons left out together
# Duration and body step [ms] in each medium, as in robustness.py.
MEDIA = {"agar": (13_000.0, 4.0), "water": (8_000.0, 2.0)}
SEEDS = (1, 2)
GAIT = ("forward_speed_mm_s", "frequency_hz", "wavelength_body_lengths", "amplitude", "travelling_r2", "wave_direction")


def traced(neuron: str) -> float:
    """Capacitance of the traced membrane [pF]."""
    return geometry(anatomy.morphology(neuron)).capacitance


def of_recordings() -> list[tuple]:
    """Rows of `points` that need no model: chord conductance at +10 mV and slope conductance below rest."""
    rows = []
    for neuron, sweeps in recordings().groupby("cell", sort=False):
        clamped, size = sweeps["mode"].iloc[0] == "VC", traced(str(neuron))
        voltage, current = (sweeps.step, sweeps.steady) if clamped else (sweeps.steady, sweeps.step)
        order = np.argsort(voltage.to_numpy())
        if voltage.min() <= PLATEAU <= voltage.max():
            held = np.interp(PLATEAU, voltage.to_numpy()[order], current.to_numpy()[order])
            chord = held / (PLATEAU - constants()["reversal_potassium"])
            rows.append((neuron, "outward at +10 mV", "recorded", size, size, chord))
        if not clamped:
            smallest = sweeps[sweeps.step < 0.0].sort_values("step").iloc[-1]
            below = smallest.step / (smallest.steady - smallest.rest)
            rows.append((neuron, "below rest", "recorded", size, size, below))
    return rows


def of_published() -> list[tuple]:
    """Rows of `points` from the published models, each by its own protocol."""
    rows = []
    for name in published.names():
        neuron, cell = TRACED.get(name, name), tb.PatchedCell.of_published(name)
        area = cell.soma.area()
        size = cell.soma.cm * area * PF_PER_UM2_AT_1_UF_CM2
        leak = 10.0 * cell.soma.pas.g * area  # nS: S/cm2 x um2
        below = 1.0 / cell.input_resistance()
        for _ in range(2):  # the first run also charges a bare copy, during which the cell itself is not clamped
            cell.run(HELD)
        potassium = 10.0 * cell.soma.ik * area / (PLATEAU - constants()["reversal_potassium"])
        found = {"leak": leak, "outward at +10 mV": potassium + leak, "below rest": below}
        rows += [(neuron, quantity, "published", traced(neuron), size, value) for quantity, value in found.items()]
    return rows


def points() -> pd.DataFrame:
    """One row per neuron, quantity and origin.

    Returns:
        Columns neuron, quantity, data ("recorded" or "published"), traced and measured capacitance [pF] (a recording
        has only the former), conductance [nS].
    """
    columns = ["neuron", "quantity", "data", "traced_pF", "measured_pF", "conductance_nS"]
    return pd.DataFrame([*of_recordings(), *of_published()], columns=columns)


def slope(table: pd.DataFrame, size: str) -> float:
    """Common slope of ln(conductance) over ln(capacitance), with an intercept for each quantity and data set [-]."""
    _, group = np.unique(table.quantity.to_numpy(str) + table.data.to_numpy(str), return_inverse=True)
    x, y = np.log(table[size].to_numpy()), np.log(table.conductance_nS.to_numpy())
    counts = np.bincount(group)
    x, y = (each - (np.bincount(group, each) / counts)[group] for each in (x, y))
    return float(x @ y / (x @ x))


def interval(table: pd.DataFrame, size: str) -> tuple[float, float, float]:
    """The slope, and its 95 % interval by leaving out one neuron at a time (jackknife, Student's t)."""
    neurons = table.neuron.unique()
    count, whole = len(neurons), slope(table, size)
    without = np.array([slope(table[table.neuron != each], size) for each in neurons])
    error = math.sqrt((count - 1) / count * ((without - without.mean()) ** 2).sum())
    margin = error * stats.t.ppf(0.975, count - 2)
    return whole, whole - margin, whole + margin


def pair_errors(table: pd.DataFrame, size: str, powers: dict[str, float]) -> dict[str, float]:
    """Error with which one cell of a pair predicts the other, as a factor (root mean square of ln), by each rule.

    "others" is the slope of all cells but the pair.
    """
    wrong: dict[str, list[float]] = {name: [] for name in (*powers, "others")}
    for pair in itertools.combinations(table.neuron.unique(), PAIR):
        left = table[~table.neuron.isin(pair)]
        rules = powers | {"others": slope(left, size)}
        both = table[table.neuron.isin(pair)]
        for _, rows in both.groupby(["quantity", "data"]):
            if len(rows) < PAIR:
                continue
            larger, ratio = (float(np.diff(np.log(rows[name]))[0]) for name in (size, "conductance_nS"))
            for name, power in rules.items():
                wrong[name].append(ratio - power * larger)
    return {name: float(np.exp(np.sqrt(np.mean(np.square(each))))) for name, each in wrong.items()}


def between_data(table: pd.DataFrame) -> float:
    """Factor by which recording and published model of one and the same neuron differ (root mean square of ln)."""
    wide = table[table.quantity != "leak"].pivot(index=["neuron", "quantity"], columns="data", values="conductance_nS")
    return float(np.exp(np.sqrt(np.mean(np.log(wide.recorded / wide.published) ** 2))))


def judged(table: pd.DataFrame) -> pd.DataFrame:
    """Slope, interval and errors of pairs, for each quantity and data set, and pooled.

    Args:
        table: from `points`.
    """
    powers = {"power_0": 0.0, "power_025": 0.25, "power_1": 1.0}
    sets = dict(list(table.groupby(["quantity", "data"], sort=False)))
    sets |= {("all", data): rows for data, rows in table.groupby("data", sort=False)} | {("all", "all"): table}
    found = []
    for (quantity, data), rows in sets.items():
        for size in ("traced_pF", "measured_pF") if data != "recorded" else ("traced_pF",):
            power, low, high = interval(rows, size)
            what = {"quantity": quantity, "data": data, "capacitance": size.removesuffix("_pF")}
            slopes = {"neurons": rows.neuron.nunique(), "slope": power, "low": low, "high": high}
            found.append(what | slopes | pair_errors(rows, size, powers))
    return pd.DataFrame(found)


def crawl(job: tuple[float, str, int]) -> dict:
    """Gait of a worm with another exponent and all other parameters as they are, in its own process."""
    exponent, medium, seed = job
    duration, tick = MEDIA[medium]
    worm = tb.Worm(parameters=defaults().replace(capacitance_exponent=exponent))
    simulation = tb.Simulation(
        worm, tb.Arena(medium), seed=seed, clock=tb.Clock(tick=tick), progress=False
    )
    gait = simulation.run(duration).gait()
    return {"exponent": exponent, "medium": medium, "seed": seed, **{name: getattr(gait, name) for name in GAIT}}


def experiment(args: argparse.Namespace) -> int:
    """Write points, slopes and gaits; exit code 0 if all data refute equal densities, but not the worm's exponent.

    The worm's is refuted if it lies outside of the interval both for traced and for measured capacitances.
    """
    folder, exponent = prepare_folder(args.out), defaults().capacitance_exponent
    table = points()
    found = judged(table)
    table.to_csv(folder / "size_rule_points.csv", index=False, float_format="%.4g")
    found.to_csv(folder / "size_rule.csv", index=False, float_format="%.3g")
    print(table.to_string(index=False, float_format="{:.3g}".format))
    print(found.to_string(index=False, float_format="{:.2f}".format))
    print(f"recording and published model of the same neuron differ by a factor of {between_data(table):.2f}")
    if args.crawl:
        jobs = [(each, medium, seed) for each in args.crawl for medium in MEDIA for seed in SEEDS]
        with multiprocessing.get_context("spawn").Pool(args.workers, maxtasksperchild=1) as pool:
            gaits = pd.DataFrame(pool.map(crawl, jobs, chunksize=1))
        gaits.to_csv(folder / "size_rule_gait.csv", index=False, float_format="%.3g")
        print(gaits.to_string(index=False, float_format="{:.3f}".format))
    print(f"wrote tables in {folder}")
    pooled = found[(found.quantity == "all") & (found.data == "all")]
    for row in pooled.itertuples():
        print(f"by {row.capacitance} capacitances, the data agree with exponents from {row.low:.2f} to {row.high:.2f}")
    return 0 if (pooled.high < 1.0).all() and pooled.eval(f"low <= {exponent} <= high").any() else 1


def main(arguments: list[str] | None = None) -> int:
    """Options of the experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crawl", type=float, nargs="*", default=[], help="exponents with which the worm moves, too")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("output/size_rule"))
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
