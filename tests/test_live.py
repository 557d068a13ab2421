"""The live view is for its user only, and ends with the run whatever browsers do.

That it shows what is computed and changes none of it is tested in test_several_worms_seen.py, on a run made there.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from types import SimpleNamespace

import numpy as np
import pytest

import tianbao as tb
from tianbao.cli import main
from tianbao.environment import Arena
from tianbao.view import live as module


def events(address, into):
    """Read the stream of a view until it ends: pairs of event and data."""
    with urllib.request.urlopen(address.replace("/?", "/events?"), timeout=60) as stream:
        kind = ""
        for line in stream:
            word, _, rest = line.decode().rstrip("\n").partition(": ")
            if word == "event":
                kind = rest
            elif word == "data":
                into.append((kind, json.loads(rest)))


def watching(view):
    """A thread that reads the stream of a view, and what it has been told; returns once it is being served."""
    into, others = [], len(view._server.streams)
    thread = threading.Thread(target=events, args=(view.address, into))
    thread.start()
    while len(view._server.streams) == others:
        time.sleep(0.005)
    return thread, into


def answer(address):
    with urllib.request.urlopen(address, timeout=10) as response:
        return response.status, response.headers, response.read().decode()


def test_the_page_is_complete_and_only_for_those_who_know_the_token():
    view = tb.Live()
    try:
        status, headers, page = answer(view.address)
        assert status == 200 and "NONCE" not in page and "<canvas" in page
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "http://" not in page and "https://" not in page
        base = view.address.partition("?")[0]
        assert base.startswith("http://127.0.0.1:")
        for wrong in (base, base + "?token=", view.address + "x", base + "events?token=%FF"):
            with pytest.raises(urllib.error.HTTPError, match="403"):
                answer(wrong)
        with pytest.raises(urllib.error.HTTPError, match="404"):
            answer(view.address.replace("/?", "/etc/passwd?"))
    finally:
        view.close()
    with pytest.raises(urllib.error.URLError):
        answer(view.address)


def made_up_loop(at=0.0, animals=1):
    """What the view looks at of a loop, without one."""
    names = tuple(module.chosen(()))
    lines = np.zeros((animals, 5, 3))
    lines[..., 0] = np.linspace(0.5, -0.5, 5)
    body = SimpleNamespace(mesh=SimpleNamespace(rings=5), midline=lambda out: lines)
    brain = SimpleNamespace(voltage=np.full(len(names), -40.0))
    each = SimpleNamespace(brain=brain, design=SimpleNamespace(neurons=list(names)))
    return SimpleNamespace(time=at, animals=(each,) * animals, body=body, arena=Arena("agar"))


def test_it_ends_at_once_whatever_the_browsers_do(monkeypatch):
    monkeypatch.setattr(module, "_FAREWELL_S", 0.3)
    view = tb.Live(duration=1000.0)
    thread, told = watching(view)
    gone = socket.create_connection(view._server.server_address[:2])
    gone.sendall(f"GET /events{view.address[view.address.index('?'):]} HTTP/1.0\r\n\r\n".encode())
    asleep = socket.create_connection(view._server.server_address[:2])  # asks for nothing, reads nothing
    with view:
        view(made_up_loop())
        gone.close()
        for k in range(5):
            time.sleep(0.06)
            view(made_up_loop(10.0 * k))
        start = time.perf_counter()
    assert time.perf_counter() - start < 2.0
    thread.join(5.0)
    assert not thread.is_alive() and told[-1] == ("end", "stopped early")
    asleep.close()
    view.close()  # again, to no effect
    with pytest.raises(tb.ConfigError, match="make another"), view:
        pass


def test_a_run_that_fails_is_told():
    view = tb.Live()
    thread, told = watching(view)
    with pytest.raises(tb.DivergedError), view:
        view(made_up_loop())
        raise tb.DivergedError("not finite")
    thread.join(5.0)
    assert told[-1] == ("end", "the run failed")


def test_more_browsers_than_a_run_serves_are_turned_away(monkeypatch):
    monkeypatch.setattr(module, "_MOST_BROWSERS", 1)
    view = tb.Live()
    thread, _ = watching(view)
    with pytest.raises(urllib.error.HTTPError, match="503"):
        answer(view.address.replace("/?", "/events?"))
    view.close()
    thread.join(5.0)


def test_what_cannot_be_shown_is_refused_before_anything_is_computed(tmp_path, capsys):
    with pytest.raises(tb.AnatomyError, match="AVBX"):
        tb.Live("AVBX")
    with pytest.raises(tb.ConfigError, match="at most 40"):
        tb.Live("*")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(tb.ConfigError, match=f"port {port}.*in use.*any that is free"):
            tb.Live(port=port)
    with pytest.raises(tb.ConfigError, match="'port' = 70000"):
        tb.Live(port=70000)
    out = ["--out", str(tmp_path / "run")]
    assert main(["run", *out, "--live", "my.toml"]) == 2
    assert main(["run", *out, "--live-port", "8080"]) == 2
    said = capsys.readouterr().err
    assert "put it before --live" in said and "give --live, too" in said
    assert not (tmp_path / "run").exists()
    made = tb.Simulation(tb.Worm(), tb.Arena("agar"), engine="native", progress=False)
    for wrong in (tb.Live, [tb.Live], [len], [3]):
        with pytest.raises(tb.ConfigError, match="observer"):
            made.run(100.0, observers=wrong)


@pytest.mark.slow
def test_the_command_prints_the_address_and_ends_with_ctrl_c(tmp_path):
    command = [sys.executable, "-m", "tianbao.cli", "run", "--engine", "native", "--no-video", "--live", "AVB*"]
    started = subprocess.Popen(
        [*command, "--out", str(tmp_path / "run")], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    address = next(line.partition("live view: ")[2].strip() for line in started.stderr if "live view" in line)
    told = []
    thread = threading.Thread(target=events, args=(address, told))
    thread.start()
    while not any(kind == "picture" for kind, _ in told):
        time.sleep(0.1)
    started.send_signal(signal.SIGINT)
    started.stderr.read()
    assert started.wait(60) == 130
    thread.join(5.0)
    assert told[-1] == ("end", "stopped early")
    assert tb.open(tmp_path / "run" / "results.h5").complete is False


def until(page, expression):
    """Wait for an expression of JavaScript; the page's own policy forbids it to wait itself."""
    end = time.monotonic() + 120.0
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        time.sleep(0.05)


