"""The blocking and asyncio clients against a real server."""

import asyncio
import inspect
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from tests.running import RunningServer, until
from tests.server.requests import LONG_TO_READ, texts

from wordgate.client import AsyncClient, Client, Priority
from wordgate.client.typing_session import SessionUpdate
from wordgate.decoding.generation import GenerationQuery
from wordgate.decoding.options import BoostedWord, Options
from wordgate.decoding.prediction import Query
from wordgate.engine.local_model import LocalModel
from wordgate.engine.results import GenerativeModel, LanguageModel
from wordgate.errors import (
    Cancelled,
    DeadlineExceeded,
    InvalidInput,
    ModelNotFound,
    Unavailable,
)
from wordgate.protocol.limits import Limits
from wordgate.scoring.score_weights import Boost, ScoreWeights

NOBODY = "127.0.0.1:1"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def client(server: RunningServer) -> Iterator[Client]:
    """Return a blocking client of the shared server."""
    with Client(server.address) as connected:
        yield connected


@pytest.fixture
async def async_client(server: RunningServer) -> AsyncIterator[AsyncClient]:
    """Return an asyncio client of the shared server."""
    async with AsyncClient(server.address) as connected:
        yield connected


def test_the_client_answers_as_the_model_itself(client: Client, local: LocalModel) -> None:
    """Predictions and scores are bit-identical to those of the model in process."""
    options = Options(max_suggestions=7, allow_punctuation=True)
    query = Query("the clouds are in the", "s", options)
    here: LanguageModel = local
    there: LanguageModel = client
    assert there.submit_predict(query).result() == here.submit_predict(query).result()
    asked = ("the keys to the", ["cabinet are", "cabinet is", ""])
    assert there.submit_score(*asked).result() == here.submit_score(*asked).result()
    assert client.score(*asked, count_eos=False) == here.submit_score(*asked, False).result()
    assert client.predict("the", min_probability=0.01).model == local.served.name


async def test_the_asyncio_client_answers_the_same(
    async_client: AsyncClient, client: Client
) -> None:
    """Both clients return the same values."""
    assert await async_client.predict("the cat", "s") == client.predict("the cat", "s")
    assert await async_client.score("a", ["b"]) == client.score("a", ["b"])
    assert await async_client.list_models() == client.list_models()
    assert await async_client.get_model() == client.get_model()
    assert await async_client.get_server() == client.get_server()


@pytest.mark.parametrize(
    "name", ["predict", "generate", "score", "rescore", "list_models", "get_model", "get_server"]
)
def test_both_clients_have_the_same_documented_methods(name: str) -> None:
    """`help` shows a docstring and the same named and typed arguments for both clients."""
    blocking, asynchronous = getattr(Client, name), getattr(AsyncClient, name)
    parameters = inspect.signature(blocking).parameters
    assert parameters == inspect.signature(asynchronous).parameters
    assert all(each.annotation is not each.empty for each in list(parameters.values())[1:])
    assert f"Client.{name}" in asynchronous.__doc__
    assert len(blocking.__doc__) > len("Same as")


def test_the_server_describes_itself(client: Client, local: LocalModel) -> None:
    """Models and limits are returned as values."""
    [model] = client.list_models()
    assert (model.name, model.is_default) == (local.served.name, True)
    assert model.digest == local.served.bundle.digest.hex()
    assert model.language == local.served.bundle.manifest.language
    assert client.get_server().limits == asdict(Limits())


def test_many_questions_may_be_under_way(server: RunningServer, local: LocalModel) -> None:
    """Concurrent requests each get their own answer."""
    with Client(server.address, priority=Priority.BATCH) as batch:
        in_flight = [batch.submit_score("", [text]) for text in texts(50)]
        for text, future in zip(texts(50), in_flight, strict=True):
            assert future.result() == local.submit_score("", [text]).result()


def test_a_cancelled_future_cancels_the_request(client: Client, server: RunningServer) -> None:
    """Cancelling a future frees the request's resources on the server."""
    dropped = server.metric("wordgate_jobs_dropped_total", reason="cancelled")
    future = client.submit_score("", texts(1000, 80))
    until(lambda: server.metric("wordgate_queued_rows") > 0, "the work to begin")
    assert future.cancel()
    until(
        lambda: server.metric("wordgate_jobs_dropped_total", reason="cancelled") == dropped + 1,
        "the work to be dropped",
    )


def test_bad_input_comes_back_as_what_it_is(client: Client) -> None:
    """The error names the field, as with a model in process."""
    for ask, field in (
        (lambda: client.predict("a" * 70_000), "history"),
        (lambda: client.predict("", max_suggestions=1000), "max_suggestions"),
        (lambda: client.predict("\ud800"), "history"),
        (lambda: client.predict("", "\ud800"), "prefix"),
        (lambda: client.predict("", blocked_words=["\ud800"]), "options.blocked_words[0]"),
        (
            lambda: client.predict("", boosted_words=[BoostedWord("\ud800", 1.0)]),
            "options.boosted_words[0].word",
        ),
        (
            lambda: client.rescore("", [], ScoreWeights(boosts=[Boost("\ud800", 1.0)])),
            "score_weights.boosts[0].phrase",
        ),
        (lambda: client.score("", []), "candidates"),
        (lambda: client.score("", ["a", "\ud800"]), "candidates[1].text"),
        (lambda: client.score("", ["a" * 2_000_000]), "request"),
    ):
        with pytest.raises(InvalidInput) as caught:
            ask()
        assert caught.value.field == field


