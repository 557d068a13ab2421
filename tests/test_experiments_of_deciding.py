"""sims/escape.py, sims/states.py and sims/signal_path.py: what they give the worms, and how they judge."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from free_worms import crawl
from test_cli import script

from tianbao.behaviour.states import threshold_events
from tianbao.behaviour.tracks import tangential_velocity


def trials(condition: str, reversed_: list[bool], duration: float = 2.0) -> pd.DataFrame:
    """Trials of one condition; those that reverse do so after 0.4 s and for the duration [s]."""
    rows = [
        {"condition": condition, "eligible": True, "reversed": each, "latency_s": 0.4 if each else np.nan,
         "duration_s": duration if each else np.nan, "distance_body_lengths": 0.4 if each else np.nan,
         "forward_again": each, "before_mm_s": 0.2, "after_mm_s": 0.1 + 0.001 * k}
        for k, each in enumerate(reversed_)
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("hits", "holds"), [(9, "True"), (7, "False")])
def test_a_response_needs_most_trials(hits, holds):
    table = script("escape").summarise(trials("anterior touch", [k < hits for k in range(10)]))
    assert table.share.tolist() == [hits / 10] and table.holds.tolist() == [holds]
    assert table.within_1_to_4_s.tolist() == [1.0] and table.latency_s.tolist() == [0.4]


@pytest.mark.parametrize(("hits", "holds"), [(1, "True"), (2, "False")])
def test_a_control_needs_few(hits, holds):
    table = script("escape").summarise(trials("anterior touch, mec-4", [k < hits for k in range(10)]))
    assert table.holds.tolist() == [holds]


def test_ineligible_trials_do_not_count():
    escape = script("escape")
    table = pd.concat([trials("tap", [True] * 4), trials("tap", [False] * 6).assign(eligible=False)])
    assert escape.summarise(table).trials.tolist() == [4]


def test_every_condition_gives_its_stimulus_at_a_whole_tick():
    escape = script("escape")
    for condition in escape.CONDITIONS:
        job = escape.Job(condition, 7)
        for number in range(escape.TOGETHER):
            assert escape.onset(job, number) % escape.TICK == 0.0
            verbs = [each["verb"] for each in escape.worm_of(job, number).interventions]
            wanted = {"none": 0, "glycerol": 0}.get(condition.stimulus, 1)
            assert sum(verb in ("touch", "tap") for verb in verbs) == wanted, condition.name
            assert ("ablate" in verbs) == bool(condition.killed)


def test_states_measures_made_up_worms():
    """Worms that go forward for 6 s and back for 2 s, again and again."""
    program = [(6.0, 0.25), (2.0, -0.25)] * 6 + [(0.2, 0.25)]
    table = script("states").measures([crawl(program, frame=40.0) for _ in range(3)]).set_index("quantity")
    assert table.value["dwell forward ignoring stutters"] == pytest.approx(6.0, abs=0.3)
    assert table.value["dwell reverse, threshold"] == pytest.approx(2.0, abs=0.3)
    assert table.value["share of time backward"] == pytest.approx(0.25, abs=0.03)
    assert table.holds["reversals of 0.5 s or more"] == "False"  # 7.5 a minute


def test_a_standstill_is_found_between_reversals():
    """A worm that lies still for 10 s; windows of 3 s begin in 22 s, and lie within those 10 s in some 8."""
    states = script("states")

    def share(program: list[tuple[float, float]]) -> float:
        velocity = tangential_velocity(*crawl(program, frame=40.0))
        return states.standstill([velocity], [threshold_events(velocity)])

    assert share([(12.0, 0.25), (2.0, -0.25), (12.0, 0.25)]) == 0.0
    assert share([(6.0, 0.25), (10.0, 0.0), (6.0, 0.25), (2.0, -0.25), (6.0, 0.25)]) == pytest.approx(8 / 22, abs=0.05)


@pytest.mark.slow
def test_the_voltages_of_an_open_loop_follow_their_step():
    """sims/neural_convergence.py: half the step, half the error of backward Euler."""
    loop = script("neural_convergence").OpenLoop()
    exact = loop.voltages(0.0125, 2, 0, 40.0)
    errors = [np.abs(loop.voltages(dt, 1, 0, 40.0) - exact).mean() for dt in (0.5, 0.25)]
    assert errors[0] / errors[1] == pytest.approx(2.0, rel=0.2)


def test_states_tells_of_worms_that_never_reverse(tmp_path):
    states, tracks = script("states"), [crawl([(9.0, 0.25)], frame=40.0) for _ in range(2)]
    table = states.measures(tracks).set_index("quantity")
    assert table.value["reversals of 0.5 s or more"] == 0.0
    states.picture(tracks, tmp_path / "states.png")
    assert states.headings(tracks).shape == (0, len(states.LAGS)) and (tmp_path / "states.png").stat().st_size > 0


def test_the_heading_is_drawn_around_long_reversals_until_the_next_one():
    states = script("states")
    found = states.headings([crawl([(6.0, 0.25), (2.0, -0.25), (6.0, 0.25), (0.8, -0.25), (6.0, 0.25)], frame=40.0)])
    assert found.shape == (1, len(states.LAGS))
    known = np.isfinite(found[0])
    assert known[(states.LAGS >= 0.0) & (states.LAGS <= 4_500.0)].all() and not known[states.LAGS >= 6_000.0].any()
    assert np.allclose(found[0][known], 0.0, atol=10.0)


def test_a_bath_changes_as_a_gradient_is_crossed():
    """The Gaussian of nacl_chemotaxis.toml, 8 mm from its peak: its slope by hand, at 0.2 mm/s."""
    path = script("signal_path")
    bath, rate = path.bath_of("nacl_chemotaxis")
    above = 60.0 * np.exp(-(8.0**2) / (2.0 * 10.0**2))
    assert rate == pytest.approx(0.2 * above * 8.0 / 10.0**2, rel=1e-3)
    point = np.zeros((1, 3))
    values = [float(bath.at(point, time)[0]) for time in (0.0, 10_000.0, 18_000.0, 26_000.0, 33_999.0)]
    assert values == pytest.approx([5.0 + above, 5.0 + above, 5.0 + above + 8.0 * rate, 5.0 + above + 8.0 * rate,
                                    5.0 + above], abs=0.2 * rate)  # fmt: skip


def test_a_signal_is_read_late_in_each_part_and_where_ava_is_down():
    path = script("signal_path")
    time = np.arange(40.0, 34_001.0, 40.0)
    course = np.where(time <= 10_000.0, -70.0, np.where(time <= 18_000.0, -60.0, -75.0))
    names = ["AWCL", "AWCR", *(name.rstrip("*") + side for name in path.BEHIND for side in "LR")]
    voltages = pd.DataFrame(-50.0, index=time, columns=names).assign(AWCL=course, AWCR=course - 2.0)
    voltages.loc[voltages.index > 32_000.0, ["AVAL", "AVAR"]] = -15.0
    table = path.summary("isoamyl_alcohol", voltages).set_index("neuron")
    assert table.loc["AWC", ["before", "rise", "fall"]].tolist() == [-71.0, 10.0, -5.0]
    assert table.rise_ava_up.eq(0.0).all() and table.fall_ava_up.eq(0.5).all()
