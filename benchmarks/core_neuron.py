"""CoreNEURON, compiled for this machine, as a contestant of engines.py.

Its POINTERs reach voltages and mechanisms but not the vector through which the loop bends the worm. So
StretchReceptor is compiled here with `stretch` as a plain number, set once: the worm is bent and stays so.
It copies the model at every psolve, so that what counts is the cost of 200 ms more in one long call.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from race import Contestant, timed

_FLAGS = "-O3 -march=native -ffast-math"
_LONG = 300.0  # [ms]
_VERBATIM = re.compile(r"VERBATIM.*?ENDVERBATIM", re.DOTALL)


def worm_contestants() -> list[Contestant]:
    """The worm, bent once, in NEURON and in CoreNEURON from the same library."""
    from tianbao import mechanisms

    folder = compiled(mechanisms.sources())
    return [
        Contestant("NEURON, one long call", worm_run, {"folder": folder, "core": False}),
        Contestant("CoreNEURON, one long call", worm_run, {"folder": folder, "core": True}, "NEURON, one long call"),
    ]


def compiled(sources: Iterable[Path], core: bool = True) -> Path:
    """Compile .mod files in a temporary folder, for CoreNEURON too if asked; gives the folder of the libraries."""
    folder = Path(tempfile.mkdtemp(prefix="tianbao-coreneuron-"))
    (folder / "mod").mkdir()
    for source in sources:
        (folder / "mod" / source.name).write_text(without_pointers(source.read_text(encoding="utf-8")))
    command = shutil.which("nrnivmodl", path=sysconfig.get_path("scripts"))
    arguments = [command or "nrnivmodl", *(["-coreneuron", "-incflags", _FLAGS] if core else []), "mod"]
    environment = {"MAKEFLAGS": f"-j{os.cpu_count() or 1}", **os.environ}
    run = subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    found = list(folder.glob("*/libcorenrnmech.*" if core else "*/libnrnmech.*"))
    if run.returncode or not found:
        said = (run.stdout + run.stderr).strip().splitlines()[-30:]
        sys.exit("nrnivmodl failed; it said:\n" + "\n".join(said))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return found[0].parent


def use(folder: Path) -> None:
    """Say where CoreNEURON finds its mechanisms; before NEURON starts."""
    for library in folder.glob("libcorenrnmech.*"):
        os.environ["CORENEURONLIB"] = str(library)


def without_pointers(text: str) -> str:
    """NMODL text with POINTERs to our vectors turned into numbers of the instance."""
    for name in re.findall(r"^\s*POINTER\s+(\w+)", text, re.MULTILINE):
        text = re.sub(rf"POINTER\s+{name}", f"RANGE {name}", text)
        # An ASSIGNED that nobody assigns would start as 0.
        text = re.sub(rf"^(\s*){name} \((.*?)\)$", "", text, flags=re.MULTILINE)
        text = text.replace("PARAMETER {", f"PARAMETER {{\n    {name} = 0 (1)", 1)
    return _VERBATIM.sub("", text)


def worm_run(folder: Path, core: bool) -> Callable[[float], tuple[float, np.ndarray]]:
    """Build the worm on mechanisms that CoreNEURON knows; the function it gives ignores the duration."""
    from tianbao import mechanisms
    from tianbao.mechanisms import cache
    from tianbao.network.assembly import Network

    # The package looks for its compiled mechanisms there, by the digest of mod/.
    os.environ[cache.VARIABLE] = str(folder.parent / "mechs")
    cache.keep(mechanisms.library_name(), lambda path: shutil.copy(next(folder.glob("libnrnmech.*")), path), 1)
    use(folder)
    import worm_brain

    class WithoutPointers(Network):
        """The network whose receptors hold a number of their own."""

        def _connect_inputs(self) -> None:
            """Nothing: there is no POINTER to connect."""

    design = worm_brain.designed(2)
    network = WithoutPointers(design)
    parallel = network.sim.pc
    felt = design.stretch.weights @ worm_brain.bend(0.0)
    for receptor, stretch in zip(design.stretch.receptors, felt, strict=True):
        for point in network.receptors(receptor.neuron, "stretch"):
            point.stretch = stretch
    for name, current in zip(design.neurons, 1e-3 * design.bias(), strict=True):
        network.current_clamp(name).amp = current
    somas = [network.soma(name)(0.5) for name in design.neurons]

    def rest() -> None:
        """Set the voltages of a run's first moment."""
        for cell, start in zip(network.cells_in_order(), worm_brain.rest(design), strict=True):
            for section in cell:
                section.v = start

    return lambda _duration: marginal(parallel, somas, core, 0.5, rest)


def marginal(
    parallel, somas: list, core: bool, dt: float, rest: Callable[[], None], longer: float = _LONG
) -> tuple[float, np.ndarray]:
    """CPU seconds per further step of one long psolve, and the somas' voltages at its end, shape (1, cells)."""
    from neuron import coreneuron, h

    h.CVode().cache_efficient(True)
    h.dt, h.celsius, h.secondorder = dt, 20.0, 0
    coreneuron.enable, coreneuron.verbose = core, 0
    parallel.set_maxstep(10.0)
    parallel.setup_transfer()
    spent = []
    for duration in (longer / 3, longer):
        rest()
        h.finitialize()
        # CoreNEURON cuts the number of steps off, so that rounding in t would cost it the last one.
        until = duration + 0.25 * dt
        spent.append(timed(lambda until=until: parallel.psolve(until)))
    coreneuron.enable = False
    return (spent[1] - spent[0]) * dt / (longer * 2 / 3), np.array([[soma.v for soma in somas]])
