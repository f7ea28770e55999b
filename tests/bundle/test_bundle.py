"""Bundles are verified before they are served, and what is wrong is named."""

import os
import shutil
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
from tests.bundles import NEVER, WRITTEN, rewrite_manifest
from tests.hostile_bundles import manifest_of, publish_file

from wordgate.bundle import bundle as bundles
from wordgate.bundle import bundle_files
from wordgate.bundle.bundle import (
    Bundle,
    KnownWords,
    file_sha256,
    find_versions,
    parse_words,
    read_manifest,
    words_document,
)
from wordgate.engine.loaded_model import open_model
from wordgate.engine.onnx_model import NetworkModel, Runtime
from wordgate.errors import InvalidBundle, InvalidConfiguration


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    """A copy of the small bundle that may be spoilt."""
    return Path(shutil.copytree(bundle, tmp_path / "copy"))


def _reject(path: Path) -> InvalidBundle:
    with pytest.raises(InvalidBundle) as refused:
        open_model(path)
    assert refused.value.path == path
    assert "\n" not in str(refused.value)
    return refused.value


def test_only_an_english_bundle_adds_inflections(copy: Path) -> None:
    """In other languages the words of the list alone are never suggested."""
    rewrite_manifest(copy, language="fr")
    assert bundles.load(copy).language.never_suggested == set(NEVER)


def test_a_whole_bundle_is_loaded(loaded: Bundle, bundle: Path) -> None:
    """Sizes, words and digest are those of the files."""
    assert loaded.language.written == WRITTEN
    assert {*NEVER, "cabinets", "cabinet's"} <= loaded.language.never_suggested
    assert loaded.language.levels.cuts == tuple(manifest_of(bundle)["network"]["cuts"])
    assert loaded.digest.hex() == file_sha256(bundle / "bundle.json")


def test_a_whole_bundle_is_served(copy: Path) -> None:
    """It opens, warm and with its name."""
    served = open_model(copy)
    assert str(served.name) == "tiny@1"
    assert served.name.precision == "int8"


@pytest.mark.parametrize("path", ["nowhere", "."])
def test_a_folder_without_a_manifest_is_refused(tmp_path: Path, path: str) -> None:
    """No `bundle.json`: nothing is there."""
    assert _reject(tmp_path / path).reason == "missing"


def test_a_manifest_with_nothing_to_read_yet_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some files of the system are regular and answer a read only later; such a read gives
    None."""
    reading, writing = os.pipe2(os.O_NONBLOCK)
    monkeypatch.setattr(bundle_files, "_open_regular", lambda *_: os.fdopen(reading, "rb"))
    assert _reject(tmp_path).reason == "manifest"
    os.close(writing)


@pytest.mark.parametrize(
    "document", ["", "{", "[]", "null", "{}", '{"name": "en"}', "\x00\xff", "[" * 99_999]
)
def test_a_manifest_that_is_none_is_refused(copy: Path, document: str) -> None:
    """Broken JSON, or JSON that says no schema version."""
    (copy / "bundle.json").write_text(document, "latin-1")
    assert _reject(copy).reason == "manifest"


@pytest.mark.parametrize("version", [2, 99])
def test_a_newer_schema_is_refused(copy: Path, version: int) -> None:
    """What this package does not know yet it does not guess."""
    rewrite_manifest(copy, schema_version=version)
    assert _reject(copy).reason == "schema"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"schema_version": "1"}, "schema_version"),
        ({"schema_version": -3}, "schema_version"),
        ({"schema_version": True}, "schema_version"),
        ({"schema_version": None}, "schema_version"),
        ({"colour": "blue"}, "colour"),
        ({"precision": "int4"}, "precision"),
        ({"name": "../en"}, "name"),
        ({"version": 0}, "version"),
        ({"smoke": []}, "smoke"),
        ({"network": {"vocabulary": 1, "layers": 1, "width": 1, "cuts": []}}, "network.cuts"),
    ],
)
def test_a_manifest_with_a_wrong_key_names_it(
    copy: Path, changes: dict[str, Any], named: str
) -> None:
    """Unknown keys and impossible values are named by their place."""
    rewrite_manifest(copy, **changes)
    refusal = _reject(copy)
    assert refusal.reason == "manifest"
    assert f": {named}: " in str(refusal)


def test_a_pipe_is_no_file(copy: Path) -> None:
    """What could be waited for without end is not read."""
    (copy / "step.onnx").unlink()
    os.mkfifo(copy / "step.onnx")
    refusal = _reject(copy)
    assert (refusal.reason, "step.onnx is no file" in str(refusal)) == ("content", True)


@pytest.mark.parametrize(
    "name", ["step.onnx", "output-0.onnx", "embedding.bin", "tokenizer.json", "words.tsv"]
)
def test_a_missing_or_changed_file_is_named(copy: Path, name: str) -> None:
    """A file that is gone, or of which one byte differs, is refused by name."""
    whole = (copy / name).read_bytes()
    (copy / name).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    refusal = _reject(copy)
    assert (refusal.reason, name in str(refusal)) == ("checksum", True)
    (copy / name).unlink()
    refusal = _reject(copy)
    assert (refusal.reason, name in str(refusal)) == ("missing_file", True)


@pytest.mark.parametrize("name", ["extra.txt", "folder/extra.txt", ".hidden"])
def test_a_foreign_file_is_named(copy: Path, name: str) -> None:
    """Whatever the manifest does not name has no business here."""
    (copy / name).parent.mkdir(exist_ok=True)
    (copy / name).write_text("hello")
    refusal = _reject(copy)
    assert (refusal.reason, name in str(refusal)) == ("foreign_file", True)


def test_a_link_to_nowhere_is_a_foreign_file(copy: Path) -> None:
    """A broken link is there, and is not named."""
    (copy / "link").symlink_to("nowhere")
    assert _reject(copy).reason == "foreign_file"


def test_a_link_is_followed_to_a_file_and_to_no_folder(copy: Path, tmp_path: Path) -> None:
    """A file may lie elsewhere: its checksum says that it is the one. A folder holds no file of a
    bundle."""
    (copy / "words.tsv").rename(tmp_path / "words.tsv")
    (copy / "words.tsv").symlink_to(tmp_path / "words.tsv")
    bundles.load(copy)
    (copy / "more").symlink_to(tmp_path)
    assert (_reject(copy).reason, "'more'" in str(_reject(copy))) == ("foreign_file", True)


def test_what_the_system_does_not_read_is_named(copy: Path) -> None:
    """A link to itself, as a file on a broken disk or without permission."""
    (copy / "words.tsv").unlink()
    (copy / "words.tsv").symlink_to("words.tsv")
    assert (_reject(copy).reason, "words.tsv" in str(_reject(copy))) == ("unreadable", True)
    (copy / "bundle.json").unlink()
    (copy / "bundle.json").symlink_to("bundle.json")
    assert _reject(copy).reason == "unreadable"


def test_nothing_is_kept_of_the_files(bundle: Path) -> None:
    """A served model holds no file's content beside what onnxruntime made of it."""
    served = open_model(bundle)
    assert not served.bundle.contents
    assert not any(session._model_bytes for session in served.network._outputs)


