"""Fit the class-level parameters so that one worm moves as the animal does, on agar, in reversals and in water.

Question: is there one set of class gains (no value per synapse) whose wave has the animal's shape in both media, which
reverses when AVA is excited, and which needs its D neurons?
Method: a candidate runs seven times: without channel noise on agar, forwards, then four reversals on command,
three of them with a ventral bias of the head at the end, which should cause an omega turn; without noise on agar,
steered by its head towards dorsal and then ventral; without noise in water; with noise on agar without DD and VD
neurons, twice; and with noise and every searched value perturbed by up to 10 %, on agar and in water again.
The search uses a response surface: every measured quantity is regressed on the parameters of the candidates near the
best one, and the next candidates are those with the lowest predicted cost, plus some random ones. Seeded and
resumable: every evaluation is appended to the log, and a restart replays the log before it computes anything new.
Not part of the cost: shuffles, ablations other than D, media between water and agar, and the channel experiment.
See: one line per evaluation; the best set is written as JSON with its cost and numbers.
Time: about 45 s per evaluation on two cores, 25 s with --short (no turns, and no worm without D neurons).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import math
import multiprocessing
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import tianbao as tb
from tianbao import parameters
from tianbao.behaviour.gait import POINTS, curvature, curvature_positions
from tianbao.behaviour.reversals import Reversal, reversal
from tianbao.behaviour.turns import turn, turning_rate
from tianbao.body import Material
from tianbao.body.material import constant
from tianbao.commands import back_up, bend_head_to_ventral, steer
from tianbao.io.files import prepare_folder
from tianbao.units import MS_PER_S, NA_PER_PA

# Searched parameters and the size of one unit of the search: a factor of e, or an increment.
LOGARITHMIC = {
    "excitatory_gain": 1.0, "dyad_gain": 0.7, "inhibitory_gain": 1.0, "gap_gain": 0.7, "avb_conductance": 0.7,
    "release_slope": 0.5,
    "cord_stretch_gain": 1.0, "cord_opposite_gain": 2.0, "head_stretch_gain": 2.0, "cord_window_length": 0.7,
    "cord_window_offset": 1.0, "cord_opposite_length": 0.7, "head_window_length": 0.7,
    "nmj_excitatory_gain": 1.0, "nmj_inhibitory_gain": 1.0, "muscle_tau": 0.7, "muscle_slope": 0.5,
    "peak_curvature": 0.7, "bending_stiffness": 1.0, "internal_viscosity_time": 0.7,
}  # fmt: skip
ADDITIVE = {
    "cord_bias": 1.5, "vb_bias": 1.0, "head_bias": 2.0, "avb_reversal": 10.0,
    "head_window_start": 0.3, "muscle_half": 10.0, "b_adaptation": 1.0,
}  # fmt: skip
SEARCHED = [*LOGARITHMIC, *ADDITIVE]
# Tissue parameters: attribute of Material, with bounds from published values.
TISSUE = {
    "bending_stiffness": ("bending_stiffness_n_m2", 8e-15, 1e-13),  # Boyle et al. 2012 to Fang-Yen et al. 2010
    "internal_viscosity_time": ("internal_viscosity_time", 5.0, 125.0),  # Fang-Yen et al. 2010 to Boyle et al. 2012
}
# Conductance of the gap junctions of AVB [nS] at the start of the search (docs/measured/command_load.csv), and the
# largest drive of AVB, in that unit, which inhibition of the same size still switches off.
AVB_LOAD, AVB_DRIVE = 1.68, 2.0

POPULATION = 8
EXPLORERS = 3  # of them at random around the best
NEAREST = 120  # evaluations that the response surface is fitted to
RIDGE = 0.3
PERTURBED = 0.1
FIRST_SEED = 100  # of noise; seeds below it are left for tests

# Times [ms] of the run on agar: one reversal on command, then three more, each at a different phase of
# the wave, with the head biased at the end of the command.
COMMAND, RELEASE = 11_000.0, 13_500.0
AGAIN = (15_500.0, 23_700.0, 31_900.0)
BACKING, ROUND_TIME = 2_000.0, 6_200.0  # [ms] of backing up, and of what follows
END = AGAIN[-1] + BACKING + ROUND_TIME
LATENCY = 500.0  # [ms] left out after a command
BIASED = 2_000.0  # [ms] of the head at the release
STEERED, SWITCH = 2.0, 8_500.0  # [pA] onto SMDD and off SMDV, and the other way round from then on [ms]

# Measured quantities, their target ranges, and the deviation that costs 1.
AGAR = {
    "travelling_r2": (0.90, 9.0, 0.04), "travelling_r2_head": (0.87, 9.0, 0.04), "speed_cv_along": (0.0, 0.06, 0.05),
    "speed_cv_in_time": (0.0, 0.22, 0.1), "speed_slowest": (0.6, 9.0, 0.3), "duty": (0.0, 0.05, 0.03),
    "wave_frequency_hz": (0.42, 0.65, 0.1), "wave_length": (0.57, 0.66, 0.05), "wave_amplitude": (6.3, 8.0, 1.0),
    "forward_speed_mm_s": (0.22, 9.0, 0.03), "path_turn_deg_s": (-1.5, 1.5, 3.0), "tail_over_middle": (0.9, 1.1, 0.15),
    "head_over_middle": (0.7, 1.3, 0.3),
}  # fmt: skip
WATER = {
    "travelling_r2": (0.88, 9.0, 0.05), "wave_frequency_hz": (1.65, 2.05, 0.2), "wave_length": (1.35, 1.65, 0.15),
    "forward_speed_mm_s": (0.23, 9.0, 0.03), "tail_over_middle": (0.7, 1.5, 0.15), "speed_cv_along": (0.0, 0.2, 0.15),
    "path_turn_deg_s": (-3.0, 3.0, 4.0), "amplitude": (4.0, 7.5, 1.0),
}  # fmt: skip
ROUND = {"heading_change_deg": (-400.0, -110.0, 25.0), "tail_bend": (-99.0, -6.0, 1.5),
         "speed_after_mm_s": (0.15, 9.0, 0.05)}  # fmt: skip
BACKWARDS = {"speed_mm_s": (-9.0, -0.22, 0.05), "travelling_r2": (0.74, 9.0, 0.1), "again": (0.2, 9.0, 0.05),
             "tail_amplitude": (5.0, 99.0, 1.5)}  # fmt: skip
UNDER_WAY = {"slope": (2.4, 9.0, 0.6), "speed": (0.22, 9.0, 0.04)}
WITHOUT_D = {"share": (0.38, 0.62, 0.1), "travelling_r2": (-9.0, 0.65, 0.1)}
OFF_AGAR = {"travelling_r2": (0.82, 9.0, 0.05), "forward_speed_mm_s": (0.17, 9.0, 0.04),
            "stride_period_cv": (0.08, 0.16, 0.04)}  # fmt: skip
OFF_WATER = {"wave_frequency_hz": (1.5, 2.2, 0.3), "forward_speed_mm_s": (0.18, 9.0, 0.03),
             "travelling_r2": (0.75, 9.0, 0.1)}  # fmt: skip
RANGES = {"agar": AGAR, "water": WATER, "backwards": BACKWARDS, "round": ROUND, "steered": UNDER_WAY,
          "without D": WITHOUT_D, "off, agar": OFF_AGAR, "off, water": OFF_WATER}  # fmt: skip
# A short evaluation: without turns and D neurons; its run on agar ends with the first reversal.
SHORT = ("agar", "off, agar", "water", "off, water", "steered")
NOT_SHORT = ("round", "without D", "backwards.again")
METRICS = tuple(f"{run}.{name}" for run, ranges in RANGES.items() for name in ranges)
SHORT_METRICS = tuple(name for name in METRICS if not name.startswith(NOT_SHORT))
# If a worm does not move, nothing can be measured: each metric then costs as much as a deviation of ten units.
MOST_MISSED = 10.0

# Run -> (worker, medium, duration [ms], time discarded [ms], whether there is noise, whether parameters are perturbed).
RUNS = {
    "agar": ("agar", "agar", END, 3000.0, False, False),
    "off, agar": ("agar", "agar", 8000.0, 2500.0, True, True),
    "water": ("water", "water", 6500.0, 1500.0, False, False),
    "off, water": ("water", "water", 5000.0, 1500.0, True, True),
    "steered": ("steered", "agar", 2.0 * SWITCH, 3000.0, False, False),
    "without D": ("without D", "agar", 9000.0, 3000.0, True, False),
    "without D again": ("without D", "agar", 9000.0, 3000.0, True, False),
}


def candidate(x: np.ndarray, start: dict[str, float]) -> dict[str, float]:
    """Parameter values at a point of the search space, clipped to their allowed range."""
    values = {}
    for name, u in zip(SEARCHED, x, strict=True):
        if name in LOGARITHMIC:
            moved = start[name] * math.exp(u * LOGARITHMIC[name])
        else:
            moved = start[name] + u * ADDITIVE[name]
        values[name] = within(name, moved)
    most = AVB_DRIVE * values["gap_gain"] / start["gap_gain"] * AVB_LOAD
    values["avb_conductance"] = min(values["avb_conductance"], most)
    return values


def off(values: dict[str, float], seed: int) -> dict[str, float]:
    """The same, with each value multiplied by its own factor."""
    factors = np.random.default_rng(seed).uniform(1.0 - PERTURBED, 1.0 + PERTURBED, len(values))
    moved = {name: value * factor for (name, value), factor in zip(values.items(), factors, strict=True)}
    return {name: within(name, value) for name, value in moved.items()}


def within(name: str, value: float) -> float:
    """A value clipped to the range that it may have."""
    if name in TISSUE:
        _, low, high = TISSUE[name]
    else:
        low, high = parameters.table()[name].low, parameters.table()[name].high
    return float(np.clip(value, low, high))


_simulation = None


def worm_of(worker: str) -> tb.Worm:
    """The worm of a worker: with reversal commands (including the silenced head), steered, or without D neurons."""
    worm = tb.Worm()
    if worker == "without D":
        return worm.ablate("DD*", "VD*")
    if worker == "steered":
        steer(steer(worm, STEERED * NA_PER_PA, 0.0, SWITCH), -STEERED * NA_PER_PA, SWITCH, math.inf)
    if worker == "agar":
        back_up(worm, COMMAND, RELEASE)
        for start in AGAIN:
            release = start + BACKING
            bend_head_to_ventral(back_up(worm, start, release), release, release + BIASED)
    return worm


def build(worker: str) -> None:
    """Build the network that a worker process reuses for all candidates."""
    global _simulation
    medium = "water" if worker == "water" else "agar"
    _simulation = tb.Simulation(worm_of(worker), tb.Arena(medium), progress=False)


def quietly(worker: str) -> None:
    """`build` without the warning, in every process, that a short run ends before its commands."""
    logging.getLogger("tianbao").setLevel(logging.ERROR)
    build(worker)


def numbers_of(job: tuple[str, dict[str, float], int, bool]) -> dict[str, float] | None:
    """Measurements of one run of one candidate; None if it diverged."""
    run, values, seed, short = job
    _, medium, duration, dropped, noisy, is_off = RUNS[run]
    if run == "agar" and short:
        duration = RELEASE
    values = off(values, seed) if is_off else dict(values)
    if not noisy:
        values["noise"] = 0.0
    material = Material(**{attribute: values.pop(name) for name, (attribute, *_) in TISSUE.items()})
    _simulation.retune(parameters.defaults().replace(**values), material)
    _simulation.seed = seed
    try:
        recording = _simulation.run(duration)
    except tb.DivergedError:
        return None
    if run == "steered":
        return steered(recording, dropped)
    numbers = piece(recording, dropped, COMMAND if run == "agar" else duration, medium)
    if run == "agar":
        numbers |= backwards(recording) if short else commanded(recording, numbers["wave_frequency_hz"])
    return {name: float(value) for name, value in numbers.items()}


def r2_backwards(back: Reversal) -> float:
    """How evenly the wave travels from tail to head; 0 if it runs the other way."""
    return back.travelling_r2 if back.wave_length < 0.0 else 0.0


def backwards(recording: tb.Recording) -> dict[str, float]:
    """Measures of the first reversal."""
    track = recording.track()
    back = reversal(recording.time, track.midline, COMMAND, RELEASE, dorsal=track.dorsal)
    return {
        "back.speed_mm_s": back.speed_mm_s,
        "back.travelling_r2": r2_backwards(back),
        "back.tail_amplitude": back.tail_amplitude,
    }


def stride_of(frequency: float) -> float:
    """Period of the wave [ms]; 5 s for a worm that hardly swings, or whose frequency is NaN as it does not swing."""
    return MS_PER_S / (frequency if frequency >= 0.2 else 0.2)


def commanded(recording: tb.Recording, frequency: float) -> dict[str, float]:
    """Measures of the commanded behaviour: the worst of all reversals and turns."""
    stride = stride_of(frequency)
    track, backs, turns = recording.track(), [], []
    for start, release in zip((COMMAND, *AGAIN), (RELEASE, *(each + BACKING for each in AGAIN)), strict=True):
        backs.append(reversal(recording.time, track.midline, start, release, dorsal=track.dorsal))
        if start != COMMAND:
            kept = recording.time <= release + ROUND_TIME
            turns.append(turn(recording.time[kept], track.midline[kept], release, stride, track.dorsal[kept]))
    again = piece(recording, RELEASE + LATENCY, AGAIN[0], "agar")
    return {
        "round.heading_change_deg": max(each.heading_change_deg for each in turns),
        "round.tail_bend": max(each.band_depth[-1] for each in turns),
        "round.speed_after_mm_s": min(each.speed_after_mm_s for each in turns),
        "back.speed_mm_s": max(each.speed_mm_s for each in backs),
        # The others are too short for fitting a wave.
        "back.travelling_r2": r2_backwards(backs[0]),
        "back.tail_amplitude": min(each.tail_amplitude for each in backs),
        "back.again": again["forward_speed_mm_s"],
    }


def steered(recording: tb.Recording, dropped: float) -> dict[str, float]:
    """Effect of the head on steering [deg/s per pA], and the lower of the two speeds."""
    rates, speeds = [], []
    for start in (0.0, SWITCH):
        numbers = piece(recording, start + dropped, start + SWITCH, "agar")
        kept = (recording.time >= start + dropped) & (recording.time <= start + SWITCH)
        stride = stride_of(numbers["wave_frequency_hz"])
        rates.append(turning_rate(recording.time[kept], recording.track().midline[kept], stride))
        speeds.append(numbers["forward_speed_mm_s"])
    return {"slope": (rates[0] - rates[1]) / (2.0 * STEERED), "speed": min(speeds)}


def piece(recording: tb.Recording, start: float, stop: float, medium: str) -> dict[str, float]:
    """Gait in a time window of a run [ms]."""
    kept = (recording.time >= start) & (recording.time <= stop)
    time, track = recording.time[kept], recording.worms[0]
    midline, dorsal = track.midline[kept], track.dorsal[kept]
    bend, s = curvature(midline, POINTS, dorsal), curvature_positions(POINTS)
    numbers = tb.behaviour.gait(time, midline, discard_ms=0.0, medium=medium, dorsal=dorsal).as_dict()
    size = bend.std(axis=0)
    numbers["head_over_middle"] = float(size[s < 0.15].mean() / size[(s > 0.38) & (s < 0.7)].mean())
    return numbers


def measured(runs: dict[str, dict[str, float] | None]) -> dict[str, float] | None:
    """Numbers of a candidate by range and metric, such as "water.travelling_r2"; None if a run diverged."""
    if None in runs.values():
        return None
    sources = {
        **runs,
        "backwards": {key.removeprefix("back."): value for key, value in runs["agar"].items() if "back." in key},
    }
    if set(runs) == set(SHORT):
        return {name: sources[run][metric] for name in SHORT_METRICS for run, metric in [name.split(".")]}
    without = (runs["without D"], runs["without D again"])
    speed, r2 = (sum(run[name] for run in without) / 2.0 for name in ("forward_speed_mm_s", "travelling_r2"))
    share = speed / max(runs["agar"]["forward_speed_mm_s"], 1e-3)
    sources |= {
        "round": {key.removeprefix("round."): value for key, value in runs["agar"].items() if "round." in key},
        "without D": {"share": share, "travelling_r2": r2},
    }
    return {name: sources[run][metric] for name in METRICS for run, metric in [name.split(".")]}


def misses(numbers: np.ndarray) -> np.ndarray:
    """Deviations of values from their ranges, in units of the deviation that costs 1.

    Args:
        numbers: in the order of METRICS or of SHORT_METRICS, shape (..., metrics).
    """
    names = SHORT_METRICS if np.shape(numbers)[-1] == len(SHORT_METRICS) else METRICS
    low, high, unit = np.array([RANGES[run][metric] for name in names for run, metric in [name.split(".")]]).T
    missed = np.maximum(np.maximum(low - numbers, numbers - high), 0.0) / unit
    return np.where(np.isfinite(numbers), np.minimum(missed, MOST_MISSED), MOST_MISSED)


def cost(numbers: np.ndarray) -> np.ndarray:
    """Sum over metrics of deviations, which saturate so that no single metric dominates."""
    return np.log1p(misses(numbers)).sum(axis=-1)


class Surface:
    """Linear response, with the curvature of each axis, of every quantity near the best candidate."""

    def __init__(self, points: np.ndarray, numbers: np.ndarray, radius: float) -> None:
        """
        Args:
            points: of the search space, shape (evaluations, parameters).
            numbers: shape (evaluations, metrics), NaN where a run had none.
            radius: distance at which an evaluation counts half.
        """
        costs = cost(numbers)
        self.best = points[np.argmin(costs)]
        distance = np.linalg.norm(points - self.best, axis=1) / math.sqrt(points.shape[1])
        near = np.argsort(distance)[:NEAREST]
        # Neighbours average out the noise of single runs: the best evaluation of a log is partly due to chance.
        weight = 1.0 / (1.0 + (distance[near] / radius) ** 2)
        filled = np.where(np.isfinite(numbers[near]), numbers[near], np.nanmedian(numbers, axis=0))
        terms = self._terms(points[near])
        ridge = RIDGE * np.diag([1e-6, *np.ones(points.shape[1]), *np.full(points.shape[1], 4.0)]) * radius**2
        left = (terms * weight[:, None]).T @ terms + ridge * len(near)
        self._response = np.linalg.solve(left, (terms * weight[:, None]).T @ filled)

    def _terms(self, points: np.ndarray) -> np.ndarray:
        steps = points - self.best
        return np.concatenate([np.ones((len(points), 1)), steps, steps**2], axis=1)

    def cost(self, points: np.ndarray) -> np.ndarray:
        """Predicted cost at points of the search space."""
        return cost(self._terms(points) @ self._response)

    def descend(self, rng: np.random.Generator, radius: float, tries: int = 4000) -> np.ndarray:
        """A point of low predicted cost within a radius (root mean square over parameters) of the best."""
        size = math.sqrt(len(self.best))
        here, value = self.best.copy(), float(self.cost(self.best[None])[0])
        for scale in (1.0, 0.5, 0.25, 0.12):
            for _ in range(tries // 400):
                steps = here + rng.normal(0.0, scale * radius, (100, len(here))) * (rng.random((100, len(here))) < 0.3)
                reach = np.linalg.norm(steps - self.best, axis=1) / size
                steps = self.best + (steps - self.best) * np.minimum(1.0, radius / np.maximum(reach, 1e-12))[:, None]
                predicted = self.cost(steps)
                if predicted.min() < value:
                    here, value = steps[np.argmin(predicted)], float(predicted.min())
        return here


def next_points(known: list[dict], number: int, seed: int, radius: float) -> np.ndarray:
    """Points of one generation, which depend only on the log, the seed and the number."""
    rng = np.random.default_rng([seed, number])
    done = [row for row in known if row["numbers"] is not None]
    if len(done) < 2 * POPULATION:
        points = rng.normal(0.0, radius, (POPULATION, len(SEARCHED)))
        points[0] *= 0.0 if number == 0 else 1.0
        return points
    surface = Surface(np.array([row["x"] for row in done]), np.array([_listed(row["numbers"]) for row in done]), radius)
    points = [surface.descend(rng, radius * reach) for reach in np.linspace(0.3, 1.2, POPULATION - EXPLORERS)]
    points += [surface.best + rng.normal(0.0, 0.7 * radius, len(SEARCHED)) for _ in range(EXPLORERS)]
    return np.array(points)


def _listed(numbers: dict[str, float | None]) -> list[float]:
    return [math.nan if value is None else value for value in numbers.values()]


def generation(
    pools: dict, points: np.ndarray, start: dict[str, float], replayed: list[dict], number: int, short: bool
) -> Iterator[dict]:
    """Yield the rows of one generation, first those already in the log."""
    yield from replayed
    fresh = points[len(replayed) :]
    values = [candidate(x, start) for x in fresh]
    # All runs of a candidate precede those of the next, so that an interrupted search loses only one candidate.
    runs = SHORT if short else tuple(RUNS)
    jobs = [(run, each, seed_of(run, number), short) for each in values for run in runs]
    results = [pools[RUNS[job[0]][0]].apply_async(numbers_of, (job,)) for job in jobs]
    for k, (x, each) in enumerate(zip(fresh, values, strict=True)):
        its = results[k * len(runs) : (k + 1) * len(runs)]
        numbers = measured({run: result.get() for run, result in zip(runs, its, strict=True)})
        total = float(cost(np.array(list(numbers.values())))) if numbers else MOST_MISSED * len(SEARCHED)
        if numbers:
            numbers = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
        yield {"cost": total, "generation": number, "x": list(x), "numbers": numbers, "parameters": each}


def seed_of(run: str, number: int) -> int:
    """Seed of the noise and the initial state of a run of a generation."""
    return FIRST_SEED + number + (500 if run.endswith("again") else 0)


def line_of(row: dict) -> str:
    """One line of output for an evaluation."""
    if not row["numbers"]:
        return f"cost {row['cost']:6.2f}  diverged"
    n = defaultdict(lambda: math.nan)
    n |= {name: value for name, value in row["numbers"].items() if value is not None}
    return (
        f"cost {row['cost']:6.2f}  agar {n['agar.forward_speed_mm_s']:.3f} mm/s {n['agar.wave_frequency_hz']:.2f} Hz "
        f"{n['agar.wave_length']:.2f} L R2 {n['agar.travelling_r2']:.2f} head {n['agar.travelling_r2_head']:.2f} "
        f"CV {n['agar.speed_cv_along']:.2f} {n['agar.speed_cv_in_time']:.2f}  back {n['backwards.speed_mm_s']:.2f} R2 "
        f"{n['backwards.travelling_r2']:.2f}  turn {n['round.heading_change_deg']:.0f}  "
        f"steer {n['steered.slope']:+.1f} {n['steered.speed']:.2f}  "
        f"no D {n['without D.share']:.2f} R2 {n['without D.travelling_r2']:.2f}  "
        f"water {n['water.forward_speed_mm_s']:.3f} mm/s {n['water.wave_frequency_hz']:.2f} Hz "
        f"{n['water.wave_length']:.2f} L R2 {n['water.travelling_r2']:.2f} tail {n['water.tail_over_middle']:.2f}  "
        f"off {n['off, agar.travelling_r2']:.2f} {n['off, water.forward_speed_mm_s']:.2f}"
    )


def arguments() -> argparse.Namespace:
    """Command line of the search."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("output/fit_gaits"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--radius", type=float, default=0.12, help="size of a step, in units of the search")
    parser.add_argument("--evaluations", type=int, default=200)
    parser.add_argument(
        "--short", action="store_true", help="without turns and without the worm that lacks D neurons, twice as fast"
    )
    parser.add_argument("--start", type=Path, help="JSON with the parameter values to start from")
    return parser.parse_args()


