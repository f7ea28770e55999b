"""Call a server with the generated stubs only: python examples/ask.py [HOST:PORT [CA.pem]].

Uses TLS if a CA file is given. An API token may be set in WORDGATE_TOKEN.
"""

import argparse
import os
from pathlib import Path

import grpc

from wordgate.api.v1.prediction_pb2 import PredictRequest, SuggestionOptions
from wordgate.api.v1.prediction_pb2_grpc import PredictionServiceStub
from wordgate.api.v1.scoring_pb2 import Candidate, ScoreRequest
from wordgate.api.v1.scoring_pb2_grpc import ScoringServiceStub


def connect(address: str, ca: Path | None) -> grpc.Channel:
    """Return a channel without TLS, or with TLS if `ca` is given."""
    if ca is None:
        return grpc.insecure_channel(address)
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(ca.read_bytes()))


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("address", metavar="HOST:PORT", nargs="?", default="127.0.0.1:50051")
parser.add_argument("ca", metavar="CA.pem", nargs="?", type=Path)
arguments = parser.parse_args()

token = os.environ.get("WORDGATE_TOKEN")
headers = (("authorization", f"Bearer {token}"),) if token else ()

with connect(arguments.address, arguments.ca) as channel:
    predict = PredictRequest(
        history="the clouds are in the", options=SuggestionOptions(max_suggestions=3)
    )
    predicted = PredictionServiceStub(channel).Predict(predict, timeout=10, metadata=headers)
    for suggestion in predicted.suggestions:
        print(f"{suggestion.probability:8.4f}  {suggestion.text}")

    candidates = [Candidate(text="recognise speech"), Candidate(text="wreck a nice beach")]
    score = ScoreRequest(candidates=candidates)
    scored = ScoringServiceStub(channel).Score(score, timeout=10, metadata=headers)
    for candidate in scored.candidates:
        print(f"{candidate.log_prob:8.2f}  {candidate.text}")
