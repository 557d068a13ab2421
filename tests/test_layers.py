"""The arrows of docs/architecture.md hold, and the code follows the project's rules."""

from __future__ import annotations

import ast
import csv
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tianbao"
MODULES = sorted(PACKAGE.rglob("*.py"))

LOOP_PACKAGES = ("anatomy", "cells", "network", "muscles", "body", "environment", "sensing", "engine", "loop")
OUTER_PACKAGES = ("behaviour", "io", "view", "sweeps", "learning", "cli")
# Where each heavy package may be imported, as path prefixes below tianbao/.
HOMES = {
    "neuron": ("cells/", "network/", "engine/", "electrophysiology/", "validation/", "mechanisms/"),
    "taichi": ("backend.py",),
    "quadrants": ("backend.py",),
    "netpyne": ("network/", "io/"),
    "matplotlib": ("view/", "paths.py"),
    "imageio_ffmpeg": ("view/",),
    "h5py": ("io/",),
    "tqdm": ("progress.py",),
    "pyvista": ("view/",),
    "ray": ("ray_cluster.py",),
    "pynwb": ("io/",),
    "neuroml": ("io/",),
    "gymnasium": ("learning/",),
    "pettingzoo": ("learning/",),
    "torch": (),  # the user's own
    "stable_baselines3": (),
}


