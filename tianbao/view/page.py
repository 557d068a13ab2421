"""Parts of a self-contained HTML page: everything escaped, no external resources."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# The policy makes a browser reject everything that is not in the file itself.
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'{policy}">
<title>{title}</title><style>{style}</style></head><body>
{body}
{scripts}</body></html>
"""

_STYLE = """
:root { color-scheme: light dark; --ink: #2b2b33; --soft: #666873; --paper: #fbfaf7; --card: #ffffff;
  --line: #e3ddd0; --good: #2a6b4a; --bad: #b3261e; --mark: #fff1cf; --link: #2368b0; --shade: 1 }
@media (prefers-color-scheme: dark) { :root { --ink: #e7e5e0; --soft: #a3a4ad; --paper: #17181c; --card: #202228;
  --line: #383b44; --good: #7fcba4; --bad: #ff9a8f; --mark: #4a3d17; --link: #8db8dd; --shade: .9 } }
* { box-sizing: border-box }
body { font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; color: var(--ink); background: var(--paper);
  max-width: 72rem; margin: 0 auto; padding: 1.2rem 1rem 4rem; overflow-wrap: break-word }
h1 { font-size: 1.65rem; line-height: 1.2; margin: .4rem 0 } h2 { font-size: 1.2rem; margin: 2.4rem 0 .6rem }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem } p { margin: .4rem 0 } a { color: var(--link) }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1rem; font-size: .9rem; margin: .8rem 0 }
.soft { color: var(--soft) } .good { color: var(--good) } .bad { color: var(--bad); font-weight: 600 }
.note { background: var(--mark); border-radius: .4rem; padding: .5rem .8rem; margin: .5rem 0 }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: .5rem; background: var(--card) }
table { border-collapse: collapse; width: 100%; font-size: .88rem }
th, td { text-align: left; padding: .35rem .7rem; border-bottom: 1px solid var(--line); vertical-align: top }
tbody tr:last-child td, tbody tr:last-child th { border-bottom: 0 } thead th { color: var(--soft); font-weight: 600 }
tbody th { font-weight: 500 } td.number { font-variant-numeric: tabular-nums; white-space: nowrap }
td.changed { background: var(--mark) } td.source { color: var(--soft); min-width: 14rem }
td small { display: block }
.runs { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)) }
figure { margin: 0 } figcaption { font-size: .85rem; color: var(--soft); margin: 0 0 .25rem }
img, video { display: block; width: 100%; height: auto; border-radius: .5rem; background: #fff;
  border: 1px solid var(--line); filter: brightness(var(--shade)) }
details { margin: .6rem 0 } summary { cursor: pointer; color: var(--link) } summary:focus-visible { outline: 2px solid }
@media print { nav { display: none } body { max-width: none } }
"""

# What would end a script early, or hide its end.
_END_OF_SCRIPT = re.compile(r"<(/script|!--)", re.IGNORECASE)


@dataclass(frozen=True)
class Cell:
    """A cell of a table: text, an optional second line, and a class of the style."""

    text: str
    kind: str = ""
    below: str = ""
    below_kind: str = ""


def escaped(text: object) -> str:
    """Text with its HTML characters escaped."""
    return html.escape(str(text), quote=True)


def page(title: str, body: Iterable[str], *, scripts: Sequence[str] = (), style: str = "") -> bytes:
    """The whole file.

    Args:
        title: as text.
        body: markup, already escaped.
        scripts: run at the end of the page; a browser runs no other.
        style: added to that of every page.
    """
    safe = [_END_OF_SCRIPT.sub(r"<\\\1", each) for each in scripts]
    digests = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in safe]
    policy = "; script-src " + " ".join(f"'sha256-{each}'" for each in digests) if digests else ""
    return _PAGE.format(
        title=escaped(title), style=_STYLE + style, policy=policy, body="\n".join(body),
        scripts="".join(f"<script>{each}</script>\n" for each in safe),
    ).encode()  # fmt: skip


def json_data(name: str, text: str) -> str:
    """Data for a script, by name; text of JSON, in which no character can end the element."""
    escapes = {ord(each): f"\\u{ord(each):04x}" for each in "<>&\u2028\u2029"}
    return f'<script type="application/json" id="{escaped(name)}">{text.translate(escapes)}</script>'


def table(head: Sequence[str], rows: Iterable[Sequence[str | Cell]]) -> str:
    """A table that scrolls sideways on a small screen; the first cell of each row is its heading."""
    top = "".join(f'<th scope="col">{escaped(each)}</th>' for each in head)
    body = "\n".join(f"<tr>{_row(row)}</tr>" for row in rows)
    return f'<div class="wide" tabindex="0"><table><thead><tr>{top}</tr></thead><tbody>\n{body}\n</tbody></table></div>'


def _row(row: Sequence[str | Cell]) -> str:
    first, *rest = (each if isinstance(each, Cell) else Cell(each) for each in row)
    others = "".join(f"<td{_class(each.kind)}>{_inside(each)}</td>" for each in rest)
    return f'<th scope="row">{_inside(first)}</th>{others}'


def _inside(cell: Cell) -> str:
    below = f"<small{_class(cell.below_kind)}>{escaped(cell.below)}</small>" if cell.below else ""
    return escaped(cell.text) + below


def _class(kind: str) -> str:
    return f' class="{escaped(kind)}"' if kind else ""


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text."""
    return f"<p{_class(kind)}>{escaped(text)}</p>"


def heading(text: str, anchor: str) -> str:
    """The heading of a section, with an anchor for `contents`."""
    return f'<h2 id="{escaped(anchor)}">{escaped(text)}</h2>'


def contents(sections: Iterable[tuple[str, str]]) -> str:
    """Links to sections given as (text, anchor)."""
    return "<nav>" + "".join(f'<a href="#{escaped(to)}">{escaped(text)}</a>' for text, to in sections) + "</nav>"


def folded(summary: str, inside: str) -> str:
    """Collapsible content below a summary line."""
    return f"<details><summary>{escaped(summary)}</summary>{inside}</details>"


def bullets(items: Iterable[str]) -> str:
    """A list of plain texts."""
    return "<ul>" + "".join(f"<li>{escaped(each)}</li>" for each in items) + "</ul>"


def side_by_side(figures: Iterable[str]) -> str:
    """Figures side by side if the screen is wide enough."""
    return '<div class="runs">' + "\n".join(figures) + "</div>"


def picture(content: bytes, media_type: str, about: str, caption: str = "") -> str:
    """A picture embedded in the page, with a text alternative."""
    over = f"<figcaption>{escaped(caption)}</figcaption>" if caption else ""
    return f'<figure>{over}<img alt="{escaped(about)}" src="{_data(content, media_type)}"></figure>'


def film(content: bytes, media_type: str, about: str) -> str:
    """A video embedded in the page."""
    caption = escaped(about)
    return (
        f'<figure><figcaption>{caption}</figcaption><video controls loop muted playsinline preload="metadata" '
        f'aria-label="{caption}" src="{_data(content, media_type)}"></video></figure>'
    )


def _data(content: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"
