"""The server's options in a TOML file."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.running import serving

from wordgate.cli.commands.serve import configure
from wordgate.client import Client
from wordgate.errors import InvalidConfiguration, InvalidFile
from wordgate.server.config.options import Configuration

ROOT = Path(__file__).parents[3]

Write = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a configuration file."""

    def written(content: str | bytes) -> Path:
        file = tmp_path / "wordgate.toml"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    return written


def _configured(file: Path) -> Configuration:
    return configure(["--config", str(file)])


def test_every_option_can_be_set_in_a_file(write: Write) -> None:
    """Each option is accepted by name with its default value."""
    defaults = Configuration().model_dump(exclude_none=True)
    lines = [
        f"{name} = {str(value).lower() if isinstance(value, bool) else repr(value)}"
        for name, value in defaults.items()
    ]
    assert _configured(write("\n".join(lines))) == Configuration()
    assert _configured(write("")) == Configuration()


def test_the_name_of_a_bundled_model_is_not_a_path(write: Write, tmp_path: Path) -> None:
    """`model = "zh"` means the bundled model, unless the file's folder has a `zh`."""
    assert _configured(write('model = "zh"')).model == Path("zh")
    assert _configured(write('model = "en@3"')).model == Path("en@3")
    (tmp_path / "zh").mkdir()
    assert _configured(write('model = "zh"')).model == tmp_path / "zh"


