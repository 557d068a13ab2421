"""The committed data are whole, small, plain text, and what the builder makes."""

from __future__ import annotations

import csv
import hashlib

import pytest

from tianbao.paths import checkout, data_root

MANIFEST = data_root() / "connectome" / "MANIFEST.sha256"
MEGABYTE = 1_000_000


def manifest():
    lines = (line.split("  ") for line in MANIFEST.read_text().splitlines())
    return {path: digest for digest, path in lines}


def data_files():
    folders = (data_root() / "morphologies", data_root() / "connectome")
    return {
        path.relative_to(data_root()).as_posix(): path.read_bytes()
        for folder in folders
        for path in folder.iterdir()
        if path != MANIFEST
    }


def test_manifest_covers_every_file_and_every_hash_matches():
    assert {path: hashlib.sha256(data).hexdigest() for path, data in data_files().items()} == manifest()


def test_data_files_are_small_and_have_unix_line_ends():
    for path, data in data_files().items():
        assert len(data) < MEGABYTE, path
        assert b"\r" not in data and data.endswith(b"\n"), path


def test_every_tracing_names_its_source():
    for path, data in data_files().items():
        if path.endswith(".swc"):
            header = [line for line in data.decode().splitlines() if line.startswith("#")]
            for word in ("wheel c302 0.12.1", "sha256", "member", "paper", "licence", "frame", "soma"):
                assert any(word in line for line in header), (path, word)


def test_every_builder_constant_names_its_source():
    import tianbao.anatomy

    folder = next(iter(tianbao.anatomy.__path__))
    for name in ("muscle_rows.csv", "build/gaba.csv"):
        with open(f"{folder}/{name}", newline="") as lines:
            assert all(row["source"] and row["certainty"] for row in csv.DictReader(lines))


@pytest.mark.network
@pytest.mark.skipif(checkout() is None, reason="needs a source checkout")
def test_fresh_build_equals_the_committed_data():
    from tianbao.anatomy.build.__main__ import differences
    from tianbao.anatomy.build.outputs import build
    from tianbao.anatomy.build.wheels import open_wheels

    files = build(open_wheels(checkout() / "build" / "wheels"))
    assert differences(checkout(), files) == []
    spoiled = files | {"connectome/gap.csv": "a,b\n"}
    assert any("connectome/gap.csv differs" in sentence for sentence in differences(checkout(), spoiled))
