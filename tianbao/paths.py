"""Where the data that travel with Tianbao lie: beside a checkout, or in an installed share folder."""

from __future__ import annotations

from pathlib import Path

from .errors import TianbaoError

_CHECKOUT = Path(__file__).resolve().parents[1]


def data_root() -> Path:
    """Folder that holds mod/, morphologies/ and connectome/.

    Raises:
        TianbaoError: an installation without its data.
    """
    if (_CHECKOUT / "mod").is_dir() and (_CHECKOUT / "setup.cfg").is_file():
        return _CHECKOUT
    # pip puts the share folder under the prefix of the scheme in use (environment, --user, --prefix, --target), which
    # is always a folder above the package; which one depends on the system (lib, lib64, dist-packages).
    for parent in Path(__file__).resolve().parents:
        if (parent / "share" / "tianbao" / "mod").is_dir():
            return parent / "share" / "tianbao"
    raise TianbaoError(
        f"the data of Tianbao (mod/, morphologies/, connectome/) were not found in share/tianbao of any folder above "
        f"{_CHECKOUT}: install it again with pip"
    )


def checkout() -> Path | None:
    """Root of the source checkout, or None in an installed wheel."""
    return _CHECKOUT if (_CHECKOUT / "setup.cfg").is_file() else None