def test_optional_weights_may_be_absent_but_not_changed(copy: Path) -> None:
    """`weights.safetensors` need not be there; if it is, it is the one that was published."""
    files = manifest_of(copy)["files"]
    (copy / "weights.safetensors").write_bytes(b"weights")
    sha256 = file_sha256(copy / "weights.safetensors")
    entry = {"sha256": sha256, "bytes": 7, "optional": True}
    rewrite_manifest(copy, files=files | {"weights.safetensors": entry})
    bundles.load(copy)
    (copy / "weights.safetensors").write_bytes(b"Weights")
    assert _reject(copy).reason == "checksum"
    (copy / "weights.safetensors").unlink()
    bundles.load(copy)


@pytest.mark.parametrize("missing", ["step.onnx", "tokenizer.json", "words.tsv", "output-1.onnx"])
def test_a_manifest_that_names_too_few_files_is_refused(copy: Path, missing: str) -> None:
    """What serving needs is missed even when the manifest does not name it."""
    files = manifest_of(copy)["files"]
    rewrite_manifest(copy, files={name: e for name, e in files.items() if name != missing})
    (copy / missing).unlink()
    refusal = _reject(copy)
    assert (refusal.reason, missing in str(refusal)) == ("content", True)


def test_a_tokenizer_of_another_size_is_refused(copy: Path) -> None:
    """As many pieces as the network has, or none are served."""
    network = manifest_of(copy)["network"]
    cuts = [*network["cuts"][:-1], network["vocabulary"] + 1]
    rewrite_manifest(copy, network=network | {"vocabulary": cuts[-1], "cuts": cuts})
    assert _reject(copy).reason == "content"
    rewrite_manifest(copy, network=network | {"vocabulary": cuts[-1]})
    assert _reject(copy).reason == "content"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer.json", b"{}"),
        ("tokenizer.json", b"\xff"),
        ("words.tsv", b"written\ti\n"),
        ("words.tsv", b"never\n"),
        ("words.tsv", b"\xff\tx\n"),
        ("step.onnx", b"no graph"),
        ("output-1.onnx", b""),
    ],
)
def test_content_that_cannot_be_read_is_refused(copy: Path, name: str, content: bytes) -> None:
    """A file with its true checksum that is not what it should be is named."""
    publish_file(copy, name, content)
    refusal = _reject(copy)
    assert (refusal.reason, name in str(refusal)) == ("content", True)


@pytest.mark.parametrize(
    "change",
    [
        {"layers": 3},
        {"width": 16},
        {"cuts": "fewer"},
        {"cuts": "moved"},
    ],
    ids=str,
)
def test_graphs_of_another_size_are_refused(copy: Path, change: dict[str, Any]) -> None:
    """Sizes that are not the graphs' are found before anything is served."""
    network = manifest_of(copy)["network"]
    first, second, last = network["cuts"]
    cuts = {"fewer": [first, last], "moved": [first - 1, second + 3, last]}
    changed = {k: cuts[v] if isinstance(v, str) else v for k, v in change.items()}
    rewrite_manifest(copy, network=network | changed)
    assert _reject(copy).reason == "content"


