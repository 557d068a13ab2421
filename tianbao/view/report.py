"""The report of one run, or of several side by side: a self-contained HTML file."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ..behaviour.along import PHASES
from ..behaviour.gait import Gait, missed, too_short
from ..behaviour.kymograph import Kymograph
from ..errors import ConfigError, OutputError
from ..io.files import write_atomically
from ..paths import readable
from ..recorded import RecordedRun, WormTrack
from ..units import MS_PER_S
from . import comparison, gait_table, origin, page, replay, wiring_page
from .kymographs import plot_kymographs, wave_summary
from .page import Cell
from .plots import Plots, headline
from .sensed import has_receptors
from .worms import who_is_who

# Worms that have pictures of their own, and a column of their own that is not folded; every worm is in the tables.
_MOST_DRAWN = 6
_MOST_KYMOGRAPHS = 12
_OF_A_RUN = ("track", "trajectory")  # pictures that show every worm of a run
# Largest size of the pictures and videos of a page [bytes]: it should open on a phone and fit into an e-mail.
_LIMIT = 5_500_000
_DPI = 105
_KYMOGRAPHS = "kymographs"
_FILMS = {".mp4": "video/mp4", ".webm": "video/webm", ".gif": "image/gif"}

_PICTURES = (
    (_KYMOGRAPHS, "kymographs: curvature along the body over time, with the same colour and time scales"),
    ("traces", "soma voltages"),
    ("raster", "all recorded neurons"),
    ("activity", "activity shown on the body"),
    ("muscles", "muscle activation"),
    ("sensed", "what the receptors sense, and the voltages of their neurons"),
    ("track", "tracks of all worms"),
    ("trajectory", "trajectory"),
)  # fmt: skip


@dataclass(frozen=True)
class _Column:
    """One worm of one run: its name, that of its run, and its number."""

    name: str
    run: str
    recording: RecordedRun
    worm: int

    @property
    def track(self) -> WormTrack:
        """The recorded worm."""
        return self.recording.worms[self.worm]

    @property
    def gait(self) -> Gait:
        """Its gait."""
        return self.kymograph.gait

    @cached_property
    def kymograph(self) -> Kymograph:
        """Its kymograph, with the gait."""
        return Kymograph.of(self.recording, self.worm, self.name)


@dataclass
class _Budget:
    """Bytes of pictures and videos that can still be added to the page."""

    left: int = _LIMIT
    refused: list[str] = field(default_factory=list)

    def admits(self, content: bytes, what: str) -> bool:
        """Whether some content still fits into the page; it is then counted, otherwise noted as left out.

        Args:
            content: of a picture or video.
            what: its description in the note.
        """
        size = len(content) * 4 // 3
        if size > self.left:
            self.refused.append(f"{what} ({size / 1e6:.1f} MB)")
            return False
        self.left -= size
        return True


def write_report(
    recordings: RecordedRun | Sequence[RecordedRun],
    path: str | Path,
    *,
    video: str | Path | Sequence[str | Path | None] | None = None,
    names: Sequence[str] | None = None,
    animal: Kymograph | Sequence[Kymograph] | None = None,
) -> Path:
    """Write a report: replay, gait and published ranges, plots, settings, interventions, provenance.

    The file contains its pictures and videos and loads nothing else. For two runs it shows how they differ; repeats of
    one experiment, and animals, are summarised by mean and 95 % interval. The interactive replay needs the extra
    `report`; without it a note says so.

    Args:
        recordings: one, or several to compare.
        path: of the HTML file.
        video: MP4, WebM or GIF to include; for several recordings one each, None for none.
        names: of the recordings; numbers if None.
        animal: one or several to compare with, their kymographs shown with theirs; see `read_kymograph`.

    Returns:
        The path written.

    Raises:
        ConfigError: for no recording, or if the number of names or videos differs from that of the recordings.
        OutputError: if a video cannot be read or the file cannot be written.
    """
    runs = [recordings] if isinstance(recordings, RecordedRun) else list(recordings)
    if not runs or not all(isinstance(each, RecordedRun) for each in runs):
        raise ConfigError("report: give a recording, or a list of recordings, such as tianbao.open('results.h5')")
    names = _names(names, len(runs))
    films = _films(video, len(runs))
    columns = [
        _Column(name if len(run.worms) == 1 else f"{name}, worm {k}", name, run, k)
        for name, run in zip(names, runs, strict=True)
        for k in range(len(run.worms))
    ]
    if not columns:
        raise ConfigError("report: the recording contains no worm; nothing can be reported")
    animals = [] if animal is None else [animal] if isinstance(animal, Kymograph) else list(animal)
    if not all(isinstance(each, Kymograph) for each in animals):
        raise ConfigError("report: animal is a kymograph, such as tianbao.read_kymograph('animal.wcon')")
    listed = " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    title = f"Tianbao: {listed}" if len(runs) < 4 else f"Tianbao: {len(runs)} runs"
    moving, body = _replay(columns)
    content = _body(title, names, runs, columns, films, animals, body)
    return write_atomically(path, page.page(title, content, **moving))


def _replay(columns: list[_Column]) -> tuple[dict[str, Any], str]:
    """Scripts and style of the interactive replay, and its section; a note instead if it cannot be made."""
    try:
        made = replay.replay([replay.ReplayWorm(each.name, each.recording, each.worm) for each in columns])
    except OutputError as error:
        return {}, page.paragraph(str(error), "note")
    return {"scripts": made.scripts, "style": made.style}, made.markup


def _names(names: Sequence[str] | None, count: int) -> list[str]:
    if names is None:
        return ["run"] if count == 1 else [f"run {k + 1}" for k in range(count)]
    if isinstance(names, str) or len(names) != count:
        raise ConfigError(f"report: names must be a list of {count}, one for each recording")
    return [readable(str(each)) for each in names]


def _films(video: Any, count: int) -> list[Path | None]:
    listed = [video] if video is None or isinstance(video, (str, Path)) else list(video)
    if len(listed) > count or (len(listed) < count and listed != [None] and isinstance(video, (list, tuple))):
        raise ConfigError(f"report: give {count} videos, one for each recording, or None for those without")
    paths = [None if each is None else Path(each) for each in listed]
    for each in paths:
        if each is not None and each.suffix.lower() not in _FILMS:
            raise ConfigError(f"report: {each.name} is not an MP4, WebM or GIF; give one of those")
        if each is not None and not each.is_file():
            raise OutputError(f"report: there is no video file {each}; give the one that a run wrote, or none")
    return paths + [None] * (count - len(paths))


def _body(
    title: str, names: list[str], runs: list[RecordedRun], columns: list[_Column], films: list,
    animals: list[Kymograph], moving: str,
) -> Iterator[str]:  # fmt: skip
    budget = _Budget()
    drawn = columns[:_MOST_DRAWN]
    shown_kinds = [each for each in _PICTURES if any(_holds(column, each[0]) for column in columns)]
    pictures = [
        (word, list(_pictures(kind, word, columns if kind in _OF_A_RUN else drawn, budget, columns, animals)))
        for kind, word in shown_kinds
    ]
    shown = list(_shown_films(names, films, budget))
    crowds = [each for each in _by_run(columns) if len(each) > 1]
    sections = [("Worms", "worms")] if crowds else []
    sections += [("Replay", "replay-section"), ("Gait", "gait")]
    sections += [("Video", "video")] if shown else []
    sections += [("Pictures", "pictures"), ("Wiring", "wiring"), ("Interventions", "interventions")]
    sections += [("Settings", "settings")]
    yield f"<h1>{page.escaped(title)}</h1>"
    yield from _summary(columns)
    for animal in animals:
        span = f"{animal.time[0] / MS_PER_S:g} to {animal.time[-1] / MS_PER_S:g} s"
        yield page.paragraph(f"{animal.name}, an animal, {span} of its recording: {wave_summary(animal.gait)}.")
    yield page.contents([*sections, ("Provenance", "provenance")])
    if crowds:
        yield page.heading("Worms", "worms")
    for each in crowds:
        if len(runs) > 1:
            yield f"<h3>{page.escaped(each[0].run)}</h3>"
        yield _worms(each)
    yield page.heading("Replay", "replay-section")
    yield moving
    yield page.heading("Gait", "gait")
    if len(columns) + len(animals) > 1:
        yield from _comparison(columns, animals, budget)
    rows = [*((each.name, each.gait) for each in columns), *((f"{each.name} (animal)", each.gait) for each in animals)]
    each_worm = "\n".join(gait_table.tables(rows))
    yield each_worm if len(rows) <= _MOST_DRAWN else page.folded(f"Each of the {len(rows)} worms", each_worm)
    if shown:
        yield page.heading("Video", "video")
        yield page.side_by_side(shown)
    yield page.heading("Pictures", "pictures")
    for word, each in pictures:
        yield f"<h3>{page.escaped(word.capitalize())}</h3>"
        yield page.side_by_side(each)
    if undrawn := [each.name for each in columns[_MOST_DRAWN:]]:
        told = ", ".join(undrawn[:_MOST_KYMOGRAPHS]) + (" and others" if len(undrawn) > _MOST_KYMOGRAPHS else "")
        yield page.paragraph(f"Without pictures of their own: {told}; see tianbao plot --worm.", "note")
    if budget.refused:
        yield page.paragraph(f"Left out to keep this page small: {', '.join(budget.refused)}.", "note")
    yield page.heading("Wiring", "wiring")
    yield from _wiring(columns, budget)
    yield from origin.interventions(names, runs)
    yield from origin.configuration(names, runs)
    yield from origin.provenance(names, runs)


def _comparison(columns: list[_Column], animals: list[Kymograph], budget: _Budget) -> Iterator[str]:
    """Repeats of one experiment, and animals, as means with intervals and curves along the body."""
    samples = [comparison.Sample(each.kymograph, each.recording, each.worm) for each in columns]
    groups, copies = comparison.grouped([*samples, *map(comparison.Sample, animals)])
    if copies:
        told = f"Counted once: {copies} of the worms move exactly as another does; give runs of different seeds."
        yield page.paragraph(told, "note")
    if len(groups) < 2 and len(groups[0].samples) < 2:
        return
    if any(len(each.samples) > 1 for each in groups):
        yield from comparison.table(groups)
    content = _rendered(comparison.plot_waves(groups))
    if budget.admits(content, "the wave along the body"):
        yield "<h3>The wave along the body</h3>"
        yield page.picture(content, "image/webp", "amplitude and phase of the wave along the body, and its mean cycle")
        yield page.paragraph(
            "Lines are means over worms, bands their 95 % confidence intervals; of two worms each has a thin line. "
            f"A mean cycle has {len(PHASES)} parts and is drawn twice.",
            "soft",
        )
        if len(groups) > comparison.MOST_GROUPS:
            yield page.paragraph(f"The first {comparison.MOST_GROUPS} of {len(groups)} groups are drawn.", "note")
    yield "<h3>Worm by worm</h3>"


def _wiring(columns: list[_Column], budget: _Budget) -> Iterator[str]:
    """The circuit around command and motor neurons of every kind of worm, with what was done to it."""
    found, notes = wiring_page.wirings([(each.name, each.recording, each.worm) for each in columns])
    for each in found:
        content = _rendered(each.drawn())
        if budget.admits(content, "the wiring"):
            yield page.picture(content, "image/webp", f"wiring of {', '.join(each.names)}")
        yield from wiring_page.tables(each)
    for note in notes:
        yield page.paragraph(note, "soft")


def _by_run(columns: list[_Column]) -> Iterator[list[_Column]]:
    """The worms of each run."""
    for k, each in enumerate(columns):
        if each.worm == 0:
            yield columns[k : k + len(each.recording.worms)]


def _worms(columns: list[_Column]) -> str:
    """Which worm of a run is which: start, interventions, wiring if it differs, and how it moved."""
    rows = []
    for each, who in zip(columns, who_is_who(columns[0].recording), strict=True):
        anatomy = who.anatomy if who.number else each.track.anatomy
        wiring = "; ".join(f"{name}: {text}" for name, text in anatomy.items())
        same = "as worm 0" if who.number else ""
        cells = [who.name, who.place, who.interventions or "none: the intact animal", wiring or same]
        cells += [headline(each.gait).replace("    ", ", "), _verdict(each).partition(";")[0].rstrip(".")]
        rows.append([Cell(text) for text in cells])
    return page.table(["worm", "starts at", "interventions", "wiring and cells", "gait", ""], rows)


def _summary(columns: list[_Column]) -> Iterator[str]:
    for each in columns:
        run, name = each.recording, f"{each.name}: " if len(columns) > 1 else ""
        place = f"on {run.medium}, " if run.medium == "agar" else f"in {run.medium}, " if run.medium else ""
        moved = ", ".join(headline(each.gait).split("    "))
        yield page.paragraph(f"{name}{place}{run.duration / MS_PER_S:.1f} s: {moved}. {_verdict(each)}")
        for warning in _warnings(each):
            yield page.paragraph(f"{name}{warning}", "note")


def _verdict(column: _Column) -> str:
    """Whether the worm crawled or swam, and otherwise which acceptance criteria were not met."""
    verbs = {"agar": ("crawled", "crawl"), "water": ("swam", "swim")}
    if column.recording.medium not in verbs or not math.isfinite(column.gait.forward_speed_mm_s):
        return ""
    did, do = verbs[column.recording.medium]
    short = missed(column.gait, column.recording.medium)
    if not short:
        return f"The worm {did}."
    if brief := too_short(column.gait, column.recording.medium):
        return f"No verdict: {brief}."
    reasons = [gait_table.shortfall(column.gait, each) for each in short]
    return f"The worm did not {do}; acceptance criteria not met: {'; '.join(reasons)}."


def _warnings(column: _Column) -> Iterator[str]:
    run, track = column.recording, column.track
    frames = len(run.time)
    if not run.complete:
        yield f"This run ended early, at {run.duration / MS_PER_S:.2f} s: it is incomplete."
    if not math.isfinite(column.gait.forward_speed_mm_s):
        counted = "1 frame" if frames == 1 else f"{frames} frames"
        yield f"{counted} recorded: too short to measure a gait."
    if not track.neurons:
        yield "No neurons were recorded: this is a track of the body only, or voltages were not recorded."
    if not track.muscles:
        yield "No muscles were recorded."


def _holds(column: _Column, kind: str) -> bool:
    """Whether a worm has the data for a picture; some pictures show all worms of a run, once."""
    if kind in _OF_A_RUN:
        return column.worm == 0 and (kind == "trajectory" or len(column.recording.worms) > 1)
    neurons, moved = bool(column.track.neurons), bool(column.track.muscles)
    needed = {"traces": neurons, "raster": neurons, "activity": neurons or moved, "muscles": moved}
    if kind == "sensed":
        return has_receptors(column.recording, column.worm)
    return needed.get(kind, True)


def _pictures(
    kind: str, word: str, columns: list[_Column], budget: _Budget, everyone: list[_Column], animals: list[Kymograph]
) -> Iterator[str]:
    if kind == _KYMOGRAPHS:
        rows = [each.kymograph for each in everyone[:_MOST_KYMOGRAPHS]] + [
            replace(each, name=f"{each.name} (animal)") for each in animals[:_MOST_KYMOGRAPHS]
        ]
        content = _rendered(plot_kymographs(rows))
        if budget.admits(content, word):
            yield page.picture(content, "image/webp", word)
        return
    for each in columns:
        whole = kind in _OF_A_RUN
        if not _holds(each, kind):
            continue
        content = _rendered(getattr(Plots(each.recording), kind)(**({} if whole else {"worm": each.worm})))
        caption = "" if len(columns) == 1 else each.run if whole else each.name
        about = f"{caption}: {word}" if caption else word
        if budget.admits(content, about):
            yield page.picture(content, "image/webp", about, caption=caption)


def _rendered(figure: Figure) -> bytes:
    memory = io.BytesIO()
    figure.savefig(memory, format="webp", dpi=_DPI, pil_kwargs={"quality": 86, "method": 4})
    return memory.getvalue()


def _shown_films(names: list[str], films: list[Path | None], budget: _Budget) -> Iterator[str]:
    for name, path in zip(names, films, strict=True):
        if path is None:
            continue
        try:
            content = path.read_bytes()
        except OSError as error:
            raise OutputError(f"report: cannot read the video {path}: {error.strerror or error}") from error
        if budget.admits(content, f"the video {path.name}"):
            kind, about = _FILMS[path.suffix.lower()], f"{name}: {path.name}, in real time"
            moving = kind.startswith("video/")
            yield page.film(content, kind, about) if moving else page.picture(content, kind, about, about)
