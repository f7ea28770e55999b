"""Write the frames of a terminal as an animated SVG: CSS only, no script.

Each distinct row is stored once. The frames lie below each other on a film, which moves behind a
window. A viewer who prefers reduced motion sees one frame.
"""

from collections.abc import Iterator, Sequence
from html import escape

from drawing.recording import Frame, Row, Run

CHARACTER, LINE = 8.4, 19
"""Width of a character and height of a line, at a font size of 14."""

_MARGIN, _BAR = 14, 26
_STYLE = """
text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  fill: #d0d7de; white-space: pre }
.b { font-weight: bold }
"""


def animated(frames: Sequence[Frame], columns: int, still: int, title: str) -> str:
    """Return the SVG. `still` is the index of the frame shown without motion."""
    rows: dict[Row, int] = {}
    film = [line for number, frame in enumerate(frames) for line in _frame(frame, number, rows)]
    height = LINE * len(frames[0].rows)
    total_width, total_height = columns * CHARACTER + 2 * _MARGIN, height + _MARGIN + _BAR
    colours = {run.colour: f"c{number}" for number, run in enumerate(_coloured(rows))}
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total_width:g} {total_height:g}">',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}{_motion(frames, height, still)}",
        *(f".{name} {{ fill: {colour} }}" for colour, name in colours.items()),
        "</style><defs>",
        *(_row(row, number, colours) for row, number in rows.items()),
        "</defs>",
        f'<rect width="{total_width:g}" height="{total_height:g}" rx="8" fill="#0d1117" '
        'stroke="#6e7681"/>',
        *(
            f'<circle cx="{_MARGIN + 4 + 16 * number}" cy="14" r="5" fill="{colour}"/>'
            for number, colour in enumerate(("#f47067", "#c69026", "#57ab5a"))
        ),
        f'<svg x="{_MARGIN}" y="{_BAR}" width="{columns * CHARACTER:g}" height="{height}">'
        '<g id="film">',
        *film,
        "</g></svg></svg>",
    ]
    return "\n".join(lines) + "\n"


def _motion(frames: Sequence[Frame], height: int, still: int) -> str:
    """Return the CSS that moves the film: one step per frame."""
    total = sum(frame.seconds for frame in frames)
    steps, elapsed = [], 0.0
    for number, frame in enumerate(frames):
        share = f"{100 * elapsed / total:.2f}".rstrip("0").rstrip(".")
        steps.append(f"{share}%{{transform:translateY({-number * height}px)}}")
        elapsed += frame.seconds
    return (
        f"#film {{ animation: film {total:.1f}s step-end infinite }}\n"
        f"@keyframes film {{ {''.join(steps)} }}\n"
        "@media (prefers-reduced-motion: reduce) {\n"
        f"  #film {{ animation: none; transform: translateY(-{still * height}px) }}\n}}\n"
    )


def _frame(frame: Frame, number: int, rows: dict[Row, int]) -> Iterator[str]:
    top = number * LINE * len(frame.rows)
    for place, row in enumerate(frame.rows):
        if row:
            name = rows.setdefault(row, len(rows))
            yield f'<use href="#r{name}" y="{top + place * LINE}"/>'
    column, line = frame.cursor
    yield (
        f'<rect x="{column * CHARACTER:g}" y="{top + line * LINE + 2}" width="2" '
        f'height="{LINE - 4}" fill="#d0d7de"/>'
    )


def _row(row: Row, number: int, colours: dict[str, str]) -> str:
    shapes = []
    for run in row:
        x, width = run.column * CHARACTER, len(run.text) * CHARACTER
        if run.background:
            shapes.append(
                f'<rect x="{x:g}" width="{width:g}" height="{LINE}" fill="{run.background}"/>'
            )
        if text := run.text.strip():
            shapes.append(_text(run, text, colours))
    return f'<g id="r{number}">{"".join(shapes)}</g>'


def _text(run: Run, text: str, colours: dict[str, str]) -> str:
    """Return one run, stretched to its columns whatever the viewer's font."""
    column = run.column + len(run.text) - len(run.text.lstrip())
    classes = [name for name in (colours.get(run.colour), "b" if run.bold else "") if name]
    chosen = f' class="{" ".join(classes)}"' if classes else ""
    return (
        f'<text x="{column * CHARACTER:g}" y="14"{chosen} '
        f'textLength="{len(text) * CHARACTER:g}">{escape(text)}</text>'
    )


def _coloured(rows: dict[Row, int]) -> list[Run]:
    """Return one run of each text colour that is not the terminal's own."""
    found = {run.colour: run for row in rows for run in row if run.colour}
    return list(found.values())
