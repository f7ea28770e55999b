"""Ask a server with nothing but the generated stubs: python examples/ask.py [HOST:PORT [CA.pem]].

With the file of an authority it speaks TLS. A token may be in WORDGATE_TOKEN.
"""

import os
import sys
from pathlib import Path

import grpc

from wordgate.api.v1.prediction_pb2 import PredictRequest, SuggestionOptions
from wordgate.api.v1.prediction_pb2_grpc import PredictionServiceStub
from wordgate.api.v1.scoring_pb2 import Candidate, ScoreRequest
from wordgate.api.v1.scoring_pb2_grpc import ScoringServiceStub


def connect(address: str = "127.0.0.1:50051", ca: str | None = None) -> grpc.Channel:
    """A channel in plain text, or with TLS."""
    if ca is None:
        return grpc.insecure_channel(address)
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(Path(ca).read_bytes()))


token = os.environ.get("WORDGATE_TOKEN")
headers = (("authorization", f"Bearer {token}"),) if token else ()

with connect(*sys.argv[1:]) as channel:
    asked = PredictRequest(
        history="the clouds are in the", options=SuggestionOptions(max_suggestions=3)
    )
    found = PredictionServiceStub(channel).Predict(asked, timeout=10, metadata=headers)
    for suggestion in found.suggestions:
        print(f"{suggestion.probability:8.4f}  {suggestion.text}")

    heard = [Candidate(text="recognise speech"), Candidate(text="wreck a nice beach")]
    request = ScoreRequest(candidates=heard)
    scored = ScoringServiceStub(channel).Score(request, timeout=10, metadata=headers)
    for candidate in scored.candidates:
        print(f"{candidate.log_prob:8.2f}  {candidate.text}")
