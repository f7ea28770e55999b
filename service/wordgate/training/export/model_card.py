"""Generate MODEL_CARD.md from a manifest and a recipe: use, metrics, training data and limits.

After Mitchell et al. 2019, "Model cards for model reporting" (arXiv 1810.03993).
"""

from collections.abc import Iterator
from pathlib import Path

from wordgate.bundle.manifest import Manifest
from wordgate.evaluation import distant_clues
from wordgate.evaluation.cloze import OWN_QUESTIONS
from wordgate.training.metrics_log import CURVES_FILE
from wordgate.training.recipe import Recipe

_SHARE_ALIKE = ("BY-SA", "GFDL", "CDLA-Sharing", "GPL", "MPL")
_OPTIMISERS = {"adamw": "AdamW", "sgd": "SGD"}


def write(manifest: Manifest, recipe: Recipe) -> str:
    """Return the model card as Markdown."""
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
        f"An LSTM language model for language `{manifest.language}`: {sizes.layers} layers of "
        f"width {sizes.width}, {sizes.vocabulary:,} tokens, {manifest.precision}, "
        f"{megabytes:.1f} MB, published {manifest.created}. This page is generated from "
        "`bundle.json`."
    )


def _use(manifest: Manifest) -> str:
    return (
        "## Use\n\n"
        "Next-word prediction for typing, and scoring of candidates from speech recognition or "
        "OCR, served by Wordgate:\n\n"
        "```\n"
        f"wordgate serve --model models/{manifest.name}/{manifest.version}\n"
        "```\n\n"
        "Not for facts, advice, or text that is sent without human review. The model knows only "
        "which words occur together."
    )


def _figures(manifest: Manifest, recipe: Recipe) -> str:
    rows = "\n".join(
        f"| {_cell(name)} | {_number(value)} |"
        for name, value in sorted(manifest.figures.items())
        if not name.startswith(distant_clues.PREFIX)
    )
    return (
        "## Figures\n\n"
        "Word perplexity includes `<eos>` and, unless the name says otherwise, punctuation; each "
        "line is a separate text. `top1` and `top3` are the shares of words that were the most "
        "likely, or among the three most likely, next words. "
        f"{_questions(manifest, recipe)}"
        "`held_out_token_perplexity` is measured on the `checked_tokens` tokens of held-out text "
        "on which the graphs were compared with PyTorch.\n\n"
        f"| metric | value |\n|---|---:|\n{rows}{_distant_clues(manifest)}"
    )


def _distant_clues(manifest: Manifest) -> str:
    if not any(name.startswith(distant_clues.PREFIX) for name in manifest.figures):
        return ""
    asked = "; ".join(
        f"“{question.clue} … {question.beginning} {question.expected}”"
        for question in distant_clues.QUESTIONS
    )
    return (
        f"\n\nTwo questions with neutral text between clue and expected word ({asked}): "
        "probability and rank of the expected word, with the sentence of the clue and without.\n\n"
        + "\n".join(distant_clues.table(manifest.figures))
    )


def _questions(manifest: Manifest, recipe: Recipe) -> str:
    if "questions" not in manifest.figures:
        return ""
    names = {Path(place).name for place in recipe.text.exclude}
    kept_out = ", excluded from the training text" if OWN_QUESTIONS in names else ""
    return (
        f"`questions` is the bundled set of fifty cloze questions{kept_out}; `right` is the number "
        "for which the good word is more likely than the bad one. "
    )


def _training(manifest: Manifest, recipe: Recipe) -> str:
    known = {name: value for name, value in manifest.training.items() if value is not None}
    rows = "\n".join(f"| {name} | {_cell(_number(value))} |" for name, value in known.items())
    curves = f"\n\n![Perplexity by step]({CURVES_FILE})" if CURVES_FILE in manifest.files else ""
    plan = recipe.training
    steps = manifest.training.get("steps", plan.steps)
    return (
        "## Training\n\n"
        f"`wordgate train models/{manifest.name}/recipe.toml`: {_number(steps)} steps of "
        f"{plan.batch} x {plan.length} tokens, "
        f"{_OPTIMISERS[plan.optimiser]} at {plan.learning_rate:g}, "
        f"{recipe.text.unpunctuated_share:.0%} of the passages without punctuation, "
        f"{recipe.text.held_out_share:.1%} held out. Addresses and phone numbers are replaced "
        "with random ones.\n\n"
        f"| | |\n|---|---:|\n{rows}{curves}"
    )


def _text(manifest: Manifest) -> str:
    return "## Text and licences\n\n" + "\n\n".join(_text_parts(manifest))


def _text_parts(manifest: Manifest) -> Iterator[str]:
    shared = [s.name for s in manifest.text if any(mark in s.licence for mark in _SHARE_ALIKE)]
    if shared:
        yield (
            f"Text files under share-alike or copyleft licences: {len(shared)} "
            f"({', '.join(shared)}). Whether weights trained on such text are an adaptation of it "
            "is not settled. When redistributing this model, credit these sources and, to be on "
            "the safe side, license it under CC BY-SA 4.0. Wordgate's code is under Apache-2.0, "
            "which does not cover the weights."
        )
    rows = "\n".join(
        f"| {_cell(s.name)} | {s.weight:g} | {_cell(s.origin)} | {_cell(s.licence)} |"
        for s in manifest.text
    )
    yield f"| file | weight | origin | licence |\n|---|---:|---|---|\n{rows}"


def _limits(manifest: Manifest) -> str:
    return (
        "## Limits\n\n"
        "- The model reproduces its text, including prejudice. Words marked `never` in "
        "`words.tsv` are scored but never suggested; all others may be suggested.\n"
        "- Only the last 128 to 255 words of a history are used, fewer if they have many "
        "tokens.\n"
        f"{_other_languages(manifest.language)}"
        "- Results are bit-identical on one type of machine with one onnxruntime version (int8). "
        "Elsewhere the model must reproduce its smoke tests to 1e-3 in log-probability, or it "
        "is not loaded."
    )


def _other_languages(language: str) -> str:
    if language == "und":
        return "- The recipe does not state the language of the text.\n"
    return f"- Probabilities of text in languages other than `{language}` are not meaningful.\n"


def _cell(text: str) -> str:
    """Escape text for a table cell."""
    return " ".join(text.split()).replace("|", "\\|")


def _number(value: float | int | str | None) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) >= 2 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
