"""The files that a recipe names: their paths, and the list of words that are never suggested."""

from pathlib import Path

from wordgate.errors import InvalidFile, InvalidRecipe
from wordgate.offline import lines
from wordgate.text import words
from wordgate.text.listed_phrases import MAX_LISTED_PHRASE_WORDS
from wordgate.text.normalization import normalise
from wordgate.training.recipe import Recipe


def text_paths(recipe: Recipe, path: Path, text_folder: Path | None = None) -> list[Path]:
    """Return the paths of the recipe's text files, in the recipe's order.

    `text_folder` overrides the recipe's `text.folder`.
    """
    folder = text_folder or path.parent / recipe.text.folder
    return [folder / file.path for file in recipe.text.files]


def held_out_path(recipe: Recipe, path: Path, text_folder: Path | None = None) -> Path | None:
    """Return the path of the held-out file, if the recipe has one; `text_folder` as above."""
    name = recipe.text.held_out_file
    return (text_folder or path.parent / recipe.text.folder) / name if name else None


def exclude_paths(recipe: Recipe, path: Path) -> list[Path]:
    """Return the paths of the recipe's files of excluded phrases."""
    return [path.parent / name for name in recipe.text.exclude]


def never_suggested(recipe: Recipe, path: Path) -> list[str]:
    """Read the words and phrases that must never be suggested.

    They are returned in normal form with single spaces between words. The file has one word or
    phrase per line; `#` begins a comment. Raises `InvalidRecipe` if the file cannot be read or a
    line has no word or more than 16.
    """
    if not recipe.text.never_suggested:
        return []
    file = path.parent / recipe.text.never_suggested
    listed = []
    try:
        for number, line in lines.read_lines(file):
            if line.strip() and not line.startswith("#"):
                listed.append(_listed(file, number, line))
    except InvalidFile as error:
        raise InvalidRecipe(path, "text.never_suggested", str(error)) from error
    return listed


def _listed(file: Path, number: int, line: str) -> str:
    text_words = words.split(normalise(line))
    if not 1 <= len(text_words) <= MAX_LISTED_PHRASE_WORDS:
        problem = (
            f"{line.strip()!r} has {len(text_words)} words; the limit is {MAX_LISTED_PHRASE_WORDS}"
        )
        raise InvalidFile(file, problem, number)
    return " ".join(text_words)


def init_path(recipe: Recipe, path: Path) -> Path | None:
    """Return the path of the version to continue, relative to the recipe or else to the cwd."""
    if not recipe.init_from:
        return None
    beside = path.parent / recipe.init_from
    return beside if beside.exists() else Path(recipe.init_from)
