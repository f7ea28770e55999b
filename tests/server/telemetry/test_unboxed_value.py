"""Metric values that are stored in place."""

import threading

from prometheus_client import CollectorRegistry, Counter, Histogram

from wordgate.server.telemetry.unboxed_value import UnboxedValue, use_unboxed_values


def _value() -> UnboxedValue:
    return UnboxedValue("counter", "calls", "calls_total", (), (), "")


def test_a_value_is_added_to_and_replaced() -> None:
    """It begins at 0."""
    value = _value()
    assert value.get() == 0
    value.inc(2)
    value.inc(0.5)
    assert value.get() == 2.5
    value.set(7)
    assert value.get() == 7


def test_no_addition_is_lost() -> None:
    """Four threads add 10,000 ones each."""
    value = _value()

    def add() -> None:
        for _ in range(10_000):
            value.inc(1)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert value.get() == 40_000


def test_a_changed_value_is_no_new_object() -> None:
    """A float object would keep its block of the heap."""
    value = _value()
    before = {name: id(each) for name, each in vars(value).items()}
    value.inc(1.5)
    value.set(2.5)
    assert {name: id(each) for name, each in vars(value).items()} == before


def test_metrics_declared_afterwards_use_such_values() -> None:
    """The sum, the buckets and the count of a histogram are as expected."""
    use_unboxed_values()
    registry = CollectorRegistry()
    calls = Counter("calls", "Calls.", registry=registry)
    seconds = Histogram("seconds", "Duration.", buckets=(1, 2), registry=registry)
    assert {type(each) for each in (calls._value, seconds._sum, *seconds._buckets)} == {
        UnboxedValue
    }
    calls.inc(3)
    for each in (0.5, 1.5, 4):
        seconds.observe(each)
    assert registry.get_sample_value("calls_total") == 3
    assert registry.get_sample_value("seconds_sum") == 6
    assert [registry.get_sample_value("seconds_bucket", {"le": le}) for le in ("1.0", "2.0")] == [
        1,
        2,
    ]
    assert registry.get_sample_value("seconds_count") == 3
