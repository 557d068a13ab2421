"""Headless use is quiet, quick to import and opens no window."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from synthetic import recording

WINDOWS = ("tkinter", "_tkinter", "PyQt5", "PyQt6", "PySide2", "PySide6", "wx", "gi", "pyvista", "vtk", "vtkmodules")


def fresh(code: str, *arguments: object) -> subprocess.CompletedProcess:
    """Run code in a process of its own, without a display."""
    gone = ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND")
    environment = {key: value for key, value in os.environ.items() if key not in gone}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_tianbao_is_imported_in_less_than_a_fifth_of_a_second():
    code = "import time; start = time.perf_counter(); import tianbao; print(time.perf_counter() - start)"
    # The best of several: a busy machine slows a single one down.
    assert min(float(fresh(code).stdout) for _ in range(5)) < 0.2


def test_results_and_runs_say_nothing_and_open_no_window(tmp_path):
    recording(duration=4000.0).save(tmp_path / "results.h5")
    code = f"""if True:
        import logging, sys, tianbao as tb
        for name in tb.__all__:
            getattr(tb, name)
        out = sys.argv[1]
        run = tb.open(out + "/results.h5")
        for name in ("curvature", "traces", "raster", "activity", "muscles", "track", "trajectory"):
            getattr(run.plot, name)(f"{{out}}/{{name}}.png")
        run.gait()
        run.frame()
        ours = logging.getLogger("tianbao")
        assert not logging.getLogger().handlers and logging.getLogger().level == logging.WARNING
        assert not ours.handlers and ours.level == logging.NOTSET and ours.propagate
        assert "matplotlib.pyplot" not in sys.modules
        # NetPyNE imports pyplot, on the backend that has no window.
        run = tb.Simulation(tb.Worm().ablate("AVAL"), tb.Arena("agar"), seed=1, engine="native").run(60.0)
        import matplotlib
        assert len(run.time) == 3 and matplotlib.get_backend().lower() == "agg"
        found = [name for name in {WINDOWS} if name in sys.modules]
        sys.exit(f"opened {{found}}" if found else 0)
    """
    done = fresh(code, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(list(tmp_path.iterdir())) == 8


REFUSAL = "import sys; from tianbao.cli import main; status = main(['run', '--set', 'sede=1'])"


def test_a_refusal_of_the_command_line_loads_neither_neuron_nor_taichi():
    done = fresh(f"{REFUSAL}; print(status, *({{'neuron', 'taichi', 'netpyne'}} & {{*sys.modules}}))")
    assert done.stdout.split() == ["2"]


@pytest.mark.slow
def test_a_refusal_of_the_command_line_is_quick():
    started = time.perf_counter()
    assert fresh(f"{REFUSAL}; sys.exit(status)").returncode == 2
    assert time.perf_counter() - started < 5.0


def test_no_module_of_learning_imports_neuron_before_its_mechanisms():
    code = """if True:
        import importlib, pkgutil, sys, tianbao.learning
        for each in pkgutil.iter_modules(tianbao.learning.__path__, "tianbao.learning."):
            importlib.import_module(each.name)
        sys.exit("neuron" in sys.modules)
    """
    done = fresh(code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_modules_of_the_engine_import_neuron_quietly():
    done = fresh("import tianbao.engine.adjoint, tianbao.engine.neuron_brain, tianbao.engine.reader")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
