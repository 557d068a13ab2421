"""`python -m tianbao.cli` is the `tianbao` command, which imports nothing from the current folder."""

import os
import sys

# `python -m` searches the current folder first, where a numpy.py may lie that nobody meant to run.
if not sys.flags.safe_path and sys.path[:1] in ([""], [os.getcwd()]):
    del sys.path[0]

from . import main  # noqa: E402

sys.exit(main())