@pytest.mark.parametrize("wrong", [0.002, -0.002])
def test_a_smoke_set_that_is_off_is_refused(copy: Path, wrong: float) -> None:
    """Another log-probability than was published, by more than 1e-3, is refused."""
    smoke = manifest_of(copy)["smoke"]
    smoke[1]["log_prob"] += wrong
    rewrite_manifest(copy, smoke=smoke)
    refusal = _reject(copy)
    assert (refusal.reason, "cabinet are on" in str(refusal)) == ("smoke", True)


def test_a_smoke_set_that_is_nearly_right_is_served(copy: Path) -> None:
    """Other processors may differ by a little."""
    smoke = manifest_of(copy)["smoke"]
    smoke[1]["log_prob"] += 5e-4
    rewrite_manifest(copy, smoke=smoke)
    open_model(copy)


def test_cuda_cannot_run_int8(bundle: Path, loaded: Bundle) -> None:
    """The bundle and what to do are named, whatever this machine has."""
    manifest = loaded.manifest
    with pytest.raises(InvalidConfiguration, match="int8; export it") as refused:
        NetworkModel(bundle, manifest.network, manifest.precision, Runtime("cuda"))
    assert refused.value.option == "device"
    assert str(bundle) in str(refused.value)


def test_a_device_that_is_not_there_is_named(
    float_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its provider in onnxruntime cuda is refused; other names are unknown."""
    providers = ["CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)
    with pytest.raises(InvalidConfiguration, match="CUDAExecutionProvider"):
        open_model(float_bundle, Runtime("cuda"))
    with pytest.raises(InvalidConfiguration, match="'tpu' is unknown"):
        open_model(float_bundle, Runtime("tpu"))


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_device_that_does_not_start_is_not_replaced_in_silence(
    float_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """onnxruntime would go on with the CPU; a server that says cuda must not."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    with pytest.raises(InvalidConfiguration, match="cannot start CUDAExecutionProvider"):
        open_model(float_bundle, Runtime("cuda"))


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        ("tiny/1", ""),
        ("tiny/2", "holds tiny@1, but its folder is named tiny/2; name it tiny/1"),
        ("huge/1", "holds tiny@1, but its folder is named huge/1; name it tiny/1"),
        ("tiny/01", "holds tiny@1, but its folder is named tiny/01; name it tiny/1"),
        ("huge/draft", ""),
    ],
)
def test_a_bundle_has_the_name_of_its_folder(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, problem: str
) -> None:
    """Name and version, where the folder is one of a version; however the path is written."""
    path = Path(shutil.copytree(bundle, tmp_path / place))
    monkeypatch.chdir(path)
    for named in (path, Path(), path / ".." / path.name):
        if not problem:
            assert read_manifest(named).version == 1
            continue
        assert (_reject(named).reason, _reject(named).problem) == ("name", problem)
        with pytest.raises(InvalidBundle):
            read_manifest(named)


def test_versions_are_found_in_the_order_of_their_numbers(bundle: Path, tmp_path: Path) -> None:
    """At a model's folder, one above it, or at the version itself; 10 comes after 9."""
    for place in ("en/10", "en/9", "de/1"):
        shutil.copytree(bundle, tmp_path / place)
    (tmp_path / "en" / "unfinished-x").mkdir()
    assert [p.name for p in find_versions(tmp_path / "en")] == ["9", "10"]
    names = [f"{p.parent.name}/{p.name}" for p in find_versions(tmp_path)]
    assert names == ["de/1", "en/9", "en/10"]
    assert list(find_versions(tmp_path / "en" / "9")) == [tmp_path / "en" / "9"]
    assert list(find_versions(tmp_path / "nowhere")) == []


def test_seen_words_and_masks_are_read_and_written() -> None:
    """Many words a line, and one; what is written is read as the same."""
    document = "written\ti\tI\nnever\tdarn\nmask\ta @ b\nseen\tsea lake\nseen\tthe\nsuspect\tlake\n"
    known = parse_words(document, Path("en"))
    assert known == KnownWords(
        {"i": "I"},
        frozenset({"darn"}),
        frozenset({"sea", "lake", "the"}),
        (("a", "@", "b"),),
        frozenset({"lake"}),
    )
    assert parse_words(words_document(known), Path("en")) == known
    many = KnownWords({}, frozenset(), frozenset(f"word{number}" for number in range(1000)))
    lines = words_document(many).splitlines()
    assert len(lines) < 20
    assert max(map(len, lines)) < 1000
    assert parse_words("\n".join(lines), Path("en")) == many


@pytest.mark.parametrize("line", ["mask\t ", "seen", "said\tsea", "never\ta\tb", "written\ta"])
def test_a_line_of_another_kind_is_named(line: str) -> None:
    """Its number and the kinds that there are."""
    with pytest.raises(
        InvalidBundle, match=r"words\.tsv:2: not `written`.*`seen`, `suspect` or `mask`"
    ):
        parse_words(f"never\tdarn\n{line}\n", Path("en"))
