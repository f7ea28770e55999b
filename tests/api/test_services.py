"""The generated code: what it serves, where it lives, what it needs."""

import importlib
import pickle
import re
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from wordgate import api
from wordgate.api.v1 import models_pb2, prediction_pb2, scoring_pb2

GENERATED = Path(str(api.__file__)).parent / "v1"
SERVICES = {
    "wordgate.v1.ModelService": {
        "ListModels": (False, False),
        "GetModel": (False, False),
        "Explain": (False, False),
    },
    "wordgate.v1.PredictionService": {
        "Predict": (False, False),
        "StreamPredict": (True, True),
        "StreamGenerate": (False, True),
    },
    "wordgate.v1.ScoringService": {
        "Score": (False, False),
        "Rescore": (False, False),
        "StreamRescore": (True, True),
    },
}


def test_services_carry_these_methods() -> None:
    """The services, their methods, and which sides of them stream are those of the contract."""
    files = [module.DESCRIPTOR for module in (models_pb2, prediction_pb2, scoring_pb2)]
    found = {
        service.full_name: {
            method.name: (method.client_streaming, method.server_streaming)
            for method in service.methods
        }
        for file in files
        for service in file.services_by_name.values()
    }
    assert found == SERVICES


@pytest.mark.parametrize("name", ["models", "prediction", "scoring"])
def test_names_on_the_wire_are_those_of_the_proto_files(name: str) -> None:
    """Living in wordgate.api.v1 does not change what reflection shows."""
    descriptor = importlib.import_module(f"wordgate.api.v1.{name}_pb2").DESCRIPTOR
    assert descriptor.name == f"wordgate/v1/{name}.proto"
    assert descriptor.package == "wordgate.v1"


def test_messages_can_be_pickled() -> None:
    """A message knows the module it is imported from, so that it travels between processes."""
    request = prediction_pb2.PredictRequest(
        history="the clouds are in the", options=prediction_pb2.SuggestionOptions(max_suggestions=3)
    )
    assert pickle.loads(pickle.dumps(request)) == request


def test_unset_is_not_false_for_counting_the_end_of_the_text() -> None:
    """A request that does not say whether the end is counted differs from one that says no."""
    assert not scoring_pb2.ScoreRequest().HasField("count_eos")
    assert scoring_pb2.ScoreRequest(count_eos=False).HasField("count_eos")


@pytest.mark.parametrize(
    ("package", "pattern"),
    [
        ("protobuf", r"# Protobuf Python Version: (\S+)"),
        ("grpcio", r"GRPC_GENERATED_VERSION = '([^']+)'"),
    ],
)
def test_required_versions_can_run_the_generated_code(package: str, pattern: str) -> None:
    """Generated code refuses older libraries, so the package must not allow them."""
    sources = "".join(path.read_text("utf-8") for path in sorted(GENERATED.glob("*.py")))
    generated_with = Version(max(re.findall(pattern, sources)))
    requirement = next(r for r in map(Requirement, requires("wordgate") or []) if r.name == package)
    lowest = [Version(s.version) for s in requirement.specifier if s.operator == ">="]
    assert lowest and lowest[0] >= generated_with
