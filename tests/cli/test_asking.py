"""`wordgate predict`, `score`, `evaluate` and `models` on the command line."""

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.bundles import rewrite_manifest, write_bundle
from tests.cli.calling import Run
from tests.running import RunningServer, serving

from wordgate.cli import main as commands
from wordgate.errors import (
    ExportError,
    InvalidConfiguration,
    InvalidRecipe,
    ModelNotFound,
    Overloaded,
    TrainingError,
    Unavailable,
    WordgateError,
)

MODEL = {"name": "tiny", "version": "1", "precision": "int8"}


def test_predictions_have_their_fixed_shape(run: Run, bundle: Path) -> None:
    """The JSON of predictions has its fixed shape."""
    found = run(
        *("predict", "--history", "the clouds are in the", "--prefix", "s", "--json"),
        *("--max-suggestions", "3", "--model", bundle),
    ).document
    assert list(found) == ["suggestions", "exact", "model"]
    assert len(found["suggestions"]) == 3
    for suggestion in found["suggestions"]:
        assert list(suggestion) == ["text", "log_prob", "probability", "kind"]
        assert suggestion["text"].startswith("s")
        assert suggestion["kind"] == "word"
    assert found["exact"] is True
    assert found["model"] == MODEL


def test_suggestions_are_asked_for_as_a_person_wants_them(run: Run, bundle: Path) -> None:
    """Blocking, boosts, phrases, corrections and cache: each option reaches the model."""

    def texts(*options: str) -> list[str]:
        found = run("predict", "--history", "the sea", *options, "--json", "--model", bundle)
        return [suggestion["text"] for suggestion in found.document["suggestions"]]

    first, second, *_ = texts()
    assert texts("--block", first.upper())[0] == second
    assert texts("--boost", "Zzqq=50")[0] == "Zzqq"
    phrases = ("--max-phrase-words", "3", "--min-phrase-probability", "0.01")
    assert len(texts(*phrases)) > 5
    assert "been" in texts("--prefix", "eben", "--max-corrections", "3")
    assert texts("--prefix", "Eben", "--correct-last-word")[0] == "Been"
    assert sorted(texts("--continuous-cache", "0.9")[:2]) == ["sea", "the"]
    assert texts("--prefix", "londo", "--letter-case", "as-typed")[0] == "london"
    assert set(texts("--prefix", "s", "--hide-rejected")).isdisjoint(texts())


def test_errors_of_a_server_name_the_flag(run: Run, bundle: Path) -> None:
    """A server's error about a listed word names the same flag as a local model's."""
    with serving(bundle) as server:
        for where in (("--server", server.address), ("--model", str(bundle))):
            ended = run("predict", "--block", "sea", "--block", "", *where)
            assert (ended.code, ended.out) == (2, "")
            assert ended.err.startswith("wordgate: --block '': has no word")


def test_an_empty_prediction_says_so(run: Run, bundle: Path) -> None:
    """Without suggestions the table output says so and JSON has an empty list."""
    ask = ("predict", "--history", "the sea", "--min-probability", "1", "--model", bundle)
    assert run(*ask).out == "no suggestion (tiny@1)\n"
    assert run(*ask, "--json").document["suggestions"] == []


def test_a_search_can_be_bounded(run: Run, bundle: Path) -> None:
    """A search that reaches its limit says so in the table output too."""
    ask = ("predict", "--history", "the", "--max-expansions", "1", "--max-suggestions", "100")
    assert run(*ask, "--json", "--model", bundle).document["exact"] is False
    assert "search limit reached" in run(*ask, "--model", bundle).out


def test_texts_have_their_fixed_shape(run: Run, bundle: Path) -> None:
    """One line per generated word; the last has a finish reason; the seed reproduces the text."""
    ask = ("generate", "--history", "the clouds are", "--model", bundle, "--max-words", "9")
    drawn = run(*ask, "--json", "--prefix", "i")
    lines = [json.loads(line) for line in drawn.out.splitlines()]
    keys = ["word", "text", "prefix", "log_prob", "exact", "finish", "seed", "model"]
    assert all(list(line) == keys and line["model"] == MODEL for line in lines)
    assert [line["prefix"] for line in lines] == ["i", *[""] * (len(lines) - 1)]
    assert [line["finish"] for line in lines[:-1]] == [None] * (len(lines) - 1)
    assert lines[-1]["finish"] in ("end_of_text", "max_words")
    seed = lines[0]["seed"]
    assert run(*ask, "--json", "--prefix", "i", "--seed", str(seed)).out == drawn.out
    shown = run(*ask, "--prefix", "i", "--seed", str(seed))
    assert shown.out == "".join(line["text"] for line in lines) + "\n"
    assert f"seed {seed}" in shown.err
    assert "tiny@1" in shown.err


