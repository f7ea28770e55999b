"""Limits of HTTP connections."""

from wordgate.server.http.connections import Connections


class Noted:
    """A connection that notes that it was closed."""

    def __init__(self) -> None:
        self.is_closed = False

    def abort(self) -> None:
        """Note it."""
        self.is_closed = True


def test_the_longest_idle_connection_makes_room() -> None:
    """A new connection takes the place of the one that has been idle for longest."""
    connections, (one, two, three) = Connections(2), (Noted(), Noted(), Noted())
    assert connections.admit(one)
    assert connections.admit(two)
    connections.busy(one)
    connections.idle(one)
    assert connections.admit(three)
    assert [each.is_closed for each in (one, two, three)] == [False, True, False]


def test_requests_in_progress_are_not_closed() -> None:
    """If all connections are busy, the new one is refused."""
    connections, (one, two) = Connections(1), (Noted(), Noted())
    assert connections.admit(one)
    connections.busy(one)
    assert not connections.admit(two)
    connections.remove(one)
    assert connections.admit(two)
    assert not one.is_closed
