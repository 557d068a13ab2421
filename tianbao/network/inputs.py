"""Where each kind of input to the brain lies in the one vector that its POINTERs read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from ..errors import unknown

AMINES = "amines"
"""Name of the levels of amines among the inputs of a brain and in a recording."""


class InputLayout(Mapping[str, slice]):
    """Named slices of the input vector, in the order in which they were given.

    Args:
        sizes: how many inputs there are of each name, such as {"stretch": 55, "chemical": 2}.

    Attributes:
        size: length of the whole vector.
    """

    def __init__(self, sizes: Mapping[str, int]) -> None:
        slices, start = {}, 0
        for name, size in sizes.items():
            slices[name] = slice(start, start + size)
            start += size
        self._slices = MappingProxyType(slices)
        self.size = start

    def __getitem__(self, name: str) -> slice:
        if name not in self._slices:
            raise KeyError(unknown("input", name, self._slices))
        return self._slices[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._slices)

    def __len__(self) -> int:
        return len(self._slices)