def same_settings(path: Path, settings: dict) -> None:
    """Check that a log was made with the same settings.

    Raises:
        ConfigError: if it was not.
    """
    kept = {key: value for key, value in settings.items() if key not in ("out", "evaluations", "start")}
    wanted = json.dumps(kept, indent=1)
    if path.exists() and path.read_text(encoding="utf-8") != wanted:
        raise tb.ConfigError(f"{path.parent} contains a search with other settings: choose another --out")
    path.write_text(wanted, encoding="utf-8")


def main() -> None:
    """Run or resume the search."""
    args = arguments()
    if args.evaluations < 1:
        raise SystemExit("--evaluations must be at least 1")
    start = {**parameters.defaults(), **{name: constant(name) for name in TISSUE}}
    if args.start:
        start.update(json.loads(args.start.read_text(encoding="utf-8"))["parameters"])
    same_settings(prepare_folder(args.out) / "settings.json", {**vars(args), "from": start})
    log = args.out / "log.jsonl"
    logged = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []
    known: list[dict] = []
    context = multiprocessing.get_context("spawn")
    with contextlib.ExitStack() as stack:
        workers = dict.fromkeys(RUNS[run][0] for run in (SHORT if args.short else RUNS))
        pools = {each: stack.enter_context(context.Pool(1, quietly, (each,))) for each in workers}
        for number in range(math.ceil(args.evaluations / POPULATION)):
            points = next_points(known, number, args.seed, args.radius)
            replayed = logged[number * POPULATION : (number + 1) * POPULATION]
            for row in generation(pools, points, start, replayed, number, args.short):
                known.append(row)
                if len(known) > len(logged):
                    with log.open("a", encoding="utf-8") as lines:
                        lines.write(json.dumps(row) + "\n")
                print(f"{len(known):4d}  {line_of(row)}", flush=True)
            best = min(known, key=lambda each: each["cost"])
            (args.out / "best.json").write_text(json.dumps(best, indent=1), encoding="utf-8")
    print(f"best: {line_of(best)}; wrote log.jsonl and best.json in {args.out}")


if __name__ == "__main__":
    main()
