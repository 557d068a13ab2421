"""`tianbao run --verify` compares the engines on the user's own run."""

from __future__ import annotations

import pytest

import tianbao as tb
from tianbao.agreement import Agreement
from tianbao.cli import main
from tianbao.config import RunConfig


def test_the_engines_agree_on_the_first_of_several_worms_in_company():
    config = RunConfig().updated({"worms": [{"at": [0.0, 0.0, 0.0]}, {"at": [1.5, 0.0, 0.0]}]})
    found = tb.verify(config, duration=60.0, progress=False)
    assert found.holds and found.engine == "native" and found.duration == 60.0
    assert 0.0 < found.voltage < 1e-9 and found.midline < 1e-12


def test_single_precision_is_compared_by_its_own_measure():
    found = tb.verify(RunConfig().updated({"engine": "native-f32"}), duration=60.0, progress=False)
    assert found.holds and found.voltage > 1e-6
    assert not Agreement("native", 60.0, found.voltage, found.midline).holds
    assert "do NOT agree" in str(Agreement("native", 60.0, found.voltage, found.midline))


def test_what_neuron_does_not_have_is_refused():
    with pytest.raises(tb.ConfigError, match="corrections are a feature of engine 'native'"):
        tb.verify(RunConfig().updated({"clock.order": 2, "clock.corrections": 1}), duration=60.0, progress=False)


def test_a_run_that_does_not_agree_is_not_started(monkeypatch, capsys, tmp_path):
    from tianbao import agreement

    monkeypatch.setattr(agreement, "verify", lambda config: Agreement("native", 1000.0, 1.0, 0.1))
    assert main(["run", "--verify", "--duration", "100", "--out", str(tmp_path / "run")]) == 1
    assert "do NOT agree" in capsys.readouterr().out and not (tmp_path / "run").exists()
