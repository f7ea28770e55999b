"""Exporting a checkpoint as a bundle."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from tests.training.small_run import train_here, write_recipe

from wordgate.bundle import bundle as bundles
from wordgate.bundle.bundle import file_sha256
from wordgate.bundle.manifest import Manifest, Precision, TextSource
from wordgate.decoding.options import Options
from wordgate.decoding.prediction import Query
from wordgate.engine.local_model import LocalModel
from wordgate.errors import ExportError
from wordgate.training import checkpoint as checkpoints
from wordgate.training import recipe as recipes
from wordgate.training.export import export as exporting
from wordgate.training.export.export import Settings, next_version, publish
from wordgate.training.export.lineage import Inheritance
from wordgate.training.model.network import Network


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with recipe, cache and last checkpoint of a short run."""
    folder = tmp_path_factory.mktemp("small")
    shorter = (("steps = 150", "steps = 60"), ("decay_steps = 50", "decay_steps = 10"))
    outcome = train_here(write_recipe(folder, *shorter), folder / "run")
    (folder / "checkpoint").symlink_to(outcome.checkpoint)
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    """A model's folder with a recipe and no version yet."""
    place = tmp_path / "models" / "small"
    place.mkdir(parents=True)
    (place / "recipe.toml").write_bytes((trained / "recipe.toml").read_bytes())
    return place


def _publish(
    trained: Path, folder: Path, precision: Precision = "int8", with_weights: bool = False
) -> Path:
    settings = Settings(
        checkpoint=(trained / "checkpoint").resolve(),
        folder=folder,
        cache=trained / "cache",
        precision=precision,
        with_weights=with_weights,
    )
    return publish(settings, _measured, _silent)


def _measured(bundle: Path) -> Mapping[str, float]:
    assert (bundle / "step.onnx").is_file()
    return {"mails.word_perplexity": 321.0}


def _silent(line: str) -> None:
    pass


@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_a_trained_network_is_published_and_served(
    trained: Path, folder: Path, precision: Precision
) -> None:
    """The bundle loads, passes its smoke tests and predicts."""
    place = _publish(trained, folder, precision)
    assert place == folder / "1"
    assert [path.name for path in folder.iterdir() if path.is_dir()] == ["1"]
    model = LocalModel.open(place)
    predicted = model.submit_predict(
        Query("I don't think that", options=Options(max_suggestions=3))
    ).result()
    scored = model.submit_score("", ["I don't think that"]).result()
    model.close()
    assert len(predicted.suggestions) == 3
    assert predicted.exact
    assert predicted.model.precision == precision
    assert scored.candidates[0].log_prob < 0


def test_a_manifest_says_what_was_done(trained: Path, folder: Path) -> None:
    """The manifest has sizes, training, metrics, licences, and checksums of all other files."""
    place = _publish(trained, folder)
    manifest = bundles.read_manifest(place)
    assert (manifest.name, manifest.version, manifest.precision) == ("small", 1, "int8")
    assert (manifest.network.layers, manifest.network.width) == (2, 32)
    assert manifest.network.cutoffs[-1] == manifest.network.vocabulary
    assert manifest.training["steps"] == 60
    assert manifest.training["tokens"] == 60 * 8 * 12
    figures = manifest.figures
    assert figures["mails.word_perplexity"] == 321.0
    assert 0 <= (figures["float32_largest_difference"] or 0) <= 1e-4
    assert 0.9 < (figures["int8_perplexity_ratio"] or 0) <= 1.01
    assert (figures["checked_tokens"] or 0) > 50
    assert [source.name for source in manifest.text] == ["sentences.txt"]
    present = {path.name for path in place.iterdir()} - {"bundle.json"}
    assert present == set(manifest.files) >= {"MODEL_CARD.md", "curves.png", "words.tsv"}
    assert all(file_sha256(place / n) == entry.sha256 for n, entry in manifest.files.items())
    assert "321" in (place / "MODEL_CARD.md").read_text("utf-8")


