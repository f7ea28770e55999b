"""A typed client of a Wordgate server: `Client` blocks, `AsyncClient` is for asyncio.

Knows the protocol and answers the same values as a model in this process. What the server refuses
comes back as the error of `wordgate.errors` that it was: `InvalidInput` names the field.

    with Client("127.0.0.1:50051") as client:
        for suggestion in client.predict("the clouds are in the").suggestions:
            print(suggestion.text, suggestion.probability)

Every request may raise these; a future has them as its error:

    InvalidInput      `field` cannot be used; `request`: the message is too large
    ModelNotFound     the server does not serve `model`; `served` is what it does
    Overloaded        too much at once; ask again after `retry_after_seconds`
    DeadlineExceeded  no answer within `timeout_seconds`
    Unauthenticated   the server wants a token, and there is none or one that it does not know
    Unavailable       nobody answers at the address, or the server is going down
    Cancelled         the client was closed before the answer came
    WordgateError     any other status of gRPC

A `TypeError` is raised at once for arguments of another type: a str where a list of texts belongs.

The connection is plain text unless `tls` says how it is not; `token` makes the caller known:

    Client("words.example.org:443", tls=Tls(), token=os.environ["WORDGATE_TOKEN"])
"""

from wordgate.client.aio import AsyncClient
from wordgate.client.sync import Client

__all__ = ["AsyncClient", "Client"]
