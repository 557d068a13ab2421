"""A grid that exists only where there is something: tiles of cells under round patches, wherever these lie.

Memory and time follow the area that the patches cover, not the area over which they are strewn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

TILE = 16
"""Cells along a side of a tile."""
# Tiles are numbered row by row; no row of a grid is as long [tiles].
_ROW = 2**31


class Tiles:
    """Which cells of an endless grid are kept, and where.

    Cell (i, j) is the square around (i, j) times the spacing. Cells are kept in tiles, in the order of their numbers.

    Attributes:
        cells: how many are kept.
    """

    def __init__(self, numbers: np.ndarray) -> None:
        """
        Args:
            numbers: of the tiles in rising order, shape (tiles,).
        """
        self._numbers = numbers
        self.cells = len(numbers) * TILE**2

    @classmethod
    def under(
        cls, spacing: float, radius: float, middles: Sequence[tuple[float, float]], most: int
    ) -> tuple[Tiles, np.ndarray]:
        """The tiles under round patches.

        Args:
            spacing: of the cells [mm].
            radius: of every patch [mm].
            middles: x and y of the patches [mm].
            most: cells that may be kept.

        Returns:
            The tiles, and how deep the middle of every cell lies inside a patch [mm], shape (tiles, TILE, TILE).

        Raises:
            OverflowError: with the number of cells, or about that, if there are more.
        """
        reach = radius + 0.5 * spacing
        wanted: set[int] = set()
        for middle in middles:
            (first, last), (low, high) = (
                [math.floor(round((at + side * reach) / spacing) / TILE) for side in (-1, 1)] for at in middle
            )
            # Corners of the square around a patch are not kept.
            if (cells := (last - first + 1) * (high - low + 1) * TILE**2) > 2 * most:
                raise OverflowError(round(math.pi / 4.0 * cells))
            wanted.update(_ROW * across + up for across in range(first, last + 1) for up in range(low, high + 1))
            if (cells := len(wanted) * TILE**2) > 2 * most:
                raise OverflowError(round(math.pi / 4.0 * cells))
        tiles = cls(np.array(sorted(wanted), np.int64))
        depth = tiles._depths(spacing, radius, middles, reach)
        kept = (depth > -0.5 * spacing).any(axis=(1, 2))
        tiles = cls(tiles._numbers[kept])
        if tiles.cells > most:
            raise OverflowError(tiles.cells)
        return tiles, depth[kept]

    def _depths(
        self, spacing: float, radius: float, middles: Sequence[tuple[float, float]], reach: float
    ) -> np.ndarray:
        """How deep the middle of every cell lies inside a patch [mm], shape (tiles, TILE, TILE)."""
        depth = np.full((len(self._numbers), TILE, TILE), -math.inf)
        flat = depth.reshape(-1)
        for x, y in middles:
            i, j = (np.arange(round((at - reach) / spacing), round((at + reach) / spacing) + 1) for at in (x, y))
            here = self.find(*(each.ravel() for each in np.meshgrid(i, j, indexing="ij")))
            inside = radius - np.hypot(spacing * i[:, None] - x, spacing * j - y).ravel()
            flat[here] = np.maximum(flat[here], inside)
        return depth

    def find(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Where cells are kept, as indices into the flat array of all cells; -1 for cells that are not.

        Args:
            i, j: numbers of cells along x and y, shape (n,).
        """
        if not len(self._numbers):
            return np.full(np.shape(i), -1)
        number = (i // TILE) * _ROW + j // TILE
        tile = np.minimum(np.searchsorted(self._numbers, number), len(self._numbers) - 1)
        place = (tile * TILE + i % TILE) * TILE + j % TILE
        return np.where(self._numbers[tile] == number, place, -1)
