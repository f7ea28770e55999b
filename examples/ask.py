"""Ask a server with nothing but the generated stubs: python examples/ask.py [HOST:PORT]."""

import sys

import grpc

from wordgate.api.v1.prediction_pb2 import PredictRequest
from wordgate.api.v1.prediction_pb2_grpc import PredictionServiceStub
from wordgate.api.v1.scoring_pb2 import Candidate, ScoreRequest
from wordgate.api.v1.scoring_pb2_grpc import ScoringServiceStub

with grpc.insecure_channel(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50051") as channel:
    asked = PredictRequest(history="the clouds are in the", max_suggestions=3)
    for suggestion in PredictionServiceStub(channel).Predict(asked, timeout=10).suggestions:
        print(f"{suggestion.probability:8.4f}  {suggestion.text}")

    heard = [Candidate(text="recognise speech"), Candidate(text="wreck a nice beach")]
    scored = ScoringServiceStub(channel).Score(ScoreRequest(candidates=heard), timeout=10)
    for candidate in scored.candidates:
        print(f"{candidate.log_prob:8.2f}  {candidate.text}")
