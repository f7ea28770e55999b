"""Bearer tokens on a real server, and the warning about an exposed address."""

from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tests.running import RunningServer, serving, until
from tests.server.requests import HISTORIES, health_stub, refusal, texts

from wordgate.client import AsyncClient, Client
from wordgate.errors import Overloaded, Unauthenticated
from wordgate.server.security.quota import NO_QUOTA, Quota
from wordgate.server.security.tokens import Token, digest_of

RELOADS = "wordgate_file_reloads_total"
HITS, MISSES = "wordgate_state_cache_hits_total", "wordgate_state_cache_misses_total"
NAMES = ("phone", "ocr", "own-cache-one", "own-cache-two")


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server's token file: each token is its name reversed."""
    path = tmp_path_factory.mktemp("tokens") / "tokens"
    lines = [
        _token(name, namespace=name.encode() if "own" in name else None).line for name in NAMES
    ]
    path.write_text("\n".join(lines))
    return path


@pytest.fixture(scope="module")
def guarded(bundle: Path, tokens: Path) -> Iterator[RunningServer]:
    """A server that requires a token."""
    with serving(bundle, "--tokens-file", str(tokens)) as server:
        yield server


async def test_a_valid_token_grants_access(guarded: RunningServer) -> None:
    """Calls, streams and sessions of both clients are answered."""
    with Client(guarded.address, token=_secret("phone")) as client:
        answer = client.predict("the")
        assert client.score("", ["a"]).candidates
        assert next(client.generate("the")).word.log_prob < 0
        assert client.get_model().is_default
    async with AsyncClient(guarded.address, token=_secret("ocr")) as asynchronous:
        assert await asynchronous.predict("the") == answer
        async with asynchronous.typing_session() as session:
            assert (await session.suggest("the")).sequence == 1
        async for word in asynchronous.generate("the", max_words=1):
            assert word.word.log_prob < 0


@pytest.mark.parametrize("token", [None, "wrong", "phone"])
async def test_calls_without_a_valid_token_are_rejected(
    guarded: RunningServer, token: str | None
) -> None:
    """Every method of every kind ends with UNAUTHENTICATED, as do the clients' calls."""
    with Client(guarded.address, token=token) as client:
        for ask in (
            lambda: client.predict("the"),
            lambda: client.score("", ["a"]),
            lambda: list(client.generate("the")),
            client.list_models,
        ):
            with pytest.raises(Unauthenticated, match="token"):
                ask()
    async with AsyncClient(guarded.address, token=token) as asynchronous:
        with pytest.raises(Unauthenticated):
            await asynchronous.predict("the")
        with pytest.raises(Unauthenticated):
            async with asynchronous.typing_session() as session:
                await session.suggest("the")


def test_a_message_without_a_token_is_not_read(guarded: RunningServer) -> None:
    """It is neither parsed nor counted; the rejection is counted."""
    received = guarded.metric("grpc_server_msg_received_total")
    refused = guarded.metric("grpc_server_handled_total", grpc_code="Unauthenticated")
    with grpc.insecure_channel(guarded.address) as channel:
        ask: Any = channel.unary_unary("/wordgate.v1.PredictionService/Predict")
        error = refusal(lambda: ask(b"\xff" * 1000))
        assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert guarded.metric("grpc_server_msg_received_total") == received
    assert guarded.metric("grpc_server_handled_total", grpc_code="Unauthenticated") == refused + 1


def test_health_is_open_and_reflection_is_not(guarded: RunningServer) -> None:
    """Health checks require no token, and reflection requires one."""
    with grpc.insecure_channel(guarded.address) as channel:
        found = health_stub(channel).Check(HealthCheckRequest())
        assert found.status == HealthCheckResponse.SERVING
        assert refusal(lambda: _services(channel)).code() is grpc.StatusCode.UNAUTHENTICATED
        assert "wordgate.v1.ScoringService" in _services(channel, _headers("phone"))


def test_reflection_can_be_turned_off(bundle: Path) -> None:
    """The service does not exist then."""
    with serving(bundle, "--no-reflection") as server:
        with grpc.insecure_channel(server.address) as channel:
            assert refusal(lambda: _services(channel)).code() is grpc.StatusCode.UNIMPLEMENTED
        with Client(server.address) as client:
            assert client.predict("the").suggestions


def test_tokens_with_own_caches_share_no_hits(guarded: RunningServer) -> None:
    """A text read for one token is read again in another cache namespace, with the same bits."""
    answers, reads = [], []
    for name in ("own-cache-one", "own-cache-two", "phone"):
        hits, misses = guarded.metric(HITS), guarded.metric(MISSES)
        with Client(guarded.address, token=_secret(name)) as client:
            answers.append([client.predict(history, "s") for history in HISTORIES])
            answers[-1].append(client.score(HISTORIES[1], texts(3, 4)))  # type: ignore[arg-type]
        found = guarded.metric(HITS) - hits, guarded.metric(MISSES) - misses
        reads.append(found)
    assert answers[1:] == answers[:1] * 2
    assert reads[1] == reads[0], "the second reads as much as the first"
    with Client(guarded.address, token=_secret("ocr")) as client:
        misses = guarded.metric(MISSES)
        client.predict(HISTORIES[1], "s")
        assert guarded.metric(MISSES) == misses, "without a namespace all share"


