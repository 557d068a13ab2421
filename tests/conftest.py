"""Order of the tests."""

from __future__ import annotations

# NEURON advances all that a process holds: single cells are patched before a test builds a whole worm.
FIRST = ("test_electrophysiology", "test_validation", "test_cli_membranes", "test_published", "test_channels")


def pytest_collection_modifyitems(items: list) -> None:
    """Single cells first, everything else in its order."""
    items.sort(key=lambda item: item.path.stem not in FIRST)
