"""Configuration and parameters refuse what they do not know, in one sentence."""

import copy
import tomllib

import numpy as np
import pytest

from tianbao import parameters
from tianbao.config import RunConfig, read_config
from tianbao.errors import ConfigError
from tianbao.toml import lines
from tianbao.worm import Pulse, Worm


def test_unknown_key_is_refused_with_the_nearest_one(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text("sede = 3\n")
    with pytest.raises(ConfigError, match=r"run.toml: unknown key 'sede': did you mean 'seed'\?"):
        read_config(path)


def test_wrong_type_is_refused(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('duration = "long"\n')
    with pytest.raises(ConfigError, match="'duration' must be of type float"):
        read_config(path)


def test_broken_toml_and_missing_file_name_the_file(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text("= 3")
    with pytest.raises(ConfigError, match="run.toml is not valid TOML"):
        read_config(path)
    with pytest.raises(ConfigError, match="absent.toml"):
        read_config(tmp_path / "absent.toml")


def test_none_keeps_the_default():
    assert RunConfig().updated({"seed": None}) == RunConfig()


def test_toml_survives_the_round_trip():
    sections = {"a": {"text": 'say "hi"\n\\', "number": 1.5, "flag": True, "many": [1, 2]}}
    assert tomllib.loads("\n".join(["[a]", *lines(sections["a"], "", {})])) == sections


def test_a_written_configuration_is_read_back_the_same(tmp_path):
    done = [{"verb": "ablate", "neurons": ["AVB*"]}, {"verb": "clamp", "neurons": ["AVAL"], "voltage": -20.0}]
    changes = {"seed": 4, "record.voltage": ["DB*"], "parameters.gap_gain": 0.02, "interventions": done}
    config = RunConfig().updated({**changes, "arena.pillars": [[1, 2.0, 0.1, 0.0]]})
    (tmp_path / "config.toml").write_text(config.to_toml())
    assert read_config(tmp_path / "config.toml") == config


def test_numpy_numbers_are_written_as_plain_ones():
    written = "\n".join(["[a]", *lines({"x": np.float64(1.5), "at": np.zeros(2)}, "", {})])
    assert tomllib.loads(written) == {"a": {"x": 1.5, "at": [0.0, 0.0]}}


def test_a_worm_can_be_copied():
    twin = copy.deepcopy(Worm().ablate("AVAL"))
    assert twin.parameters == parameters.defaults() and twin.interventions == ({"verb": "ablate", "neurons": ["AVAL"]},)
    assert not hasattr(twin.parameters, "gap_gian")


@pytest.mark.parametrize("option", [{"discretisation": "trace"}, {"channel_set": "C91"}, {"signs": "predictd"}])
def test_unknown_options_of_a_worm_are_refused(option):
    with pytest.raises(ConfigError, match="did you mean"):
        Worm(**option)


def test_a_worm_has_one_or_two_soma_compartments():
    assert Worm().soma_compartments == 2 and Worm(soma_compartments=1).soma_compartments == 1
    with pytest.raises(ConfigError, match="soma_compartments = .* must be 1 or 2"):
        Worm(soma_compartments=3)


def test_order_and_soma_compartments_are_read_and_must_be_whole(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text("[clock]\norder = 2\n[worm]\nsoma_compartments = 1\n")
    assert read_config(path) == RunConfig().updated({"clock.order": 2, "worm.soma_compartments": 1})
    path.write_text("[clock]\norder = 1.5\n")
    with pytest.raises(ConfigError, match="'clock.order' must be of type int"):
        read_config(path)


def test_text_for_a_number_is_refused():
    with pytest.raises(ConfigError, match="'gap_gain' = abc is not a number"):
        parameters.defaults().replace(gap_gain="abc")


def test_unknown_parameter_is_refused_with_the_nearest_one():
    with pytest.raises(ConfigError, match="did you mean 'gap_gain'"):
        parameters.defaults().replace(gap_gian=1.0)


def test_negative_conductance_and_nan_are_refused():
    with pytest.raises(ConfigError, match="'gap_gain' = -1 nS is outside 0 to 1"):
        parameters.defaults().replace(gap_gain=-1.0)
    with pytest.raises(ConfigError, match="'gap_gain' = nan is not a number"):
        parameters.defaults().replace(gap_gain=float("nan"))


def test_nan_in_the_parameter_table_names_file_and_row(tmp_path):
    lines = parameters.TABLE.read_text().splitlines()
    cells = lines[1].split(",")
    cells[1] = "nan"
    broken = tmp_path / "parameters.csv"
    broken.write_text("\n".join([lines[0], ",".join(cells)]))
    with pytest.raises(ConfigError, match="parameters.csv, row 2: 'excitatory_gain' = nan is not a number"):
        parameters.table(broken)


def test_free_parameters_are_few():
    rows = parameters.table().values()
    assert len(rows) <= 40
    assert sum(row.source.startswith("fitted") for row in rows) <= 25


def test_a_pulse_must_end_after_it_starts():
    with pytest.raises(ConfigError, match="start < stop"):
        Pulse(0.02, start=5.0, stop=1.0)


def test_a_byte_order_mark_is_accepted_and_another_encoding_is_named(tmp_path):
    path = tmp_path / "run.toml"
    path.write_bytes(b"\xef\xbb\xbfseed = 7\r\n")
    assert read_config(path).seed == 7
    for encoding in ("utf-16", "utf-16-le", "latin-1"):
        path.write_bytes("\ufeffengine = 'caf\u00e9'".encode(encoding, "ignore"))
        with pytest.raises(ConfigError, match="run.toml .*(UTF-16|another encoding|not valid TOML)"):
            read_config(path)


def test_deep_nesting_and_endless_files_are_refused(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text("seed = " + "[" * 100_000)
    with pytest.raises(ConfigError, match="nested too deeply"):
        read_config(path)
    with pytest.raises(ConfigError, match="zero is larger"):
        read_config("/dev/zero")
    with pytest.raises(ConfigError, match="cannot read"):
        read_config("a\0b")


def test_a_wrong_argument_is_a_type_error_of_ours():
    with pytest.raises(ConfigError) as caught:
        Worm(at=(0.0, 0.0, 0.0), headding=1.0)
    assert isinstance(caught.value, TypeError) and "heading" in str(caught.value)


def test_an_error_inside_a_call_is_not_taken_for_a_wrong_argument():
    from tianbao.arguments import named_arguments

    @named_arguments
    def broken(value):
        """Fails by itself."""
        return value + "a"

    with pytest.raises(TypeError, match="unsupported operand") as caught:
        broken(1)
    assert not isinstance(caught.value, ConfigError)
