"""Bundles are verified before they are served, and errors name the problem."""

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
    parse_words,
    read_manifest,
    words_document,
)
from wordgate.engine.loaded_model import open_model
from wordgate.engine.onnx_model import NetworkModel, Runtime
from wordgate.errors import InvalidBundle, InvalidConfiguration


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    """A copy of the small bundle that tests may damage."""
    return Path(shutil.copytree(bundle, tmp_path / "copy"))


def _reject(path: Path) -> InvalidBundle:
    with pytest.raises(InvalidBundle) as refused:
        open_model(path)
    assert refused.value.path == path
    assert "\n" not in str(refused.value)
    return refused.value


def test_only_an_english_bundle_adds_inflections(copy: Path) -> None:
    """In other languages, the blocklist is used without inflections."""
    rewrite_manifest(copy, language="fr")
    assert bundles.load(copy).language.never_suggested == set(NEVER)


def test_a_valid_bundle_is_loaded(loaded: Bundle, bundle: Path) -> None:
    """Sizes, words and digest match the files."""
    assert loaded.language.written == WRITTEN
    assert {*NEVER, "cabinets", "cabinet's"} <= loaded.language.never_suggested
    assert loaded.language.levels.cutoffs == tuple(manifest_of(bundle)["network"]["cutoffs"])
    assert loaded.digest.hex() == file_sha256(bundle / "bundle.json")


def test_a_valid_bundle_is_served(copy: Path) -> None:
    """The model opens and reports its name and precision."""
    served = open_model(copy)
    assert str(served.name) == "tiny@1"
    assert served.name.precision == "int8"


@pytest.mark.parametrize("path", ["nowhere", "."])
def test_a_folder_without_a_manifest_is_rejected(tmp_path: Path, path: str) -> None:
    """The reason is `missing` if there is no `bundle.json`."""
    assert _reject(tmp_path / path).reason == "missing"


