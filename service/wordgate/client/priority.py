"""Priority of a client's requests. Users import `wordgate.client`."""

from enum import Enum

from wordgate.api.v1 import priority_pb2


class Priority(Enum):
    """Scheduling priority of requests, with the names of the protocol.

    REALTIME: a user or a program waits for each response. BATCH: requests may queue for seconds and
    use only spare capacity, so send many at once.
    """

    REALTIME = priority_pb2.PRIORITY_REALTIME
    BATCH = priority_pb2.PRIORITY_BATCH
