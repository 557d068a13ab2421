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
        commands, "gui", _gui, "start the NetPyNE GUI with an exported model, or explain how to install it",
        """tianbao export netpyne --out worm
        tianbao gui worm --python ~/netpyne-gui/bin/python
        tianbao gui --python ~/netpyne-gui/bin/python --check""",
    )  # fmt: skip
    gui.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="model from tianbao export netpyne")
    gui.add_argument("--python", type=Path, metavar="PATH", help="Python of the GUI's environment (default: this one)")
    gui.add_argument("--port", type=int, default=0, metavar="N", help="port on this machine (default: a free one)")
    gui.add_argument("--check", action="store_true", help="only check that it is installed and its server responds")


def _gui(args: argparse.Namespace) -> int:
    from ..io.gui import check_model, compile_model, free_port, serving
    from ..io.gui_install import GuiMissing, find_gui, install_commands
    from ..loop.interrupt import Interrupt

    model = check_model(args.folder) if args.folder else None
    free_port(args.port)
    try:
        gui = find_gui(args.python)
    except GuiMissing:
        print(f"To install the NetPyNE GUI in its own environment:\n\n{install_commands(model)}", flush=True)
        raise
    print("NetPyNE GUI:", ", ".join(f"{name} {version}" for name, version in gui.versions.items()))
    if model is not None and not args.check:
        print("mechanisms: compiled once per model, in about a minute ...", end=" ", flush=True)
        print("done" if compile_model(model, gui) else "already done")
    opened = None if args.check else model
    with serving(gui, model.parent if model else Path.cwd(), args.port, opened) as (address, process):
        if args.check:
            print("its server responds")
            return 0
        print(f"open {address}")
        print("it is reachable from this machine only; stop it with Ctrl-C")
        if model is not None:
            print(_how_to_open(model.name, gui.versions.get("netpyne-ui", "")), flush=True)
        with Interrupt() as interrupt:
            # A signal must stop the server, too: nothing else would.
            while process.poll() is None and not interrupt.asked:
                time.sleep(_POLL_S)
        if interrupt.asked:
            return EXIT_INTERRUPTED
    return 0


def _how_to_open(name: str, version: str) -> str:
    if version.startswith("0."):
        return (
            f"menu > Import...: NetParams file {name}/netParams.py, SimConfig file {name}/cfg.py, "
            f"custom mod files: yes, {name}/mod (already compiled)"
        )
    return f"File > Open...: choose the folder {name}"