def test_quotas_belong_to_a_token(bundle: Path, tmp_path: Path) -> None:
    """A token above its quota gets RESOURCE_EXHAUSTED with a retry delay; others are answered."""
    path = tmp_path / "tokens"
    path.write_text("\n".join(t.line for t in (_token("a", Quota(1, 1)), _token("b"))))
    with serving(bundle, "--tokens-file", str(path)) as server:
        with Client(server.address, token=_secret("a")) as client:
            client.score("", texts(10))
            with pytest.raises(Overloaded, match="quota") as caught:
                client.predict("the")
            assert caught.value.retry_after_seconds > 1
        with grpc.insecure_channel(server.address) as channel:
            first = _reflected(channel, _headers("a"), ends=False)
            assert next(first)
            second = _reflected(channel, _headers("a"), ends=False)
            assert refusal(lambda: next(second)).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        with Client(server.address, token=_secret("b")) as client:
            assert client.predict("the").suggestions


async def test_a_session_over_its_quota_ends(bundle: Path, tmp_path: Path) -> None:
    """An open session cannot exceed the quota."""
    path = tmp_path / "tokens"
    path.write_text(_token("a", Quota(rows_per_second=1)).line)
    with serving(bundle, "--tokens-file", str(path)) as server:
        async with AsyncClient(server.address, token=_secret("a")) as client:
            session = await client.typing_session().__aenter__()
            await session.suggest("the clouds are in the")
            with pytest.raises(Overloaded, match="quota"):
                await session.suggest("a cat")


async def test_tokens_are_reloaded_while_serving(bundle: Path, tmp_path: Path) -> None:
    """A new token is accepted; a revoked one is rejected, and its sessions end."""
    path = tmp_path / "tokens"
    path.write_text(_token("old").line)
    with serving(bundle, "--tokens-file", str(path)) as server:
        async with AsyncClient(server.address, token=_secret("old")) as client:
            session = await client.typing_session().__aenter__()
            await session.suggest("the")
            path.write_text("nonsense")
            labels = {"file": "tokens"}
            until(lambda: server.metric(RELOADS, **labels, result="rejected") == 1, "the refusal")
            assert (await client.predict("the")).suggestions

            path.write_text(_token("new").line)
            until(lambda: server.metric(RELOADS, **labels, result="read") == 1, "the reload")
            with pytest.raises(Unauthenticated):
                await client.predict("the")
            with pytest.raises(Unauthenticated):
                await session.suggest("the cat")
        with Client(server.address, token=_secret("new")) as blocking:
            assert blocking.predict("the").suggestions
        server.terminate()
        assert server.wait() == 0
        assert "tokens:1: hash" in server.output
        assert _secret("old") not in server.output
        assert _secret("new") not in server.output


def test_workers_know_the_tokens(bundle: Path, tokens: Path) -> None:
    """Each worker requires tokens, and the warning is logged once."""
    options = ("--tokens-file", str(tokens), "--workers", "2", "--listen", "0.0.0.0:0")
    with serving(bundle, *options) as server:
        for _ in range(6):
            with Client(server.address, token=_secret("phone")) as client:
                assert client.predict("the").suggestions
            with Client(server.address) as client, pytest.raises(Unauthenticated):
                client.predict("the")
        server.terminate()
        server.wait()
        assert server.output.count("exposed beyond this host") == 1


@pytest.mark.parametrize("spoiled", ["phone", "phone sha256:12"])
def test_an_invalid_token_file_fails_the_start(bundle: Path, tmp_path: Path, spoiled: str) -> None:
    """A server does not start with some of its tokens only."""
    path = tmp_path / "tokens"
    path.write_text(spoiled)
    started = RunningServer(bundle, "--tokens-file", str(path))
    assert started.wait() == 3
    assert f"{path}:1: hash" in started.output
    assert "Traceback" not in started.output


def test_an_empty_token_file_rejects_all(bundle: Path, tmp_path: Path) -> None:
    """An empty token file is not the same as no token file."""
    path = tmp_path / "tokens"
    path.write_text("# nobody\n")
    with serving(bundle, "--tokens-file", str(path)) as server:
        client = Client(server.address, token=_secret("phone"))
        with client, pytest.raises(Unauthenticated):
            client.predict("the")


def test_exposure_is_logged_once(bundle: Path, tokens: Path) -> None:
    """A server on a non-loopback address warns about what is missing; one on localhost does not."""
    for options, said in (
        ((), ["no TLS", "no tokens"]),
        (("--tokens-file", str(tokens)), ["no TLS"]),
    ):
        with serving(bundle, "--listen", "0.0.0.0:0", *options) as server:
            server.terminate()
            server.wait()
            [warning] = [line for line in server.lines if "warning" in line]
            assert [each for each in ("no TLS", "no tokens") if each in warning] == said
    with serving(bundle) as server:
        server.terminate()
        server.wait()
        assert "warning" not in server.output


def _token(name: str, quota: Quota = NO_QUOTA, namespace: bytes | None = None) -> Token:
    return Token(name, digest_of(_secret(name)), quota, namespace)


def _secret(name: str) -> str:
    return name[::-1]


def _headers(name: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {_secret(name)}"),)


def _reflected(channel: grpc.Channel, headers: Any = (), *, ends: bool = True) -> Any:
    """Return the answers of reflection to one request; the stream stays open if it does not end."""
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    requests: SimpleQueue[reflection_pb2.ServerReflectionRequest | None] = SimpleQueue()
    requests.put(reflection_pb2.ServerReflectionRequest(list_services=""))
    if ends:
        requests.put(None)
    return stub.ServerReflectionInfo(iter(requests.get, None), metadata=headers)


def _services(channel: grpc.Channel, headers: Any = ()) -> list[str]:
    answer = next(_reflected(channel, headers))
    return [service.name for service in answer.list_services_response.service]
