"""Quality figures of a bundle for its model card."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from wordgate.bundle import bundle as bundles
from wordgate.engine.local_model import LocalModel
from wordgate.engine.results import LanguageModel
from wordgate.errors import InvalidFile, empty
from wordgate.evaluation import cloze, distant_clues, minimal_pairs, perplexity
from wordgate.offline.lines import COMPRESSIONS, file_format, read_lines, uncompressed
from wordgate.text import words
from wordgate.text.normalization import normalise

_TEXT = ".txt"
_PAIRS = (".tsv", ".jsonl")
_ENDINGS = f"{', '.join((_TEXT, *_PAIRS))}, plain or with {' or '.join(COMPRESSIONS)}"


def measure_bundle(bundle: Path, files: Sequence[Path]) -> dict[str, float]:
    """Measure a bundle; return figures by name.

    The figures are perplexities of .txt files, accuracies of minimal pairs (.tsv, .jsonl) and, for
    an English model, results of the included cloze tests and of `distant_clues`. Files may be
    plain, .gz or .xz; a folder stands for all such files in it. Raises `InvalidFile` for other
    files.
    """
    model = LocalModel.open(bundle)
    try:
        figures: dict[str, float] = {}
        if cloze.are_in(bundles.read_manifest(bundle).language):
            figures |= _question_figures(model) | distant_clues.figures(model)
        for file in _expanded(files):
            figures |= _text_figures(model, file) if _is_text(file) else _pair_figures(model, file)
        return figures
    finally:
        model.close()


def check_files(files: Sequence[Path]) -> None:
    """Validate the files for `measure_bundle`.

    Raises `InvalidFile` with the line number for an invalid line, for a file without words or
    pairs, and for two files whose figures would have the same names.
    """
    seen: dict[tuple[str, bool], Path] = {}
    for file in _expanded(files):
        other = seen.setdefault((uncompressed(file).stem, _is_text(file)), file)
        if other is not file:
            problem = f"figures would have the same names as those of {other}; rename one"
            raise InvalidFile(file, problem)
        if _is_text(file):
            _check_text(file)
        else:
            minimal_pairs.read(file)


def _check_text(file: Path) -> None:
    has_words = False
    for _, line in read_lines(file):
        has_words = has_words or _has_words(line)
    if not has_words:
        raise empty(file, "word")


def _has_words(line: str) -> bool:
    return not all(map(words.is_punctuation, words.split(normalise(line))))


def _expanded(files: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for file in files:
        if file.is_dir():
            inside = [inner for inner in sorted(file.iterdir()) if _can_measure(inner)]
            if not inside:
                raise InvalidFile(file, f"contains no file in {_ENDINGS}")
            found += inside
        elif not file.exists():
            raise InvalidFile(file, "does not exist")
        elif not _can_measure(file):
            raise InvalidFile(file, f"is not one of {_ENDINGS}")
        else:
            found.append(file)
    return found


def _can_measure(file: Path) -> bool:
    return file_format(file) in {_TEXT, *_PAIRS}


def _is_text(file: Path) -> bool:
    return file_format(file) == _TEXT


def _question_figures(model: LanguageModel) -> dict[str, float]:
    answered = cloze.ask(model, cloze.own_questions())
    return {
        "questions": len(answered),
        "questions.right": sum(a.is_right for a in answered),
        "questions.top1": sum(a.rank == 0 for a in answered),
        "questions.top3": sum(a.in_top for a in answered),
    }


def _text_figures(model: LanguageModel, file: Path) -> dict[str, float]:
    name = uncompressed(file).stem
    selected: dict[str, float] = {}
    for keep in (True, False):
        suffix = "" if keep else ".no_punctuation"
        figures = asdict(perplexity.evaluate_file(model, file, keep))
        for figure in ("word_perplexity", "top1", "top3"):
            selected[f"{name}{suffix}.{figure}"] = figures[figure]
    return selected


def _pair_figures(model: LanguageModel, file: Path) -> dict[str, float]:
    name = uncompressed(file).stem
    result = minimal_pairs.evaluate(model, minimal_pairs.read(file))
    return {f"{name}.accuracy": result.accuracy} | {
        f"{name}.{group}": accuracy for group, accuracy in result.by["group"].items()
    }
