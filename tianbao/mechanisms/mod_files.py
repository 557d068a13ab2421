"""The .mod files of a folder and what NEURON calls their mechanisms; what it would refuse is one sentence here."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..engine.nmodl import mechanism_name
from ..errors import MechanismError

# What every NEURON has before it loads anything.
_BUILT_IN = """
    morphology capacitance extracellular fastpas pas hh na_ion k_ion ca_ion IClamp AlphaSynapse ExpSyn Exp2Syn
    SEClamp VClamp APCount NetStim IntFire1 IntFire2 IntFire4 PointProcessMark PatternStim
"""


def find(folder: Path) -> list[Path]:
    """The .mod files that NEURON would compile, sorted by name: not hidden ones, not folders.

    Raises:
        MechanismError: for a name or a link that NEURON cannot compile.
    """
    # macOS leaves `._name.mod` beside files on foreign disks; nrnivmodl passes over all hidden files.
    found = sorted(path for path in folder.glob("*.mod") if not path.name.startswith(".") and not path.is_dir())
    for path in found:
        if not path.is_file():
            raise MechanismError(f"{path} cannot be read: it is a link to nothing, or no regular file; remove it")
        if not f"_{path.stem}".isidentifier():
            raise MechanismError(
                f"{path}: NEURON cannot compile a file of this name; rename it with letters, digits and underscores"
            )
    return found


def text(path: Path) -> str:
    """Content of a .mod file, one character for each byte: comments may be in any encoding.

    Raises:
        MechanismError: if it cannot be read.
    """
    try:
        return path.read_text(encoding="latin-1")
    except OSError as error:
        raise MechanismError(f"{path} cannot be read ({error.strerror}): allow it, or remove the file") from error


def names(paths: Iterable[Path]) -> dict[str, Path]:
    """Mechanisms that .mod files define, in their order; a file with `SUFFIX nothing` defines none.

    Raises:
        MechanismError: if NEURON could not read or load one of them, or if two have one name.
    """
    found: dict[str, Path] = {}
    for path in paths:
        name = mechanism_name(text(path), path.name)
        if name is None:
            continue
        if name in found:
            raise MechanismError(
                f"{found[name]} and {path} both define the mechanism '{name}': give one another SUFFIX, or remove it"
            )
        if name in _BUILT_IN.split():
            raise MechanismError(f"{path}: NEURON has a mechanism '{name}' of its own; give this one another SUFFIX")
        found[name] = path
    return found