def test_versions_count_on(trained: Path, folder: Path) -> None:
    """Each export gets the next version number, in any precision; nothing is overwritten."""
    (folder / "7").mkdir()
    assert _publish(trained, folder).name == "8"
    assert _publish(trained, folder, "float32").name == "9"
    assert next_version(folder) == 10


def test_weights_go_along_when_asked(trained: Path, folder: Path) -> None:
    """Weights are exported on request, in bfloat16 and optional in the manifest."""
    place = _publish(trained, folder, with_weights=True)
    manifest = bundles.read_manifest(place)
    assert [name for name, entry in manifest.files.items() if entry.optional] == [
        "weights.safetensors"
    ]
    assert (place / "weights.safetensors").stat().st_mode & 0o777 == 0o644
    (place / "weights.safetensors").unlink()
    bundles.load(place)
    assert "weights.safetensors" not in bundles.read_manifest(_publish(trained, folder)).files


def test_usual_forms_come_from_the_text(trained: Path, folder: Path) -> None:
    """Names capitalised in the text have capitalised written forms."""
    language = bundles.load(_publish(trained, folder)).language
    assert language.written["peter"] == "Peter"
    assert "the" not in language.written


def test_what_was_taken_over_is_published(
    trained: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words and texts of the earlier version are included; new ones take precedence."""
    earlier = TextSource(name="en@1: a.txt", origin="there", licence="CC0", weight=1.0)
    taken = Inheritance({"berlin": "Berlin", "peter": "PETER"}, frozenset({"darn"}), (earlier,))
    monkeypatch.setattr(exporting, "inherit", lambda recipe, path: taken)
    published = bundles.load(_publish(trained, folder))
    assert published.language.written["berlin"] == "Berlin"
    assert published.language.written["peter"] == "Peter"
    assert "darn" in published.language.never_suggested
    assert published.manifest.text[-1] == earlier
    assert "| en@1: a.txt | 1 | there | CC0 |" in (published.path / "MODEL_CARD.md").read_text()


def test_the_same_checkpoint_gives_the_same_files(trained: Path, folder: Path) -> None:
    """Two exports of one checkpoint differ only in the version number."""
    one, two = _publish(trained, folder), _publish(trained, folder)
    first, second = bundles.read_manifest(one), bundles.read_manifest(two)
    different = {n for n in first.files if first.files[n] != second.files[n]}
    assert different <= {"MODEL_CARD.md"}
    assert _without_number(first) == _without_number(second)


def _without_number(manifest: Manifest) -> dict[str, object]:
    return manifest.model_dump(exclude={"version": True, "files": {"MODEL_CARD.md"}})


def _refused(trained: Path, folder: Path, match: str) -> None:
    with pytest.raises(ExportError, match=match):
        _publish(trained, folder)
    assert [path.name for path in folder.iterdir()] == ["recipe.toml"]


@pytest.mark.parametrize("wrong", [0.01, float("nan")])
def test_weights_that_disagree_are_not_published(
    trained: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, wrong: float
) -> None:
    """If onnxruntime differs from PyTorch, the export fails and leaves no files."""
    real = Network.log_probs

    def other(self: Network, top: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        found = real(self, top, targets)
        found[-1] += wrong
        return found

    monkeypatch.setattr(Network, "log_probs", other)
    _refused(trained, folder, "differs from PyTorch by")


def test_int8_that_loses_too_much_is_not_published(
    trained: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An int8 loss above 1 % of perplexity is an error that suggests float32."""
    monkeypatch.setattr(exporting, "INT8_TOLERANCE", -0.5)
    _refused(trained, folder, "use --precision float32")


def test_nothing_to_check_on_is_no_ground_to_publish(trained: Path, folder: Path) -> None:
    """A recipe without held-out text cannot be exported."""
    saved = checkpoints.load((trained / "checkpoint").resolve())
    text = saved.recipe["text"] | {"held_out_share": 0.0}
    object.__setattr__(saved, "recipe", saved.recipe | {"text": text})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(checkpoints, "load", lambda path: saved)
        _refused(trained, folder, "no held-out text")


@pytest.mark.parametrize(
    ("changes", "obstacle"),
    [
        ({"network": {"cell": "gru"}, "training": {"precision": "float32"}}, 'cell = "gru"'),
        ({"network": {"hidden_width": 64}}, "network.hidden_width = 64"),
        (
            {
                "tokenizer": {"kind": "words"},
                "text": {"unpunctuated_share": 0.0, "held_out_share": 0.0},
            },
            'tokenizer.kind = "words"',
        ),
    ],
)
def test_an_experiment_is_not_published(
    trained: Path, folder: Path, changes: dict[str, dict[str, object]], obstacle: str
) -> None:
    """A GRU, layers of two widths and whole words cannot be exported; the message names the key."""
    saved = checkpoints.load((trained / "checkpoint").resolve())
    document = {**saved.recipe, **{key: saved.recipe[key] | new for key, new in changes.items()}}
    object.__setattr__(saved, "recipe", document)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(checkpoints, "load", lambda path: saved)
        _refused(trained, folder, f"{re.escape(obstacle)}; train without it")


def test_all_that_is_reported_goes_one_way(
    trained: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tokenisation messages go to the report function, not to standard output."""
    said: list[str] = []
    settings = Settings((trained / "checkpoint").resolve(), folder, tmp_path / "cache")
    publish(settings, _measured, said.append)
    assert "tokenising sentences.txt" in said
    assert capsys.readouterr().out == ""


def test_a_failed_measurement_leaves_nothing_behind(trained: Path, folder: Path) -> None:
    """A failed evaluation leaves no partial bundle."""

    def broken(bundle: Path) -> Mapping[str, float]:
        raise ValueError("no such file")

    settings = Settings((trained / "checkpoint").resolve(), folder, trained / "cache")
    with pytest.raises(ValueError, match="no such file"):
        publish(settings, broken, _silent)
    assert [path.name for path in folder.iterdir()] == ["recipe.toml"]


def test_a_bundle_holds_no_foreign_number(trained: Path, folder: Path) -> None:
    """The manifest is strict JSON without NaN and infinity."""
    document = (_publish(trained, folder) / "bundle.json").read_text("utf-8")

    def refuse(name: str) -> float:
        raise AssertionError(name)

    json.loads(document, parse_constant=refuse)


def test_what_the_folder_says_now_is_published(trained: Path, folder: Path) -> None:
    """Licence, origin, language and never-suggested words can be corrected after training."""
    path = folder / "recipe.toml"
    document = path.read_text("utf-8").replace('language = "en"', 'language = "de"')
    said = 'path = "sentences.txt", origin = "own", licence = "CC0"'
    document = document.replace('path = "sentences.txt"', said)
    path.write_text(document.replace("[text]", '[text]\nnever_suggested = "never.txt"'))
    (folder / "never.txt").write_text("Peter\n")
    place = _publish(trained, folder)
    manifest = bundles.read_manifest(place)
    assert [(source.origin, source.licence) for source in manifest.text] == [("own", "CC0")]
    assert manifest.language == "de"
    assert "| sentences.txt | 1 | own | CC0 |" in (place / "MODEL_CARD.md").read_text("utf-8")
    assert bundles.read_words(place / "words.tsv").never == {"peter"}


def test_a_file_that_is_named_no_more_keeps_its_licence(trained: Path, tmp_path: Path) -> None:
    """Files removed from the current recipe keep their origin and licence."""
    changes = (('[{path = "sentences.txt"}]', '[{path = "b.txt", licence = "MIT"}]'),)
    now = recipes.load(write_recipe(tmp_path, *changes, ("width = 32", "width = 64")))
    before = recipes.load(trained / "recipe.toml")
    told = exporting.with_current_metadata(before, now)
    assert told.text.files == before.text.files
    assert told.network == before.network
