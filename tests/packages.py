"""Builds the source archive and the wheel, and uses the installed wheel as a stranger does: outside the checkout.

    python tests/packages.py                                        # with this Python (what CI does)
    python tests/packages.py python3.11 python3.12 python3.13       # with each of these

The wheel is built from the source archive, not from the checkout, and installed into a new environment of each Python.
There, in an empty folder and with no path to the checkout: compiling, both engines, a run with its report, an export.
One more installation goes to a folder of its own (`pip install --target`). Needs the package index; minutes per Python.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What a source archive must hold so that it can be tested, documented and used as a checkout.
IN_ARCHIVE = ("Makefile", "CHANGELOG.md", "LICENSE", "THIRD_PARTY.md", "ruff.toml", "mod/egl19.mod", "sims/cfg.py")
IN_ARCHIVE += ("tests/conftest.py", "docs/index.md", "benchmarks/scale.py", "connectome/chemical.csv")
IN_ARCHIVE += ("morphologies/AVAL.swc", "tianbao/engine/kernel.c")
CONFIG = """duration = 200.0
engine = "native"
"""
IN_PYTHON = """
import sys
import tianbao as tb
from tianbao import anatomy, mechanisms, paths
assert paths.checkout() is None, paths.checkout()
assert paths.data_root().is_relative_to(sys.argv[1]), paths.data_root()
assert len(anatomy.neurons()) == 302
both = [tb.Simulation(tb.Worm(), engine=each, progress=False).run(100.0) for each in ("neuron", "native")]
apart = abs(both[0].worms[0].midline - both[1].worms[0].midline).max()
assert apart < 1e-9, apart
"""


def call(*words: object, folder: Path, status: tuple[int, ...] = (0,), **variables: str) -> str:
    """Run a command in a folder, without anything that points to the checkout; its output.

    Args:
        words: of the command.
        folder: to run it in.
        status: exit statuses that count as success.
        variables: of the environment.

    Raises:
        SystemExit: it failed.
    """
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV", "MAKEFLAGS")}
    done = subprocess.run(
        [str(each) for each in words], cwd=folder, env={**kept, **variables}, capture_output=True, text=True
    )
    if done.returncode not in status:
        raise SystemExit(f"failed: {' '.join(map(str, words))}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


def environment(python: str, folder: Path) -> Path:
    """A new virtual environment; its Python."""
    call(python, "-m", "venv", folder, folder=folder.parent)
    return folder / "bin" / "python"


def install(python: Path, *what: object) -> None:
    """Install with pip."""
    call(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what, folder=python.parent)


def built(folder: Path) -> tuple[Path, Path]:
    """Source archive and wheel, the wheel built from the archive.

    Raises:
        SystemExit: one lacks what it should hold.
    """
    python = environment(sys.executable, folder / "builder")
    install(python, "build>=1,<2")
    call(python, "-m", "build", "--outdir", folder / "dist", ROOT, folder=folder)
    (archive,), (wheel,) = (list((folder / "dist").glob(each)) for each in ("*.tar.gz", "*.whl"))
    with tarfile.open(archive) as opened:
        held = {each.partition("/")[2] for each in opened.getnames()}
    if missing := [each for each in IN_ARCHIVE if each not in held]:
        raise SystemExit(f"{archive.name} lacks {', '.join(missing)}")
    with zipfile.ZipFile(wheel) as opened:
        shipped = {each for each in opened.namelist() if "/data/share/" in each or each.startswith("tianbao/")}
    tracked = call("git", "ls-files", "tianbao", "mod", "morphologies", "connectome", folder=ROOT).split()
    if missing := [each for each in tracked if not any(name.endswith(each) for name in shipped)]:
        raise SystemExit(f"{wheel.name} lacks {', '.join(missing)}")
    return archive, wheel


def used(python: Path, site: Path, folder: Path, **variables: str) -> None:
    """Use an installed package in an empty folder.

    Args:
        python: of the environment.
        site: where the package and its data must lie below.
        folder: empty; mechanisms are compiled below it, so that nothing of this machine's cache is used.
        variables: of the environment.
    """
    folder.mkdir()
    variables = {"TIANBAO_MECHS": str(folder / "mechs"), **variables}
    (folder / "own.toml").write_text(CONFIG)
    call(python, "-c", IN_PYTHON, site, folder=folder, **variables)
    tianbao = (python, "-m", "tianbao.cli")
    call(*tianbao, "doctor", folder=folder, **variables)
    run = (*tianbao, "run", "own.toml", "--out", "run", "--no-video")
    call(*run, folder=folder, status=(0, 1), **variables)  # 1: simulated, but too short to have crawled
    said = call(*tianbao, "info", "run", folder=folder, **variables)
    files = {each.name for each in (folder / "run").iterdir()}
    if not {"results.h5", "report.html", "config.toml"} <= files or "200 ms" not in said:
        raise SystemExit(f"the run left {sorted(files)} and `info` said: {said}")
    call(*tianbao, "export", "csv", "run", "--out", "table", folder=folder, **variables)


def main() -> None:
    """Build, then install and use with each Python."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pythons", nargs="*", default=[sys.executable], help="default: this one")
    asked = parser.parse_args().pythons
    with tempfile.TemporaryDirectory(prefix="tianbao-packages-") as name:
        folder = Path(name).resolve()
        archive, wheel = built(folder)
        print(f"built {archive.name} ({archive.stat().st_size / 1e6:.1f} MB) and {wheel.name}", flush=True)
        for count, each in enumerate(asked):
            python = environment(each, folder / f"environment{count}")
            install(python, wheel)
            used(python, folder / f"environment{count}", folder / f"work{count}")
            print(f"{call(python, '--version', folder=folder).strip()}: installed, compiled, ran", flush=True)
        install(python, "--no-deps", "--target", folder / "target", wheel)
        call(python, "-m", "pip", "uninstall", "--quiet", "--yes", "tianbao", folder=folder)
        used(python, folder / "target", folder / "targeted", PYTHONPATH=str(folder / "target"))
        print("the same from a folder of its own (pip install --target)", flush=True)


if __name__ == "__main__":
    main()
