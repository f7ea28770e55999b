"""Streaming text generation.

Each word is computed only after the previous one has been sent, so that the client's reading speed
limits the work.
"""

from collections.abc import AsyncGenerator
from operator import attrgetter

from wordgate.api.v1.prediction_pb2 import StreamGenerateRequest, StreamGenerateResponse
from wordgate.decoding.generation import GenerationState
from wordgate.engine.job import Priority
from wordgate.engine.results import GenerationResult
from wordgate.errors import Unavailable
from wordgate.protocol.generation import decode_generate_request, encode_generated_word
from wordgate.protocol.status import DRAINING
from wordgate.server.services.context import Deadline, ServingContext


async def generated(
    serving: ServingContext, request: StreamGenerateRequest, call: Deadline
) -> AsyncGenerator[StreamGenerateResponse, None]:
    """Generate words one at a time, all with the same model.

    Raises `InvalidInput` and `ModelNotFound` before any work is done. When the server drains,
    raises `Unavailable` after the word in progress.
    """
    model = serving.model(request.model)
    task = model.begin_text(decode_generate_request(request, serving.limits))
    state: GenerationState | None = await serving.start(model, task, Priority.NORMAL, call)
    while state is not None:
        if serving.draining.is_set():
            raise Unavailable(DRAINING)
        seed = state.seed
        written = await serving.start(
            model,
            model.next_word(state),
            Priority.NORMAL,
            call,
            admitted=True,
            expansions_of=attrgetter("word.expansions"),
        )
        yield encode_generated_word(GenerationResult(written.word, seed, model.name))
        state = written.state
