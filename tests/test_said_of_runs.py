"""What commands, pages and pictures say of a run: verdicts, heads, axes of time, whose it is, what differs."""

from __future__ import annotations

import dataclasses

import pytest
from matplotlib.collections import PathCollection
from synthetic import recording

import tianbao as tb
from tianbao.behaviour.gait import too_short
from tianbao.cli.run import EXIT_FAILED, _tell
from tianbao.experiment import Outcome, _moved
from tianbao.view import report, settings
from tianbao.view.origin import configuration
from tianbao.view.report import write_report


@pytest.fixture(scope="module")
def short():
    return recording(duration=6000.0)


@pytest.fixture(scope="module")
def pair(short):
    return dataclasses.replace(short, worms=short.worms * 2)


def test_a_run_that_is_too_short_is_not_called_a_failure_to_crawl(short, tmp_path, capsys):
    assert _tell(Outcome(short, (), _moved(short)), tmp_path) == EXIT_FAILED
    said = capsys.readouterr().out
    assert "no verdict: the run is too short to judge; 2.98 s were measured after its start, 6 s are needed" in said
    assert "did not" not in said and "nan" not in said
    lines = [line for line in said.splitlines() if "(not measured)" in line]
    assert all(line.split()[1] == "-" for line in lines) and any(line.startswith("stride_period_cv") for line in lines)


def test_too_short_in_water_is_told_by_the_least_time_of_the_criteria(short):
    gait = dataclasses.replace(short.gait(), medium="water")
    assert "2.98 s were measured after its start, 3 s are needed" in too_short(gait, "water")
    assert too_short(dataclasses.replace(gait, measured_ms=3000.0), "water") == ""


def test_several_worms_too_short_to_judge_have_a_line_each(short, tmp_path, capsys):
    crowd = dataclasses.replace(short, worms=short.worms * 5)
    _tell(Outcome(crowd, (), _moved(crowd)), tmp_path)
    assert capsys.readouterr().out.count("no verdict (too short to judge)") == 5


def test_the_neurons_recorded_by_default_are_no_difference_from_the_defaults(short):
    kept = tb.anatomy.match_neurons(*settings.defaults()["record.voltage"])
    assert not settings.changed("record.voltage", kept)
    assert settings.changed("record.voltage", kept[1:]) and settings.changed("record.voltage", ["no such neuron"])
    every = ", ".join(f'"{name}"' for name in tb.anatomy.match_neurons("*"))
    run = dataclasses.replace(short, config_toml=f"{short.config_toml}[record]\nvoltage = [{every}]\n")
    page = "".join(configuration(["run"], [run]))
    assert '<td class="changed">ADAL, ADAR' in page  # broken into lines: no "number", which holds a line together


def test_a_page_on_three_runs_lists_their_names_and_judges_none_that_is_too_short(short, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "_PICTURES", ())
    three = [short, *(dataclasses.replace(short, seed=k) for k in (2, 3))]
    page = write_report(three, tmp_path / "three.html", names=["a", "b", "c"]).read_text()
    assert "<h1>Tianbao: a, b and c</h1>" in page
    assert page.count("No verdict: the run is too short to judge") == 3 and "did not crawl" not in page


@pytest.mark.parametrize("name", ["track", "trajectory"])
def test_heads_are_marked_on_tracks(short, pair, name):
    for run in (short, pair):
        axes = getattr(run.plot, name)().axes[0]
        dots = [each for each in axes.collections if isinstance(each, PathCollection)]
        heads = {tuple(each.get_offsets()[0]) for each in dots}
        assert "dots mark the heads" in axes.get_xlabel()
        assert all(any(tuple(place) in heads for place in run.worms[0].midline[k, :5, :2]) for k in (0, -1))


@pytest.mark.parametrize("name", ["curvature", "traces", "muscles", "raster"])
def test_time_starts_at_zero_and_the_worm_is_named_among_several(short, pair, name):
    axes = getattr(short.plot, name)().axes
    assert any(each.get_xlim() == pytest.approx((0.0, 6.0)) for each in axes)
    titles = [each.get_title(loc="left") for each in getattr(pair.plot, name)(worm=1).axes]
    assert any("worm 1" in each for each in titles)
    assert not any("worm" in each.get_title(loc="left") for each in axes)


def test_an_excerpt_keeps_its_own_time(short):
    later = dataclasses.replace(short, time=short.time + 5e4)
    assert later.plot.curvature().axes[0].get_xlim() == pytest.approx((50.02, 56.0))


def test_plot_takes_the_name_that_python_has(short, tmp_path, capsys):
    from tianbao.cli import main

    short.save(tmp_path / "results.h5")
    assert main(["plot", str(tmp_path), "curvature"]) == 0 and "kymograph.png" in capsys.readouterr().out


def test_every_command_that_writes_a_file_where_it_is_told_asks_before_it_replaces(capsys):
    from tianbao.cli import main

    for command in ("run", "import-track", "view", "video", "report", "plot", "draw", "sources", "export wcon",
                    "export csv", "export nwb", "export netpyne", "export neuroml"):  # fmt: skip
        with pytest.raises(SystemExit):
            main([*command.split(), "--help"])
        assert "--force" in capsys.readouterr().out, command
