"""The RPC methods of the protocol, from their descriptors."""

from collections.abc import Iterator
from typing import Any

from wordgate.api.v1 import models_pb2, prediction_pb2, scoring_pb2


def methods() -> Iterator[tuple[str, Any]]:
    """Yield the path on the wire and the descriptor of each method."""
    for file in (models_pb2, prediction_pb2, scoring_pb2):
        for service in file.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                yield f"/{service.full_name}/{method.name}", method
