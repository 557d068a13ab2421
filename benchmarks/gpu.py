"""How many worms a graphics card integrates in real time: brains, and bodies through Taichi.

Prints, for 1 to 10,000 worms in double and in single precision, worms per real time (worms times simulated time over
wall time), the largest difference of a soma from the C engine, and the memory per worm; then bodies alone. It takes a
few minutes, and stops at --budget. Without a card it says so and exits with 2.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

COUNTS = (1, 100, 1_000, 10_000)
TICK = 4.0  # [ms], in which the loop hands over inputs and muscles


def system(precision: str):
    """The default worm's nervous system."""
    import tianbao as tb
    from tianbao.engine.population import compiled

    return compiled(tb.Worm().design(np.arange(1, 48) / 48), precision)


def voltages(found, worms: int) -> np.ndarray:
    """Different initial voltages of all worms [mV], shape (worms, cells); those of the first are always the same."""
    return np.random.default_rng(0).uniform(-70.0, -40.0, (worms, int(found.cell.max()) + 1))


def error(found, dt: float, threads: int, duration: float) -> float:
    """Largest difference of a soma's voltage from the C engine, at every tick of a run [mV]."""
    from tianbao.engine.compiled_brain import CompiledBrain
    from tianbao.engine.cuda import CudaBrains
    from tianbao.engine.driver import CudaDevice

    card, processor = CudaBrains(found, 1, CudaDevice(threads=threads)), CompiledBrain(found)
    card.start(voltages(found, 1), dt, 1)
    processor.start(voltages(found, 1)[0], dt, 1)
    worst = 0.0
    for k in range(1, round(duration / TICK) + 1):
        for each in (card, processor):
            each.advance(k * TICK)
        worst = max(worst, float(np.abs(card.voltage[0] - processor.voltage).max()))
    return worst


def brains(found, worms: int, dt: float, threads: int, longest: float) -> tuple[float, float]:
    """Wall time [s] per simulated second of a batch, tick by tick with its copies, and wall time of its start."""
    from tianbao.engine.cuda import CudaBrains
    from tianbao.engine.driver import CudaDevice

    batch = CudaBrains(found, worms, CudaDevice(threads=threads))
    started = time.perf_counter()
    batch.start(voltages(found, worms), dt, 1)
    built = time.perf_counter() - started
    batch.advance(TICK)
    started, ticks = time.perf_counter(), 0
    while ticks < 250 and time.perf_counter() - started < longest:
        ticks += 1
        batch.advance((ticks + 1) * TICK)
    wall = time.perf_counter() - started
    if not np.isfinite(batch.voltage).all():
        raise SystemExit(f"{worms} brains on the card ended with voltages that are no numbers")
    return wall / (ticks * TICK * 1e-3), built


def bodies(worms: int, longest: float) -> float:
    """Wall time [s] per simulated second of bodies that bend on agar."""
    from tianbao.body import SoftBody

    body = SoftBody(worms=worms, device="cuda", compiled=False)
    tension = np.zeros((worms, 48, 4))
    tension[:, :, :2] = 3.0 * body.tension_per_curvature()[:, None]
    body.step(tension, TICK)  # compiles
    started, ticks = time.perf_counter(), 0
    while ticks < 25 and time.perf_counter() - started < longest:
        ticks += 1
        body.step(tension, TICK)
    body.midline()  # waits for the card
    return (time.perf_counter() - started) / (ticks * TICK * 1e-3)


def of_brains(args: argparse.Namespace, until: float) -> None:
    """Measure and print the brains."""
    from tianbao.engine.block import Plan, memory
    from tianbao.errors import ConfigError

    for precision in ("f64", "f32"):
        found = system(precision)
        shared, own = memory(Plan(found.network))
        print(f"{precision}: {own / 1e6:.2f} MB per worm and {shared / 1e6:.1f} MB for all;", end=" ")
        print(f"at most {error(found, args.dt, args.threads, 200.0):.2g} mV from the C engine over 200 ms")
        for worms in args.worms:
            if time.perf_counter() > until:
                print(f"  {worms:6d} worms: not measured, the time is up")
                continue
            try:
                wall, built = brains(found, worms, args.dt, args.threads, 10.0)
            except ConfigError as refused:
                print(f"  {worms:6d} worms: {refused}")
                continue
            rate = f"{worms / wall:9.1f} worms in real time"
            print(f"  {worms:6d} worms: {rate}, {wall:.4f} s per biological second, {built:.2f} s to start")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worms", type=int, nargs="+", default=list(COUNTS))
    parser.add_argument("--dt", type=float, default=0.5, help="step of the brains [ms]")
    parser.add_argument("--threads", type=int, default=128, help="of a block")
    parser.add_argument("--budget", type=float, default=480.0, help="no measurement starts after so many seconds")
    parser.add_argument("--no-bodies", action="store_true")
    args = parser.parse_args()
    from tianbao.engine.driver import CudaDevice
    from tianbao.engine.nvrtc import architectures
    from tianbao.errors import ConfigError

    until = time.perf_counter() + args.budget
    try:
        card = CudaDevice(threads=args.threads)
        architectures()
    except ConfigError as error:
        print(error)
        sys.exit(2)
    print(
        f"{card.name}, compute capability {card.architecture / 10}, blocks of {args.threads} threads, dt {args.dt} ms"
    )
    card.close()
    of_brains(args, until)
    for worms in () if args.no_bodies else args.worms:
        if time.perf_counter() > until:
            print(f"  {worms:6d} bodies: not measured, the time is up")
            continue
        try:
            wall = bodies(worms, 20.0)
        except (ConfigError, RuntimeError) as refused:
            print(f"  {worms:6d} bodies: {refused}")
            continue
        print(f"  {worms:6d} bodies: {worms / wall:9.1f} worms in real time, {wall:.4f} s per biological second")


if __name__ == "__main__":
    main()
