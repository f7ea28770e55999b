"""Collect the handlers of servicers as gRPC's generated code registers them."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import grpc

from wordgate.api.v1 import models_pb2, prediction_pb2, scoring_pb2

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

SERVICE_FILES = (models_pb2.DESCRIPTOR, prediction_pb2.DESCRIPTOR, scoring_pb2.DESCRIPTOR)
"""Protocol files that declare the services."""


class Handlers:
    """Takes the place of a gRPC server in the generated functions `add_…Servicer_to_server`.

    `by_path` has each handler under its path, such as /wordgate.v1.PredictionService/Predict.
    """

    def __init__(self) -> None:
        self.by_path: dict[str, Handler] = {}

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: Mapping[str, Handler]
    ) -> None:
        """Add the methods of a service."""
        for name, handler in method_handlers.items():
            self.by_path[f"/{service_name}/{name}"] = handler

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Sequence[Any]) -> None:
        """Do nothing: these are the same methods, for older versions of grpc."""