def test_a_manifest_without_data_yet_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A non-blocking read returns None if a system file has no data yet."""
    reading, writing = os.pipe2(os.O_NONBLOCK)
    monkeypatch.setattr(bundle_files, "_open_regular", lambda *_: os.fdopen(reading, "rb"))
    assert _reject(tmp_path).reason == "manifest"
    os.close(writing)


@pytest.mark.parametrize(
    "document", ["", "{", "[]", "null", "{}", '{"name": "en"}', "\x00\xff", "[" * 99_999]
)
def test_an_invalid_manifest_is_rejected(copy: Path, document: str) -> None:
    """Malformed JSON and JSON without a schema version are rejected."""
    (copy / "bundle.json").write_text(document, "latin-1")
    assert _reject(copy).reason == "manifest"


@pytest.mark.parametrize("version", [2, 99])
def test_a_newer_schema_is_rejected(copy: Path, version: int) -> None:
    """A schema version above the supported one has the reason `schema`."""
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
        ({"network": {"vocabulary": 1, "layers": 1, "width": 1, "cutoffs": []}}, "network.cutoffs"),
    ],
)
def test_an_invalid_manifest_key_is_named(copy: Path, changes: dict[str, Any], named: str) -> None:
    """The error has the path of an unknown key or an invalid value."""
    rewrite_manifest(copy, **changes)
    refusal = _reject(copy)
    assert refusal.reason == "manifest"
    assert f": {named}: " in str(refusal)


def test_a_named_pipe_is_rejected(copy: Path) -> None:
    """A named pipe is not read, since that could block forever."""
    (copy / "step.onnx").unlink()
    os.mkfifo(copy / "step.onnx")
    refusal = _reject(copy)
    assert (refusal.reason, "step.onnx is not a regular file" in str(refusal)) == ("content", True)


@pytest.mark.parametrize(
    "name", ["step.onnx", "output-0.onnx", "embedding.bin", "tokenizer.json", "words.tsv"]
)
def test_a_missing_or_changed_file_is_named(copy: Path, name: str) -> None:
    """A file that is missing or differs in one byte is named."""
    whole = (copy / name).read_bytes()
    (copy / name).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    refusal = _reject(copy)
    assert (refusal.reason, name in str(refusal)) == ("checksum", True)
    (copy / name).unlink()
    refusal = _reject(copy)
    assert (refusal.reason, name in str(refusal)) == ("missing_file", True)


@pytest.mark.parametrize("name", ["extra.txt", "folder/extra.txt", ".hidden"])
def test_a_foreign_file_is_named(copy: Path, name: str) -> None:
    """A file that the manifest does not list is rejected."""
    (copy / name).parent.mkdir(exist_ok=True)
    (copy / name).write_text("hello")
    refusal = _reject(copy)
    assert (refusal.reason, name in str(refusal)) == ("foreign_file", True)


def test_a_broken_link_is_a_foreign_file(copy: Path) -> None:
    """A broken symbolic link counts as a file that the manifest does not list."""
    (copy / "link").symlink_to("nowhere")
    assert _reject(copy).reason == "foreign_file"


def test_symbolic_links_to_files_but_not_to_folders_are_followed(
    copy: Path, tmp_path: Path
) -> None:
    """A linked file is verified by its checksum; a linked folder is a foreign file."""
    (copy / "words.tsv").rename(tmp_path / "words.tsv")
    (copy / "words.tsv").symlink_to(tmp_path / "words.tsv")
    bundles.load(copy)
    (copy / "more").symlink_to(tmp_path)
    assert (_reject(copy).reason, "'more'" in str(_reject(copy))) == ("foreign_file", True)


def test_a_file_with_a_system_error_is_named(copy: Path) -> None:
    """A link to itself fails to open, like a file without read permission."""
    (copy / "words.tsv").unlink()
    (copy / "words.tsv").symlink_to("words.tsv")
    assert (_reject(copy).reason, "words.tsv" in str(_reject(copy))) == ("unreadable", True)
    (copy / "bundle.json").unlink()
    (copy / "bundle.json").symlink_to("bundle.json")
    assert _reject(copy).reason == "unreadable"


def test_file_contents_are_released_after_loading(bundle: Path) -> None:
    """A loaded model holds no file contents apart from onnxruntime's own structures."""
    served = open_model(bundle)
    assert not served.bundle.contents
    assert not any(session._model_bytes for session in served.network._outputs)


def test_optional_weights_may_be_absent_but_not_changed(copy: Path) -> None:
    """`weights.safetensors` may be missing, but must match its checksum if present."""
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
def test_a_manifest_without_a_required_file_is_rejected(copy: Path, missing: str) -> None:
    """Files needed for serving are required even if the manifest does not list them."""
    files = manifest_of(copy)["files"]
    rewrite_manifest(copy, files={name: e for name, e in files.items() if name != missing})
    (copy / missing).unlink()
    refusal = _reject(copy)
    assert (refusal.reason, missing in str(refusal)) == ("content", True)


def test_a_tokenizer_of_the_wrong_size_is_rejected(copy: Path) -> None:
    """The tokenizer and the network must have the same number of tokens."""
    network = manifest_of(copy)["network"]
    cutoffs = [*network["cutoffs"][:-1], network["vocabulary"] + 1]
    rewrite_manifest(copy, network=network | {"vocabulary": cutoffs[-1], "cutoffs": cutoffs})
    assert _reject(copy).reason == "content"
    rewrite_manifest(copy, network=network | {"vocabulary": cutoffs[-1]})
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
def test_a_file_with_invalid_content_is_named(copy: Path, name: str, content: bytes) -> None:
    """A file with the right checksum but invalid content is named."""
    publish_file(copy, name, content)
    refusal = _reject(copy)
    assert (refusal.reason, name in str(refusal)) == ("content", True)