def test_a_text_is_written_by_a_server_too(run: Run, server: RunningServer, bundle: Path) -> None:
    """A server generates the same text from the same seed and options."""
    ask = ("generate", "--history", "the", "--seed", "6", "--temperature", "0.9", "--top-k", "20")
    more = ("--top-p", "0.9", "--stop-word", "sea", "--stop-word", ".", "--json")
    there = run(*ask, *more, "--server", server.address)
    assert there.out
    assert there == run(*ask, *more, "--model", bundle)


def test_scores_have_their_fixed_shape(run: Run, bundle: Path) -> None:
    """Candidates are in the order given, verbatim, with posteriors that sum to 1."""
    texts = ["Recognise  speech", "wreck a nice beach", "", "-5 ﬁne"]
    found = run("score", "--history", "", "--json", "--model", bundle, "--", *texts).document
    assert list(found) == ["candidates", "counted_eos", "model"]
    keys = ["text", "log_prob", "posterior", "word_count", "token_count"]
    assert all(list(candidate) == keys for candidate in found["candidates"])
    assert [candidate["text"] for candidate in found["candidates"]] == texts
    assert sum(c["posterior"] for c in found["candidates"]) == pytest.approx(1)
    assert [c["word_count"] for c in found["candidates"]] == [2, 4, 0, 3]
    assert (found["counted_eos"], found["model"]) == (True, MODEL)


def test_the_end_can_be_left_uncounted(run: Run, bundle: Path) -> None:
    """With `--no-eos` an empty candidate has probability 1."""
    found = run("score", "--no-eos", "--json", "--model", bundle, "--", "").document
    assert found["candidates"][0]["log_prob"] == 0
    assert found["counted_eos"] is False


def test_a_file_of_candidates_is_scored_line_by_line(
    run: Run, bundle: Path, tmp_path: Path
) -> None:
    """One result per line, equal to scoring each line alone; candidates may be objects."""
    file = tmp_path / "hesitations.jsonl"
    lines = [
        {"history": "the sun", "candidates": ["is", "are"]},
        {"candidates": [{"text": "naïve"}]},
    ]
    file.write_text("\n\n".join(json.dumps(line) for line in lines))
    ended = run("score", "--input", file, "--json", "--model", bundle)
    assert ended.code == 0
    first, second = map(json.loads, ended.out.splitlines())
    alone = run("score", "--history", "the sun", "--json", "--model", bundle, "--", "is", "are")
    assert first == alone.document
    assert [candidate["text"] for candidate in second["candidates"]] == ["naïve"]


