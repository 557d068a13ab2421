"""The launcher of the NetPyNE GUI: what it says without one, and what it changes in one (stand-ins)."""

import argparse
import json
import platform
import runpy
import shlex
import shutil
import stat
import subprocess
import sys
import types
import urllib.request
from pathlib import Path

import pytest

from tianbao.cli import inspect as command_line
from tianbao.cli.session import run_script
from tianbao.errors import ConfigError, MechanismError, OutputError
from tianbao.io import gui, gui_install, gui_start


def stand_in(tmp_path, body):
    """A program that plays the interpreter of another environment."""
    path = tmp_path / "env" / "bin" / "python"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{sys.executable}\n{body}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def answering(tmp_path, has=True, **versions):
    """An environment that says which packages it has."""
    said = {"has": has, "versions": versions, "python": "3.11"}
    return stand_in(tmp_path, f"print({json.dumps(said)!r})")


def command(*arguments):
    """`tianbao gui` with arguments, as the command line runs it."""
    parser = argparse.ArgumentParser()
    command_line.register(parser.add_subparsers())
    args = parser.parse_args(["gui", *map(str, arguments)])
    return run_script(args.act, args)


def test_without_a_gui_the_command_says_how_to_install_one(capsys):
    pytest.importorskip("neuron")
    if gui_install._probe(Path(sys.executable))["has"]:
        pytest.skip("this environment has the GUI")
    assert command() == 2
    said = capsys.readouterr()
    assert "no NetPyNE GUI" in said.err and "--python" in said.err and said.err.count("\n") == 1
    assert "netpyne-ui==" in said.out and "-m venv" in said.out


def test_an_environment_with_too_new_a_notebook_is_refused_by_name(tmp_path):
    with pytest.raises(ConfigError, match="notebook 7.2.1 and the NetPyNE GUI needs one below 7"):
        gui_install.find_gui(answering(tmp_path, notebook="7.2.1"))
    with pytest.raises(ConfigError, match="no notebook"):
        gui_install.find_gui(answering(tmp_path))


@pytest.mark.parametrize("path", ["/nowhere/python", str(Path(__file__))])
def test_what_is_no_interpreter_is_refused(path):
    with pytest.raises(ConfigError, match="not a Python interpreter"):
        gui_install.find_gui(path)


def test_a_program_that_answers_nonsense_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="is not Python 3.11"):
        gui_install.find_gui(stand_in(tmp_path, "print('hello')"))


def test_an_installed_gui_is_found_with_its_versions(tmp_path):
    found = gui_install.find_gui(answering(tmp_path, notebook="6.5.7", netpyne="1.1.1"))
    assert found.versions["netpyne"] == "1.1.1" and found.versions["python"] == "3.11"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no index.npjson"),
        ("not json", "not the index of a NetPyNE model"),
        ("[]", "not the index of a NetPyNE model"),
        ('{"simConfig": "cfg.py"}', "not the index of a NetPyNE model"),
        ('{"simConfig": "cfg.py", "netParams": "gone.py"}', "gone.py"),
    ],
)
def test_a_folder_that_is_no_model_is_refused(content, said, tmp_path):
    (tmp_path / "cfg.py").write_text("")
    if content is not None:
        (tmp_path / "index.npjson").write_text(content)
    with pytest.raises(ConfigError, match=said):
        gui.check_model(tmp_path)


def test_the_server_is_for_this_machine_with_a_token_and_nothing_from_outside(tmp_path):
    found = gui.Gui(tmp_path / "python", {})
    words = gui.command(found, 8123)
    assert "--ip=127.0.0.1" in words and not any("token" in word for word in words)
    policy = next(word for word in words if "Content-Security-Policy" in word)
    assert "default-src 'self' ws://127.0.0.1:8123" in policy
    assert "http:" not in policy and "https:" not in policy and "*" not in policy


SERVER = """
import http.server, os, sys
port = int(next(word for word in sys.argv if word.startswith("--port=")).split("=")[1])
class Page(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(os.environ["JUPYTER_TOKEN"].encode())
http.server.HTTPServer(("127.0.0.1", port), Page).serve_forever()
"""


