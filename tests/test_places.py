"""Commands and runs in other people's places: streams that are closed, homes that are missing, forks, signals."""

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tianbao import streams
from tianbao.errors import TianbaoError
from tianbao.io import files, leftovers
from tianbao.loop.interrupt import Interrupt, as_ctrl_c

ROOT = Path(__file__).parents[1]
FULL = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a full disk")


def environment(**changes):
    """Our environment with this checkout's package and some variables changed, or gone where they are None."""
    changed = {**os.environ, "PYTHONPATH": str(ROOT), **changes}
    return {key: value for key, value in changed.items() if value is not None}


def said(redirection, *command, **changes):
    """Exit status of a command under a redirection of the shell, and what reached its standard output and error."""
    script = f'"$0" -m tianbao.cli "$@" {redirection}'
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", script, sys.executable, *command], env=environment(**changes),
        capture_output=True, check=False,
    )  # fmt: skip
    assert b"Traceback" not in done.stdout + done.stderr and b"Exception" not in done.stderr, done.stderr
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(
    ("command", "status"),
    [
        (("--version",), 0),
        (("run", "--bogus"), 2),
        *(
            pytest.param(command, status, marks=pytest.mark.slow)
            for command, status in [(("neurons", "AVA*"), 0), (("run", "--help"), 0), (("neurons", "XYZ"), 2),
                                    (("info", "nowhere"), 2), (("sources", "AVAL"), 0), (("doctor",), 0)]
        ),
    ],
)  # fmt: skip
def test_a_closed_stream_changes_no_exit_status(closed, command, status):
    assert said(closed, *command)[0] == status


@FULL
@pytest.mark.parametrize("command", [("--help",), pytest.param(("sources", "AVAL"), marks=pytest.mark.slow)])
def test_what_could_not_be_printed_is_an_error_and_what_nobody_wanted_to_read_is_none(command):
    status, _, error = said(">/dev/full", *command)
    assert status == 2 and error.count("\n") == 1 and "No space left" in error
    assert said(">/dev/full 2>/dev/full", *command)[0] == 2
    assert said("2>/dev/full", *command)[0] == 0
    status, out, error = said("| head -1", *command)
    assert status == 0 and out.count("\n") == 1 and not error


def test_ascii_output_shows_other_characters_by_their_number():
    _, _, error = said("", "info", "Jos\N{LATIN SMALL LETTER E WITH ACUTE}", PYTHONIOENCODING="ascii", LC_ALL="C")
    assert "Jos\\xe9" in error


def test_files_do_not_take_the_place_of_closed_streams(tmp_path):
    code = """if True:
        import os, sys
        from tianbao import streams
        streams.steady()
        print("to nobody")
        with open(sys.argv[1], "w") as file:
            assert file.fileno() > 2
            os.write(1, b"from C")
        os.execvp(sys.executable, [sys.executable, "-c", "import sys; sys.exit(sys.stdout is None)"])
    """
    command = ["bash", "-c", '"$0" -c "$1" "$2" <&- >&- 2>&-', sys.executable, code, tmp_path / "file"]
    assert subprocess.run(command, env=environment(), check=False).returncode == 0
    assert (tmp_path / "file").read_text() == ""


def test_streams_of_a_host_program_stay(capsys):
    before = sys.stdout, sys.stderr
    streams.steady()
    assert (sys.stdout, sys.stderr) == before and streams.undelivered() == ""


# Homes

KERNEL = """if True:
    import numpy as np
    from tianbao import backend, paths
    paths.settle_matplotlib()
    import matplotlib
    matplotlib.get_configdir(), matplotlib.get_cachedir()
    backend.start()
    print(backend.array(np.ones(3)).to_numpy().sum())
"""


def ends_well(folder, **changes):
    """A program that computes and draws ends with its own status, in silence, and leaves nothing behind."""
    (folder / "temporary").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", KERNEL], env=environment(TMPDIR=str(folder / "temporary"), MPLCONFIGDIR=None, **changes),
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "3.0\n", "")
    assert [each.name for each in folder.rglob("*")] == ["temporary"]


@pytest.mark.parametrize(
    "home", ["/proc", pytest.param(None, marks=pytest.mark.slow), pytest.param("relative", marks=pytest.mark.slow)]
)
def test_without_a_home_a_program_ends_with_its_own_status(tmp_path, home):
    ends_well(tmp_path, HOME=home, XDG_CACHE_HOME="/proc", XDG_CONFIG_HOME="/proc")


# Forks

FORKS = """if True:
    import multiprocessing, os, pickle, subprocess, sys
    import numpy as np
    import tianbao as tb
    from tianbao import backend

    kept = None

    def move(_):
        backend.start()
        return float((kept or backend.array(np.ones(3))).to_numpy().sum())

    def use():
        kept.to_numpy()

    def status(act):
        child = os.fork()
        if child == 0:
            try:
                act()
            except tb.TianbaoError:
                sys.exit(7)
            sys.exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    fork = multiprocessing.get_context("fork")
    with fork.Pool(1) as pool:  # before anything was started here
        early = pool.map_async(move, [0]).get(60)[0]
    backend.start()
    kept = backend.array(np.ones(3))
    late = move(0)
    assert early == late
    assert status(lambda: subprocess.run(["true"], check=True)) == 0
    assert status(lambda: move(0)) == 7 and status(use) == 7 and status(lambda: backend.zeros(3)) == 7
    with fork.Pool(1) as pool:
        try:
            pool.map_async(move, [0]).get(60)
        except tb.TianbaoError as error:
            print(error)
    move(0)  # the parent goes on
"""