def test_standard_input_is_a_file_too(
    run: Run, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--input -` reads lines from standard input."""
    piped = io.TextIOWrapper(io.BytesIO('{"candidates": ["é"]}\n'.encode()), encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", piped)
    found = run("score", "--input", "-", "--json", "--model", bundle).document
    assert found["candidates"][0]["text"] == "é"


def test_lines_that_are_piped_in_are_answered_one_by_one(bundle: Path) -> None:
    """A recogniser can wait for each answer before it writes the next line."""
    command = [sys.executable, "-m", "wordgate.cli.main", "score", "--input", "-"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*command, "--model", str(bundle)], stdin=pipe, stdout=pipe, stderr=pipe, text=True
    ) as asked:
        assert asked.stdin and asked.stdout and asked.stderr
        for word in ("sea", "sky"):
            asked.stdin.write(json.dumps({"history": "the", "candidates": [word]}) + "\n")
            asked.stdin.flush()
            assert json.loads(asked.stdout.readline())["candidates"][0]["text"] == word
        asked.stdin.write('{"candidates": []}\n')
        asked.stdin.close()
        assert "standard input:3: candidates: is not a list" in asked.stderr.read()
    assert asked.returncode == 3


def test_what_stands_before_a_bad_line_is_answered(run: Run, bundle: Path, tmp_path: Path) -> None:
    """Results before an invalid line are printed."""
    file = tmp_path / "hesitations.jsonl"
    file.write_text('{"candidates": ["a"]}\n{"candidates": ["b"]}\n{"candidates": 3}\n')
    ended = run("score", "--input", file, "--model", bundle)
    assert (ended.code, len(ended.out.splitlines())) == (3, 2)
    assert f"{file}:3: candidates" in ended.err


def test_evaluations_have_their_fixed_shape(run: Run, bundle: Path, tmp_path: Path) -> None:
    """Perplexities, hits and counts have their shape; no punctuation means fewer words."""
    file = tmp_path / "mails.txt"
    file.write_text("The sun is in the sea.\n\nWhy? I don't know!\n")
    found = run("evaluate", "--text", file, "--json", "--model", bundle).document
    keys = [
        *("word_perplexity", "token_perplexity", "character_perplexity", "bits_per_byte"),
        *("top1", "top3", "words", "tokens", "characters", "bytes"),
    ]
    assert list(found) == keys
    assert found["words"] == 13
    assert found["word_perplexity"] > found["token_perplexity"] > 1
    stripped = run(
        "evaluate", "--text", file, "--no-punctuation", "--json", "--model", bundle
    ).document
    assert stripped["words"] == 10


def test_questions_and_pairs_are_evaluated(run: Run, bundle: Path, tmp_path: Path) -> None:
    """The included cloze tests, a file of cloze tests, and a file of minimal pairs."""
    own = run("evaluate", "--cloze", "builtin", "--json", "--model", bundle).document
    assert own["questions"] == 50
    assert own["right"] + len(own["wrong"]) == 50
    asked = tmp_path / "q.tsv"
    asked.write_text("the sun is in the\tsea\tsky\n")
    assert run("evaluate", "--cloze", asked, "--json", "--model", bundle).document["questions"] == 1
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("context\tgood\tbad\nthe\tsea\tsky\n")
    ask = ("evaluate", "--suite", "pairs", "--data", pairs, "--model", bundle)
    assert run(*ask, "--json").document["pairs"] == 1


def test_scores_of_words(run: Run, bundle: Path) -> None:
    """As JSON and in a table each; they and the end of the text add up."""
    ask = ("score", "--words", "--model", bundle)
    [candidate] = run(*ask, "--json", "--", "the sea").document["candidates"]
    assert [each["word"] for each in candidate["words"]] == ["the", "sea"]
    total = sum(each["log_prob"] for each in candidate["words"]) + candidate["eos_log_prob"]
    assert total == pytest.approx(candidate["log_prob"])
    [ended] = run(*ask, "--no-eos", "--json", "--", "the sea").document["candidates"]
    assert "eos_log_prob" not in ended
    assert "(end of the text)" in run(*ask, "--", "the sea").out


def test_english_questions_of_another_language(run: Run, bundle: Path, tmp_path: Path) -> None:
    """English questions for a model of another language print a warning."""
    chinese = shutil.copytree(bundle, tmp_path / "zh" / bundle.name)
    rewrite_manifest(chinese, name="zh", language="zh")
    warning = "--cloze builtin: the questions are in English, but the model's language is zh"
    ended = run("evaluate", "--cloze", "builtin", "--model", chinese)
    assert warning in " ".join(ended.err.split())
    assert warning not in run("evaluate", "--cloze", "builtin", "--model", bundle).err


def test_tables_are_printed_without_json(run: Run, bundle: Path, tmp_path: Path) -> None:
    """Without `--json` the same answers are tables that name the model."""
    predicted = run("predict", "--history", "the", "--model", bundle)
    scored = run("score", "--model", bundle, "--", "the sea")
    listed = run("models", "list", bundle)
    for ended in (predicted, scored, listed):
        assert ended.code == 0
        assert "tiny@1" in ended.out
    ask = ("predict", "--history", "the", "--min-probability", "1", "--model", bundle)
    assert run(*ask).out == "no suggestion (tiny@1)\n"
    file = tmp_path / "a.txt"
    file.write_text("the sea\n")
    assert "perplexity per word" in run("evaluate", "--text", file, "--model", bundle).out


def test_brackets_are_shown_as_they_are(run: Run, bundle: Path, tmp_path: Path) -> None:
    """Brackets in texts are not interpreted as table markup."""
    assert "[/b] [red]x" in run("score", "--model", bundle, "--", "[/b] [red]x").out
    questions, pairs = tmp_path / "q.tsv", tmp_path / "p.tsv"
    questions.write_text("[/b] [red]the\tzzqqzzqq\tsea\n")
    assert "[/b] [red]the" in run("evaluate", "--cloze", questions, "--model", bundle).out
    pairs.write_text("type\tcontext\tgood\tbad\n[/b]\tthe\tsea\tsky\n")
    ask = ("evaluate", "--suite", "pairs", "--data", pairs, "--model", bundle)
    assert "[/b]" in run(*ask).out


def test_models_are_listed_inspected_and_verified(run: Run, bundle: Path, tmp_path: Path) -> None:
    """`models list`, `inspect` and `verify`; a folder of versions means the newest."""
    shutil.copytree(bundle, tmp_path / "tiny" / "1")
    write_bundle(tmp_path, version=10, layers=1, width=16)
    listed = run("models", "list", tmp_path, "--json").document
    assert [model["version"] for model in listed] == ["1", "10"]
    assert listed[1] == {**MODEL, "version": "10", "layers": 1, "width": 16} | {
        "vocabulary": listed[0]["vocabulary"]
    }
    inspected = run("models", "inspect", tmp_path, "--json").document
    assert (inspected["version"], inspected["layers"]) == ("10", 1)
    verified = run("models", "verify", tmp_path / "tiny", "--json").document
    assert (verified["model"], verified["verified"]) == ("tiny@10", True)
    assert len(verified["digest"]) == 64
    assert "verified" in run("models", "verify", bundle).out


def test_the_model_card_is_printed(run: Run, bundle: Path, tmp_path: Path) -> None:
    """`models inspect --card` prints the model card, or reports that there is none."""
    copy = Path(shutil.copytree(bundle, tmp_path / "copy"))
    (copy / "MODEL_CARD.md").write_text("# A card\n")
    assert run("models", "inspect", "--card", copy).out == "# A card\n"
    without = run("models", "inspect", "--card", bundle)
    assert (without.code, "MODEL_CARD.md: does not exist" in without.err) == (3, True)


def test_a_model_is_described_alike_in_a_folder_and_on_a_server(run: Run, bundle: Path) -> None:
    """A folder and a server report the same names and values for a model."""
    here = run("models", "inspect", bundle, "--json").document
    with serving(bundle) as server:
        asked = ["models", "inspect", "--server", server.address]
        there = run(*asked, "--json").document
        shown = run(*asked).out
    common = here.keys() & there.keys()
    assert common >= {"name", "version", "precision", "language", "layers", "digest", "figures"}
    assert {name: here[name] for name in common} == {name: there[name] for name in common}
    assert here.keys() - common == {"created", "training"}
    assert there.keys() - common == {"is_default", "server"}
    ours = run("models", "inspect", bundle).out
    for part in ("precision", "digest", here["digest"][:16], "vocabulary"):
        assert part in ours and part in shown


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["predict", "--max-suggestions", "0"], "--max-suggestions: is 0"),
        (["predict", "--min-probability", "2"], "--min-probability: is 2.0"),
        (
            ["predict", "--boost", "sea"],
            "'sea': is not WORD=NUMBER, as in --boost Wordgate=4.6",
        ),
        (["predict", "--boost", "sea=nan"], "--boost 'sea=nan': is nan"),
        (["predict", "--block", "a " * 17], "has 17 words; the limit is 16"),
        (["predict", "--max-phrase-words", "11"], "--max-phrase-words: is 11"),
        (["predict", "--max-corrections", "-1"], "--max-corrections: is -1"),
        (["predict", "--continuous-cache", "1"], "--continuous-cache: is 1.0"),
        (["generate", "--top-p", "nan"], "--top-p: is nan"),
        (["generate", "--seed", "-1"], "--seed: is -1"),
        (["generate", "--stop-word", "a " * 17], "has 17 words; the limit is 16"),
        (["generate", "--history", "\udcff"], "--history: has a lone surrogate"),
        (["predict", "--history", "\udcff"], "--history: has a lone surrogate"),
        (["score", "--", "\udcff"], "wordgate: '\\udcff': has a lone surrogate"),
        (["score"], "CANDIDATES: are missing; pass candidates"),
        (["score", "--input", __file__, "--", "a"], "--input: cannot be combined"),
        (["evaluate"], "--cloze: exactly one of these"),
        (["evaluate", "--cloze", "builtin", "--text", __file__], "exactly one of these"),
        (
            ["evaluate", "--cloze", "builtin", "--no-punctuation"],
            "--no-punctuation: requires --text",
        ),
        (["predict", "--server", "localhost:1"], "--model, --server: mutually exclusive"),
        (["predict", "--colour", "blue"], "--colour"),
    ],
    ids=str,
)
def test_wrong_arguments_end_with_2(
    run: Run, bundle: Path, arguments: list[str], problem: str
) -> None:
    """Usage errors exit with 2 and one line, without a stack trace."""
    name, *rest = arguments
    ended = run(name, "--model", bundle, *rest)
    assert (ended.code, ended.out) == (2, "")
    assert problem in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "f: does not exist"),
        (b"{", "f:1: is not JSON"),
        (b'{"candidates": ["a"]}\n[]', "f:2: line: is not a JSON object"),
        (b"{}", "f:1: candidates: "),
        (b'{"candidates": [3]}', "f:1: candidates[0]: "),
        (b'{"candidates": "abc"}', "f:1: candidates: "),
        (b'{"candidates": ["a"], "history": 3}', "f:1: history: "),
        (b"\xff", "f:1: is not UTF-8"),
    ],
    ids=str,
)
def test_a_wrong_input_file_ends_with_3(
    run: Run, bundle: Path, tmp_path: Path, content: bytes | None, problem: str
) -> None:
    """Errors in input files exit with 3 and name file and line."""
    file = tmp_path / "f"
    if content is not None:
        file.write_bytes(content)
    ended = run("score", "--input", file, "--json", "--model", bundle)
    assert ended.code == 3
    assert problem in ended.err
    assert ended.err.count("\n") == 1


def test_an_unreadable_text_ends_with_3(run: Run, bundle: Path, tmp_path: Path) -> None:
    """A missing or non-UTF-8 text exits with 3."""
    for option in (
        ("--text",),
        ("--cloze",),
        ("--suite", "pairs", "--data"),
        ("--keystroke-savings",),
        ("--typo-correction",),
    ):
        ended = run("evaluate", *option, tmp_path / "nothing.txt", "--model", bundle)
        assert (ended.code, ended.err.count("\n")) == (3, 1)
        assert "nothing.txt" in ended.err


def test_a_bad_bundle_ends_with_4(run: Run, bundle: Path, tmp_path: Path) -> None:
    """An invalid bundle exits with 4 and one line in every command that opens it."""
    copy = Path(shutil.copytree(bundle, tmp_path / "copy"))
    rewrite_manifest(copy, schema_version=99)
    for arguments in (
        ["predict", "--model", copy],
        ["score", "--model", copy, "--", "a"],
        ["models", "verify", copy],
        ["models", "inspect", copy],
        ["models", "list", copy],
    ):
        ended = run(*arguments)
        assert (ended.code, ended.out, ended.err.count("\n")) == (4, "", 1)
        assert ended.err.startswith("wordgate: ")
        assert "schema version 99" in ended.err


def test_no_bundle_ends_with_2(run: Run, tmp_path: Path) -> None:
    """A path without a bundle exits with 2."""
    for arguments, problem in (
        (["predict", "--model", tmp_path], f"--model: {tmp_path} contains no model"),
        (["predict", "--model", tmp_path / "nothing"], "nothing does not exist"),
        (["models", "list", tmp_path / "nothing"], f"FOLDER: {tmp_path}/nothing does not exist"),
        (["models", "verify", tmp_path / "nothing"], "nothing does not exist"),
        (["models", "inspect", tmp_path / "nothing"], "nothing does not exist"),
        (["serve", "--listen", "127.0.0.1:0", "--model", tmp_path / "nothing"], "--model: "),
    ):
        ended = run(*arguments)
        assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert problem in ended.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidConfiguration("device", "x"), 2),
        (InvalidRecipe("r.toml", "a", "x"), 2),
        (ModelNotFound("xx", ["en"]), 4),
        (ExportError("x"), 5),
        (TrainingError("x"), 5),
        (Overloaded("x", 1.0), 6),
        (Unavailable("x"), 6),
        (WordgateError("x"), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_error_has_its_exit_code(error: WordgateError, code: int) -> None:
    """Each error class has the documented exit code."""
    assert commands.exit_code(error) == code


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]], ids=str)
def test_help_and_version_need_nothing(run: Run, arguments: list[str]) -> None:
    """--help and --version succeed and name the command."""
    ended = run(*arguments)
    assert ended.code == 0
    assert "wordgate" in ended.out


def test_an_unknown_command_is_named(run: Run) -> None:
    """An unknown command exits with 2."""
    ended = run("sing")
    assert ended.code == 2
    assert "sing" in ended.err
