"""sims/perturbations.py: its table of sign tests, shared controls, and verdicts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from test_cli import script

from tianbao.behaviour.taxis import Interval
from tianbao.errors import ConfigError


@pytest.fixture(scope="module")
def perturbations():
    return script("perturbations")


def sign(perturbations, expected="lower", **more):
    given = {
        "name": "AIB killed", "context": "off food", "perturbation": "ablate AIB*", "measure": "reversal_rate",
        "arguments": {}, "expected": expected, "not_applicable": "", "source": "x", "certainty": "low", **more,
    }  # fmt: skip
    return perturbations.Test(**given)


def test_there_are_enough_signs_and_what_does_not_apply_says_why(perturbations):
    tests = perturbations.read_tests()
    asked = [each for each in tests if not each.not_applicable]
    assert len(asked) >= 24 and len({each.name for each in tests}) == len(tests)
    assert all(len(each.not_applicable) > 20 for each in tests if each not in asked)
    assert {each.context for each in asked} == set(perturbations.CONTEXTS)


def test_perturbations_share_controls_and_fit_into_the_time_they_are_said_to_take(perturbations):
    groups = perturbations.groups_of(perturbations.read_tests(), None, None, 1)
    controls = [each.name for each in groups if each.name.endswith(": control")]
    assert len(controls) == len(perturbations.CONTEXTS) and len({each.name for each in groups}) == len(groups)
    assert sum(each.config.duration * each.worms for each in groups) / 1e3 < 20_000.0
    for each in groups:
        if each.setup.stimulus:
            assert each.setup.stimulus + each.setup.spread + 4_000.0 < each.config.duration


@pytest.mark.parametrize(
    ("expected", "low", "high", "verdict"),
    [
        ("lower", -2.0, -0.5, "right"), ("lower", -2.0, 0.5, "undecided"), ("lower", 0.5, 2.0, "wrong"),
        ("higher", 0.5, 2.0, "right"), ("higher", -2.0, -0.5, "wrong"), ("same", -0.2, 0.2, "right"),
        ("same", -2.0, 0.1, "undecided"), ("same", -3.0, -1.0, "wrong"), ("lower", float("nan"), 1.0, "undecided"),
    ],
)  # fmt: skip
def test_the_interval_of_the_effect_decides(perturbations, expected, low, high, verdict):
    effect = Interval(0.5 * (low + high), low, high, 12)
    assert perturbations.verdict(sign(perturbations, expected), 2.0, effect) == verdict
    few = Interval(effect.value, low, high, 2)
    assert perturbations.verdict(sign(perturbations, expected), 2.0, few) == "undecided"


def test_worms_are_compared_in_pairs_of_one_seed(perturbations):
    random = np.random.default_rng(2)
    often = random.integers(2, 12, 12)
    rows = {
        "off food: control": [{"worm": k, "values": {"reversal_rate": [float(n), 60.0]}} for k, n in enumerate(often)],
        "off food: ablate AIB*": [
            {"worm": k, "values": {"reversal_rate": [float(n - 1), 60.0]}} for k, n in enumerate(often) if k
        ] + [{"worm": 0, "error": "diverged"}],
    }  # fmt: skip
    found = perturbations.judged(sign(perturbations), rows)
    assert found["n"] == 11 and found["verdict"] == "right"
    assert found["effect"] == pytest.approx(-1.0) and found["high"] == pytest.approx(-1.0)


def test_settings_and_several_interventions_are_perturbations(perturbations):
    config = perturbations.RunConfig().updated({"interventions": [{"verb": "tap", "start": 1.0}]})
    changed = perturbations.perturbed(config, "ablate AVA*; worm.connectome=white1986; knock_out unc-25")
    assert changed.worm.connectome == "white1986"
    assert [each["verb"] for each in changed.interventions] == ["tap", "ablate", "knock_out"]


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [("context", "moon", "'context' = 'moon'"), ("measure", "speed", "unknown measure"), ("source", "", "no source"),
     ("perturbation", "", "does nothing"), ("arguments", "window=1.0", "unknown argument"),
     ("expected", "more", "'expected' = 'more'")],
)  # fmt: skip
def test_a_mistake_in_the_table_is_one_sentence(perturbations, tmp_path, column, value, words):
    table = pd.read_csv(perturbations.TESTS, dtype=str, keep_default_na=False).head(1)
    table[column] = value
    table.to_csv(tmp_path / "tests.csv", index=False)
    with pytest.raises(ConfigError, match=words) as caught:
        perturbations.read_tests(tmp_path / "tests.csv")
    assert "\n" not in str(caught.value)
