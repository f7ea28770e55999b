"""Typed clients for a Wordgate server: `Client` blocks, `AsyncClient` is for asyncio.

They return the same types as a model in this process. Errors from the server are raised as the
matching class from `wordgate.errors`; `InvalidInput` names the field.

    with Client("127.0.0.1:50051") as client:
        for suggestion in client.predict("the clouds are in the").suggestions:
            print(suggestion.text, suggestion.probability)

Every request can raise these errors; a future holds them as its exception:

    InvalidInput      `field` is invalid; the field `request` means that the message is too large
    ModelNotFound     the server does not serve `model`; `served` lists what it serves
    Overloaded        the server is overloaded; retry after `retry_after_seconds`
    DeadlineExceeded  no answer within `timeout_seconds`
    Unauthenticated   the server requires a bearer token; it is missing or unknown
    Unavailable       the address is unreachable, or the server is shutting down
    Cancelled         the client was closed before the answer arrived
    WordgateError     any other gRPC status

Arguments of the wrong type, such as a str in place of a list of texts, raise `TypeError` at once.

The connection is unencrypted unless `tls` is given. `token` authenticates the client:

    Client("words.example.org:443", tls=Tls(), token=os.environ["WORDGATE_TOKEN"])
"""

from wordgate.client.aio import AsyncClient
from wordgate.client.priority import Priority
from wordgate.client.sync import Client

__all__ = ["AsyncClient", "Client", "Priority"]
