"""What the validation measures on recorded cells, on traces whose answer is known."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tianbao.cells.templates import templates
from tianbao.electrophysiology.protocols import current_steps
from tianbao.electrophysiology.recordings import ONSET, read_recordings, recorded_windows, recordings
from tianbao.electrophysiology.sweeps import Sweeps
from tianbao.errors import ConfigError
from tianbao.validation import ensembles, recorded, traces
from tianbao.validation.check import FAIL, INFO, PASS


def made_up(protocol, voltage):
    """A run whose voltage is a function of the time since the start of the step [ms] and the level."""
    time = np.arange(0.0, protocol.duration, 1.0)
    values = np.stack([voltage(time - protocol.onset, level) for level in protocol.levels(1)], axis=1)
    return Sweeps("AIYL", protocol, time, values, values)


def exactly_recorded(cell):
    """A run that has the recorded mean in every window of a cell."""
    every, steps = recorded_windows(), traces.steps_of(cell)

    def voltage(since, step):
        """The mean of the window that each moment is in; nan elsewhere."""
        found = np.full(len(since), np.nan)
        for row in every[(every.cell == cell) & (every.step == step)].itertuples():
            found[(since >= row.start) & (since < row.stop)] = row.mean
        return found

    return made_up(current_steps(steps, 980.0, 5000.0, 1000.0), voltage)


def test_a_model_that_does_what_was_recorded_has_no_error_and_one_that_is_off_has_its_distance(monkeypatch):
    perfect = exactly_recorded("AIYL")
    off = replace(perfect, voltage=perfect.voltage + 3.0)
    for run, wanted in ((perfect, 0.0), (off, 3.0)):
        recorded.compared.cache_clear()
        monkeypatch.setattr(recorded, "recorded_sweeps", lambda *_, run=run: run)
        rows = recorded.compared("AIYL")
        assert set(rows.phase) == {"before", "during", "after"}
        assert recorded._error(rows) == pytest.approx(wanted, abs=1e-3)
        assert recorded._away(rows[rows.step == -15]) < recorded._BACK
    recorded.compared.cache_clear()


def test_a_cell_that_stays_in_another_state_after_the_step_has_not_returned():
    since = np.array([-100.0, 10.0, 5010.0, 5100.0, 5500.0])
    phase = ["before", "during", "after", "after", "after"]
    sweep = pd.DataFrame({"phase": phase, "mean": [-50.0, -90.0, -70.0, -51.0, -50.0], "start": since})
    assert recorded._away(sweep.assign(found=[-48.0, -90.0, -60.0, -75.0, -75.0])) == 27.0
    assert recorded._away(sweep.assign(found=[-48.0, -90.0, -60.0, -49.0, -48.0])) == 1.0
    # Where the recording itself does not come back, nothing is asked.
    assert recorded._away(sweep.assign(mean=[-50.0, -90.0, -70.0, -70.0, -70.0], found=-10.0)) == 0.0


def test_spikes_are_counted_with_their_peak_height_and_time():
    def voltage(since, level):
        """A plateau at -40 mV with two spikes to -10 mV, a ripple that is none, and an onset that overshoots."""
        bumps = sum(30.0 * np.exp(-(((since - at) / 20.0) ** 2)) for at in (500.0, 1200.0))
        on = (since > 0.0) & (since < 3000.0)
        return np.where(on, -40.0 + bumps + 4.0 * np.sin(since / 30.0) + 30.0 * (since < 20.0), -70.0)

    peaks, rises, when = recorded.spikes(made_up(current_steps([4.0], 100.0, 3000.0, 100.0), voltage), 0)
    assert when == pytest.approx([500.0, 1200.0], abs=10.0)
    assert peaks == pytest.approx([-10.0, -10.0], abs=5.0) and rises == pytest.approx([30.0, 30.0], abs=8.0)


def test_errors_on_sweeps_left_out_are_judged_against_the_fit_and_the_predecessor(tmp_path, monkeypatch):
    monkeypatch.setattr(recorded, "FITS", tmp_path)
    fitted = {"trace": 4.0, "steady": 4.0, "peak": 4.0}
    rows = [{"step": step, "error": {**fitted, "trace": 5.0, "peak": 6.0}, "fitted": fitted} for step in (-5, 5)]
    (tmp_path / "AIY.json").write_text(json.dumps({"left_out": rows}))
    found = {each.id: each for each in recorded._left_out()}
    assert found["AIYL left out trace fitted"].verdict == PASS and found["AIYL left out trace fitted"].measured == 5.0
    assert found["AIYL left out peak fitted"].verdict == FAIL
    # The predecessor's steady states are 5.4 mV off, its peaks 8.8 mV.
    assert found["AIYL left out peak predecessor"].verdict == PASS
    assert found["AIYL left out steady predecessor"].target == pytest.approx(5.44, abs=0.01)
    assert found["RIML left out"].verdict == INFO


def test_a_draw_lies_between_two_members():
    first = templates()["rim"]
    second = replace(first, conductances={"nca": 1.0}, leak=2.0 * first.leak, leak_reversal=-90.0)
    for seed in range(5):
        drawn = ensembles.draw((first, second), np.random.default_rng(seed))
        share = drawn.leak / first.leak - 1.0
        assert 0.0 <= share <= 1.0
        assert drawn.leak_reversal == pytest.approx(first.leak_reversal + share * (-90.0 - first.leak_reversal))
        assert drawn.conductances["irk1"] == pytest.approx((1.0 - share) * first.conductances["irk1"])
        assert drawn.conductances["nca"] >= share - 1e-9


def test_a_cell_without_leak_and_one_with_two_states_are_unstable():
    passive = replace(templates()["aiy"], conductances={"nca": 0.01}, leak=0.2, leak_reversal=-60.0)
    leaky, open_, held = passive, replace(passive, leak=0.01), replace(passive, conductances={"egl19": 3.0})
    assert ensembles.unstable("AIYL", [leaky, open_, held]).tolist() == [False, True, True]


def test_members_run_as_the_best_fit_does_in_neuron():
    members, run = traces.members("AWCL"), traces.recorded_sweeps("AWCL")
    since = run.time - run.protocol.onset
    inside = (members.time > 2.0) & (members.time < 99.0)
    for k in range(members.values.shape[2]):
        ours = np.interp(members.time[inside], since, run.current[:, k])
        assert np.abs(members.values[inside, 0, k] - ours).max() < 0.01 * np.abs(ours).max()


def test_a_file_of_recordings_is_read_and_the_public_measures_come_out(tmp_path):
    since = np.arange(-900.0, 6000.0, 10.0)
    rows = pd.DataFrame({"cell": "AIYL", "step": 5, "t_s": (since + ONSET["AIYL"]) / 1e3, "mV_or_pA": -50.0})
    path = tmp_path / "some.csv.gz"
    path.write_bytes(gzip.compress(rows.assign(cell="VD05").to_csv(index=False).encode()))
    (one,) = read_recordings(path)
    assert one.cell == "VD5" and one.step == 5.0
    rows.to_csv(tmp_path / "some.csv", index=False)
    (two,) = read_recordings(tmp_path / "some.csv")
    assert two.time == pytest.approx(since) and set(two.values) == {-50.0}
    assert recordings().predecessor_trace.notna().all()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cell,step\nAIYL,5\n", "column 't_s' is missing"),
        ("cell,step,t_s,mV_or_pA\nAIYL,5,0.1,low\n", "not a table of numbers"),
        ("cell,step,t_s,mV_or_pA\nAIZ,5,0.1,1\n", "AIZ"),
        ("cell,step,t_s,mV_or_pA\nAIZL,5,0.1,1\n", "the times of the steps of AIZL are unknown"),
    ],
)
def test_what_is_no_file_of_recordings_is_refused(text, said, tmp_path):
    path = tmp_path / "some.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_recordings(path)


def test_every_recorded_sweep_has_a_panel_with_what_is_known_of_it(tmp_path):
    from tianbao.view.recorded_sweeps import recorded_sweeps

    run = exactly_recorded("AIYL")
    table, every = recordings(), recorded_windows()
    rows, mine = table[table.cell == "AIYL"], every[every.cell == "AIYL"]
    since = np.arange(0.0, 6000.0, 10.0)
    band = since, np.repeat(np.linspace(-80.0, -20.0, 3)[None, :, None], len(since), 0).repeat(len(rows), 2)
    figure = recorded_sweeps(run, rows, mine, band, {5.0: (since, np.full(len(since), -30.0))})
    panels = [each for each in figure.axes if each.axison]
    assert [each.get_title(loc="left") for each in panels] == [f"{step:g} pA" for step in rows.step]
    low, high = panels[3].get_ylim()
    assert low < -80.0 and high > -20.0
    assert recorded_sweeps(run, rows, mine, path=tmp_path / "sweeps.png").exists()


def test_a_window_without_a_sample_takes_the_next(monkeypatch):
    rows = pd.DataFrame({"start": [0.0, 10.0, 12.0], "stop": [10.0, 20.0, 14.0]})
    time, values = np.arange(0.0, 30.0, 5.0), np.arange(6.0)
    assert traces.window_means(time, values, rows).tolist() == [0.5, 2.5, 3.0]


def test_the_protocol_is_that_of_the_recording():
    clamp = traces.protocol_of("AWCL", [10.0])
    assert clamp.mode == "voltage" and clamp.epochs[1].duration == 99.8
    assert traces.protocol_of("AVAL", [5.0]).epochs[1].duration == 5015.0
    assert traces.protocol_of("RIML", [5.0]).duration == 6980.0
