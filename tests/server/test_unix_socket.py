"""Servers on Unix domain sockets."""

import os
import signal
import socket
import stat
from pathlib import Path

import pytest
from tests.cli.calling import Ended
from tests.running import RunningServer, serving

from wordgate.cli import main as commands
from wordgate.cli.commands.serve import configure
from wordgate.client import AsyncClient, Client
from wordgate.engine.local_model import LocalModel
from wordgate.errors import Unavailable
from wordgate.server.unix_socket import free_path


def _probe(capsys: pytest.CaptureFixture[str], *arguments: str) -> Ended:
    code = 0
    try:
        commands.main(["probe", *arguments])
    except SystemExit as end:
        code = int(end.code or 0)
    captured = capsys.readouterr()
    return Ended(code, captured.out, captured.err)


async def test_a_server_on_socket_files_answers(
    bundle: Path, local: LocalModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """gRPC and HTTP work with special characters in the path; the files are removed at exit."""
    grpc_file, pages = tmp_path / "a b%41é.sock", tmp_path / "pages.sock"
    options = ("--listen", f"unix:{grpc_file}", "--metrics-listen", f"unix:{pages}")
    with serving(bundle, *options) as server:
        assert (server.address, server.metrics_address) == (f"unix:{grpc_file}", f"unix:{pages}")
        with Client(server.address) as client:
            assert client.score("a", ["b"]) == local.submit_score("a", ["b"]).result()
        async with AsyncClient(f"unix://{grpc_file}") as asynchronous:
            assert await asynchronous.score("a", ["b"]) == client_answer(local)
        assert _probe(capsys, server.address).out == f"{server.address}: SERVING\n"
        assert _probe(capsys, f"http+unix:{pages}").out == f"http+unix:{pages}: 200 OK\n"
        server.terminate()
        assert server.wait() == 0
    assert os.listdir(tmp_path) == []  # noqa: PTH208
    with Client(f"unix:{grpc_file}") as client, pytest.raises(Unavailable, match="no server"):
        client.predict("the")


def client_answer(local: LocalModel) -> object:
    """Return the expected answer to a client."""
    return local.submit_score("a", ["b"]).result()


def test_socket_permissions_follow_the_umask(bundle: Path, tmp_path: Path) -> None:
    """Users with write permission for the file may connect."""
    path = tmp_path / "a.sock"
    before = os.umask(0o117)
    try:
        with serving(bundle, "--listen", f"unix:{path}"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
    finally:
        os.umask(before)


def test_a_second_server_is_rejected_and_a_stale_file_replaced(
    bundle: Path, tmp_path: Path
) -> None:
    """gRPC itself would replace the file of a running server."""
    path = tmp_path / "a.sock"
    with serving(bundle, "--listen", f"unix:{path}") as first:
        second = RunningServer(bundle, "--listen", f"unix:{path}")
        assert second.wait() == 2
        assert second.output == (
            f"wordgate: --listen: cannot listen on unix:{path} (another process listens on it); "
            "choose another path\n"
        )
        with Client(first.address) as client:
            assert client.predict("the").suggestions
        first.process.send_signal(signal.SIGKILL)
        first.wait()
    assert path.is_socket()
    with serving(bundle, "--listen", f"unix:{path}") as third, Client(third.address) as client:
        assert client.predict("the").suggestions


def test_a_server_that_cannot_start_leaves_no_file(bundle: Path, tmp_path: Path) -> None:
    """The metrics address is bound after the one for gRPC."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        metrics = f"127.0.0.1:{taken.getsockname()[1]}"
        options = ("--listen", f"unix:{tmp_path / 'a.sock'}", "--metrics-listen", metrics)
        server = RunningServer(bundle, *options)
        assert server.wait() == 2
    assert list(tmp_path.iterdir()) == []


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    """Regular files and folders are not removed."""
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for name in ("file", "folder"):
        with pytest.raises(OSError, match="is not a socket"), free_path(str(tmp_path / name)):
            pass
    with pytest.raises(FileNotFoundError), free_path(str(tmp_path / "missing" / "a.sock")):
        pass
    assert {each.name for each in tmp_path.iterdir()} == {"file", "folder"}


def test_a_socket_path_in_a_file_starts_at_its_folder(tmp_path: Path) -> None:
    """This holds for all paths in the configuration file."""
    file = tmp_path / "wordgate.toml"
    file.write_text("listen = 'unix:run/a.sock'\nmetrics_listen = 'unix:/b.sock'\n")
    found = configure(["--config", str(file)])
    assert found.listen == f"unix:{tmp_path}/run/a.sock"
    assert found.metrics_listen == "unix:/b.sock"