@pytest.mark.slow
def test_a_real_browser_shows_the_worms_and_the_end(tmp_path):
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    command = [sys.executable, "-m", "tianbao.cli", "run", "--engine", "native", "--no-video", "--worms", "2"]
    started = subprocess.Popen(
        [*command, "--duration", "3000", "--out", str(tmp_path / "run"), "--live"],
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    address = next(line.partition("live view: ")[2].strip() for line in started.stderr if "live view" in line)
    threading.Thread(target=started.stderr.read, daemon=True).start()
    said = []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1200, "height": 800})
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(address)
        until(page, "(window.tianbao.picture || {t: 0}).t > 1500")
        assert page.inner_text("#state") == "running" and "real time" in page.inner_text("#speed")
        page.screenshot(path=tmp_path / "running.png")
        page.select_option("#whose", "1")
        page.click("#pause")
        held = page.screenshot(clip={"x": 0, "y": 60, "width": 1200, "height": 700})
        until(page, "document.getElementById('state').textContent == 'finished'")
        assert page.screenshot(clip={"x": 0, "y": 60, "width": 1200, "height": 700}) == held
        page.click("#pause")
        page.wait_for_timeout(300)
        page.screenshot(path=tmp_path / "finished.png")
        assert page.inner_text("#clock") == "3.0 of 3.0 s"
        for canvas in ("plate", "traces"):
            inked = page.evaluate(
                f"(() => {{const c = document.getElementById('{canvas}');"
                "const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
                "let n = 0; for (let k = 3; k < d.length; k += 4) n += d[k] > 0; return n})()"
            )
            assert inked > 3000, canvas
        browser.close()
    started.wait(120)
    assert not said
