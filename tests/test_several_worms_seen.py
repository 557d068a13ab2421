"""Whatever looks at a recording shows every worm of it: pictures, pages, tables, files and the command line."""

from __future__ import annotations

import argparse
import dataclasses
import json
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from synthetic import recording
from test_live import watching
from test_report import Reader

import tianbao as tb
from tianbao.cli import export, main, see
from tianbao.cli.run import EXIT_FAILED, _tell
from tianbao.cli.session import run_script
from tianbao.config import config_of
from tianbao.experiment import Outcome, _moved, _write
from tianbao.io.nwb import write_nwb
from tianbao.io.results import summary
from tianbao.io.tables import write_csv
from tianbao.io.wcon import read_wcon, write_wcon
from tianbao.view import settings, viewer
from tianbao.view.fields import contours
from tianbao.view.report import write_report
from tianbao.view.scene import Scene
from tianbao.view.worms import who_is_who

SALT = tb.Gaussian("nacl", peak=50.0, width=2.0, centre=(3, 0, 0), background=1.0)
AWAY = [0.2, 0.9, 0.0]


@pytest.fixture(scope="module")
def both():
    """An intact worm and, beside it, one without AVA, in a gradient of salt."""
    worms = [tb.Worm(), tb.Worm(at=tuple(AWAY), heading=0.4).ablate("AVA*")]
    made = tb.Simulation(worms, tb.Arena("agar", fields=[SALT]), engine="native", progress=False)
    return made.record(voltage=["AVA*", "ASE*", "DB*", "VB*"])


@pytest.fixture(scope="module")
def pair(both):
    return both.run(400.0)


@pytest.fixture
def folder(pair, tmp_path):
    pair.save(tmp_path / "pair" / "results.h5")
    return tmp_path / "pair"


def crowd(*directions, medium="agar", duration=10_000.0):
    """Made-up worms that crawl forward (1) or backward (-1), the second without AVB."""
    runs = [recording(duration=duration, direction=each) for each in directions]
    entries = [f'[[worms]]\nat = [{k}.0, 0.0, 0.0]\nheading = 0.0\n' for k in range(len(runs))]
    entries[1] += 'interventions = [{verb = "ablate", neurons = ["AVB*"]}]\n'
    config = f'[arena]\nmedium = "{medium}"\n' + "".join(entries)
    return dataclasses.replace(runs[0], worms=tuple(run.track() for run in runs), config_toml=config)


# Who is who


def test_each_worm_has_its_interventions_after_those_of_all(pair):
    assert [pair.interventions_of(worm) for worm in (0, 1)] == ["", "ablate AVA*"]
    assert pair.interventions == "worm 1: ablate AVA*"
    every = '[[interventions]]\nverb = "silence"\nneurons = ["RIML"]\n'
    both = dataclasses.replace(pair, config_toml=pair.config_toml + every)
    assert both.interventions_of(0) == "silence RIML"
    assert both.interventions_of(1) == "silence RIML; ablate AVA*"
    assert both.interventions == "worm 0: silence RIML | worm 1: silence RIML; ablate AVA*"
    with pytest.raises(tb.ConfigError, match="no worm 2"):
        pair.interventions_of(2)


def test_of_one_worm_the_run_and_the_worm_say_the_same():
    text = '[[interventions]]\nverb = "ablate"\nneurons = ["AVB*"]\n[[worms]]\ninterventions = [{verb = "shuffle"}]\n'
    one = dataclasses.replace(recording(duration=400.0), config_toml=text)
    assert one.interventions == one.interventions_of(0) == "ablate AVB*; shuffle"


def test_a_worm_starts_where_the_configuration_says_or_the_first_frame_shows(pair):
    first, second = who_is_who(pair)
    assert (first.at, first.heading) == ((0.0, 0.0, 0.0), 0.0)
    assert (second.at, second.heading) == (tuple(AWAY), 0.4)
    seen = who_is_who(dataclasses.replace(pair, config_toml=""))[1]
    assert np.hypot(*np.subtract(seen.at[:2], AWAY[:2])) < 0.05 and seen.heading == pytest.approx(0.4, abs=0.1)


