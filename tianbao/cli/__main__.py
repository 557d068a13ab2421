"""`python -m tianbao.cli` is the `tianbao` command."""

import sys

from . import main

sys.exit(main())
