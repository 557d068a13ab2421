"""Pictures: plots and video of a recording."""

from .. import paths

paths.settle_matplotlib()
