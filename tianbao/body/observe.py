"""What can be read off the body's vertices: midline and curvature."""
# Annotations are read at run time by the kernel compiler: no postponed evaluation here.

from . import backend
from .backend import ti
from .mesh import RING

R2 = ti.types.ndarray(dtype=ti.f64, ndim=2)
R3 = ti.types.ndarray(dtype=ti.f64, ndim=3)
T = ti.template()
Vec3 = ti.types.vector(3, ti.f64)


@ti.func
def _centre(x: T, worm, ring):
    """Mean of the outer vertices of a ring [mm]."""
    total = Vec3(0.0)
    for corner in range(1, RING):
        for i in ti.static(range(3)):
            total[i] += x[worm, ring * RING + corner, i]
    return total / (RING - 1)


@ti.kernel
def read_midline(x: R3, out: R3):
    """Mean of the outer vertices of every ring [mm]."""
    ti.loop_config(serialize=backend.serial)
    for worm, ring in ti.ndrange(out.shape[0], out.shape[1]):
        centre = _centre(x, worm, ring)
        for i in ti.static(range(3)):
            out[worm, ring, i] = centre[i]


@ti.kernel
def read_curvature(x: R3, length: ti.f64, out: R2):
    """Curvature of the midline seen from above, times the rest length, positive towards dorsal."""
    ti.loop_config(serialize=backend.serial)
    for worm, inner in ti.ndrange(out.shape[0], out.shape[1]):
        here = _centre(x, worm, inner + 1)
        ahead = here - _centre(x, worm, inner)
        behind = _centre(x, worm, inner + 2) - here
        clockwise = ahead[1] * behind[0] - ahead[0] * behind[1]
        turn = ti.atan2(clockwise, ahead[0] * behind[0] + ahead[1] * behind[1])
        out[worm, inner] = 2.0 * length * turn / (ahead.norm() + behind.norm())
