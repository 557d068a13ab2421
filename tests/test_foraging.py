"""Patches of food, roaming and dwelling, search where food was lost: measures, and the experiments made of them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from free_worms import crawl
from test_cli import script

import tianbao as tb
from tianbao.behaviour.roaming import roaming
from tianbao.behaviour.states import starts_per_minute
from tianbao.errors import OutputError
from tianbao.sensing import receptors
from tianbao.validation.assay_file import assays, read_assay

TIME = np.arange(0.0, 60_001.0, 40.0)


def walk(speed, turn_deg_s):
    """Place of a walker of constant speed [mm/s] that turns at a constant rate, shape (frames, 2)."""
    angle = np.radians(turn_deg_s) * TIME / 1e3
    step = speed * 0.04 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.cumsum(step, axis=0)


# --- roaming


@pytest.mark.parametrize(("speed", "turn", "roams"), [(0.1, 20.0, True), (0.1, 50.0, False), (0.02, 20.0, False)])
def test_a_worm_roams_above_the_line(speed, turn, roams):
    found = roaming(TIME, walk(speed, turn))
    assert len(found.start_ms) == 6 and found.roams.tolist() == [roams] * 6
    assert found.speed_mm_s == pytest.approx(speed, rel=0.05) and found.turning_deg_s == pytest.approx(turn, rel=0.05)
    assert found.share == float(roams)


def test_a_worm_that_turns_back_and_forth_dwells_as_absolute_turns_count():
    place = walk(0.1, 0.0)
    place[:, 0] = 0.1 * np.abs((TIME / 1e3) % 4.0 - 2.0)  # turns round every two seconds
    assert not roaming(TIME, place).roams.any()


def test_a_worm_that_stands_still_dwells_and_a_short_track_has_no_state():
    assert roaming(TIME, np.zeros((len(TIME), 2))).roams.tolist() == [False] * 6
    assert math.isnan(roaming(TIME[:20], walk(0.1, 0.0)[:20]).share)
    with pytest.raises(OutputError, match="one row per frame"):
        roaming(TIME, walk(0.1, 0.0)[:-1])
    with pytest.raises(OutputError, match="increasing"):
        roaming(TIME[::-1], walk(0.1, 0.0))
    with pytest.raises(OutputError, match="no two samples"):
        roaming(TIME, walk(0.1, 0.0), 500.0)


# --- patches


def test_patches_are_lawns_of_one_field():
    lawn = tb.Lawn("food", radius=0.5, density=2.0, patches=((0.0, 0.0), (3.0, 0.0)))
    assert lawn.left == pytest.approx(2.0 * 2.0 * math.pi * 0.25, rel=0.01)
    points = np.array([[0.0, 0.0, 0.0], [3.0, 0.2, 0.0], [1.5, 0.0, 0.0], [9.0, 0.0, 0.0]])
    assert lawn.at(points, 0.0).tolist() == pytest.approx([2.0, 2.0, 0.0, 0.0])
    assert lawn.depth(points[:, :2]).tolist() == pytest.approx([0.5, 0.3, -1.0, -5.5])
    moved = tb.Lawn("food", radius=0.5, density=2.0, centre=(1.0, 1.0, 0.0), patches=[[2.0, 0.0]])
    assert moved.depth(np.array([[3.0, 1.0]]))[0] == pytest.approx(0.5)
    assert moved.described()["patches"] == [[2.0, 0.0]] or moved.described()["patches"] == ((2.0, 0.0),)


def test_one_patch_in_the_middle_is_the_round_lawn():
    plain, patch = (tb.Lawn("food", radius=0.5, density=2.0, patches=each) for each in ((), ((0.0, 0.0),)))
    assert np.array_equal(plain.state()["mass"], patch.state()["mass"])


@pytest.mark.parametrize("wrong", ["here", 3.0, ((1.0,),), ((math.nan, 0.0),)])
def test_patches_that_are_no_places_are_refused(wrong):
    with pytest.raises(tb.ConfigError, match="patches"):
        tb.Lawn("food", radius=0.5, density=2.0, patches=wrong)


# --- search


def test_awc_and_ask_feel_that_food_was_lost_and_adapt_over_minutes():
    lost = [each for each in receptors("food") if each.polarity == -1.0]
    assert [each.neuron for each in lost] == ["AWCL", "AWCR", "ASKL", "ASKR"]
    assert {each.tau for each in lost} == {900_000.0} and not any(each.tonic for each in lost)


# --- experiments


def row(name, seed, **changed):
    base = {"eaten_ug": 0.02, "share_on_food": 0.9, "share_roaming": 0.2, "speed_on_mm_s": 0.1, "speed_off_mm_s": 0.2,
            "reversals_soon_per_min": 6.0, "reversals_late_per_min": 2.0}  # fmt: skip
    return {"condition": name, "seed": seed, **base, **changed}


def test_the_experiment_of_foraging_compares_worms_of_equal_seeds():
    foraging = script("foraging")
    worse = {"food not felt": {"eaten_ug": 0.01, "share_on_food": 0.3}, "amines off": {"share_on_food": 0.4},
             "tph-1": {"share_roaming": 0.8}, "pdfr-1": {"share_roaming": 0.05},
             "cat-2": {"speed_on_mm_s": 0.2, "reversals_soon_per_min": 2.0}}  # fmt: skip
    rows = [row(name, seed, **each) for name, each in {"intact": {}, **worse}.items() for seed in (1, 2, 3)]
    judged = foraging.verdicts(pd.DataFrame(rows))
    assert judged.holds.all() and (judged.pairs == 3).all()
    alike = foraging.verdicts(pd.DataFrame([row(name, seed) for name in ("intact", *worse) for seed in (1, 2, 3)]))
    assert alike.holds.tolist() == [False] * 7 + [True]
    assert not foraging.verdicts(pd.DataFrame([row("intact", 1)])).holds.any()


def test_worms_of_foraging_are_what_their_condition_says():
    foraging = script("foraging")
    made = {each.name: foraging.worm_of(foraging.Job(each, 7, 40.0)) for each in foraging.CONDITIONS}
    assert made["amines off"].amines.on is False and made["intact"].amines.on
    assert [each["genes"] for each in made["pdfr-1"].interventions] == [["pdfr-1"]]
    lawn = foraging.patches()
    assert len(lawn.patches) == 61 and lawn.depth(np.zeros((1, 2)))[0] == foraging.PATCH
    place = np.array(lawn.patches)
    apart = np.linalg.norm(place[:, None] - place, axis=2)[~np.eye(len(place), dtype=bool)]
    assert apart.min() == pytest.approx(foraging.PITCH)


def test_time_since_food_and_rates_of_events():
    foraging, time = script("foraging"), np.arange(0.0, 120_000.0, 40.0)
    depth = np.where((time >= 20_000.0) & (time < 60_000.0), 0.1, -0.1)
    since = foraging.since_left(time, depth)
    assert np.isinf(since[0]) and since[1000] == 0.0 and since[-1] == pytest.approx(60.0, abs=0.1)
    assert starts_per_minute(np.array([30_000.0, 70_000.0]), time, depth >= 0.0) == pytest.approx(1.5, rel=0.01)
    assert math.isnan(starts_per_minute(np.zeros(0), time, np.zeros(len(time), bool)))


def test_measures_of_a_worm_that_leaves_a_patch_and_reverses():
    foraging = script("foraging")
    time, line = crawl([(20.0, 0.2), (2.0, -0.2), (8.0, 0.2), (2.0, -0.2), (8.0, 0.2)], frame=40.0)
    depth = np.where(time < 18_000.0, 0.5, -0.5)
    found = foraging.measures(time, line, depth, foraging.since_left(time, depth))
    assert found["share_on_food"] == pytest.approx(0.45, abs=0.01) and found["left"] == 1
    assert found["reversals_on_per_min"] == 0.0 and found["reversals_soon_per_min"] == pytest.approx(5.5, rel=0.05)
    assert math.isnan(found["reversals_late_per_min"]) and found["share_roaming"] == 1.0
    assert found["speed_on_mm_s"] > found["speed_off_mm_s"] > 0.0


def test_the_experiment_of_chemotaxis(tmp_path):
    chemotaxis = script("chemotaxis")
    conditions = chemotaxis.groups("nacl_chemotaxis", 2, 7, 9_000.0)
    assert [each.name for each in conditions] == ["gradient", "ASE, AWC and AWA killed", "no gradient"]
    assert {each.config.duration for each in conditions} == {9_000.0} and conditions[0].config.seed == 7
    row, time, path = chemotaxis.measure(chemotaxis.Job(conditions[0], 1))
    assert row["caught"] == 0.0 and np.isnan(row["found_s"])
    assert abs(row["last_mm"] - 8.0) < 9.0 * 0.35  # from 8 mm away, in 9 s, at 0.35 mm/s or less
    assert time[0] == 5.0 and path.shape == (len(time), 2)
    other = {**row, "caught": 1.0, "found_s": 8.0, "falls": 3.0, "falling_s": 30.0, "rises": 1.0, "rising_s": 30.0}
    (mean,) = chemotaxis.summarise(pd.DataFrame([row, other])).to_dict("records")
    assert mean["caught_index"] == mean["found_source"] == 0.5 and mean["found_s"] == 8.0
    chemotaxis.picture({"gradient": [(time, path)]}, chemotaxis.spot_of(conditions[0]), tmp_path / "tracks.png")
    assert (tmp_path / "tracks.png").stat().st_size > 10_000


def test_the_experiment_of_climbing():
    climb, time = script("climb"), np.arange(0.0, 60_000.0, 40.0)
    place = np.array(climb.worm_of(climb.Job(climb.CONDITIONS[0], 3, 40.0)).at)
    assert np.linalg.norm(place) == pytest.approx(climb.AWAY) and abs(place[2]) > 0.1
    salt = np.where(time < 30_000.0, 0.0, 1e-3 * time) - np.where(time < 30_000.0, 1e-3 * time, 0.0)
    falling, rising = climb.by_change(time, salt, np.array([10_000.0, 20_000.0, 50_000.0]))
    assert falling == pytest.approx(2 / (26.0 / 60.0), rel=0.05) and rising == pytest.approx(2.0, rel=0.05)
    worms = [{"condition": name, "seed": seed, "nearer_mm": value + 0.1 * seed}
             for name, value in {"intact": 3.0, "ASE killed": 0.0}.items() for seed in (1, 2, 3)]  # fmt: skip
    assert climb.climbed(pd.DataFrame(worms)) and not climb.climbed(pd.DataFrame(worms[:3]))


# --- assays


def test_the_assays_of_foraging_say_what_they_compare():
    files = {path.stem: read_assay(path) for path in assays(["foraging", "local_search"])}
    search = files["local_search"].conditions
    assert search["food taken away"].duration > search["cat-2"].duration
    assert set(files["foraging"].conditions) == {"intact", "amines off", "food not felt", "tph-1", "pdfr-1"}
