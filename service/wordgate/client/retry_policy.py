"""How a client spreads its calls over replicas, and asks again where one was UNAVAILABLE.

Knows where gRPC's service config lies, which clients of all languages can be given; what it says is
read by gRPC itself.
"""

from importlib.resources import files

SERVICE_CONFIG = files("wordgate.client").joinpath("service_config.json").read_text("utf-8")
"""Every answer is a function of its request, so any replica may be asked again.

UNAVAILABLE is a replica that is gone or drains; CANCELLED, where the client did not cancel, is one
that stopped just when the call came. Round robin is for addresses that name many replicas
(`dns:///wordgate:50051`). A stream is repeated until its first answer has come: a session that ends
later is opened again by its owner.
"""
