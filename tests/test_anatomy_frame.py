"""The straightened body keeps lengths and sides."""

from __future__ import annotations

import numpy as np
import pytest

from tianbao.anatomy import BodyFrame, match_neurons, morphology, muscles, nmj


@pytest.fixture(scope="module")
def frame():
    return BodyFrame.standard()


def located(frame, *patterns):
    return frame.locate(np.array([morphology(name).soma for name in match_neurons(*patterns)]))


def test_body_is_842_um_long(frame):
    assert frame.length == pytest.approx(842, abs=15)


def test_command_neurons_lie_head_to_tail(frame):
    assert located(frame, "AVAL").s[0] < 0.2
    assert located(frame, "PVCL").s[0] > 0.85


def test_cord_motor_neurons_lie_ventral_and_in_numbered_order(frame):
    for cls, count in {"DA": 9, "DB": 7, "VA": 12, "VB": 11, "VD": 13, "AS": 11}.items():
        somata = located(frame, *(f"{cls}{k}" for k in range(1, count + 1)))
        assert (somata.dorsal_um < 0.0).mean() > 0.85
        order = [located(frame, f"{cls}{k}").s[0] for k in range(3, count + 1)]
        assert order == sorted(order)
    assert (located(frame, "VA[2-9]", "VB[3-9]", "DB[3-6]").dorsal_um < -10.0).all()


def test_right_somata_lie_right_of_their_left_partners(frame):
    for name in ("AVA", "AVB", "PVC", "ALM", "PLM", "ASE", "AWC"):
        assert located(frame, f"{name}R").right_um[0] > 0.0 > located(frame, f"{name}L").right_um[0]


def test_dorsal_processes_of_dd_lie_dorsal_of_their_ventral_ones(frame):
    dd3 = frame.locate(morphology("DD3").resampled(1.0))
    assert dd3.dorsal_um.max() > 10.0
    assert dd3.dorsal_um.min() < -10.0


def test_body_coordinates_stay_within_the_body(frame):
    s = frame.locate(np.array([[0.0, -1000.0, 0.0], [0.0, 1000.0, 0.0]])).s
    assert s.tolist() == [0.0, 1.0]


def test_bent_body_is_straightened_exactly():
    # A mid line on an arc of radius 300 um: arc lengths and distances are known in closed form.
    radius, angle = 300.0, np.linspace(-1.0, 1.0, 81)
    bent = BodyFrame(np.column_stack([radius * np.sin(angle), radius * np.cos(angle)]), mid_plane=2.0)
    assert bent.length == pytest.approx(2.0 * radius, rel=1e-3)
    at, height = np.array([-0.7, 0.0, 0.4]), np.array([10.0, -20.0, 15.0])
    points = np.column_stack(
        [[5.0, 2.0, -1.0], (radius + height) * np.sin(at), (radius + height) * np.cos(at)]
    )
    found = bent.locate(points)
    assert found.s == pytest.approx((at + 1.0) / 2.0, abs=1e-3)
    assert found.dorsal_um == pytest.approx(height, abs=0.05)
    assert found.right_um == pytest.approx([-3.0, 0.0, 3.0])


def test_standard_frame_is_the_fit_to_the_tracings(frame):
    fitted = BodyFrame.fit(morphology(name) for name in match_neurons("*"))
    assert np.allclose(fitted.line, frame.line, atol=1e-3)


def weighted_mean(pairs):
    values, weights = zip(*pairs, strict=True)
    return np.average(values, weights=weights)


def test_muscle_rows_lie_along_the_processes_that_innervate_them(frame):
    # On each side a process stands for the muscles it reaches, at the median of its length there.
    sums = {}
    cord = nmj()[lambda table: table.pre.str.fullmatch(r"(DD|VD|DA|DB|AS|VA|VB)\d+")]
    for neuron, muscle, count in zip(cord.pre, cord.muscle, cord.em_sections, strict=True):
        body = frame.locate(morphology(neuron).resampled(1.0))
        side = body.dorsal_um > 0.0 if muscle[1] == "D" else body.dorsal_um < 0.0
        if side.any():
            sums.setdefault(muscle, []).append((np.median(body.s[side]) * frame.length, count))
    rows = {muscle: int(muscle[3:]) for muscle in sums if int(muscle[3:]) >= 9}
    measured = [weighted_mean(sums[muscle]) for muscle in rows]
    spacing, offset = np.polyfit(list(rows.values()), measured, 1)
    centres = muscles().s[list(rows)] * frame.length
    assert np.allclose(centres, offset + spacing * np.array(list(rows.values())), atol=0.5)
