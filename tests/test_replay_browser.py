"""The replay in a real browser: the file opens without a network, moves in time, and a clicked neuron shows its trace.

On demand: needs Chromium and the package playwright (`pytest -m slow tests/test_replay_browser.py`).
"""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest
from synthetic import recording

from tianbao.view import report
from tianbao.view.nerves import Posture, nerves
from tianbao.view.report import write_report

pytestmark = pytest.mark.slow
_CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-sync", "--disable-component-update", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
]
_PATIENCE_MS = 120_000


@pytest.fixture(scope="module")
def run():
    made = recording(duration=3000.0)
    second = dataclasses.replace(made.worms[0], midline=made.worms[0].midline + [0.3, 0.6, 0.0])
    return dataclasses.replace(made, worms=(made.worms[0], second))


@pytest.fixture(scope="module")
def file(run, tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setattr(report, "_PICTURES", ())
    path = write_report(run, tmp_path_factory.mktemp("replay") / "it's a «report».html", names=["</script> & $1"])
    patch.undo()
    return path


@pytest.fixture(params=["light", "dark"])
def opened(request, file):
    """The page once its first frame is drawn, and what went wrong on it."""
    pytest.importorskip("trimesh")
    playwright = pytest.importorskip("playwright.sync_api")
    if _CHROMIUM is None:
        pytest.skip("no Chromium")
    wrong: list[str] = []
    with playwright.sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=_CHROMIUM, args=_FLAGS)
        page = browser.new_page(viewport={"width": 1200, "height": 1000}, color_scheme=request.param)
        page.set_default_timeout(_PATIENCE_MS)
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: wrong.append(asked.url) if asked.url != file.as_uri() else None)
        page.goto(file.as_uri())
        page.wait_for_selector('#replay:not([data-state="starting"])')
        yield page, wrong
        browser.close()


def shades(page) -> int:
    """How many different colours the scene shows."""
    return page.evaluate("""() => new Promise(done => requestAnimationFrame(() => {
        const flat = document.createElement('canvas'), scene = document.getElementById('replay-scene');
        [flat.width, flat.height] = [scene.width, scene.height];
        tianbao.seek(1.0); requestAnimationFrame(() => {
        const pen = flat.getContext('2d'); pen.drawImage(scene, 0, 0);
        const data = new Uint32Array(pen.getImageData(0, 0, flat.width, flat.height).data.buffer);
        done(new Set(data).size); }); }))""")


def settle(page) -> None:
    """Wait until what was asked for is drawn."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def test_the_page_opens_moves_and_shows_the_trace_of_a_clicked_neuron(opened, run):
    page, wrong = opened
    assert page.get_attribute("#replay", "data-state") == "ready"
    assert shades(page) > 100  # not an empty canvas
    track, frame = run.worms[0], 120
    page.evaluate(f"() => {{ const slider = document.getElementById('replay-time'); slider.value = {frame}; "
                  "slider.dispatchEvent(new Event('input')); }")  # fmt: skip
    settle(page)
    time = run.time[frame]
    assert page.text_content("#replay-clock") == f"{time / 1e3:.2f} s"
    # The soma is where the anatomy puts it in the posture of that frame.
    name = "DB4"
    shape, place = nerves(), page.evaluate("() => tianbao.where('DB4')")
    at = type(shape.at)(*(each[[shape.somata[shape.names.index(name)]]] for each in shape.at))
    true = Posture(track.midline[frame]).place(at)[0]
    assert np.abs(np.array(place["world"]) - true).max() < 1e-3  # a micrometre
    page.locator("#replay-stage").scroll_into_view_if_needed()
    place = page.evaluate("() => tianbao.where('DB4')")
    page.mouse.click(place["x"], place["y"])
    settle(page)
    shown = page.text_content('#replay-chosen li[data-name="DB4"]')
    value = track.voltage[frame, track.neurons.index(name)]
    assert float(shown.split()[1].replace("\u2212", "-")) == pytest.approx(value, abs=0.051) and "mV" in shown
    trace = page.evaluate("() => { const found = tianbao.trace('DB4'); "
                          "return [Array.from(found.seconds), found.values]; }")  # fmt: skip
    column = track.voltage[:, track.neurons.index(name)]
    assert np.interp(track.voltage_time / 1e3, *trace) == pytest.approx(column, abs=0.01)
    assert not wrong


def test_it_plays_finds_cells_by_name_and_follows_another_worm(opened, run):
    page, wrong = opened
    page.click("#replay-play")
    page.wait_for_function("() => +document.getElementById('replay').dataset.frame > 5")
    assert page.text_content("#replay-play") == "pause"
    page.click("#replay-play")
    for name in ("mdl08", "AVAL"):
        page.fill("#replay-find", name)
        page.press("#replay-find", "Enter")
    settle(page)
    assert page.locator("#replay-chosen li").count() == 2
    page.select_option("#replay-worm", "1")
    settle(page)
    assert page.locator("#replay-chosen li").count() == 2
    page.fill("#replay-find", "nobody")
    page.press("#replay-find", "Enter")
    assert page.evaluate("() => !document.getElementById('replay-find').validity.valid")
    assert page.evaluate("() => tianbao.worms") == ["</script> & $1, worm 0", "</script> & $1, worm 1"]
    assert not wrong
