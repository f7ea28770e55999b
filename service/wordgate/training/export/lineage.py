"""What a continued version takes over from the one that it began with.

Knows published versions; does not know networks. Weights that have learned from a text go on owing
to it, so its origin and licence stay named; and words are written, or not suggested, as before.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path

from wordgate.bundle import bundle as bundles
from wordgate.bundle.manifest import Manifest, TextSource
from wordgate.errors import ExportError, InvalidBundle
from wordgate.training import recipe as recipes
from wordgate.training.recipe import Recipe


@dataclass(frozen=True)
class Inheritance:
    """Usual written forms, words never suggested, texts, words seen, masks and suspect words of
    the version before."""

    written: Mapping[str, str] = field(default_factory=dict)
    never_suggested: Set[str] = frozenset()
    text: tuple[TextSource, ...] = ()
    seen: Set[str] = frozenset()
    masks: tuple[tuple[str, ...], ...] = ()
    suspect: Set[str] = frozenset()


def inherit(recipe: Recipe, path: Path) -> Inheritance:
    """What the recipe at `path` takes over from its `init_from`; nothing if it has none.

    Raises `ExportError` when that version is not there any more.
    """
    folder = recipes.init_path(recipe, path)
    if folder is None:
        return Inheritance()
    try:
        manifest = bundles.read_manifest(folder)
        known = bundles.read_words(folder / bundles.WORDS_FILE)
    except (InvalidBundle, OSError) as error:
        raise ExportError(
            f"init_from = {recipe.init_from!r} cannot be read ({error}); its words and the "
            "licences of its text belong to this version too"
        ) from None
    texts = _earlier_texts(recipe, manifest)
    return Inheritance(known.written, known.never, texts, known.seen, known.masks, known.suspect)


def _earlier_texts(recipe: Recipe, manifest: Manifest) -> tuple[TextSource, ...]:
    """Texts that the recipe itself does not name, under the version that read them."""
    own = {(file.path, file.origin, file.licence) for file in recipe.text.files}
    return tuple(
        source.model_copy(update={"name": _name(source, manifest)})
        for source in manifest.text
        if (source.name, source.origin, source.licence) not in own
    )


def _name(source: TextSource, manifest: Manifest) -> str:
    """The text with the version that read it first, as in `en@1: mails.txt`."""
    if ": " in source.name:
        return source.name
    return f"{manifest.name}@{manifest.version}: {source.name}"
