"""The requests of a hostile or careless client, for `wordgate bench isolation`.

`LEGAL` has the most expensive requests within the limits, per method. `REJECTED` has requests that
are rejected after as much work as possible. `OUTCOMES` has a request of about 1 MB per possible
outcome of a call.
"""

from collections.abc import Mapping

from wordgate.api.v1 import models_pb2
from wordgate.bench.isolation.explanation_loads import EXPLAINING
from wordgate.bench.isolation.load import GET_MODEL, LIST_MODELS, Load, Made
from wordgate.bench.isolation.prediction_loads import PREDICTION
from wordgate.bench.isolation.rejected_loads import OUTCOMES, REJECTED
from wordgate.bench.isolation.scoring_loads import SCORING

LEGAL: Mapping[str, Made] = {
    **SCORING,
    **PREDICTION,
    **EXPLAINING,
    "list_models": lambda _: Load(LIST_MODELS, (b"",)),
    "get_model": lambda _: Load(GET_MODEL, (models_pb2.GetModelRequest().SerializeToString(),)),
}

GROUPS: Mapping[str, Mapping[str, Made]] = {
    "outcomes": OUTCOMES,
    "legal": LEGAL,
    "rejected": REJECTED,
}
"""Loads by group and name."""