def place(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def imports(path: Path) -> list[tuple[str, int]]:
    """Absolute names a module imports, wherever in it: inside functions and for type checkers as well."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    here = ["tianbao", *path.relative_to(PACKAGE).with_suffix("").parts]
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            base = here[: -node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found += [(f"{module}.{alias.name}", node.lineno) for alias in node.names]
    return found


@pytest.mark.parametrize("package", HOMES)
def test_heavy_packages_are_imported_only_at_home(package):
    strays = [
        f"{place(path)}:{line}"
        for path in MODULES
        if not place(path).startswith(HOMES[package])
        for name, line in imports(path)
        if name.split(".")[0] == package
    ]
    assert not strays


def test_packages_inside_the_loop_do_not_import_outer_ones():
    strays = [
        f"{place(path)}:{line} imports {name}"
        for path in MODULES
        if place(path).split("/")[0] in LOOP_PACKAGES
        for name, line in imports(path)
        if name.startswith(tuple(f"tianbao.{each}" for each in OUTER_PACKAGES))
    ]
    assert not strays


def test_the_import_reader_sees_relative_imports():
    names = {name for name, _ in imports(PACKAGE / "loop" / "simulation.py")}
    assert {"tianbao.recording.Recording", "tianbao.loop.observers.DivergenceGuard", "tianbao.anatomy"} <= names


def test_the_import_reader_sees_imports_in_functions_and_for_type_checkers():
    names = {name for name, _ in imports(PACKAGE / "recording.py")}
    assert {"tianbao.io.hdf5.save_recording", "tianbao.view.plots.Plots"} <= names
    assert {"tianbao.worm", "tianbao.loop"} <= arrows()["tianbao"]


def arrows() -> dict[str, set[str]]:
    """Each file of the package, by its module, with those that it imports."""
    named = {".".join(["tianbao", *path.relative_to(PACKAGE).with_suffix("").parts]): path for path in MODULES}
    named = {name.removesuffix(".__init__"): path for name, path in named.items()}
    found = {name: {target for target, _ in imports(path)} for name, path in named.items()}

    def file_of(name: str) -> str:
        return name if name in named or "." not in name else file_of(name.rpartition(".")[0])

    return {name: {file_of(target) for target in targets} & set(named) for name, targets in found.items()}


def circles(arrows: dict[str, set[str]]) -> set[frozenset[str]]:
    """Groups of files, each of which imports every one of its group, itself too, directly or by way of others."""

    def reached(start: str) -> set[str]:
        seen, left = set(), [start]
        while left:
            left += (new := arrows[left.pop()] - seen)
            seen |= new
        return seen

    reach = {each: reached(each) for each in arrows}
    return {frozenset(other for other in reach[each] if each in reach[other]) for each in arrows} - {frozenset()}


def test_a_circle_is_found_with_all_its_files_and_no_others():
    found = circles({"a": {"b"}, "b": {"c", "e"}, "c": {"a"}, "d": {"a"}, "e": {"f"}, "f": {"e"}, "g": set()})
    assert found == {frozenset("abc"), frozenset("ef")}


def test_no_circles_between_files_of_the_package():
    imported = arrows()
    found = [
        ", ".join(f"{each} imports {other}" for each in sorted(circle) for other in sorted(imported[each] & circle))
        for circle in circles(imported)
    ]
    assert not found, "\n".join(["files that import each other:", *found])


def test_importing_tianbao_starts_nothing_heavy():
    heavy = ("neuron", "netpyne", "taichi", "pandas", "matplotlib", "numpy", "h5py")
    code = f"import tianbao, sys; print([name for name in {heavy} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout.strip() == "[]"


def test_measures_are_reached_without_an_import_of_their_own():
    code = "import tianbao as tb; print(tb.behaviour.gait.__name__, tb.anatomy.__name__)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout.split() == ["gait", "tianbao.anatomy"]


def calls(path: Path) -> list[tuple[str, int]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [(ast.unparse(node.func), node.lineno) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def test_the_library_does_not_print_or_exit():
    speakers = ("cli/", "anatomy/build/__main__.py")
    strays = [
        f"{place(path)}:{line} calls {name}"
        for path in MODULES
        if not place(path).startswith(speakers)
        for name, line in calls(path)
        if name == "print" or (name in ("exit", "quit", "sys.exit") and not _guarded(path, line))
    ]
    assert not strays


def _guarded(path: Path, line: int) -> bool:
    """Whether a line is under `if __name__ == "__main__"`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    mains = [node for node in tree.body if isinstance(node, ast.If) and "__main__" in ast.unparse(node.test)]
    return any(node.lineno <= line <= node.end_lineno for node in mains)


def test_no_module_is_a_drawer_for_odds_and_ends():
    assert not {path.stem for path in MODULES} & {"utils", "helpers", "misc", "common"}


def test_files_stay_short_enough_to_read():
    long = {place(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert not {name: count for name, count in long.items() if count > 400}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.csv")), ids=place)
def test_every_row_of_data_names_its_source(path):
    with open(path, newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert rows
    if "source" in rows[0]:
        empty = [number for number, row in enumerate(rows, start=2) if not (row["source"] or "").strip()]
        assert not empty, f"{place(path)}: rows {empty} have no source"


def test_nothing_committed_names_a_machine():
    listed = [*MODULES, *ROOT.glob("*.md"), ROOT / "Makefile", ROOT / "setup.cfg", *ROOT.glob("sims/*.py")]
    strays = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in listed
        for word in ("/home/", "/root/", "/Users/", "/work/")
        if word in path.read_text(encoding="utf-8")
    ]
    assert not strays


def test_every_public_name_is_documented():
    # Methods of private classes and functions inside functions included: a reader meets them as well.
    bare = [
        f"{place(path)}:{node.lineno} {node.name}"
        for path in MODULES
        for node in definitions(ast.parse(path.read_text(encoding="utf-8")))
        if not (node.name.startswith("_") or ast.get_docstring(node) or _is_setter(node))
    ]
    assert not bare


def definitions(tree: ast.AST) -> list[ast.FunctionDef | ast.ClassDef]:
    return [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))]


def _is_setter(node: ast.AST) -> bool:
    return any(ast.unparse(decorator).endswith(".setter") for decorator in node.decorator_list)


def test_a_simulation_leaves_the_first_import_of_neuron_to_mechanisms():
    # NEURON loads a compiled folder of the current directory while it is imported; only mechanisms guards it.
    code = "import sys, tianbao.loop, tianbao.network.assembly; sys.exit('neuron' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