def test_info_has_a_line_per_worm_with_wiring_that_differs(pair, folder, tmp_path, capsys):
    assert main(["info", str(folder)]) == 0
    said = {line[:14].strip(): line[14:] for line in capsys.readouterr().out.splitlines()}
    assert said["worm 0"] == "starts at (0, 0, 0) mm, heading 0 degrees; interventions: none"
    assert said["worm 1"] == "starts at (0.2, 0.9, 0) mm, heading 22.92 degrees; interventions: ablate AVA*"
    other = dataclasses.replace(pair.worms[1], anatomy={**pair.worms[1].anatomy, "connectome": "witvliet2020_8"})
    dataclasses.replace(pair, worms=(pair.worms[0], other)).save(tmp_path / "wired.h5")
    main(["info", str(tmp_path / "wired.h5")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].endswith("ablate AVA*; connectome: witvliet2020_8")
    assert "witvliet" not in "".join(lines[:-1])


# Pictures


def test_tracks_are_drawn_in_the_colours_of_the_legend(pair, tmp_path):
    figure = pair.plot.track()
    known = who_is_who(pair)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["worm 0: intact", "worm 1: ablate AVA*", "nacl [mM]"]
    paths = {line.get_color(): line.get_xydata() for line in figure.axes[0].lines}
    for who, track in zip(known, pair.worms, strict=True):
        assert paths[who.colour] == pytest.approx(track.midline[..., :2].mean(axis=1))
    assert known[0].colour != known[1].colour
    assert len(pair.plot.track(worm=1).axes[0].lines) == 0  # alone it is coloured by time
    pixels = np.asarray(Image.open(pair.plot.track(tmp_path / "track.png")).convert("L"))
    assert pixels.std() > 10
    with pytest.raises(tb.ConfigError, match="no worm 2"):
        pair.plot.track(worm=2)


def test_contours_lie_where_the_field_has_their_value(pair):
    (salt,) = contours(pair, (0.0, 5.0, -2.0, 2.0))
    assert len(salt.levels) > 3 and salt.label == "nacl [mM]"
    radii = SALT.width * np.sqrt(2.0 * np.log(SALT.peak / (salt.levels - SALT.background)))
    found = np.concatenate([np.hypot(*(line - SALT.centre[:2]).T) for line in salt.lines()])
    assert np.abs(found[:, None] - radii).min(axis=1).max() < 2e-3
    drawn = pair.plot.trajectory(worm=0)
    numbers = {text.get_text() for text in drawn.axes[0].texts}
    assert {f"{level:g}" for level in contours(pair, (-0.8, 0.8, -0.3, 0.3))[0].levels} & numbers


def test_a_bath_is_named_with_its_value_at_the_end(pair):
    bath = '[[fields]]\nkind = "bath"\nname = "odour"\nsteps = [[0.0, 1.0], [200.0, 7.5], [500.0, 9.0]]\n'
    run = dataclasses.replace(pair, config_toml=bath + '[[fields]]\nkind = "plume"\nname = "unknown"\n')
    (found,) = contours(run, (0.0, 1.0, 0.0, 1.0))
    assert found.label == "odour at the end: 7.5 mM everywhere" and not found.lines()
    assert run.plot.track().legends[0].get_texts()[-1].get_text() == found.label


def test_what_receptors_sense_stands_above_the_voltages_of_their_neurons(pair):
    figure = pair.plot.sensed(worm=1)
    above, left, right = figure.axes
    assert [axes.get_ylabel() for axes in figure.axes] == ["nacl [mM]", "ASEL", "ASER"]
    # Both taste with the nose, so one line stands for both.
    (line,) = above.lines
    assert line.get_label() == "ASEL, ASER"
    assert line.get_ydata() == pytest.approx(SALT.at(pair.worms[1].midline[:, 0], 0.0), abs=1.5)
    assert np.array_equal(line.get_ydata(), pair.sensed(1)["ASEL nacl"])
    for axes, name in ((left, "ASEL"), (right, "ASER")):
        assert np.array_equal(axes.lines[0].get_ydata(), pair.voltages(1)[name])
    assert not np.array_equal(line.get_ydata(), pair.plot.sensed(worm=0).axes[0].lines[0].get_ydata())


def test_receptors_without_voltages_or_without_a_field_say_so(pair):
    track = pair.worms[0]
    bare = dataclasses.replace(track, neurons=(), voltage=np.zeros((0, 0)), voltage_time=np.zeros(0))
    texts = [text.get_text() for axes in dataclasses.replace(pair, worms=(bare,)).plot.sensed().axes
             for text in axes.texts]  # fmt: skip
    assert [each for each in texts if "record(voltage" in each and "ASER" in each]
    odour = pair.config_toml.replace('name = "nacl"', 'name = "odour"')
    (axes,) = dataclasses.replace(pair, config_toml=odour).plot.sensed().axes
    assert "no receptor" in axes.texts[0].get_text()
    (axes,) = recording(duration=400.0).plot.sensed().axes
    assert "no receptor" in axes.texts[0].get_text()


def test_the_video_follows_one_worm_and_shows_the_other(pair):
    scene = Scene(pair, (640, 360), 0)
    picture = scene.draw(200.0).astype(int)[..., :3]
    # Where the other worm is drawn: its place as seen from the camera, in pixels.
    frame = int(np.argmin(np.abs(pair.time - 200.0)))
    away = pair.worms[1].midline[frame, 24, :2] - scene.camera.at(frame)
    column, row = scene.plate.transData.transform(away)
    here = picture[360 - round(row) - 2 : 360 - round(row) + 3, round(column) - 2 : round(column) + 3]
    assert np.abs(here - picture[5, 5]).sum(axis=-1).mean() > 40
    other = Scene(pair, (640, 360), 1).draw(200.0).astype(int)[..., :3]
    assert np.abs(picture - other).mean() > 1.0


def test_two_browsers_that_look_at_a_run_change_no_bit_of_it_and_are_told_all(both, pair):
    view = tb.Live("AVAL", "DB3", duration=400.0)
    browsers = [watching(view) for _ in range(2)]
    seen = both.run(400.0, observers=[view])
    for one, other in zip(seen.worms, pair.worms, strict=True):
        for name in ("midline", "dorsal", "muscle_activation", "voltage"):
            assert np.array_equal(getattr(one, name), getattr(other, name))
    for thread, told in browsers:
        thread.join(10.0)
        assert told[-1] == ("end", "finished")
        facts = next(data for kind, data in told if kind == "hello")
        assert facts["neurons"] == ["AVAL", "DB3"] and len(facts["worms"]) == 2
        assert max(facts["radius"]) == pytest.approx(0.035, abs=0.002)
        samples = [row for kind, data in told if kind == "voltages" for row in data]
        assert [at for at, _ in samples] == sorted({at for at, _ in samples}) and samples[-1][0] > 380.0
        for at, values in samples:
            for worm, k in enumerate(np.flatnonzero(pair.time == at).repeat(2)):
                assert values[worm] == pytest.approx(pair.voltages(worm)[["AVAL", "DB3"]].iloc[k], abs=0.006)
        for picture in (data for kind, data in told if kind == "picture"):
            k = int(np.argmin(np.abs(pair.time - picture["t"])))
            assert np.abs(np.array(picture["lines"][1]) - pair.worms[1].midline[k, :, :2]).max() < 0.05


def test_the_viewer_shows_both_and_names_whose_neuron_was_clicked(pair, tmp_path):
    pv = pytest.importorskip("pyvista")
    shown = [
        np.asarray(Image.open(viewer.show(run, screenshot=tmp_path / f"{k}.png")).convert("RGB"), int)
        for k, run in enumerate((pair, dataclasses.replace(pair, worms=pair.worms[:1])))
    ]
    upper = [picture[100:300, 300:1000] for picture in shown]
    assert (np.ptp(upper[0], axis=-1) > 60).sum() > 100 > (np.ptp(upper[1], axis=-1) > 60).sum()
    window = viewer._Window(pv, [viewer.Animal(pair, k) for k in (0, 1)], (-80.0, 0.0), off_screen=True)
    window.go_to(5)
    window.pick(pair.worms[1].midline[5, 10])
    assert window._picked[0].name == "worm 1"
    window.pick(np.array([0.0, 5.0, 0.0]))
    assert window._picked is None
    window._plotter.close()


# The page


def test_the_report_has_every_worm_in_its_tables_and_pictures(pair, tmp_path):
    text = write_report(pair, tmp_path / "report.html", names=["pair"]).read_text()
    page = Reader(text)
    assert page.row("measured")[1:4] == ["pair, worm 0", "pair, worm 1", "difference"]
    assert page.row("worm 1")[1:4] == ["(0.2, 0.9, 0) mm, heading 22.92 degrees", "ablate AVA*", "as worm 0"]
    assert page.row("worm 0")[2] == "none: the intact animal" and "cook2019" in page.row("worm 0")[3]
    # One of all kymographs, of all tracks, of all trajectories and of both waves; five of each worm, and its wiring.
    assert page.tags.count("img") == 4 + 2 * (5 + 1)
    assert len(re.findall("alt=\"pair, worm [01]: what the receptors sense", text)) == 2
    done = text[text.index('id="interventions"') : text.index('id="settings"')]
    assert done.index("worm 0") < done.index("the intact animal") < done.index("worm 1") < done.index("AVA*")
    assert page.row("worms.1.at") == ["worms.1.at", "0.2, 0.9, 0", "0, 0, 0"]
    assert page.row("fields.nacl.peak")[1] == "50"


def test_a_crowd_has_pictures_of_the_first_worms_and_the_page_names_the_others(monkeypatch, tmp_path):
    from tianbao.view import report

    few = [each for each in report._PICTURES if each[0] in ("kymographs", "muscles")]
    monkeypatch.setattr(report, "_PICTURES", few)
    monkeypatch.setattr(report.wiring_page, "wirings", lambda named: ([], []))
    monkeypatch.setattr(report, "_comparison", lambda *_: ())
    text = write_report(crowd(*[1] * 8, duration=1000.0), tmp_path / "crowd.html", names=["crowd"]).read_text()
    assert Reader(text).tags.count("img") == 1 + 6
    assert "Without pictures of their own: crowd, worm 6, crowd, worm 7" in text


def test_several_runs_of_several_worms_are_told_apart(pair, monkeypatch, tmp_path):
    from tianbao.view import report

    monkeypatch.setattr(report, "_PICTURES", ())
    monkeypatch.setattr(report.wiring_page, "wirings", lambda named: ([], []))
    monkeypatch.setattr(report, "_comparison", lambda *_: ())
    text = write_report([pair, pair], tmp_path / "two.html", names=["a", "b"]).read_text()
    heads = [row for row in Reader(text).rows if row[0] == "worm"]
    assert len(heads) == 2 and "<h3>b, worm 1</h3>" in text


def test_settings_of_a_worm_are_compared_with_the_section_they_change(pair):
    flat = settings.settings(pair)
    assert flat["worms.1.at"] == AWAY and not [key for key in flat if "interventions" in key]
    assert not settings.changed("worms.0.at", [0.0, 0.0, 0.0]) and settings.changed("worms.1.at", AWAY)
    gain = settings.defaults()["parameters.gap_gain"]
    assert settings.default_of("worms.3.parameters.gap_gain") == gain
    assert settings.changed("fields.nacl.peak", 50.0) and settings.default_of("fields.nacl.peak") is None


# Files


def test_the_summary_keeps_the_first_gait_at_its_top_and_holds_every_worm():
    found = summary(crowd(1, -1))
    assert found["forward_speed_mm_s"] == found["worms"][0]["forward_speed_mm_s"] > 0.0
    assert found["worms"][1]["forward_speed_mm_s"] < 0.0
    assert [each["moved"] for each in found["worms"]] == [True, False]
    assert [each["interventions"] for each in found["worms"]] == ["", "ablate AVB*"]
    assert summary(crowd(1, 1, medium="newtonian"))["worms"][0]["moved"] is None
    json.dumps(found)


def test_a_run_moved_only_if_every_worm_did():
    assert _moved(crowd(1, 1)) is True
    assert _moved(crowd(1, -1)) is False
    assert _moved(crowd(1, 1, medium="newtonian")) is None


def test_a_run_writes_pictures_of_all_and_removes_those_of_an_older_one(pair, tmp_path):
    (tmp_path / "traces_7.png").touch()
    files = _write(pair, config_of(pair.config_toml, "test"), tmp_path / "none", video=False)
    drawn = {path.name for path in tmp_path.glob("*.png")}
    assert drawn == {"kymograph.png", "track.png", "traces_0.png", "traces_1.png"}
    assert drawn <= {path.name for path in files}
    alone = pair.plot.curvature(tmp_path / "alone.png")
    assert Image.open(tmp_path / "kymograph.png").size[1] > Image.open(alone).size[1]


def test_wcon_gives_every_worm_back_with_what_was_done_to_it(pair, tmp_path):
    path = write_wcon(pair, tmp_path / "pair.wcon")
    assert [each["id"] for each in json.loads(path.read_text())["data"]] == ["0", "1"]
    again = read_wcon(path)
    for before, after in zip(pair.worms, again.worms, strict=True):
        assert np.abs(after.midline - before.midline).max() < 1e-6
        assert dict(after.anatomy) == dict(before.anatomy)
    assert again.interventions_of(1) == "ablate AVA*"
    second = read_wcon(path, worm="1")
    assert second.interventions_of(0) == "ablate AVA*" and who_is_who(second)[0].at == tuple(AWAY)
    assert np.abs(second.worms[0].midline - pair.worms[1].midline).max() < 1e-6


def test_csv_has_a_folder_per_worm_and_what_was_sensed(pair, tmp_path):
    files = write_csv(pair, tmp_path)
    names = {"midline.csv", "posture.csv", "voltages.csv", "activations.csv", "sensed.csv"}
    assert {path.relative_to(tmp_path).as_posix() for path in files} == {
        f"worm_{k}/{name}" for k in (0, 1) for name in names
    }
    sensed = pd.read_csv(tmp_path / "worm_1" / "sensed.csv").pivot(index="time_ms", columns="receptor")
    assert np.allclose(sensed["value"].to_numpy(), pair.sensed(1)[sensed["value"].columns].to_numpy())
    write_csv(pair, tmp_path / "one", worm=1)
    assert (tmp_path / "one" / "midline.csv").read_bytes() == (tmp_path / "worm_1" / "midline.csv").read_bytes()


def test_nwb_asks_which_worm_and_the_command_writes_a_file_for_each(pair, folder, tmp_path):
    with pytest.raises(tb.ConfigError, match="choose worm=0 to worm=1"):
        write_nwb(pair, tmp_path / "pair.nwb")
    pynwb = pytest.importorskip("pynwb")
    assert command(export, "export", "nwb", folder, "--out", tmp_path / "pair.nwb") == 0
    with pynwb.NWBHDF5IO(str(tmp_path / "pair_1.nwb"), "r") as reader:
        file = reader.read()
        assert "worm 1 of 2" in file.experiment_description and "ablate AVA*" in file.experiment_description
        behaviour = file.processing["behavior"]
        sensed = behaviour["sensed_chemical"]
        assert np.allclose(sensed.data[:] * sensed.conversion, 1e-3 * pair.worms[1].inputs["chemical"])
        assert tuple(behaviour["receptors_chemical"]["label"][:]) == pair.worms[1].receptors["chemical"]
        assert np.allclose(behaviour["midline"].data[:] * 1e-3, pair.worms[1].midline * 1e-3)
    assert not pynwb.validate(path=str(tmp_path / "pair_0.nwb"))


# The command line


def command(module, *words) -> int:
    parser = argparse.ArgumentParser(prog="tianbao")
    module.register(parser.add_subparsers(required=True))
    args = parser.parse_args([str(word) for word in words])
    return run_script(args.act, args)


def test_plots_of_the_command_are_of_all_worms_or_of_one(pair, folder):
    for words in (["sensed", "--worm", "1"], ["track"], ["track", "--worm", "1"], ["trajectory", "--worm", "1"]):
        out = folder / f"{'_'.join(words)}.png"
        assert command(see, "plot", folder, *words, "--out", out) == 0
    sizes = {path.stem: Image.open(path).size for path in folder.glob("*.png")}
    assert sizes["track"][1] > sizes["track_--worm_1"][1]


def test_a_run_tells_the_gait_of_each_worm_and_fails_if_one_did_not_crawl(tmp_path, capsys):
    run = crowd(1, -1)
    assert _tell(Outcome(run, (), _moved(run)), tmp_path) == EXIT_FAILED
    said = capsys.readouterr().out
    assert said.count("published\n") == 2 and "worm 1: ablate AVB*" in said
    assert "worm 0 crawled" in said and "worm 1 did not crawl" in said
    both = crowd(1, 1)
    assert _tell(Outcome(both, (), _moved(both)), tmp_path) == 0


def test_more_than_three_worms_take_a_line_each(tmp_path, capsys):
    run = crowd(1, -1, 1, 1, 1)
    _tell(Outcome(run, (), _moved(run)), tmp_path)
    lines = {line.split("  ")[0]: line for line in capsys.readouterr().out.splitlines()}
    assert f"{run.gait(2).forward_speed_mm_s:.3f}" in lines["worm 2"] and lines["worm 2"].endswith("crawled")
    assert "did not crawl (" in lines["worm 1"] and lines["worm 1"].endswith("[ablate AVB*]")
    assert "0.1 to 0.3" in lines["published"] and len([each for each in lines if each.startswith("worm ")]) == 5