def test_a_child_of_a_simulating_process_is_refused_and_others_are_left_alone():
    done = subprocess.run(
        [sys.executable, "-c", FORKS], env=environment(), capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1 and "forked" in done.stdout and "'spawn'" in done.stdout


@pytest.mark.slow
def test_a_simulation_in_a_forked_child_is_refused_however_it_was_made():
    code = """if True:
        import os, sys
        import tianbao as tb

        def run(seed=1):
            return tb.Simulation(tb.Worm(), engine="native", seed=seed, progress=False).run(20.0)

        run()
        sim = tb.Simulation(tb.Worm(), engine="native", progress=False)
        sim.reset()
        for act in (run, sim.observe, sim.reset, lambda: sim.step(8.0), lambda: sim.run(20.0)):
            child = os.fork()
            if child == 0:
                try:
                    act()
                except tb.TianbaoError:
                    sys.exit(7)
                sys.exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        sim.step(8.0)
    """
    subprocess.run([sys.executable, "-c", code], env=environment(), check=True, timeout=300)


def test_the_refusal_can_be_sent_to_another_process():
    from tianbao import forks

    again = pickle.loads(pickle.dumps(forks.refusal()))
    assert type(again) is TianbaoError and str(again) == str(forks.refusal())


# Signals


@pytest.fixture
def hangup():
    """Puts the handler of hangups back."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def test_a_closed_terminal_stops_a_run_and_may_hang_up_again_while_it_is_saved(hangup):
    with Interrupt() as interrupt:
        os.kill(os.getpid(), signal.SIGHUP)
        assert interrupt.asked
    os.kill(os.getpid(), signal.SIGHUP)  # it would end this process


def test_a_hangup_that_did_not_come_is_handled_as_before(hangup):
    calls = []
    signal.signal(signal.SIGHUP, lambda *_: calls.append(1))
    for _ in range(2):
        with Interrupt() as interrupt:
            os.kill(os.getpid(), signal.SIGHUP)
            assert interrupt.asked
        os.kill(os.getpid(), signal.SIGHUP)
    assert calls == [1, 1]


@pytest.mark.parametrize("block", [Interrupt, as_ctrl_c])
def test_under_nohup_a_hangup_stays_ignored(hangup, block):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with block() as interrupt:
        os.kill(os.getpid(), signal.SIGHUP)
        assert not getattr(interrupt, "asked", False)
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_sweep_takes_other_ends_as_ctrl_c_once(hangup, number):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), as_ctrl_c():
        try:
            os.kill(os.getpid(), number)
        finally:
            os.kill(os.getpid(), number)  # nothing disturbs what is done on the way out
    assert signal.getsignal(signal.SIGTERM) == before


# Files of killed writers

WRITER = """if True:
    import sys
    from tianbao.io.files import replacing
    with replacing(sys.argv[1]) as partial:
        partial.write_text("half")
        print(partial, flush=True)
        sys.stdin.read()
"""


def test_temporary_files_of_killed_writers_are_cleared_away_and_no_others(tmp_path):
    command, pipe = [sys.executable, "-c", WRITER], subprocess.PIPE
    killed, living = (
        subprocess.Popen([*command, tmp_path / name], env=environment(), stdin=pipe, stdout=pipe, text=True)
        for name in ("killed.h5", "living.h5")
    )
    gone, kept = (Path(each.stdout.readline().strip()) for each in (killed, living))
    killed.kill()
    killed.wait()
    dead = f"-{killed.pid}.partial"
    link = gone.with_name(gone.name.replace("killed", "link"))
    link.symlink_to(kept)
    elsewhere, old = (tmp_path / f".{stem}.0123abcd{dead}.h5" for stem in ("elsewhere", "old"))
    for each in (elsewhere, old, tmp_path / f".theirs.{dead}.h5", tmp_path / "thesis.partial"):
        each.touch()
    os.utime(old, (0.0, 0.0))
    files.write_atomically(tmp_path / "new.txt", b"")
    assert gone.suffix == ".h5" and not gone.exists() and not old.exists()
    left = {".theirs." + dead + ".h5", "thesis.partial", "new.txt", kept.name, link.name, elsewhere.name}
    assert {each.name for each in tmp_path.iterdir()} == left
    living.communicate("")
    assert (tmp_path / "living.h5").read_text() == "half" and living.returncode == 0


def test_the_start_of_a_run_clears_its_folder(tmp_path):
    ended = subprocess.Popen(["true"])
    ended.wait()
    left = leftovers.temporary(tmp_path / "results.h5")
    left = left.with_name(left.name.replace(f"-{os.getpid()}.", f"-{ended.pid}."))
    left.touch()
    files.prepare_folder(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["x" * 252 + ".h5", "\N{WORM}" * 63 + ".h5", "a." + "b" * 250, "-i a:b%d'\"$.txt"])
def test_any_name_that_a_file_can_have_can_be_written(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with files.replacing(name) as partial:
        assert partial.is_absolute()  # ffmpeg would take it for an option otherwise
        partial.write_text("whole")
    assert Path(name).read_text() == "whole" and [each.name for each in tmp_path.iterdir()] == [name]
