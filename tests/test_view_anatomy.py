"""Pictures of neurons, synapses and wiring show the network that is simulated."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from PIL import Image
from synthetic import recording

import tianbao as tb
from tianbao import anatomy
from tianbao.behaviour.midline import curvature_positions
from tianbao.body.mesh import radius_profile
from tianbao.network.rules import connection_rules
from tianbao.view import anatomy as view
from tianbao.view.activity import moments
from tianbao.view.nerves import Posture, nerves, tube, voltage_at, within_skin
from tianbao.view.raster import row_order


@pytest.fixture(scope="module")
def design():
    return tb.Worm().design(curvature_positions(49))


@pytest.fixture(scope="module")
def run():
    return recording(duration=2000.0)


def straight(points=49):
    line = np.zeros((points, 3))
    line[:, 0] = np.linspace(0.5, -0.5, points)
    return line


@pytest.fixture(scope="module")
def rules(design):
    return connection_rules(design)


@pytest.mark.parametrize("neuron", ["AVBL", "VB5"])
def test_every_connection_of_a_neuron_is_listed_once_with_its_weight(design, rules, neuron):
    found, tables = view.synapse_table(neuron, design), design.tables
    expected = {
        "output": tables.chemical.pre == neuron,
        "input": tables.chemical.post == neuron,
        "gap junction": (tables.gap.a == neuron) | (tables.gap.b == neuron),
        "muscle": tables.nmj.pre == neuron,
    }
    for kind, rows in expected.items():
        assert (found.kind == kind).sum() == rows.sum()
    total = sum(
        weight
        for rule in rules
        for pre, post, weight in zip(rule.pre, rule.post, rule.weights, strict=True)
        if neuron in (pre, post)
    )
    assert found.weight_ns.sum() == pytest.approx(1000.0 * total)


def test_synapses_sit_on_the_traced_shape(design):
    found = view.synapse_table("VB5", design)
    traced = anatomy.morphology("VB5").resampled(0.25)
    gap = np.linalg.norm(found[["x", "y", "z"]].to_numpy()[:, None] - traced[None], axis=-1).min(axis=1)
    soma = (found.section == "soma").to_numpy()
    assert gap[~soma].max() < 0.3


def test_cut_junctions_are_gone_from_the_picture_s_data():
    cut = tb.Worm().cut_gap_junctions("AVB*", "VB*").design(curvature_positions(49))
    found = view.synapse_table("AVBL", cut)
    assert "VB" not in set(found[found.kind == "gap junction"].partner_class)
    assert "DB" in set(found[found.kind == "gap junction"].partner_class)


def test_the_adjacency_holds_the_whole_conductance_of_the_network(design, rules):
    chemical, gap = view.class_matrices(design)
    signed = sum(
        rule.weights.sum() * (-1.0 if "inhibitory" in rule.label else 1.0)
        for rule in rules if "gap" not in rule.label
    )  # fmt: skip
    assert chemical.to_numpy().sum() == pytest.approx(1000.0 * signed)
    assert (gap == gap.T).all(axis=None)
    junctions = next(rule for rule in rules if rule.label == "gap")
    assert np.triu(gap.to_numpy()).sum() == pytest.approx(1000.0 * junctions.weights.sum())
    assert list(chemical.columns[-4:]) == ["muscle DL", "muscle DR", "muscle VL", "muscle VR"]
    assert chemical.loc["VD", "muscle VL"] < 0 < chemical.loc["VB", "muscle VL"]


@pytest.mark.parametrize(
    ("draw", "neuron"), [(view.plot_morphology, "AVAL"), (view.plot_morphology, "AIYL"), (view.plot_synapses, "VB5")]
)
def test_a_neuron_is_drawn(draw, neuron, tmp_path):
    pixels = np.asarray(Image.open(draw(neuron, tmp_path / "neuron.png")).convert("L"))
    assert pixels.shape[1] > 900 and pixels.std() > 10


def test_both_views_of_a_neuron_show_every_compartment():
    figure = view.plot_morphology("AS01")
    cell = tb.Worm().design(curvature_positions(49)).cells["AS1"]
    dots = [len(each.get_offsets()) for axes in figure.axes for each in axes.collections if len(each.get_offsets()) > 1]
    assert dots == [cell.compartments] * 2
    assert figure.get_suptitle().startswith("AS1: motor neuron, ACh")


def test_the_wiring_is_drawn_in_one_or_two_panels():
    assert len(view.plot_connectome(kind="gap").axes) == 2
    with pytest.raises(tb.ConfigError, match="did you mean 'gap'"):
        view.plot_connectome(kind="gaps")


@pytest.mark.parametrize("draw", [view.plot_morphology, view.plot_synapses])
def test_an_unknown_neuron_is_refused_with_the_nearest(draw):
    with pytest.raises(tb.AnatomyError, match="did you mean 'AVAL'"):
        draw("AVAl")


def test_a_straight_worm_carries_its_neurons_where_they_were_traced():
    shape = nerves()
    placed = Posture(straight()).place(shape.at)
    assert placed[:, 0] == pytest.approx(0.5 - shape.at.s, abs=1e-9)
    # Dorsal is +y and right +z in a worm whose head lies at larger x.
    assert placed[:, 1] == pytest.approx(1e-3 * shape.at.dorsal_um, abs=1e-9)
    assert placed[:, 2] == pytest.approx(1e-3 * shape.at.right_um, abs=1e-9)
    assert len(shape.names) == 302 and len(shape.segments) == len(shape.neuron) - 302


def test_neurons_stay_inside_the_skin_and_keep_their_distance_when_the_worm_bends(run):
    shape = nerves()
    reach = np.hypot(shape.at.dorsal_um, shape.at.right_um)
    assert (reach <= 1e3 * radius_profile(shape.at.s)).all()
    again = within_skin(shape.at)
    assert np.allclose(again.dorsal_um, shape.at.dorsal_um)
    line = run.track().midline[50]
    placed, axis = Posture(line).place(shape.at), Posture(line).place(shape.at._replace(
        dorsal_um=np.zeros_like(reach), right_um=np.zeros_like(reach)))  # fmt: skip
    assert np.linalg.norm(placed - axis, axis=1) == pytest.approx(1e-3 * reach, abs=1e-9)


def test_a_rolled_worm_takes_its_neurons_along():
    up = np.zeros((49, 3))
    up[:, 2] = 1.0
    at = tube(np.array([0.5]), np.array([0.0]))
    assert Posture(straight(), up).place(at)[0, 2] == pytest.approx(0.035, rel=0.02)
    assert Posture(straight()).place(at)[0, 1] == pytest.approx(0.035, rel=0.02)


def test_a_neuron_that_was_not_recorded_has_no_voltage(run):
    track = run.track()
    values = dict(zip(nerves().names, voltage_at(track, 1000.0), strict=True))
    sample = list(track.voltage_time).index(1000.0)
    assert values["DB4"] == track.voltage[sample, track.neurons.index("DB4")]
    assert np.isnan(values["AVAR"]) and sum(np.isfinite(list(values.values()))) == len(track.neurons)


def test_rows_of_the_raster_are_grouped_and_in_natural_order():
    order = row_order(["VB10", "VB2", "AVAL", "ASEL", "I2L", "MINE"])
    assert [(group, cls) for group, cls, _ in order] == [
        ("sensory", "ASE"), ("interneuron", "AVA"), ("motor", "VB"), ("pharyngeal", "I2"), ("other", "MINE"),
    ]  # fmt: skip
    assert order[2][2] == ["VB2", "VB10"]


@pytest.mark.parametrize("unit", ["mV", "z"])
def test_the_raster_shows_each_voltage_in_its_row(run, unit):
    track = run.track()
    image = run.plot.raster(unit=unit).axes[0].collections[0].get_array()
    shown = image[~np.ma.getmaskarray(image).all(axis=1)]
    names = [name for *_, members in row_order(track.neurons) for name in members]
    assert len(shown) == len(names)
    row, trace = shown[names.index("DB4")], track.voltage[:, track.neurons.index("DB4")]
    assert np.corrcoef(row, trace)[0, 1] == pytest.approx(1.0)
    assert (unit == "z") == (abs(float(row.mean())) < 1e-6)


def test_a_resting_neuron_is_flat_in_a_z_scored_raster(run):
    track = run.track()
    still = dataclasses.replace(track, voltage=np.full_like(track.voltage, -60.0))
    image = dataclasses.replace(run, worms=(still,)).plot.raster(unit="z").axes[0].collections[0].get_array()
    assert np.abs(image).max() < 1e-9
    with pytest.raises(tb.ConfigError, match="did you mean 'mV'"):
        run.plot.raster(unit="mv")


def test_the_trajectory_is_the_way_of_the_centroid(run):
    axes = run.plot.trajectory().axes[0]
    way = next(each for each in axes.collections if isinstance(each, LineCollection)).get_segments()
    centre = run.track().midline[..., :2].mean(axis=1)
    assert len(way) == len(centre) - 1
    assert np.allclose([each[0] for each in way], centre[:-1])
    gone = np.linalg.norm(centre[-1] - centre[0])
    assert f"net {gone:.2f} mm" in axes.get_title(loc="left")


def test_pillars_walls_and_a_field_are_drawn(run, tmp_path):
    there = dataclasses.replace(
        run, config_toml="[arena]\npillars = [[0.2, 0.3, 0.1, 0.0]]\ndishes = []\nplanes = [[0, -0.2, 0, 0, 1, 0, 0]]\n"
    )
    figure = there.plot.trajectory(field=lambda points: points[:, 0], label="salt [mM]")
    (circle,) = [each for each in figure.axes[0].patches if hasattr(each, "radius")]
    assert circle.center == (0.2, 0.3) and circle.radius == 0.1
    assert any(np.allclose(line.get_ydata(), -0.2) for line in figure.axes[0].lines)
    assert "salt [mM]" in {axes.get_xlabel() for axes in figure.axes}
    path = there.plot.trajectory(tmp_path / "flow.png", field=lambda points: points * [0.0, 1.0, 0.0] + 0.1)
    assert path.stat().st_size > 0


@pytest.mark.parametrize("field", [lambda p: p[:, :2], lambda p: np.full(len(p), np.nan), lambda p: 1.0])
def test_a_field_of_the_wrong_shape_or_not_a_number_is_refused(run, field):
    with pytest.raises(tb.ConfigError, match="finite numbers of shape"):
        run.plot.trajectory(field=field)


def test_moments_are_the_frames_asked_for_and_have_a_posture(run):
    midline = run.track().midline.copy()
    assert moments(run.time, midline, [500.0, 510.0, 1500.0]) == [24, 74]
    midline[24] = np.nan
    assert moments(run.time, midline, [500.0]) == [23]
    assert len(moments(run.time, midline, None)) == 4
    assert moments(run.time[:0], midline[:0], None) == []


def test_activity_shows_voltages_and_muscles(run, tmp_path):
    path = run.plot.activity(tmp_path / "activity.png", times=[1500.0])
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    assert (np.ptp(pixels, axis=-1) > 120).sum() > 2000
    with pytest.raises(tb.ConfigError, match="finite numbers"):
        run.plot.activity(times=[float("nan")])


@pytest.mark.parametrize("name", ["raster", "trajectory", "activity"])
@pytest.mark.parametrize("kept", [0, 1])
def test_a_run_without_frames_gives_a_picture_not_an_error(run, name, kept):
    track = run.track()
    short = dataclasses.replace(
        track, midline=track.midline[:kept], muscle_activation=track.muscle_activation[:kept],
        voltage=track.voltage[:kept], voltage_time=track.voltage_time[:kept],
    )  # fmt: skip
    assert getattr(dataclasses.replace(run, time=run.time[:kept], worms=(short,)).plot, name)().axes
