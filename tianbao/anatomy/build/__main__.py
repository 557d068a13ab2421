"""`python -m tianbao.anatomy.build [--check]`: write the data files, or compare them with a fresh build."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ...errors import AnatomyError
from ...paths import checkout
from .outputs import build
from .wheels import open_wheels


def main(arguments: list[str] | None = None) -> int:
    """Run the builder; 0 if the data were written, or are identical to a fresh build."""
    parser = argparse.ArgumentParser(prog="python -m tianbao.anatomy.build", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; compare with the committed data")
    check = parser.parse_args(arguments).check
    root = checkout()
    try:
        if root is None:
            raise AnatomyError("the data can only be built in a source checkout; this is an installed package")
        files = build(open_wheels(root / "build" / "wheels"))
    except AnatomyError as error:
        print(error, file=sys.stderr)
        return 1
    if check:
        return _report(differences(root, files), len(files))
    for path, text in files.items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(text, encoding="utf-8", newline="\n")
    print(f"wrote {len(files)} files under {root}")
    return 0


def differences(root: Path, files: dict[str, str]) -> list[str]:
    """One sentence for each file that is absent, different, or not part of the build."""
    found = []
    for path, text in files.items():
        if not (root / path).is_file():
            found.append(f"{path} is absent: run `python -m tianbao.anatomy.build`")
        elif (root / path).read_bytes() != text.encode():
            found.append(f"{path} differs from a fresh build: run `python -m tianbao.anatomy.build`")
    present = (each.relative_to(root).as_posix() for folder in ("morphologies", "connectome")
               for each in sorted((root / folder).iterdir()))  # fmt: skip
    return found + [f"{path} is not part of the build: delete it" for path in present if path not in files]


def _report(found: list[str], count: int) -> int:
    for sentence in found:
        print(sentence, file=sys.stderr)
    if not found:
        print(f"{count} files are identical to a fresh build")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
