"""Groups of worms: intervals are those of Student's t over worms, and one worm has none."""

from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from scipy import stats
from synthetic import AMPLITUDE, WAVELENGTH, crawling_worm, recording

import tianbao as tb
from tianbao.behaviour.along import PLACES, wave_along
from tianbao.behaviour.estimates import mean_interval
from tianbao.behaviour.gait import gait_of_curvature
from tianbao.behaviour.kymograph import Kymograph
from tianbao.view import comparison
from tianbao.view.comparison import Sample, grouped

CONFIG = 'seed = {seed}\n[arena]\nmedium = "agar"\n[parameters]\ngap_gain = {gap}\n'


def worm(seed: int, gap: float = 0.01, speed: float = 1.0, more: str = ""):
    """A made-up run whose worm moves a little differently for each seed."""
    made = recording(duration=5000.0, noise=2e-4 * seed)
    track = dataclasses.replace(made.worms[0], midline=made.worms[0].midline * [speed, 1.0, 1.0])
    return dataclasses.replace(made, worms=(track,), seed=seed, config_toml=CONFIG.format(seed=seed, gap=gap) + more)


def sample(run) -> Sample:
    return Sample(Kymograph.of(run), run)


@pytest.fixture(scope="module")
def repeats():
    return [worm(seed) for seed in (1, 2, 3)]


def test_an_interval_is_that_of_student_and_one_worm_has_none():
    values = np.array([0.21, 0.25, 0.19, np.nan, 0.28])
    known = values[np.isfinite(values)]
    mean, low, high, n = mean_interval(values)
    theirs = stats.t.interval(0.95, len(known) - 1, known.mean(), stats.sem(known))
    assert n == 4 and mean == pytest.approx(known.mean()) and (low, high) == pytest.approx(theirs)
    for few in ([0.3], [0.3, np.nan]):
        mean, low, high, n = mean_interval(few)
        assert n == 1 and mean == 0.3 and np.isnan(low) and np.isnan(high)
    assert mean_interval([np.nan])[3] == 0 and np.isnan(mean_interval([np.nan])[0])


def test_a_known_wave_has_its_amplitude_and_its_phase_along_the_body():
    time, line = crawling_worm(duration=10_000.0)
    bend, s = tb.behaviour.curvature(line), tb.behaviour.curvature_positions(49)
    along = wave_along(Kymograph("wave", time, s, bend, gait_of_curvature(time, bend, s)))
    inner = (PLACES > 0.1) & (PLACES < 0.9)
    assert along.amplitude[inner] == pytest.approx(AMPLITUDE, rel=0.05)
    slope, offset = np.polyfit(PLACES[inner], along.lag[inner], 1)
    assert slope == pytest.approx(1.0 / WAVELENGTH, rel=0.02) and offset + 0.5 * slope == pytest.approx(0.0, abs=0.02)
    assert along.cycle.max() == pytest.approx(AMPLITUDE, rel=0.1) and np.abs(along.cycle.mean(axis=0)).max() < 0.5
    backwards = wave_along(Kymograph("back", time, s, bend[::-1], gait_of_curvature(time, bend[::-1], s)))
    assert np.polyfit(PLACES[inner], backwards.lag[inner], 1)[0] == pytest.approx(-1.0 / WAVELENGTH, rel=0.02)


def test_a_still_worm_has_no_phase():
    time, s = np.arange(0.0, 8000.0, 20.0), tb.behaviour.curvature_positions(49)
    bend = np.zeros((len(time), len(s)))
    along = wave_along(Kymograph("still", time, s, bend, gait_of_curvature(time, bend, s)))
    assert (along.amplitude == 0.0).all() and np.isnan(along.lag).all() and np.isnan(along.cycle).all()


