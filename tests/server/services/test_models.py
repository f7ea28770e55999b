"""ModelService, health and reflection on a real server."""

from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from tests.server.requests import health_stub, refusal

from wordgate.api.v1 import model_version_pb2, models_pb2
from wordgate.api.v1.models_pb2 import GetModelRequest, ListModelsRequest
from wordgate.api.v1.models_pb2_grpc import ModelServiceStub
from wordgate.protocol.limits import Limits

SERVICES = (
    "wordgate.v1.ModelService",
    "wordgate.v1.PredictionService",
    "wordgate.v1.ScoringService",
)


@pytest.fixture
def stub(channel: grpc.Channel) -> ModelServiceStub:
    """A stub of the shared server."""
    return ModelServiceStub(channel)


def test_served_models_are_listed(stub: ModelServiceStub, bundle: Path) -> None:
    """The only model is listed with its sizes, language, figures and manifest checksum."""
    [model] = stub.ListModels(ListModelsRequest()).models
    assert (model.version.name, model.version.version) == ("tiny", "1")
    assert model.version.precision == model_version_pb2.PRECISION_INT8
    assert model.is_default
    assert model.digest == sha256((bundle / "bundle.json").read_bytes()).hexdigest()
    assert (model.layers, model.width) == (2, 32)
    assert model.language == "en"
    assert dict(model.figures) == {"word_perplexity": 1000.0}


@pytest.mark.parametrize("name", ["", "tiny", "tiny@1"])
def test_a_model_is_found_by_its_names(stub: ModelServiceStub, name: str) -> None:
    """No name, the name, and name with version all find the only model."""
    found = stub.GetModel(GetModelRequest(model=name))
    assert found.model == stub.ListModels(ListModelsRequest()).models[0]


def test_unknown_models_are_not_found(stub: ModelServiceStub) -> None:
    """An unknown version is NOT_FOUND."""
    error = refusal(lambda: stub.GetModel(GetModelRequest(model="tiny@2")))
    assert error.code() is grpc.StatusCode.NOT_FOUND


def test_the_limits_are_returned(stub: ModelServiceStub) -> None:
    """Exactly the limits in the docs are returned, with the server's values."""
    server = stub.GetModel(GetModelRequest()).server
    names = {field.name for field in models_pb2.Limits.DESCRIPTOR.fields}
    assert {name: getattr(server.limits, name) for name in names} == asdict(Limits())
    assert server.device == "cpu"
    assert server.onnxruntime_version
    assert server.version


@pytest.mark.parametrize("service", ["", *SERVICES])
def test_health_is_serving(channel: grpc.Channel, service: str) -> None:
    """The standard health service knows the server as a whole and each service."""
    answer = health_stub(channel).Check(HealthCheckRequest(service=service))
    assert answer.status == HealthCheckResponse.SERVING


def test_health_of_an_unknown_service_is_not_found(channel: grpc.Channel) -> None:
    """A service that does not exist has no health status."""
    error = refusal(lambda: health_stub(channel).Check(HealthCheckRequest(service="nobody")))
    assert error.code() is grpc.StatusCode.NOT_FOUND


def test_reflection_describes_the_services(channel: grpc.Channel) -> None:
    """A client without the proto files can read the whole protocol from the server."""
    database = ProtoReflectionDescriptorDatabase(channel)
    assert {*SERVICES, "grpc.health.v1.Health"} <= set(database.get_services())
    found = DescriptorPool(database).FindServiceByName("wordgate.v1.PredictionService")
    assert [method.name for method in found.methods][:2] == ["Predict", "StreamPredict"]
