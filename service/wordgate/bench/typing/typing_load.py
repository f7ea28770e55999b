"""Typing load: simulated typists in typing sessions, at human speed or as fast as responses."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from time import perf_counter

from wordgate.bench.typing.keys import Action, Key, gaps_of, keys_of
from wordgate.client import AsyncClient
from wordgate.client.typing_session import TypingSession


@dataclass(frozen=True)
class Load:
    """A typing load: number of typists, messages and duration, spread over `connections`.

    If `gap_seconds` is None, each key is pressed as soon as the last one is answered. Keys pressed
    in the first `warm_up_seconds`, which precede `seconds`, are not timed.
    """

    typists: int
    messages: list[str]
    seconds: float
    gap_seconds: float | None
    warm_up_seconds: float
    max_suggestions: int
    seed: int
    connections: int = 1


@dataclass
class Typed:
    """Results of a typing load. Keys that were `superseded` got no response of their own.

    `seconds` has the time from press to response of each key pressed after the warm-up.
    """

    pressed: int = 0
    answered: int = 0
    superseded: int = 0
    seconds: list[float] = field(default_factory=list)


async def type_at(address: str, load: Load) -> Typed:
    """Run a typing load against a server. Raises the errors of its sessions."""
    typed = Typed()
    async with AsyncExitStack() as open_sessions:
        opened = open_sessions.enter_async_context
        clients = [await opened(AsyncClient(address)) for _ in range(load.connections)]
        typists = []
        for number in range(load.typists):
            client = clients[number % len(clients)]
            session = await opened(client.typing_session(max_suggestions=load.max_suggestions))
            keys = keys_of(load.messages, number, Random(f"{load.seed} keys {number}"))
            typists.append(_Typist(session, keys, typed))
        timed_from = perf_counter() + load.warm_up_seconds
        typed_until = timed_from + load.seconds
        async with asyncio.TaskGroup() as group:
            for number, typist in enumerate(typists):
                gaps = Random(f"{load.seed} gaps {number}")
                group.create_task(_type(typist, load, gaps, timed_from, typed_until))
    return typed


async def _type(
    typist: "_Typist", load: Load, random: Random, timed_from: float, typed_until: float
) -> None:
    async with typist.reading(timed_from):
        if load.gap_seconds is None:
            await _closed_loop(typist, typed_until)
        else:
            await _like_a_person(typist, load.gap_seconds, random, typed_until)


async def _like_a_person(
    typist: "_Typist", gap_seconds: float, random: Random, typed_until: float
) -> None:
    """Press keys at times independent of responses (avoids coordinated omission)."""
    due = perf_counter() + random.random() * gap_seconds
    gaps = gaps_of(gap_seconds, random)
    while due < typed_until:
        await asyncio.sleep(due - perf_counter())
        await typist.press()
        due += next(gaps)


async def _closed_loop(typist: "_Typist", typed_until: float) -> None:
    while perf_counter() < typed_until:
        await typist.press()
        await typist.answered()


class _Typist:
    """Presses keys in a session and records the latency of each response."""

    def __init__(self, session: TypingSession, keys: Iterator[Key], typed: Typed) -> None:
        self._session = session
        self._keys = keys
        self._typed = typed
        self._pressed: dict[int, float] = {}
        self._number = 0
        self._answer = asyncio.Event()

    async def press(self) -> None:
        """Press the next key."""
        key = next(self._keys)
        self._number += 1
        self._typed.pressed += 1
        self._answer.clear()
        self._pressed[self._number] = perf_counter()
        match key.action:
            case Action.INSERT:
                await self._session.insert(key.text)
            case Action.BACKSPACE:
                await self._session.delete(before=1)
            case Action.BEGIN:
                await self._session.send(key.text)

    async def answered(self) -> None:
        """Wait for the response to the last key."""
        await self._answer.wait()

    @asynccontextmanager
    async def reading(self, timed_from: float) -> AsyncIterator[None]:
        """Record responses during the block and, at its end, the outstanding ones."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read(timed_from))
            yield
            await self._session.done_writing()

    async def _read(self, timed_from: float) -> None:
        async for answer in self._session:
            self._note(answer.sequence, perf_counter(), timed_from)

    def _note(self, number: int, now: float, timed_from: float) -> None:
        pressed = self._pressed.pop(number)
        older = [key for key in self._pressed if key < number]
        for key in older:
            del self._pressed[key]
        self._typed.superseded += len(older)
        self._typed.answered += 1
        if pressed >= timed_from:
            self._typed.seconds.append(now - pressed)
        if not self._pressed:
            self._answer.set()
