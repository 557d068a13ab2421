"""Makes the moving picture that README.md and docs/index.md open with: `python docs/tables/crawl.py` (a minute)."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import tianbao as tb  # noqa: E402

FILE = ROOT / "docs" / "pictures" / "crawl.gif"
DURATION, START, WIDTH = 11_000.0, 3_000.0, 640  # [ms], [ms], [pixel]
MOST_BYTES = 900_000


def main() -> int:
    """Simulate the intact worm on agar with the default parameters and write its loop."""
    run = tb.Simulation(tb.Worm(), tb.Arena("agar"), seed=1, engine="native").run(DURATION)
    run.video(FILE, width=WIDTH, start=START)
    size = FILE.stat().st_size
    sys.stdout.write(f"wrote {FILE.relative_to(ROOT)} ({size / 1e3:.0f} kB)\n")
    return int(size > MOST_BYTES)


if __name__ == "__main__":
    sys.exit(main())
