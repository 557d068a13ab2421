"""Does the connectome make the worm crawl?

302 multi-compartment neurons and 95 muscles move a soft body over agar. No input, no rhythm
generator, no map from neurons to muscles except the neuromuscular junctions.
See: a wave of bending from head to tail and forward motion of 0.1-0.3 mm/s (video, kymograph).
Time: about a minute and a half for the default 10 s on two cores.
Published ranges: tianbao/behaviour/published.csv (Karbowski 2006, Fang-Yen 2010, Boyle 2012).
"""

from __future__ import annotations

import sys

from tianbao.cli import crawl_parser, run_crawl


def main(arguments: list[str] | None = None) -> int:
    """Run the experiment; exit code 0 only if the worm crawled."""
    return run_crawl(crawl_parser(__doc__).parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
