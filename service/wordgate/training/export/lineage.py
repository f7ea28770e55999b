"""Metadata that a version inherits from the version it continues (`init_from`).

The weights still derive from the earlier version's text, so its origins and licences are carried
over, as are written forms and words that are never suggested.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path

from wordgate.bundle import bundle as bundles
from wordgate.bundle.manifest import Manifest, TextSource
from wordgate.errors import ExportError, InvalidBundle
from wordgate.training import recipe_files
from wordgate.training.recipe import Recipe


@dataclass(frozen=True)
class Inheritance:
    """Written forms, never-suggested words, texts, training vocabulary, masks and suspect words of
    the earlier version."""

    written: Mapping[str, str] = field(default_factory=dict)
    never_suggested: Set[str] = frozenset()
    text: tuple[TextSource, ...] = ()
    seen: Set[str] = frozenset()
    masks: tuple[tuple[str, ...], ...] = ()
    suspect: Set[str] = frozenset()


def inherit(recipe: Recipe, path: Path) -> Inheritance:
    """Return the metadata inherited from the recipe's `init_from`; empty without one.

    Raises `ExportError` if that version no longer exists.
    """
    folder = recipe_files.init_path(recipe, path)
    if folder is None:
        return Inheritance()
    try:
        manifest = bundles.read_manifest(folder)
        known = bundles.read_words(folder / bundles.WORDS_FILE)
    except (InvalidBundle, OSError) as error:
        raise ExportError(
            f"init_from = {recipe.init_from!r} cannot be read ({error}); this version inherits its "
            "words and the licences of its text"
        ) from None
    texts = _earlier_texts(recipe, manifest)
    return Inheritance(known.written, known.never, texts, known.seen, known.masks, known.suspect)


def _earlier_texts(recipe: Recipe, manifest: Manifest) -> tuple[TextSource, ...]:
    """Return the texts that the recipe does not list, prefixed with the version that read them."""
    own = {(file.path, file.origin, file.licence) for file in recipe.text.files}
    return tuple(
        source.model_copy(update={"name": _name(source, manifest)})
        for source in manifest.text
        if (source.name, source.origin, source.licence) not in own
    )


def _name(source: TextSource, manifest: Manifest) -> str:
    """Return the text's name with the first version that read it, as in `en@1: mails.txt`."""
    if ": " in source.name:
        return source.name
    return f"{manifest.name}@{manifest.version}: {source.name}"
