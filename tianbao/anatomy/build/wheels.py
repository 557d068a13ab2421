"""The pinned source wheels: fetched with pip, verified by hash, read as zip archives."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from ...errors import AnatomyError

REQUIREMENTS = Path(__file__).with_name("wheels.txt")
_PIN = re.compile(r"(?P<name>\w+)==(?P<version>\S+) --hash=sha256:(?P<sha256>[0-9a-f]{64})")


@dataclass(frozen=True)
class Wheel:
    """One pinned source archive.

    Attributes:
        name, version, sha256: as pinned in wheels.txt.
        path: the downloaded archive.
    """

    name: str
    version: str
    sha256: str
    path: Path

    def members(self, pattern: str) -> list[str]:
        """Sorted names of the members that match a regular expression in full."""
        with zipfile.ZipFile(self.path) as archive:
            return sorted(name for name in archive.namelist() if re.fullmatch(pattern, name))

    def read(self, *members: str) -> list[bytes]:
        """Contents of the members, in the order given."""
        with zipfile.ZipFile(self.path) as archive:
            return [archive.read(member) for member in members]


def open_wheels(folder: Path) -> dict[str, Wheel]:
    """The three wheels by name, downloaded into `folder` when absent.

    Raises:
        AnatomyError: if a wheel can neither be found nor downloaded, or its hash differs.
    """
    pins = [match.groupdict() for match in _PIN.finditer(REQUIREMENTS.read_text(encoding="utf-8"))]
    if any(_find(folder, pin) is None for pin in pins):
        _download(folder)
    return {pin["name"]: _verified(folder, pin) for pin in pins}


def _find(folder: Path, pin: dict[str, str]) -> Path | None:
    found = sorted(folder.glob(f"{pin['name']}-{pin['version']}-*.whl"))
    return found[0] if found else None


def _download(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    done = subprocess.run(
        [*command, "-r", str(REQUIREMENTS), "-d", str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise AnatomyError(f"cannot download the source wheels into {folder}: {reason}")


def _verified(folder: Path, pin: dict[str, str]) -> Wheel:
    path = _find(folder, pin)
    if path is None:
        raise AnatomyError(f"wheel {pin['name']} {pin['version']} is not in {folder} after the download")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != pin["sha256"]:
        raise AnatomyError(f"{path} has sha256 {digest}, not the pinned one: delete it and build again")
    return Wheel(path=path, **pin)