def test_worms_are_grouped_by_what_was_done_to_them_and_animals_stand_apart(repeats):
    killed = worm(4, more='[[interventions]]\nverb = "ablate"\nneurons = ["AVB*"]\n')
    loose = worm(5, gap=0.02)
    animal = dataclasses.replace(worm(6), mechanism_hash="")
    groups, copies = grouped([*map(sample, [repeats[0], killed, animal, *repeats[1:], loose, repeats[0]])])
    names = {each.name: len(each.samples) for each in groups}
    assert names == {
        "intact, gap_gain 0.01": 3, "ablate AVB*, gap_gain 0.01": 1, "intact, gap_gain 0.02": 1, "animals": 1
    }  # fmt: skip
    assert groups[-1].of_animals and copies == 1 and groups[0].size == "n = 3" and groups[-1].size == "n = 1"


def test_the_table_gives_mean_interval_and_n_beside_the_published_range(repeats):
    groups, _ = grouped([*map(sample, [*repeats, worm(4, gap=0.02)])])
    text = "".join(comparison.table(groups))
    row = re.search(r"<tr><th scope=\"row\">forward speed.*?</tr>", text)[0]
    cells = [re.sub("<.*?>", "|", each) for each in re.findall(r"<td.*?</td>", row)]
    values = [run.gait().forward_speed_mm_s for run in repeats]
    mean, half = np.mean(values), stats.t.ppf(0.975, 2) * stats.sem(values)
    assert f"{mean:.3f} [{mean - half:.3f}, {mean + half:.3f}]" in cells[0]
    assert "[" not in cells[1] and "n = 1" in cells[1] and "0.1 to 0.3" in cells[2]


def test_a_band_needs_three_worms_and_a_name_is_no_formula(repeats):
    samples = tuple(map(sample, repeats))
    sizes = {"$\\frac{$": 3, "_two": 2, "one": 1}
    groups = [comparison.Group(name, samples[:size]) for name, size in sizes.items()]
    figure = comparison.plot_waves(groups)
    figure.canvas.draw()
    amplitude = figure.subfigs[0].axes[0]
    assert len(amplitude.collections) == 1 and len(amplitude.lines) == 3 + 2
    # matplotlib hides what is labelled with a leading underscore.
    assert any("_two" in text.get_text() for text in figure.findobj(Text))


@pytest.mark.parametrize("many", [1, 2, 3, 4, 6])
def test_titles_and_labels_of_mean_cycles_do_not_overlap(repeats, many):
    samples = (sample(repeats[0]),)
    names = [f"intact, in newtonian 0.00{k} Pa s, at 25 degrees C, and so on" for k in range(many)]
    figure = comparison.plot_waves([comparison.Group(name, samples) for name in names])
    figure.canvas.draw()
    axes = [each for each in figure.subfigs[1].axes if each.get_title(loc="left")]
    words = [each._left_title for each in axes] + [each.xaxis.label for each in axes if each.get_xlabel()]
    boxes = [each.get_window_extent() for each in words]
    assert len(axes) == many and len(words) == many + min(3, many)
    assert not any(one.overlaps(two) for k, one in enumerate(boxes) for two in boxes[:k])
    assert all(each.x1 <= figure.bbox.x1 for each in boxes)


def test_the_report_of_a_sweep_takes_its_finished_runs(repeats, tmp_path, capsys, monkeypatch):
    from tianbao.cli import main
    from tianbao.sweeps.folder import run_folder, settle_plan
    from tianbao.sweeps.plan import make_plan
    from tianbao.view import report

    monkeypatch.setattr(report, "_PICTURES", ())
    monkeypatch.setattr(report.replay, "can_replay", lambda: False)
    monkeypatch.setattr(report.wiring_page, "wirings", lambda named: ([], []))
    monkeypatch.setattr(comparison, "plot_waves", lambda groups: Figure(figsize=(1, 1)))
    folder, plan = tmp_path / "sweep", make_plan({"seeds": [1, 2, 3]})
    settle_plan(folder, plan)
    command = ["report", str(folder), "--out", str(tmp_path / "page.html")]
    assert main(command) == 2 and "no finished run" in capsys.readouterr().err
    for run, made in zip(plan.runs[:2], repeats, strict=False):
        made.save((place := run_folder(folder, plan, run)) / "results.h5")
        (place / "summary.json").write_text(json.dumps({"sweep": {"digest": run.digest, "wall_s": 1.0}}))
    assert main(command) == 0
    assert "intact, n = 2" in (tmp_path / "page.html").read_text()
