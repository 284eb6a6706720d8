"""A chain as a picture: one row a filter, the request going down, the response coming up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

ROW: Final = 64
"""Pixels from one filter to the next."""
BOX: Final = 44
LEFT: Final = 150
"""Where the boxes begin; left of them go the request's and the response's ways."""
WIDTH: Final = 760
DOWN: Final = 40
"""Where the request goes down, and where the response comes up."""
UP: Final = 105


@dataclass(frozen=True, slots=True)
class Row:
    """One filter."""

    id: str
    name: str
    hooks: Sequence[str]
    requires: Sequence[str]
    provides: Sequence[str]
    envelope: Sequence[str]
    """What is said of its place: `timeout 2 s`, `on error skip`."""
    terminal: bool
    depth: int = 0
    """1 for a filter that another one runs, once per try."""

    @property
    def facts(self) -> str:
        """What it needs and what it leaves."""
        needs = f"needs {', '.join(self.requires)}" if self.requires else ""
        leaves = f"leaves {', '.join(self.provides)}" if self.provides else ""
        return "; ".join(text for text in (needs, leaves) if text)


MARKS: Final = {"on_request": "v", "on_forward": ">", "on_response": "^", "on_complete": "o"}


def as_text(rows: Sequence[Row], source: str, sinks: Sequence[str]) -> str:
    """Draw with letters."""
    width = max(len(row.id) + 2 * row.depth for row in rows)
    lines = [source, "  |"]
    for row in rows:
        indent = "    " * row.depth
        name = f"{row.id:<{width - 2 * row.depth}}"
        marks = "".join(letter if hook in row.hooks else "." for hook, letter in MARKS.items())
        tail = "; ".join(text for text in (row.facts, *row.envelope) if text)
        lines.append(f"{'  |' if row.depth else '  +'}-{indent} {name}  {marks}  {tail}".rstrip())
    lines += ["  |", *(f"  +-> {sink}" for sink in sinks)]
    lines += ["", "v sees the request, > settles it, ^ the response on its way back, o the end"]
    return "\n".join(lines)


def as_svg(rows: Sequence[Row], source: str, sinks: Sequence[str]) -> str:
    """Draw as SVG. It needs no script, and is dark where the reader's page is."""
    top = 56
    height = top + ROW * len(rows) + 40 + 22 * len(sinks)
    parts = [_head(height), _text(LEFT, 30, source, "name")]
    end = top + ROW * (len(rows) - 1) + BOX / 2
    parts += [_way(DOWN, 36, end, "request"), _way(UP, end, 36, "response")]
    for index, row in enumerate(rows):
        parts += _box(row, top + ROW * index)
    below = top + ROW * len(rows)
    parts += [
        _text(LEFT + 16, below + 12 + 22 * n, f"→ {sink}", "model") for n, sink in enumerate(sinks)
    ]
    return "\n".join([*parts, "</svg>", ""])


def _box(row: Row, y: float) -> Iterator[str]:
    left = LEFT + 36 * row.depth
    title = escape(f"{row.name}: {', '.join(row.hooks) or 'no hooks'}")
    kind = "last" if row.terminal else "box"
    yield f"<g><title>{title}</title>"
    size = f'width="{WIDTH - left - 20}" height="{BOX}" rx="8"'
    yield f'<rect class="{kind}" x="{left}" y="{y}" {size}/>'
    middle = y + BOX / 2
    for hook, x in (("on_request", DOWN), ("on_response", UP)):
        if hook in row.hooks and not row.depth:
            yield f'<line class="tie" x1="{x}" y1="{middle}" x2="{left}" y2="{middle}"/>'
            yield f'<circle class="{hook}" cx="{x}" cy="{middle}" r="5"/>'
    yield _text(left + 16, y + 19, row.id, "name")
    yield _text(left + 16, y + 36, row.facts, "facts")
    yield _text(WIDTH - 36, y + 19, " · ".join(row.envelope), "envelope")
    yield "</g>"


def _way(x: float, start: float, end: float, name: str) -> str:
    line = f'x1="{x}" y1="{start}" x2="{x}" y2="{end}" marker-end="url(#tip)"'
    return f'<line class="way" {line}/>{_text(x, 28, name, "way-name")}'


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x}" y="{y}">{escape(text)}</text>' if text else ""


def _head(height: float) -> str:
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"
  width="{WIDTH}" height="{height}" role="img">
<title>The chain</title>
<style>
  text {{ font: 14px system-ui, sans-serif; fill: #1f2328 }}
  .name {{ font-weight: 600 }}
  .facts, .model {{ font-size: 12px; fill: #59636e }}
  .envelope {{ font-size: 12px; fill: #9a6700; text-anchor: end }}
  .way-name {{ font-size: 11px; fill: #59636e; text-anchor: middle }}
  .box {{ fill: #f6f8fa; stroke: #d1d9e0 }}
  .last {{ fill: #ddf4ff; stroke: #54aeff }}
  .way {{ stroke: #818b98; stroke-width: 1.5 }}
  .tie {{ stroke: #d1d9e0 }}
  .on_request {{ fill: #0969da }}
  .on_response {{ fill: #1a7f37 }}
  @media (prefers-color-scheme: dark) {{
    text {{ fill: #f0f6fc }}
    .facts, .model, .way-name {{ fill: #9198a1 }}
    .box {{ fill: #151b23; stroke: #3d444d }}
    .last {{ fill: #0d2d4d; stroke: #1f6feb }}
    .tie {{ stroke: #3d444d }}
  }}
</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8"
  orient="auto">
<path d="M0 0 L8 4 L0 8 z" fill="#818b98"/></marker></defs>"""
