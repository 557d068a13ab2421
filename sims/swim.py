"""Does the worm that crawls on agar also swim in water?

The same 302 neurons, 95 muscles and parameters as in forward_crawl.py; only the medium differs. The worm is
free to move in three dimensions: it is not constrained to a plane.
See: a faster and longer wave, 1.4-2.3 Hz and 1.1-1.9 L (video, kymograph).
Time: about half a minute for the default 8 s on two cores.
Published ranges: tianbao/behaviour/published.csv (Fang-Yen 2010, Sznitman 2010, Berri 2009).
"""

from __future__ import annotations

import sys

from tianbao.cli import crawl_parser, run_crawl

# Movements are faster in water: brain and body exchange more often than on agar.
WATER = {"arena.medium": "water", "clock.tick": 2.0, "duration": 8_000.0}


def main(arguments: list[str] | None = None) -> int:
    """Run the experiment; exit code 0 only if the worm swam."""
    return run_crawl(crawl_parser(__doc__, out="output/swim", preset=WATER).parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
