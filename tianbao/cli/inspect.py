"""`tianbao gui`: the network in NetPyNE's graphical interface."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from .session import EXIT_INTERRUPTED, add_command

_POLL_S = 0.2


def register(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    gui = add_command(
        commands, "gui", _gui, "start the NetPyNE GUI on an exported model, or say how to install it",
        """tianbao export netpyne --out worm
        tianbao gui worm --python ~/netpyne-gui/bin/python
        tianbao gui --python ~/netpyne-gui/bin/python --check""",
    )  # fmt: skip
    gui.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="model from tianbao export netpyne")
    gui.add_argument("--python", type=Path, metavar="PATH", help="interpreter of the GUI's environment (default: this)")
    gui.add_argument("--port", type=int, default=0, metavar="N", help="of this machine (default: a free one)")
    gui.add_argument("--check", action="store_true", help="only see whether it is installed and its server answers")


def _gui(args: argparse.Namespace) -> int:
    from ..io.gui import INSTALL, GuiMissing, check_model, compile_model, find_gui, free_port, serving
    from ..loop.interrupt import Interrupt

    model = check_model(args.folder) if args.folder else None
    free_port(args.port)
    try:
        gui = find_gui(args.python)
    except GuiMissing:
        print(f"An environment of its own for the NetPyNE GUI:\n\n{INSTALL}", flush=True)
        raise
    print("NetPyNE GUI:", ", ".join(f"{name} {version}" for name, version in gui.versions.items()))
    if model is not None and not args.check:
        print("mechanisms: compiled once per model, in about a minute ...", end=" ", flush=True)
        print("done" if compile_model(model, gui) else "done before")
    with serving(gui, model.parent if model else Path.cwd(), args.port) as (address, process):
        if args.check:
            print("its server answers")
            return 0
        print(f"open {address}")
        print("it answers on this machine only; Ctrl-C ends it")
        if model is not None:
            print(_how_to_open(model.name, gui.versions.get("netpyne-ui", "")), flush=True)
        with Interrupt() as interrupt:
            # A signal ends the server, too: nobody else knows that it runs.
            while process.poll() is None and not interrupt.asked:
                time.sleep(_POLL_S)
        if interrupt.asked:
            return EXIT_INTERRUPTED
    return 0


def _how_to_open(name: str, version: str) -> str:
    if version.startswith("0."):
        return (
            f"menu > Import...: NetParams file {name}/netParams.py, SimConfig file {name}/cfg.py, "
            f"custom mod files: yes, {name}/mod (compiled already)"
        )
    return f"File > Open...: choose the folder {name}"