def test_unknown_models_come_back_with_what_is_served(server: RunningServer) -> None:
    """`ModelNotFound` lists the served models."""
    with Client(server.address, model="nobody") as client:
        for ask in (client.get_model, lambda: client.predict("a")):
            with pytest.raises(ModelNotFound, match="'nobody' is served; served: tiny@1"):
                ask()


async def test_an_unreachable_server_is_reported() -> None:
    """An unreachable address is reported with the remedy."""
    with Client(NOBODY) as client, pytest.raises(Unavailable, match=f"{NOBODY}.*wordgate serve"):
        client.predict("a")
    with Client(NOBODY) as client, pytest.raises(Unavailable, match=f"{NOBODY}.*wordgate serve"):
        list(client.generate("a"))
    async with AsyncClient(NOBODY) as client:
        with pytest.raises(Unavailable, match=f"{NOBODY}.*wordgate serve"):
            await client.predict("a")
        with pytest.raises(Unavailable, match=f"{NOBODY}.*wordgate serve"):
            await anext(client.generate("a"))
        with pytest.raises(Unavailable, match=NOBODY):
            async with client.typing_session() as session:
                await session.suggest("a")


async def test_a_timeout_is_deadline_exceeded(server: RunningServer) -> None:
    """A timeout raises `DeadlineExceeded`."""
    with Client(server.address, timeout_seconds=0.03) as client, pytest.raises(DeadlineExceeded):
        client.score("", texts(1000, 80))
    with Client(server.address, timeout_seconds=0.03) as client, pytest.raises(DeadlineExceeded):
        next(client.generate(LONG_TO_READ))
    async with AsyncClient(server.address, timeout_seconds=0.03) as client:
        with pytest.raises(DeadlineExceeded):
            await client.score("", texts(1000, 80))
        with pytest.raises(DeadlineExceeded):
            await anext(client.generate("the" + LONG_TO_READ[1:]))


def test_closing_cancels_what_is_under_way(server: RunningServer) -> None:
    """Closing a client cancels its futures."""
    client = Client(server.address)
    future = client.submit_score("", texts(1000, 80))
    client.close()
    with pytest.raises(Cancelled):
        future.result()


def test_closing_the_client_ends_its_texts(server: RunningServer) -> None:
    """Closing a client ends its generations."""
    client = Client(server.address)
    words = client.generate("the", "s")
    assert next(words).word.word
    client.close()
    with pytest.raises(Cancelled):
        list(words)


async def test_a_typing_session_answers_each_text(
    async_client: AsyncClient, client: Client
) -> None:
    """A session returns the same as predictions, plus the prefix to replace."""
    async with async_client.typing_session(max_suggestions=3) as session:
        answer = await session.suggest("the clo")
        assert (answer.sequence, answer.prefix) == (1, "clo")
        assert answer.prediction == client.predict("the ", "clo", max_suggestions=3)
        assert (await session.suggest("the clouds ")).prefix == ""
        await session.send("the clouds a")
        await session.done_writing()
        assert [answer.prefix async for answer in session] == ["a"]


async def test_a_typing_session_is_sent_edits(async_client: AsyncClient) -> None:
    """Each edit has a sequence number and is answered for the resulting text."""
    async with async_client.typing_session(max_suggestions=3) as session:

        async def answered(sequence: int) -> SessionUpdate:
            return await session.wait_for(sequence)

        first = await answered(await session.insert("the clox"))
        assert (first.sequence, first.prefix) == (1, "clox")
        second = await answered(await session.delete(before=1))
        assert second.prediction == (await session.suggest("the clo")).prediction
        whole = await answered(await session.insert(""))
        accepted = await answered(await session.accept(whole, 1))
        written = f"the {whole.prediction.suggestions[1].text} "
        assert accepted.prediction == (await session.suggest(written)).prediction
        assert (await answered(await session.move(2))).prefix == "th"
        assert (await answered(await session.replace(0, 2, "un"))).prefix == "un"
        assert (await answered(await session.reset())).prefix == ""
        assert (await answered(await session.send("the sea", 5))).prefix == "s"
        with pytest.raises(InvalidInput, match=r"accept\.answer"):
            await answered(await session.accept(whole))


async def test_a_suggestion_inside_a_word_replaces_the_whole_word(
    async_client: AsyncClient,
) -> None:
    """Accepting inside a word replaces the letters on both sides of the cursor."""
    async with async_client.typing_session() as session:
        inside = await session.wait_for(await session.send("the clxyz here", 6))
        assert inside.prefix == "cl"
        accepted = await session.wait_for(await session.accept(inside))
        written = f"the {inside.prediction.suggestions[0].text} "
        assert accepted.prediction == (await session.suggest(written)).prediction
        deleted = await session.wait_for(await session.send(f"{written}here", len(written)))
        assert deleted.prediction == accepted.prediction


