"""NWB: what is written is what was recorded, and the validators of the archives find nothing wrong."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import NEURONS, recording

from tianbao.errors import ConfigError, OutputError
from tianbao.recording import Recording

pynwb = pytest.importorskip("pynwb")

from tianbao.io.nwb import write_nwb  # noqa: E402


def changed(run: Recording, **changes) -> Recording:
    return Recording(**{**run.__dict__, **changes})


@pytest.fixture(scope="module")
def run() -> Recording:
    return recording(duration=4000.0)


def test_numbers_come_back_in_si_units(run, tmp_path):
    path = write_nwb(run, tmp_path / "run.nwb")
    with pynwb.NWBHDF5IO(str(path), "r") as reader:
        file = reader.read()
        voltage = file.processing["icephys"]["membrane_voltage"]
        assert voltage.unit == "volts" and voltage.rate == pytest.approx(50.0)
        assert np.allclose(voltage.data[:] * voltage.conversion, run.worms[0].voltage * 1e-3, atol=1e-8)
        assert tuple(file.processing["icephys"]["neurons"]["label"][:]) == NEURONS
        room = file.processing["behavior"]
        midline = room["midline"]
        assert np.allclose(midline.data[:] * midline.conversion, run.worms[0].midline * 1e-3)
        assert midline.starting_time == pytest.approx(0.02)
        assert room["muscle_activation"].data.shape == (200, 95) and len(room["muscles"]["label"]) == 95
        assert file.subject.species == "Caenorhabditis elegans"
        assert file.notes == run.config_toml and ["tianbao", "0.1.0"] in [list(row) for row in file.was_generated_by[:]]
        assert file.session_start_time.isoformat() == run.created


def test_inspectors_find_neither_errors_nor_violations(run, tmp_path):
    inspector = pytest.importorskip("nwbinspector")
    path = write_nwb(run, tmp_path / "run.nwb")
    assert not pynwb.validate(path=str(path))
    found = list(inspector.inspect_nwbfile(nwbfile_path=path))
    assert {each.check_function_name for each in found} <= {"check_experimenter_exists", "check_institution"}
    path = write_nwb(run, tmp_path / "signed.nwb", experimenter=("Doe, Jane",), institution="Somewhere")
    assert not list(inspector.inspect_nwbfile(nwbfile_path=path))


def test_an_imported_track_is_written_without_voltages(run, tmp_path):
    worm = run.worms[0]
    none = np.zeros((0, 0))
    bare = type(worm)(worm.midline, np.zeros((200, 0)), (), none, np.zeros(0), ())
    path = write_nwb(changed(run, worms=(bare,), versions={}), tmp_path / "track.nwb")
    with pynwb.NWBHDF5IO(str(path), "r") as reader:
        file = reader.read()
        assert set(file.processing) == {"behavior"} and file.subject.description.startswith("Tracked animal")


def test_what_cannot_be_written_is_said(run, tmp_path):
    with pytest.raises(ConfigError, match="no worm 3"):
        write_nwb(run, tmp_path / "run.nwb", worm=3)
    with pytest.raises(OutputError, match="when it was made"):
        write_nwb(changed(run, created="yesterday"), tmp_path / "run.nwb")
    with pytest.raises(OutputError, match="fewer than two frames"):
        write_nwb(changed(run, time=run.time[:1]), tmp_path / "run.nwb")
    assert not list(tmp_path.iterdir())
