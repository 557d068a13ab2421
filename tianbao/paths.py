"""Where the data that travel with Tianbao lie: beside a checkout, or in an installed share folder."""

from __future__ import annotations

import sysconfig
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[1]


def data_root() -> Path:
    """Folder that holds mod/, morphologies/ and connectome/."""
    if (_CHECKOUT / "mod").is_dir() and (_CHECKOUT / "setup.cfg").is_file():
        return _CHECKOUT
    return Path(sysconfig.get_path("data")) / "share" / "tianbao"


def checkout() -> Path | None:
    """Root of the source checkout, or None in an installed wheel."""
    return _CHECKOUT if (_CHECKOUT / "setup.cfg").is_file() else None


def package_folder() -> Path:
    """Folder from which this package is imported."""
    return _CHECKOUT
