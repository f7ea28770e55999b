"""The TypeScript examples, type-checked and built, with real servers."""

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.deploy.programs import program
from tests.running import RunningServer, serving, until

from wordgate.client import Client
from wordgate.decoding.options import Options
from wordgate.server.security.quota import NO_QUOTA
from wordgate.server.security.tokens import Token, digest_of

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
NEEDED = ("proto", "examples/typescript", "service/wordgate/client/service_config.json")
BUILT = shutil.ignore_patterns("node_modules", "generated", "dist")
NO_NETWORK = re.compile(r"E(NOTFOUND|AI_AGAIN|CONN\w+|TIMEDOUT|HOSTUNREACH|NETUNREACH)")
SECRET = "a-token"


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built copy of the example. Skips without npm or the network."""
    npm = program("npm", "Node.js")
    root = tmp_path_factory.mktemp("clone")
    for name in NEEDED:
        source, target = ROOT / name, root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=BUILT)
        else:
            shutil.copy(source, target)
    folder = root / "examples" / "typescript"
    installed = run(folder, npm, "ci", "--no-audit", "--no-fund", "--fetch-retries=1")
    if installed.returncode and NO_NETWORK.search(installed.stderr):
        pytest.skip(f"npm cannot install the example's packages: {installed.stderr}")
    assert installed.returncode == 0, installed.stderr
    for script in ("generate", "check", "build"):
        done = run(folder, npm, "run", script)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def page(example: Path) -> Iterator[str]:
    """The origin of a web server with the browser example's page."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            """Log nothing."""

    handler = partial(Quiet, directory=str(example / "dist" / "browser"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def server(
    bundle: Path, page: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """A server with HTTP that requires a token."""
    tokens = tmp_path_factory.mktemp("tokens") / "tokens"
    tokens.write_text(Token("example", digest_of(SECRET), NO_QUOTA, None).line)
    options = ("--http-listen", "127.0.0.1:0", "--tokens-file", str(tokens))
    with serving(bundle, *options) as running:
        yield running


def test_the_examples_own_tests_pass(example: Path) -> None:
    """Suggestions are debounced, and stale requests are aborted."""
    done = run(example, "npm", "test")
    assert done.returncode == 0, done.stdout + done.stderr


def test_suggestions_over_http_are_those_over_grpc(example: Path, server: RunningServer) -> None:
    """The last line has the suggestions for the whole text; without the token an error names it."""
    command = ("node", "dist/try.js", f"http://{server.http}", "the s")
    done = run(example, *command, WORDGATE_TOKEN=SECRET)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"the s| {suggested(server, 'the ', 's')}"
    without = run(example, *command)
    assert (without.returncode, without.stdout) == (1, "")
    assert "token" in without.stderr


def test_a_session_continues_on_another_replica(bundle: Path, example: Path) -> None:
    """When the session's server stops, the other one answers the same text with the same words."""
    with (
        serving(bundle) as first,
        serving(bundle) as second,
        typing(example, first, second) as typed,
    ):
        typed.enter("the s")
        word = typed.answer("the s").split(", ")[0]
        assert word == suggested(first, "the ", "s").split(", ")[0]
        typed.enter("")
        before = typed.answer(f"the {word} ")
        assert before == suggested(first, f"the {word} ", "")
        holder = first if first.metric("wordgate_open_sessions") else second
        holder.terminate()
        assert holder.wait() == 0
        assert typed.answer(f"the {word} ") == before
        typed.enter("i")
        other = second if holder is first else first
        assert typed.answer(f"the {word} i") == suggested(other, f"the {word} ", "i")
        assert other.metric("wordgate_open_sessions") == 1
        assert typed.end() == 0


def test_an_unreachable_server_ends_a_session_with_its_error(example: Path) -> None:
    """The session gives up after some attempts."""
    done = run(example, "node", "dist/type.js", "127.0.0.1:1")
    assert done.returncode == 1
    assert "ECONNREFUSED" in done.stderr.splitlines()[-1]


def run(folder: Path, *command: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a program in a folder, without the variables of a Wordgate installation."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("WORDGATE_")}
    return subprocess.run(
        command,
        cwd=folder,
        env=kept | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )


def suggested(server: RunningServer, history: str, prefix: str) -> str:
    """Return the words that the Python client gets from a server."""
    with Client(server.address, token=SECRET) as client:
        prediction = client.predict(history, prefix, max_suggestions=3)
    return ", ".join(suggestion.text for suggestion in prediction.suggestions)


class Typed:
    """A process of the Node example, and the lines that it printed."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._lines: list[str] = []
        self._read = 0
        threading.Thread(target=self._collect, daemon=True).start()

    def enter(self, line: str) -> None:
        """Enter a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def answer(self, text: str) -> str:
        """Wait for the next answer, which must be to this text; return its words."""
        until(lambda: len(self._lines) > self._read, f"an answer to {text!r}")
        typed, _, words = self._lines[self._read].rstrip("\n").partition("| ")
        self._read += 1
        assert typed == text
        return words

    def end(self) -> int:
        """Close standard input; return the exit code."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self._process.wait(60)

    def _collect(self) -> None:
        assert self._process.stdout is not None
        self._lines.extend(self._process.stdout)


@contextmanager
def typing(example: Path, *servers: RunningServer) -> Iterator[Typed]:
    """Run the Node example with the addresses of several replicas."""
    target = "ipv4:" + ",".join(server.address for server in servers)
    command = ["node", "dist/type.js", target]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=example, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield Typed(process)
        finally:
            process.kill()
