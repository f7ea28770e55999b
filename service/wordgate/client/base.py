"""The connection of both clients: address, credentials, defaults of requests, stubs."""

from abc import ABC, abstractmethod
from typing import Any

from wordgate.api.v1 import models_pb2_grpc, prediction_pb2_grpc, scoring_pb2_grpc
from wordgate.api.v1.priority_pb2 import PRIORITY_BATCH, PRIORITY_UNSPECIFIED, Priority
from wordgate.client.diagnosis import Diagnosis
from wordgate.client.tls import DEFAULT_TIMEOUT_SECONDS, Tls, check_server, metadata_of
from wordgate.text.normalization import require_unicode


class ClientBase(ABC):
    """A connection to a server. Subclasses open its channel."""

    def __init__(
        self,
        address: str,
        *,
        model: str = "",
        timeout_seconds: float | None = DEFAULT_TIMEOUT_SECONDS,
        tls: Tls | None = None,
        token: str | None = None,
        batch: bool = False,
    ) -> None:
        """Create a client. The channel connects lazily: an unreachable address fails later.

        `address` is HOST:PORT, unix:PATH or a gRPC target such as dns:///wordgate:50051. `model`
        is `NAME` or `NAME@VERSION`; an empty name selects the server's default model.
        `timeout_seconds` is the deadline of each request; None means no deadline. `tls` enables
        TLS; without it, `token` (a bearer token) is sent unencrypted. `batch` gives requests batch
        priority: they may queue for seconds and use only spare capacity, so send many at once.
        Raises `InvalidInput` for an invalid address or token and for a model name that is not
        valid Unicode, `InvalidFile` for an unusable file in `tls`.
        """
        check_server(address)
        self._address = address
        self._diagnosis = Diagnosis(address, tls)
        require_unicode(model, "model")
        self._model = model
        self._priority: Priority.ValueType = PRIORITY_BATCH if batch else PRIORITY_UNSPECIFIED
        self._timeout = timeout_seconds
        self._metadata = metadata_of(token)
        self._channel = self._open(address, tls)
        self._prediction = prediction_pb2_grpc.PredictionServiceStub(self._channel)
        self._scoring = scoring_pb2_grpc.ScoringServiceStub(self._channel)
        self._models = models_pb2_grpc.ModelServiceStub(self._channel)

    @abstractmethod
    def _open(self, address: str, tls: Tls | None) -> Any:
        """Open the channel."""
