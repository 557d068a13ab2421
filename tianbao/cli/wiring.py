"""`tianbao connectomes`: list built-in connectomes. `tianbao check`: check user-supplied wiring or cells."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import AnatomyError, unknown

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from ..anatomy import CellSource, Connectome, Morphology

_PARTS = re.compile("[+@]")  # how a text joins connectomes, see `anatomy.connectome`
_CONNECTOMES = """\
examples:
  tianbao connectomes                  # names, size, source
  tianbao connectomes white1986        # one of them, compared with cook2019
  tianbao run crawl.toml --set worm.connectome=white1986
"""
_CHECK = """\
examples:
  tianbao check my_wiring.csv          # columns pre, post, kind, em_sections; sign if known
  tianbao check AVAL.swc               # one cell, in um and in the frame of the tracings
  tianbao check my_cells/              # a folder of such cells, for Worm(morphologies="my_cells/")
"""


def register(commands: _SubParsersAction) -> None:
    """Add `connectomes` and `check`."""
    listing = commands.add_parser(
        "connectomes",
        help="list the built-in connectomes, or describe one",
        description="Built-in connectomes: neurons, connections, what is counted, and sources.",
        epilog=_CONNECTOMES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    listing.add_argument(
        "name", nargs="?", help="one of them; A+B adds to A what it lacks from B, A@C takes the muscle connections of C"
    )
    listing.set_defaults(act=_connectomes)
    check = commands.add_parser(
        "check",
        help="check a wiring table (CSV), a cell (SWC) or a folder of cells, and summarise it",
        description="Check your own file without building a worm.",
        epilog=_CHECK,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    check.add_argument("path", help="FILE.csv, NEURON.swc or a folder of such cells")
    check.set_defaults(act=_check)


def _connectomes(args: argparse.Namespace) -> int:
    from ..anatomy import connectome, connectome_registry

    registry = connectome_registry()
    if args.name is not None:
        print(_about(connectome(_by_name(args.name, list(registry.index)))))
        for name in dict.fromkeys(_PARTS.split(args.name)):
            print(f"{name}: {registry.animal[name]}; counts {registry.counted[name]}; {registry.source[name]}")
        return 0
    shown = registry[["neurons", "chemical_pairs", "gap_pairs", "nmj_pairs", "animal", "source"]]
    shown = shown.assign(source=shown.source.str.split(";").str[0])
    print(shown.to_string())
    return 0


def _by_name(name: str, known: list[str]) -> str:
    """The name unchanged; files are for `tianbao check`."""
    for part in _PARTS.split(name):
        if part not in known:
            raise AnatomyError(f"{unknown('connectome', part, known)}; for your own file: tianbao check FILE")
    return name


_NOT_CHECKED = {
    ".toml": "tianbao run FILE --print-config checks a configuration",
    ".mod": "mod files are compiled, and so checked, by the next run (docs/extending.md)",
    ".wcon .hdf5 .zip": "tianbao import-track FILE --list checks a track",
    ".h5": "tianbao info FILE describes a result",
}
"""What else is given to `tianbao check`, by the end of its name."""


def _check(args: argparse.Namespace) -> int:
    from ..anatomy import connectome, own_cells, read_own_cell

    path = Path(args.path)
    if other := next((todo for ends, todo in _NOT_CHECKED.items() if path.suffix.lower() in ends.split()), None):
        raise AnatomyError(f"{path} is neither a table of connections nor a cell: {other}")
    if not os.path.exists(path):
        raise AnatomyError(f"no file or folder {path}: give a CSV, a SWC file or a folder of SWC files")
    if path.is_dir():
        print(_about_cells(own_cells(path)))
    elif path.suffix.lower() == ".swc":
        print(_about_cell(read_own_cell(path), path.name))
    else:
        print(_about(connectome(path)))
    return 0


def _about(wiring: Connectome) -> str:
    from ..anatomy import neurons

    chemical, gap, nmj = wiring.chemical, wiring.gap, wiring.nmj
    signs = chemical.sign.value_counts()
    lacking = sorted(set(neurons().index) - set(wiring.neurons))
    few = ", ".join(lacking[:12]) + (" ..." if len(lacking) > 12 else "")
    lines = [
        wiring.provenance,
        f"neurons with connections: {len(wiring.neurons)} of {len(neurons())}{f'; without: {few}' if lacking else ''}",
        f"chemical synapses: {len(chemical)} pairs, {chemical.em_sections.sum():.0f} EM sections; "
        f"{signs.get('excitatory', 0)} excitatory, {signs.get('inhibitory', 0)} inhibitory before predictions",
        f"gap junctions: {len(gap)} pairs, {gap.em_sections.sum():.0f} EM sections",
        f"neuromuscular junctions: {len(nmj)} pairs of {nmj.pre.nunique()} neurons on {nmj.muscle.nunique()} muscles",
    ]
    return "\n".join(lines)


def _about_cells(source: CellSource) -> str:
    from ..anatomy import neurons

    lines = [
        _about_cell(source.morphology(name), f"{source.folder}, sha256 {source.digest(name)[:12]}")
        for name in source.replaced
    ]
    return "\n".join([*lines, f"the other {len(neurons()) - len(lines)} neurons: traced, the supplied tracings"])


def _about_cell(cell: Morphology, origin: str) -> str:
    import numpy as np

    from ..anatomy import BodyFrame, morphology
    from ..anatomy.own_place import place_of

    length, traced = (
        np.linalg.norm(each.xyz[1:] - each.xyz[each.parent[1:]], axis=1).sum() for each in (cell, morphology(cell.name))
    )
    s = BodyFrame.standard().locate(cell.xyz).s
    place = place_of(cell)
    return (
        f"{cell.name}: {len(cell.xyz)} points, {len(cell.sections)} sections, {length:.0f} um of neurite "
        f"(traced: {traced:.0f}), from {s.min():.2f} to {s.max():.2f} of the body; own file ({origin}), its soma "
        f"{place.soma:.1f} um from the traced one, its points {place.points:.1f} um from the traced cell on average"
    )
