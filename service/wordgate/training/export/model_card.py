"""MODEL_CARD.md: what a published model is, what it was made from, how good it is.

Knows a manifest and a recipe; measures nothing itself. After Mitchell et al. 2019, "Model cards
for model reporting" (arXiv 1810.03993).
"""

from collections.abc import Iterator
from pathlib import Path

from wordgate.bundle.manifest import Manifest
from wordgate.evaluation.cloze import OWN_QUESTIONS
from wordgate.training.recipe import Recipe

_SHARE_ALIKE = ("BY-SA", "GFDL", "CDLA-Sharing", "GPL", "MPL")


def write(manifest: Manifest, recipe: Recipe) -> str:
    """The card as Markdown."""
    parts = [
        _head(manifest),
        _use(manifest),
        _figures(manifest, recipe),
        _training(manifest, recipe),
        _text(manifest),
        _limits(manifest),
    ]
    return "\n\n".join(parts) + "\n"


def _head(manifest: Manifest) -> str:
    sizes = manifest.network
    megabytes = sum(f.bytes for f in manifest.files.values() if not f.optional) / 1e6
    return (
        f"# {manifest.name}@{manifest.version}\n\n"
        f"An LSTM language model, language `{manifest.language}`: {sizes.layers} layers of "
        f"{sizes.width}, {sizes.vocabulary:,} pieces, {manifest.precision}, {megabytes:.1f} MB, "
        f"published {manifest.created}. This page is generated from `bundle.json`."
    )


def _use(manifest: Manifest) -> str:
    return (
        "## Use\n\n"
        "Next-word prediction while a person types, and scoring of candidates from speech "
        "recognition or OCR, served by Wordgate:\n\n"
        "```\n"
        f"wordgate serve --model models/{manifest.name}/{manifest.version}\n"
        "```\n\n"
        "Not for: facts, advice, or text that nobody reads before it is sent. It knows words and "
        "their company, nothing else."
    )


def _figures(manifest: Manifest, recipe: Recipe) -> str:
    rows = "\n".join(
        f"| {_cell(name)} | {_number(value)} |" for name, value in sorted(manifest.figures.items())
    )
    return (
        "## Figures\n\n"
        "Word perplexity counts `<eos>` and, unless the name says otherwise, punctuation; each "
        "line is read as a text of its own. `top1` and `top3` are shares of the words that were "
        "the likeliest, or among the three likeliest, next words. "
        f"{_questions(manifest, recipe)}"
        "`held_out_token_perplexity` is over the `checked_pieces` pieces of held-out text on which "
        "the graphs were compared with PyTorch.\n\n"
        f"| figure | value |\n|---|---:|\n{rows}"
    )


def _questions(manifest: Manifest, recipe: Recipe) -> str:
    if "questions" not in manifest.figures:
        return ""
    names = {Path(place).name for place in recipe.text.exclude}
    kept_out = ", kept out of the training text" if OWN_QUESTIONS in names else ""
    return (
        f"`questions` are fifty small questions of our own{kept_out}; `right` says how many prefer "
        "the good word to the bad one. "
    )


def _training(manifest: Manifest, recipe: Recipe) -> str:
    known = {name: value for name, value in manifest.training.items() if value is not None}
    rows = "\n".join(f"| {name} | {_cell(_number(value))} |" for name, value in known.items())
    curves = "\n\n![Perplexity by step](curves.png)" if "curves.png" in manifest.files else ""
    plan = recipe.training
    steps = manifest.training.get("steps", plan.steps)
    return (
        "## Training\n\n"
        f"`wordgate train models/{manifest.name}/recipe.toml`: {_number(steps)} steps of "
        f"{plan.batch} x {plan.length} pieces, AdamW at {plan.learning_rate:g}, "
        f"{recipe.text.unpunctuated_share:.0%} of the passages without punctuation, "
        f"{recipe.text.held_out_share:.1%} held out. Addresses and phone numbers are replaced "
        "by random ones.\n\n"
        f"| | |\n|---|---:|\n{rows}{curves}"
    )


def _text(manifest: Manifest) -> str:
    return "## Text and licences\n\n" + "\n\n".join(_text_parts(manifest))


def _text_parts(manifest: Manifest) -> Iterator[str]:
    shared = [s.name for s in manifest.text if any(mark in s.licence for mark in _SHARE_ALIKE)]
    if shared:
        yield (
            f"Of the text, {len(shared)} files are under share-alike or copyleft licences "
            f"({', '.join(shared)}). Whether weights learned from such text are an adaptation "
            "of it is not settled; who passes this model on should name these sources and, to be "
            "on the safe side, keep it under CC BY-SA 4.0. Wordgate's code is Apache-2.0, which "
            "does not cover the weights."
        )
    rows = "\n".join(
        f"| {_cell(s.name)} | {s.weight:g} | {_cell(s.origin)} | {_cell(s.licence)} |"
        for s in manifest.text
    )
    yield f"| file | weight | origin | licence |\n|---|---:|---|---|\n{rows}"


def _limits(manifest: Manifest) -> str:
    return (
        "## Limits\n\n"
        "- It repeats what its text says, prejudice included; the words in `words.tsv` marked "
        "`never` are scored but never suggested, all others may be.\n"
        "- A history counts with its last 128 to 255 words, fewer where they have many pieces.\n"
        f"{_other_languages(manifest.language)}"
        "- The same bits come out on one type of machine and one onnxruntime version (int8). "
        "Elsewhere it answers its own smoke set to 1e-3 in log-probability, or is not served."
    )


def _other_languages(language: str) -> str:
    if language == "und":
        return "- The recipe does not state the language of the text.\n"
    return f"- Text in languages other than `{language}` has probabilities, but no useful ones.\n"


def _cell(text: str) -> str:
    """Text that stays in its cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def _number(value: float | int | str | None) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) >= 2 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