async def test_bad_text_ends_a_session(async_client: AsyncClient) -> None:
    """An invalid text raises an error that names the field, also on later use."""
    async with async_client.typing_session() as session:
        with pytest.raises(InvalidInput, match=r"text\.text"):
            await session.suggest("a" * 70_000)
        with pytest.raises(InvalidInput, match=r"text\.text"):
            await session.suggest("a")


async def test_a_bad_configuration_ends_a_session(async_client: AsyncClient) -> None:
    """Invalid options are rejected by the client or by the server."""
    with pytest.raises(InvalidInput, match="max_suggestions"):
        async_client.typing_session(max_suggestions=1000)
    long = "한" * 100
    async with async_client.typing_session(blocked_words=[long]) as session:
        with pytest.raises(InvalidInput, match=r"configuration\.options\.blocked_words\[0\]"):
            _ = [answer async for answer in session]


async def test_the_clients_write_as_the_model_itself(
    async_client: AsyncClient, client: Client, local: LocalModel
) -> None:
    """Generated words are bit-identical to those of the model in process."""
    query = GenerationQuery("the clouds are", "i", 15, 0.8, 30, 0.9, 5, ["sea"])
    here: GenerativeModel = local
    there: GenerativeModel = client
    expected = list(here.submit_generate(query))
    assert list(there.submit_generate(query)) == expected
    options: dict[str, Any] = {
        "max_words": 15,
        "temperature": 0.8,
        "top_k": 30,
        "top_p": 0.9,
        "seed": 5,
    }
    words = async_client.generate("the clouds are", "i", stop_words=["sea"], **options)
    assert [answer async for answer in words] == expected
    drawn = list(client.generate("the sun", "t"))
    assert list(client.generate("the sun", "t", seed=drawn[0].seed)) == drawn
    here_drawn = list(here.submit_generate(GenerationQuery("the sun", "t")))
    assert list(client.generate("the sun", "t", seed=here_drawn[0].seed)) == here_drawn


async def test_bad_generations_are_refused(async_client: AsyncClient, client: Client) -> None:
    """Invalid values are rejected at once, or by the server at the first word."""
    for refused in (
        lambda: client.generate("", top_p=0.0),
        lambda: async_client.generate("", top_p=0.0),
        lambda: client.generate("", stop_words=["\ud800"]),
        lambda: client.generate("\ud800"),
        lambda: list(client.generate("a" * 70_000)),
    ):
        with pytest.raises(InvalidInput):
            refused()
    with pytest.raises(InvalidInput, match="history"):
        await anext(async_client.generate("a" * 70_000))


async def test_a_cancelled_task_cancels_the_request(
    async_client: AsyncClient, server: RunningServer
) -> None:
    """Cancelling a task cancels the request and raises `CancelledError`."""
    task = asyncio.create_task(async_client.score("", texts(1000, 80)))
    waiting = "wordgate_queued_rows"
    while not await asyncio.to_thread(server.metric, waiting):
        assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(until, lambda: server.metric(waiting) == 0, "the work to be dropped")


def test_the_example_asks_with_the_stubs_alone(server: RunningServer) -> None:
    """`examples/ask.py` prints suggestions and scores in a few dozen lines."""
    example = ROOT / "examples" / "ask.py"
    command = [sys.executable, str(example), server.address]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 5
    code = [line for line in example.read_text("utf-8").splitlines() if line.strip()]
    assert len(code) <= 34


def test_an_asyncio_client_is_made_in_a_loop(server: RunningServer) -> None:
    """Creation without a loop and use in another loop raise `RuntimeError`."""
    with pytest.raises(RuntimeError, match="no running event loop; create the client inside a co"):
        AsyncClient(server.address)

    async def make() -> AsyncClient:
        return AsyncClient(server.address)

    made = asyncio.run(make())

    async def use() -> None:
        for ask in (made.get_server, lambda: anext(made.generate("the")), made.close):
            with pytest.raises(RuntimeError, match="bound to another event loop"):
                await ask()
        with pytest.raises(RuntimeError, match="bound to another event loop"):
            async with made.typing_session():
                pass

    asyncio.run(use())


@pytest.mark.parametrize("variable", ["http_proxy", "https_proxy", "grpc_proxy"])
async def test_a_server_of_this_machine_is_asked_without_a_proxy(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """Local addresses bypass proxies from the environment."""
    monkeypatch.setenv(variable, f"http://{NOBODY}")
    port = server.address.rpartition(":")[2]
    for address in (server.address, f"localhost:{port}", f"ipv4:127.0.0.1:{port}"):
        with Client(address) as client:
            assert client.get_server().version
        async with AsyncClient(address) as asynchronous:
            assert (await asynchronous.get_server()).version
