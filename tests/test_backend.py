"""The kernels run alike on Taichi and on its maintained fork, and start fast once they are compiled."""

import importlib.util
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from tianbao.backend import BACKEND_VARIABLE, BACKENDS

# A worm that bends, touches a wall and stirs the fluid: every room with kernels.
PROGRAM = """
import numpy as np, sys
from tianbao.body import SoftBody
from tianbao.environment import Medium, Plane
body = SoftBody(medium=Medium.newtonian(1.0), obstacles=[Plane((0.0, -0.05, 0.0), (0.0, 1.0, 0.0))], touching=True,
                resolved=True)
tension = np.zeros((1, 48, 4))
tension[:, :, :2] = 3.0 * body.tension_per_curvature()[:, None]
for _ in range(5):
    body.step(tension, 4.0)
np.save(sys.argv[1], body.midline())
"""


# The body as a simulation on agar starts it.
START = """
import numpy as np
from tianbao.body import SoftBody
SoftBody(touching=True).step(np.zeros((1, 48, 4)), 4.0)
"""


def run(backend, out):
    environment = {**os.environ, BACKEND_VARIABLE: backend}
    subprocess.run([sys.executable, "-c", PROGRAM, str(out)], check=True, env=environment)
    return np.load(out)


@pytest.mark.skipif(importlib.util.find_spec("quadrants") is None, reason="quadrants is not installed")
def test_fork_gives_the_same_motion(tmp_path):
    taichi, quadrants = (run(backend, tmp_path / f"{backend}.npy") for backend in BACKENDS)
    assert np.abs(taichi - quadrants).max() < 1e-9


@pytest.mark.slow
def test_second_start_of_the_body_takes_less_than_three_seconds():
    for _ in range(2):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", START], check=True)
    assert time.perf_counter() - started < 3.0