@pytest.mark.parametrize(
    "change",
    [
        {"layers": 3},
        {"width": 16},
        {"cutoffs": "fewer"},
        {"cutoffs": "moved"},
    ],
    ids=str,
)
def test_graphs_of_the_wrong_size_are_rejected(copy: Path, change: dict[str, Any]) -> None:
    """Sizes in the manifest that differ from the graphs are detected on loading."""
    network = manifest_of(copy)["network"]
    first, second, last = network["cutoffs"]
    cutoffs = {"fewer": [first, last], "moved": [first - 1, second + 3, last]}
    changed = {k: cutoffs[v] if isinstance(v, str) else v for k, v in change.items()}
    rewrite_manifest(copy, network=network | changed)
    assert _reject(copy).reason == "content"


@pytest.mark.parametrize("wrong", [0.002, -0.002])
def test_a_deviating_smoke_set_is_rejected(copy: Path, wrong: float) -> None:
    """A difference of more than 1e-3 from the published log-probability is rejected."""
    smoke = manifest_of(copy)["smoke"]
    smoke[1]["log_prob"] += wrong
    rewrite_manifest(copy, smoke=smoke)
    refusal = _reject(copy)
    assert (refusal.reason, "cabinet are on" in str(refusal)) == ("smoke", True)


def test_a_smoke_set_within_tolerance_is_served(copy: Path) -> None:
    """Small differences between CPUs are accepted."""
    smoke = manifest_of(copy)["smoke"]
    smoke[1]["log_prob"] += 5e-4
    rewrite_manifest(copy, smoke=smoke)
    open_model(copy)


def test_cuda_cannot_run_int8(bundle: Path, loaded: Bundle) -> None:
    """The error names the bundle and the remedy, on any machine."""
    manifest = loaded.manifest
    with pytest.raises(InvalidConfiguration, match=r"int8 model .*; export it") as refused:
        NetworkModel(bundle, manifest.network, manifest.precision, Runtime("cuda"))
    assert refused.value.option == "device"
    assert str(bundle) in str(refused.value)


def test_an_unavailable_device_is_named(
    float_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """cuda is rejected without its onnxruntime provider; other names are unknown."""
    providers = ["CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)
    with pytest.raises(InvalidConfiguration, match="CUDAExecutionProvider"):
        open_model(float_bundle, Runtime("cuda"))
    with pytest.raises(InvalidConfiguration, match="unknown device 'tpu'"):
        open_model(float_bundle, Runtime("tpu"))


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_there_is_no_silent_fallback_to_the_cpu(
    float_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server configured for cuda fails instead of continuing on the CPU."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    with pytest.raises(InvalidConfiguration, match="cannot start CUDAExecutionProvider"):
        open_model(float_bundle, Runtime("cuda"))


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        ("tiny/1", ""),
        ("tiny/2", "contains tiny@1, but its folder is named tiny/2; rename it to tiny/1"),
        ("huge/1", "contains tiny@1, but its folder is named huge/1; rename it to tiny/1"),
        ("tiny/01", "contains tiny@1, but its folder is named tiny/01; rename it to tiny/1"),
        ("huge/draft", ""),
    ],
)
def test_a_bundle_has_the_name_of_its_folder(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, problem: str
) -> None:
    """Name and version must match a version folder, for any spelling of its path."""
    path = Path(shutil.copytree(bundle, tmp_path / place))
    monkeypatch.chdir(path)
    for named in (path, Path(), path / ".." / path.name):
        if not problem:
            assert read_manifest(named).version == 1
            continue
        assert (_reject(named).reason, _reject(named).problem) == ("name", problem)
        with pytest.raises(InvalidBundle):
            read_manifest(named)


def test_seen_words_and_masks_survive_a_round_trip() -> None:
    """Lines with one or several words parse, and `words_document` reproduces the contents."""
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
def test_an_invalid_line_of_words_tsv_is_named(line: str) -> None:
    """The error has the line number and the valid kinds of lines."""
    with pytest.raises(
        InvalidBundle, match=r"words\.tsv:2: invalid line; .*`seen`, `suspect` or `mask`"
    ):
        parse_words(f"never\tdarn\n{line}\n", Path("en"))
