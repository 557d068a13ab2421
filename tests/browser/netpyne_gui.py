"""Opens an exported model in the NetPyNE GUI in a real browser: every cell listed, created, simulated, a trace drawn.

Not a part of the test suite: it needs the GUI (0.5.2) in an environment of its own, Chromium, playwright and patience
(drawing 302 neurons takes the page minutes without a graphics card; fourteen were seen on a busy machine).

Seen in one go with 20 cells: the page, the import, all cells listed, created, simulated, the traces. With all 397: the
page, the import and the list in one go, the rest with the same clicks in scripts of their own.

    python tests/browser/netpyne_gui.py --python ENV/bin/python --out output/netpyne_gui
    python tests/browser/netpyne_gui.py --python ENV/bin/python --out output/netpyne_gui_part --cells 'AV*' VB6
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from pathlib import Path

from playwright.sync_api import Error, sync_playwright

from tianbao import Worm, anatomy
from tianbao.io.gui import compile_model, serving
from tianbao.io.gui_install import find_gui
from tianbao.io.netpyne_model import export_netpyne

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-sync", "--disable-component-update", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
]
MODEL = "worm"


def wait(page, done, patience: float, what: str) -> None:
    """Wait until a condition on the page's text holds; the page may be deaf while it draws."""
    start = time.monotonic()
    while time.monotonic() - start < patience:
        try:
            if done(page.inner_text("body", timeout=5000)):
                print(f"{what}: {time.monotonic() - start:.0f} s", flush=True)
                return
        except Error:
            pass
        time.sleep(1.0)
    raise SystemExit(f"{what}: not within {patience:.0f} s")


def click(page, found: str) -> None:
    """Click what an expression of JavaScript gives."""
    page.evaluate(f"({found}).click()")
    time.sleep(1.5)


def titled(text: str) -> str:
    """The last element without children whose text is this."""
    all_ends = "[...document.querySelectorAll('*')].filter(e => !e.children.length)"
    return f"{all_ends}.filter(e => e.textContent.trim() == '{text}').pop()"


def choose(page, field: str, name: str) -> None:
    """Pick a file or folder of the model in the GUI's file browser."""
    page.click(field)
    time.sleep(2.0)
    rows = "[...document.querySelectorAll('.rst__rowTitle')]"
    for wanted in (MODEL, name):
        if wanted == MODEL and page.evaluate(f"{rows}.some(e => e.innerText == '{name}')"):
            continue
        x, y = page.evaluate(
            f"(() => {{const r = {rows}.filter(e => e.innerText.trim() == '{wanted}').pop().getBoundingClientRect();"
            "return [r.x + 5, r.y + 5]})()"
        )
        page.mouse.click(x, y)
        time.sleep(1.5)
    click(page, "document.getElementById('browserAccept')")


def open_model(page) -> None:
    """Menu > Import...: the model's two files and its mechanisms."""
    click(page, "document.getElementById('appBar')")
    click(page, titled("Import..."))
    choose(page, "#appBarImportFileName", "netParams.py")
    choose(page, "input[id*=SimConfigfile]", "cfg.py")
    page.get_by_text("Are custom mod files required for this model?").first.click(force=True)
    time.sleep(1.0)
    page.get_by_text("Yes, this model requires custom mod files").click()
    choose(page, "input[id*=Pathtomod]", "mod")
    click(page, "document.getElementById('appBarPerformActionButton')")
    wait(page, lambda text: "Import from Python" not in text and "Loading" not in text, 300.0, "opened")


def listed(page, first: str) -> set[str]:
    """Cells in the page's list of cell rules, once the first of them is there."""
    page.mouse.click(1365, 157)
    wait(page, lambda text: first in text, 300.0, "listed")
    shown = page.evaluate("[...document.querySelectorAll('button, a, span, div')].map(e => e.innerText || '')")
    return {*anatomy.neurons().index, *anatomy.muscles().index} & set(shown)


def main() -> int:
    """Run the check; exit code 0 if every step was seen to work."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", type=Path, required=True, help="interpreter of the GUI's environment")
    parser.add_argument("--out", type=Path, default=Path("output/netpyne_gui"), help="folder for model and pictures")
    parser.add_argument("--patience", type=float, default=1800.0, help="s for each of creating and simulating")
    parser.add_argument("--cells", nargs="+", default=[], metavar="GLOB", help="only these, drawn in seconds")
    args = parser.parse_args()
    gui = find_gui(args.python)
    export_netpyne(Worm(), args.out / MODEL, duration=100.0, cells=args.cells)
    wanted = set(json.loads((args.out / MODEL / "netParams.json").read_text())["net"]["params"]["popParams"])
    compile_model(args.out / MODEL, gui)
    with serving(gui, args.out, model=args.out / MODEL) as (address, _), sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.goto(address, timeout=120_000)
        wait(page, lambda text: "Cell rules" in text, 240.0, "page")
        open_model(page)
        cells = listed(page, min(wanted))
        page.screenshot(path=args.out / "cells.png")
        print(f"listed: {len(cells)} cells", flush=True)
        click(page, "document.getElementById('simulateNetwork')")
        wait(page, lambda text: "Your network is in sync" in text and "Loading" not in text, args.patience, "created")
        page.screenshot(path=args.out / "network.png", timeout=args.patience * 1e3)
        click(page, "document.getElementById('launchSimulationButton')")
        click(page, "document.getElementById('okRunSimulation')")
        wait(page, lambda text: "You have already simulated" in text, args.patience, "simulated")
        click(page, "document.getElementById('PlotButton') || [...document.querySelectorAll('button')].find(b => "
              "b.getBoundingClientRect().x < 60 && Math.abs(b.getBoundingClientRect().y - 373) < 12)")
        click(page, "document.getElementById('tracesPlot')")
        time.sleep(20.0)
        drawn = page.evaluate("[...document.querySelectorAll('svg')].some(e => e.innerHTML.includes('axes_1'))")
        page.screenshot(path=args.out / "traces.png", timeout=args.patience * 1e3)
        browser.close()
    print(f"trace drawn: {drawn}")
    return 0 if drawn and cells == wanted else 1


if __name__ == "__main__":
    sys.exit(main())
