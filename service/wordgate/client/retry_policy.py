"""gRPC service config of the clients: retries and load balancing over replicas.

The JSON file works with gRPC clients in every language.
"""

from importlib.resources import files

SERVICE_CONFIG = files("wordgate.client").joinpath("service_config.json").read_text("utf-8")
"""Service config (JSON). Responses depend only on their requests, so any replica may serve a retry.

UNAVAILABLE means that a replica is gone or draining. CANCELLED, unless the client cancelled, means
that a replica stopped just as the call arrived. Round robin is for addresses that resolve to
several replicas (`dns:///wordgate:50051`). gRPC retries a stream only until its first response; if
a session ends later, the caller opens another.
"""
