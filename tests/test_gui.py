"""The launcher of the NetPyNE GUI: what it says without one, and what it changes in one (stand-ins)."""

import argparse
import json
import runpy
import stat
import sys
import types
import urllib.request
from pathlib import Path

import pytest

from tianbao.cli import inspect as command_line
from tianbao.cli.session import run_script
from tianbao.errors import ConfigError, MechanismError, OutputError
from tianbao.io import gui, gui_start


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
    if gui._probe(Path(sys.executable))["has"]:
        pytest.skip("this environment has the GUI")
    assert command() == 2
    said = capsys.readouterr()
    assert "no NetPyNE GUI" in said.err and "--python" in said.err and said.err.count("\n") == 1
    assert "netpyne-ui==" in said.out and "-m venv" in said.out


def test_an_environment_with_too_new_a_notebook_is_refused_by_name(tmp_path):
    with pytest.raises(ConfigError, match="notebook 7.2.1 and the NetPyNE GUI needs one below 7"):
        gui.find_gui(answering(tmp_path, notebook="7.2.1"))
    with pytest.raises(ConfigError, match="no notebook"):
        gui.find_gui(answering(tmp_path))


@pytest.mark.parametrize("path", ["/nowhere/python", str(Path(__file__))])
def test_what_is_no_interpreter_is_refused(path):
    with pytest.raises(ConfigError, match="not a Python interpreter"):
        gui.find_gui(path)


def test_a_program_that_answers_nonsense_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="is not Python 3.11"):
        gui.find_gui(stand_in(tmp_path, "print('hello')"))


def test_an_installed_gui_is_found_with_its_versions(tmp_path):
    found = gui.find_gui(answering(tmp_path, notebook="6.5.7", netpyne="1.1.1"))
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
    words = gui.command(found, 8123, "secret")
    assert "--ip=127.0.0.1" in words and "--NotebookApp.token=secret" in words
    policy = next(word for word in words if "Content-Security-Policy" in word)
    assert "default-src 'self' ws://127.0.0.1:8123" in policy
    assert "http:" not in policy and "https:" not in policy and "*" not in policy


def test_two_starts_have_different_tokens_and_leave_nothing_behind(tmp_path):
    server = """
import http.server, sys
port = int(next(word for word in sys.argv if word.startswith("--port=")).split("=")[1])
class Page(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"page")
http.server.HTTPServer(("127.0.0.1", port), Page).serve_forever()
"""
    found = gui.Gui(stand_in(tmp_path, server), {})
    tokens = []
    for _ in range(2):
        with gui.serving(found, tmp_path) as (address, process):
            tokens.append(address.split("token=")[1].split("&")[0])
            assert urllib.request.urlopen(address.split("/login")[0]).read() == b"page"
        assert process.poll() is not None
    assert tokens[0] != tokens[1] and min(map(len, tokens)) >= 32


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


def test_a_model_is_compiled_once_and_a_failed_compile_leaves_nothing(tmp_path):
    import platform

    environment = answering(tmp_path)
    found, mods = gui.Gui(environment, {}), tmp_path / "mod"
    assert not gui.compile_model(tmp_path, found)
    mods.mkdir()
    with pytest.raises(MechanismError, match="no nrnivmodl"):
        gui.compile_model(tmp_path, found)
    compiler = environment.with_name("nrnivmodl")
    make = f"import pathlib, sys\npathlib.Path({platform.machine()!r}).mkdir()\n"
    for end, works in (("sys.exit('bad unit')", False), ("", True)):
        compiler.write_text(f"#!{sys.executable}\n{make}{end}")
        compiler.chmod(0o755)
        if works:
            assert gui.compile_model(tmp_path, found) and not gui.compile_model(tmp_path, found)
        else:
            with pytest.raises(MechanismError, match="bad unit"):
                gui.compile_model(tmp_path, found)
            assert not (mods / platform.machine()).exists()


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
