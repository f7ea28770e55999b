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
from tests.examples.conftest import SECRET
from tests.running import RunningServer, serving, until
from tests.server.certificates import Pair

from wordgate.decoding.options import Options
from wordgate.decoding.prediction import Query
from wordgate.engine.local_model import LocalModel

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
NEEDED = ("proto", "examples/typescript", "service/wordgate/client/service_config.json")
BUILT = shutil.ignore_patterns("node_modules", "generated", "dist")
NO_NETWORK = re.compile(r"E(NOTFOUND|AI_AGAIN|CONN\w+|TIMEDOUT|HOSTUNREACH|NETUNREACH)")


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
    if installed.returncode and (reason := NO_NETWORK.search(installed.stderr)):
        pytest.skip(f"npm cannot reach its registry ({reason[0]})")
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


def test_the_examples_own_tests_pass(example: Path) -> None:
    """Suggestions are debounced, and stale requests are aborted."""
    done = run(example, "npm", "test")
    assert done.returncode == 0, done.stdout + done.stderr


def test_suggestions_come_over_http_with_a_token(
    example: Path, guarded: RunningServer, ca: Pair, local: LocalModel
) -> None:
    """The last line has the model's words for the whole text; without a token, an error says so."""
    command = ("node", "dist/try.js", f"https://{guarded.http}", "the s")
    trusting = partial(run, example, *command, NODE_EXTRA_CA_CERTS=str(ca.certificate))
    done = trusting(WORDGATE_TOKEN=SECRET)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"the s| {suggested(local, 'the ', 's')}"
    without = trusting()
    assert (without.returncode, without.stdout) == (1, "")
    assert "token" in without.stderr


def test_a_session_uses_tls_with_a_token(
    example: Path, guarded: RunningServer, ca: Pair, local: LocalModel
) -> None:
    """The CA is an argument, the token a variable; a rejected token ends the session."""
    address = guarded.address.replace("127.0.0.1", "localhost")  # Node warns of TLS with an IP
    command = ("node", "dist/type.js", address, str(ca.certificate))
    done = run(example, *command, typed="the s\n", WORDGATE_TOKEN=SECRET)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"the s| {suggested(local, 'the ', 's')}\n"
    rejected = run(example, *command, typed="the s\n", WORDGATE_TOKEN="another")
    assert (rejected.returncode, rejected.stdout) == (1, "")
    assert "token" in rejected.stderr


def test_the_page_suggests_in_a_browser(
    example: Path, page: str, bundle: Path, local: LocalModel
) -> None:
    """A page of an allowed origin shows the model's words, and Tab accepts the first."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="the extra `dev` is not installed")
    chromium = program("chromium", "Debian's package chromium")
    options = ("--http-listen", "127.0.0.1:0", "--http-allowed-origins", page)
    with serving(bundle, *options) as server, sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        shown = browser.new_page()
        shown.goto(f"{page}/index.html?server=http://{server.http}")
        shown.get_by_label("Type").press_sequentially("the s")
        words = suggested(local, "the ", "s").split(", ")
        sync_api.expect(shown.get_by_role("listitem")).to_have_text(words)
        shown.keyboard.press("Tab")
        sync_api.expect(shown.get_by_label("Type")).to_have_value(f"the {words[0]} ")
        words = suggested(local, f"the {words[0]} ", "").split(", ")
        sync_api.expect(shown.get_by_role("listitem")).to_have_text(words)
        browser.close()


def test_a_session_continues_on_another_replica(
    bundle: Path, example: Path, local: LocalModel
) -> None:
    """When the session's server stops, the other one answers the same text with the same words."""
    with (
        serving(bundle) as first,
        serving(bundle) as second,
        typing(example, first, second) as typed,
    ):
        typed.enter("the s")
        word = typed.answer("the s").split(", ")[0]
        assert word == suggested(local, "the ", "s").split(", ")[0]
        typed.enter("")
        before = typed.answer(f"the {word} ")
        assert before == suggested(local, f"the {word} ", "")
        holder = first if first.metric("wordgate_open_sessions") else second
        holder.terminate()
        assert holder.wait() == 0
        assert typed.answer(f"the {word} ") == before
        typed.enter("i")
        other = second if holder is first else first
        assert typed.answer(f"the {word} i") == suggested(local, f"the {word} ", "i")
        assert other.metric("wordgate_open_sessions") == 1
        assert typed.end() == 0


def test_an_unreachable_server_ends_a_session_with_its_error(example: Path) -> None:
    """The session gives up after some attempts."""
    done = run(example, "node", "dist/type.js", "127.0.0.1:1")
    assert done.returncode == 1
    assert "ECONNREFUSED" in done.stderr.splitlines()[-1]


def run(
    folder: Path, *command: str, typed: str = "", **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run a program in a folder, without the variables of a Wordgate installation."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("WORDGATE_")}
    return subprocess.run(
        command,
        cwd=folder,
        env=kept | variables,
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )


def suggested(local: LocalModel, history: str, prefix: str) -> str:
    """Return the three words that the model in this process suggests."""
    query = Query(history, prefix, Options(max_suggestions=3))
    suggestions = local.submit_predict(query).result().suggestions
    return ", ".join(suggestion.text for suggestion in suggestions)


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