def test_two_starts_have_different_tokens_and_leave_nothing_behind(tmp_path):
    found = gui_install.Gui(stand_in(tmp_path, SERVER), {})
    tokens = []
    for _ in range(2):
        with gui.serving(found, tmp_path) as (address, process):
            tokens.append(address.split("token=")[1].split("&")[0])
            assert urllib.request.urlopen(address.split("/login")[0]).read().decode() == tokens[-1]
            # What every user of the machine can read of a process.
            command_line = Path(f"/proc/{process.pid}/cmdline")
            assert not command_line.exists() or tokens[-1].encode() not in command_line.read_bytes()
        assert process.poll() is not None
    assert tokens[0] != tokens[1] and min(map(len, tokens)) >= 32


def test_a_relative_interpreter_works_although_the_server_runs_in_another_folder(tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    said = json.dumps({"has": True, "versions": {"notebook": "6.5.7"}, "python": "3.11"})
    path = stand_in(tmp_path, f"import sys\nif '-c' in sys.argv:\n    sys.exit(print({said!r}))\n{SERVER}")
    monkeypatch.chdir(tmp_path)
    found = gui_install.find_gui(path.relative_to(tmp_path))
    with gui.serving(found, tmp_path / "models") as (_, process):
        assert process.poll() is None


def test_an_interpreter_that_cannot_be_started_is_one_sentence(tmp_path):
    absent = gui_install.Gui(tmp_path / "absent", {})
    with pytest.raises(ConfigError, match="cannot be started"), gui.serving(absent, tmp_path):
        pass


def test_the_commands_that_install_the_gui_work_from_any_folder(tmp_path, monkeypatch):
    folder = tmp_path / "it's a folder; rm -rf"
    (folder / "worm").mkdir(parents=True)
    monkeypatch.chdir(folder)
    lines = gui_install.install_commands(Path("worm")).splitlines()
    parsed = [shlex.split(lines[0]), shlex.split(lines[-1])]
    assert subprocess.run(["bash", "-n"], input="\n".join(lines), text=True, check=False).returncode == 0
    environment = str(folder / "netpyne-gui")
    assert parsed[0][1:4] == ["-m", "venv", environment] and parsed[0][-1] == f"{environment}/bin/activate"
    assert parsed[-1][-3:] == [str(folder / "worm"), "--python", f"{environment}/bin/python"]
    assert Path(parsed[-1][0]).is_absolute() and parsed[-1][-4] == "gui"


def test_a_server_that_dies_is_an_error_with_its_last_words(tmp_path):
    found = gui.Gui(stand_in(tmp_path, "import sys; sys.exit('no such extension')"), {})
    with pytest.raises(OutputError, match="no such extension"), gui.serving(found, tmp_path):
        pass


@pytest.mark.parametrize("port", [-1, 70_000])
def test_a_port_that_is_none_is_refused(port, capsys):
    assert command("--port", port) == 2
    assert f"port {port}" in capsys.readouterr().err


def test_the_settings_start_every_kernel_with_the_adaptation(tmp_path):
    variables = gui.write_settings(tmp_path)
    startup = list((Path(variables["IPYTHONDIR"]) / "profile_default" / "startup").iterdir())
    assert len(startup) == 1 and str(gui.START) in startup[0].read_text()
    assert callable(runpy.run_path(str(gui.START))["adapt"])
    preload = Path(variables["JUPYTER_CONFIG_DIR"]) / "custom" / "custom-preload.js"
    assert "window._" in preload.read_text()


def with_compiler(tmp_path, ending=""):
    """An environment whose nrnivmodl writes a library of what it was given."""
    found = gui_install.Gui(answering(tmp_path), {"neuron": "9.0.2"})
    compiler = found.python.with_name("nrnivmodl")
    make = f"built = pathlib.Path({platform.machine()!r})\nbuilt.mkdir()\n"
    read = "read = [each.read_bytes() for each in sorted(pathlib.Path().glob('*.mod'))]\n"
    write = "(built / 'libnrnmech.so').write_bytes(b'of ' + b' '.join(read))\n"
    compiler.write_text(f"#!{sys.executable}\nimport pathlib, sys\n{make}{read}{write}{ending}")
    compiler.chmod(0o755)
    return found


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A model with one mechanism, and a cache of its own."""
    monkeypatch.setenv("TIANBAO_MECHS", str(tmp_path / "cache"))
    (tmp_path / "model" / "mod").mkdir(parents=True)
    (tmp_path / "model" / "mod" / "a.mod").write_text("NEURON { SUFFIX a }")
    return tmp_path / "model"


def test_a_model_is_compiled_once_and_a_failed_compile_leaves_nothing(tmp_path, model):
    with pytest.raises(MechanismError, match="no nrnivmodl"):
        gui.compile_model(model, gui_install.Gui(answering(tmp_path), {}))
    failing = with_compiler(tmp_path, "sys.exit('bad unit')")
    with pytest.raises(MechanismError, match="bad unit"):
        gui.compile_model(model, failing)
    assert not list((tmp_path / "cache").glob("models/**/libnrnmech*"))
    found = with_compiler(tmp_path)
    assert gui.compile_model(model, found) and not gui.compile_model(model, found)
    assert {each.name for each in (model / "mod").iterdir()} == {"a.mod"}
    (model / "mod" / "a.mod").write_text("NEURON { SUFFIX b }")
    assert gui.compile_model(model, found)
    other = gui_install.Gui(found.python, {"neuron": "8.2.6"})
    assert gui.library(model, other)[0] != gui.library(model, found)[0]
    shutil.rmtree(model / "mod")
    assert not gui.compile_model(model, found)


@pytest.mark.parametrize("link", [False, True])
def test_a_library_that_lies_in_a_model_is_neither_loaded_nor_lost(tmp_path, model, link):
    found = with_compiler(tmp_path)
    foreign = tmp_path / "elsewhere" if link else model / "mod" / platform.machine()
    foreign.mkdir()
    (foreign / "libnrnmech.so").write_bytes(b"foreign code")
    if link:
        (model / "mod" / platform.machine()).symlink_to(foreign)
    assert gui.compile_model(model, found)
    assert not (model / "mod" / platform.machine()).exists()
    assert (model / "mod" / f"{platform.machine()}.not_loaded" / "libnrnmech.so").read_bytes() == b"foreign code"
    ours, _ = gui.library(model, found)
    assert model not in ours.parents and ours.read_bytes() == b"of NEURON { SUFFIX a }"


def test_a_library_of_ours_that_was_cut_off_is_compiled_again(tmp_path, model):
    found = with_compiler(tmp_path)
    gui.compile_model(model, found)
    library, _ = gui.library(model, found)
    whole = library.read_bytes()
    for broken in (whole[:5], bytes(len(whole))):
        library.write_bytes(broken)
        assert gui.compile_model(model, found) and library.read_bytes() == whole


def test_a_kernel_loads_the_mechanisms_of_the_model_from_our_folder_only(tmp_path):
    loaded = []
    neuron = types.SimpleNamespace(load_mechanisms=lambda path, warn=True: loaded.append(str(path)))
    (tmp_path / "model" / "mod").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "model")
    gui_start.adapt_mechanisms(neuron, str(tmp_path / "model" / "mod"), "/ours")
    neuron.load_mechanisms(f"{tmp_path}/link/mod/", warn=False)
    neuron.load_mechanisms(str(tmp_path))
    assert loaded == ["/ours", "/ours", str(tmp_path)]


def test_an_unknown_option_of_the_loader_is_passed_over():
    seen = []
    sim = types.SimpleNamespace(loadModel=lambda path, loadMechs=True: seen.append((path, loadMechs)))
    gui_start.adapt_loader(sim)
    sim.loadModel("folder", loadMechs=False, ignoreMechAlreadyExistsError=True)
    assert seen == [("folder", False)]


def test_error_reporting_does_not_start():
    sentry = types.SimpleNamespace(init=lambda *args, **options: pytest.fail("it reported"))
    gui_start.adapt_reporting(sentry)
    sentry.init("address", release="1.1.0")


def test_the_validator_takes_lists_of_presynaptic_sites_and_still_refuses_nonsense():
    schema = pytest.importorskip("schema")

    def rules(context):
        return {schema.Optional(str): {"connList": [list], schema.Optional("preSec"): str}}

    validator = types.SimpleNamespace(conn_specs=rules, listOfNumbers=schema.Schema([schema.Or(int, float)]))
    rule = {"connList": [[0, 1]], "preSecs": ["soma"], "preLocs": [0.5]}
    with pytest.raises(schema.SchemaError):
        schema.Schema(validator.conn_specs(None)).validate({"gap": rule})
    gui_start.adapt_validator(validator, schema.Optional)
    check = schema.Schema(validator.conn_specs(None))
    assert check.validate({"gap": rule})
    for wrong in ({"preSec": 1}, {"preLocs": ["0.5"]}, {"preSegs": [1]}):
        with pytest.raises(schema.SchemaError):
            check.validate({"gap": {**rule, **wrong}})
