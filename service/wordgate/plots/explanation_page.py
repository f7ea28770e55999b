"""A self-contained HTML page about an explained text: no script, no outside request."""

import math
from collections.abc import Iterator
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from wordgate.plots.explanation import Explained, bits, gate_map, shown

_SURPRISING_BITS = 16.0
"""Surprisal with the darkest shade."""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def write_page(explained: Explained, path: Path) -> None:
    """Write the page. Replaces a file in one step."""
    draft = path.with_name(f"unfinished-{path.name}")
    draft.write_text(page(explained), "utf-8")
    draft.replace(path)


def page(explained: Explained) -> str:
    """Return the page."""
    style = files("wordgate.plots").joinpath("explanation_page.css").read_text("utf-8")
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Explanation of a text</title><style>{style}</style></head><body><main>",
            *_head(explained),
            *_words(explained),
            *_gates(explained),
            _LEGEND,
            "</main></body></html>\n",
        ]
    )


def _head(explained: Explained) -> Iterator[str]:
    model, words = explained["model"], explained["words"]
    total = bits(-explained["log_prob"])
    yield "<h1>What the model expected</h1>"
    spans = [
        f'<span style="--s:{_shade(word)}" title="{bits(word["surprisal"]):.1f} bits">'
        f"{escape(shown(word))}</span>"
        for word in words
    ]
    yield f'<p class="text">{" ".join(spans)}</p>'
    yield (
        f"<p>{escape(model['name'])}@{escape(model['version'])}, {escape(model['precision'])}: "
        f"log-probability {explained['log_prob']:.2f}, "
        f"{total / len(words):.1f} bits per word, perplexity {2 ** (total / len(words)):,.0f}.</p>"
    )


def _shade(word: dict[str, Any]) -> str:
    return f"{min(1.0, bits(word['surprisal']) / _SURPRISING_BITS):.2f}"


def _words(explained: Explained) -> Iterator[str]:
    words = explained["words"]
    has_clue = any("log_prob_without" in word for word in words)
    clue = '<th class="n">without the clue</th>' if has_clue else ""
    yield '<h2>Word by word</h2><div class="wide" tabindex="0"><table><thead><tr>'
    yield f'<th>word</th><th class="n">bits</th>{clue}<th>surprisal</th><th>likeliest words</th>'
    yield "</tr></thead><tbody>"
    for word in words:
        size = bits(word["surprisal"])
        yield f'<tr><th scope="row">{escape(shown(word))}</th><td class="n">{size:.1f}</td>'
        if has_clue:
            yield _comparison(word)
        yield f'<td><i class="bar" style="--s:{_shade(word)}"></i></td>'
        likely = " · ".join(
            f"{escape(each['word'])}&nbsp;{math.exp(each['log_prob']):.1%}"
            for each in word["alternatives"]
        )
        yield f"<td>{likely}{'' if word['exact'] or not likely else ' (not proven)'}</td></tr>"
    yield "</tbody></table></div>"


def _comparison(word: dict[str, Any]) -> str:
    without = word.get("log_prob_without")
    if without is None:
        return "<td></td>"
    return f'<td class="n">{bits(-without):.1f}</td>'


def _gates(explained: Explained) -> Iterator[str]:
    gates = gate_map(explained)
    yield '<h2>Gates</h2><div class="wide" tabindex="0"><table class="map"><thead><tr><td></td>'
    yield "".join(f'<th scope="col"><span>{escape(word)}</span></th>' for word in gates.words)
    yield "</tr></thead><tbody>"
    for name, values in zip(gates.rows, gates.values, strict=True):
        cells = "".join(
            f'<td style="--v:{value:.2f}" title="{escape(word)}: {value:.2f}">{value:.2f}</td>'
            for word, value in zip(gates.words, values, strict=True)
        )
        yield f'<tr><th scope="row">{name}</th>{cells}</tr>'
    yield "</tbody></table></div>"


_LEGEND = """<h2>How to read this</h2>
<dl>
<dt>Surprisal</dt><dd>Minus the logarithm of a word's probability after the text before it. 0 bits:
the word was certain; each further bit halves its probability.</dd>
<dt>Input gate</dt><dd>How much of what the word offers enters the memory cells, 0 (nothing) to 1
(everything): the mean over all cells of a layer and over the tokens of the word.</dd>
<dt>Forget gate</dt><dd>How much of each cell is kept. Near 1 the memory stays, near 0 it is
erased.</dd>
<dt>Output gate</dt><dd>How much of each cell is shown to the next layer and to the prediction.</dd>
<dt>Without the clue</dt><dd>The surprisal, in bits, of a word in the text from which the words of
<code>--without</code> are left out. The difference is what remembering them is worth.</dd>
<dt>&lt;eos&gt;</dt><dd>The end of a line or of the text, which the model predicts like a word.</dd>
</dl>"""