@pytest.mark.parametrize("option", [name for name, value in Configuration() if value is None])
def test_relative_paths_start_at_the_folder_of_the_file(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The working directory does not matter, and absolute paths are kept."""
    (tmp_path / "etc").mkdir()
    monkeypatch.chdir(tmp_path)
    file = Path("etc/wordgate.toml")
    others = 'tls_certificate = "a.pem"\ntls_key = "a.key"\n'
    for written, corrections_of in {
        "here/x": "etc/here/x",
        "../x": "etc/../x",
        "/srv/x": "/srv/x",
    }.items():
        kept = "".join(line for line in others.splitlines(True) if not line.startswith(option))
        file.write_text(f"{kept}{option} = '{written}'\n")
        assert getattr(_configured(file), option) == Path(corrections_of)


@pytest.mark.parametrize(
    ("line", "key", "problem"),
    [
        ("colour = 'red'", "colour", "is not an option of the server"),
        (
            "max-sessions = 3",
            "max-sessions",
            "is not an option of the server; did you mean max_sess",
        ),
        ("worker = 3", "worker", "did you mean workers?"),
        ("config = 'other.toml'", "config", "is not an option of the server"),
        (
            "[server]\nintra_op_threads = 2",
            "server",
            "is a section; write the options",
        ),
        ("tls.key = 'a.key'", "tls", "is a section"),
        ('"a\\nb" = 1', "'a\\nb'", "is not an option"),
        ('"" = 1', "''", "is not an option"),
        ("intra_op_threads = '2'", "intra_op_threads", "must be a whole number, not '2'"),
        ("intra_op_threads = 2.0", "intra_op_threads", "must be a whole number, not 2.0"),
        ("intra_op_threads = true", "intra_op_threads", "must be a whole number, not true"),
        ("intra_op_threads = []", "intra_op_threads", "must be a whole number, not []"),
        ("shutdown_grace_seconds = '1 s'", "shutdown_grace_seconds", "must be a number, not '1 s'"),
        ("listen = 50051", "listen", "must be text in quotes, not 50051"),
        ("reflection = 'off'", "reflection", "must be true or false, not 'off'"),
        ("model = 2026-11-03", "model", "must be a path in quotes, not datetime.date"),
        (
            "intra_op_threads = 0",
            "intra_op_threads",
            "input should be greater than or equal to 1 (it is 0)",
        ),
        ("workers = 257", "workers", "(it is 257)"),
        ("shutdown_grace_seconds = nan", "shutdown_grace_seconds", "(it is nan)"),
        ("model_poll_seconds = inf", "model_poll_seconds", "(it is inf)"),
        (
            "max_concurrent_rpcs = 99999999999999999999",
            "max_concurrent_rpcs",
            "(it is 99999999999999999999)",
        ),
        ("listen = 'here'", "listen", "is not HOST:PORT, as in 127.0.0.1:50051, or unix"),
        ("model = ''", "model", "is empty; name a path"),
        ('model = "a\\u0000b"', "model", "contains a NUL character"),
        ("tls_key = 'a.key'", "tls_key", "requires the server's certificate, --tls-certificate"),
    ],
)
def test_a_wrong_line_names_file_and_key(write: Write, line: str, key: str, problem: str) -> None:
    """An invalid value is reported on one line with the file, the key and the problem."""
    file = write(line)
    with pytest.raises(InvalidConfiguration) as caught:
        _configured(file)
    said = str(caught.value)
    assert said.startswith(f"{file}: {key}: ")
    assert problem in said
    assert "\n" not in said


def test_an_unknown_key_goes_before_other_errors(write: Write) -> None:
    """An unknown key is reported first, because it may explain other errors."""
    with pytest.raises(InvalidConfiguration, match="tls-certificate: is not an option"):
        _configured(write("intra_op_threads = 0\ntls_key = 'a.key'\ntls-certificate = 'a.pem'"))


@pytest.mark.parametrize(
    ("content", "problem", "where"),
    [
        (b"threads = 1\ncalls 2\n", ": is not TOML: ", "(at line 2, column 7)"),
        (b"listen = 0.0.0.0:50051", ": is not TOML: ", "(at line 1, column 13)"),
        (b"threads = 1\nthreads = 2\n", ": is not TOML: ", "(at line 2, column 12)"),
        (b"threads = ", ": is not TOML: ", "(at end of document)"),
        (b"# caf\xc3\xa9\n\n# caf\xe9\n", ":3: is not UTF-8: byte 0xe9", ""),
        (b"threads = " + b"9" * 5000, ": is not TOML: too long a number, or too deep", ""),
        (b"threads = " + b"[" * 5000, ": is not TOML: too long a number, or too deep", ""),
    ],
)
def test_invalid_toml_is_reported_with_its_line(
    write: Write, content: bytes, problem: str, where: str
) -> None:
    """The line is reported if it is known."""
    file = write(content)
    with pytest.raises(InvalidFile) as caught:
        _configured(file)
    said = str(caught.value)
    assert said.startswith(f"{file}{problem}")
    assert said.endswith(where)


def test_a_file_of_another_editor_is_read(write: Write) -> None:
    """A byte order mark and Windows line endings are accepted."""
    file = write(b"\xef\xbb\xbfintra_op_threads = 3\r\nengine_threads = 4\r\n")
    assert _configured(file).intra_op_threads == 3


def test_the_example_of_the_docs_can_be_used(write: Write, tmp_path: Path) -> None:
    """The example is complete, and every value in it differs from the default."""
    text = (ROOT / "docs" / "serving.md").read_text("utf-8")
    [example] = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    found = _configured(write(example))
    assert found.model == tmp_path / "models/mine"
    changed = found.model_dump(exclude_defaults=True)
    assert len(changed) == len(re.findall("^[a-z_]+ = ", example, re.MULTILINE))


def test_a_server_runs_as_its_file_says(bundle: Path, tmp_path: Path) -> None:
    """The model path is relative to the file; a variable and the flags override the file."""
    shutil.copytree(bundle, tmp_path / "models" / "tiny" / "1")
    file = tmp_path / "wordgate.toml"
    file.write_text(
        "model = 'models'\nlisten = 'nowhere:1'\nmax_sessions = 3\nmax_rescore_streams = 4\n"
    )
    variables = {"WORDGATE_CONFIG": str(file), "WORDGATE_MAX_RESCORE_STREAMS": "5"}
    with serving(None, variables=variables) as running, Client(running.address) as client:
        assert [model.name.name for model in client.list_models()] == ["tiny"]
        limits = client.get_server().limits
        assert (limits["max_sessions"], limits["max_rescore_streams"]) == (3, 5)
