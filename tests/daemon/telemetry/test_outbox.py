from hypothesis import given
from hypothesis import strategies as st

from daemon.telemetry.outbox import DISPENSABLE, Item, Outbox


def item(kind, name=""):
    return Item(kind, name, bytes)


def emptied(box):
    """Return the topics in the order in which they would be sent."""
    topics = []
    while (one := box.first()) is not None:
        topics.append(one.topic)
        box.sent(one)
    return topics


def test_messages_go_out_in_the_order_they_came():
    box = Outbox()
    for n, kind in enumerate(("event", "status", "alert", "event", "chain")):
        box.put(item(kind, f"{n}"))

    assert emptied(box) == ["0", "1", "2", "3", "4"]


def test_without_room_the_oldest_status_goes_first_and_is_counted():
    box = Outbox(room=3)
    for n, kind in enumerate(("event", "status", "status", "alert", "event")):
        box.put(item(kind, f"{n}"))

    assert box.dropped == {"status": 2}
    assert emptied(box) == ["0", "3", "4"]


def test_what_was_dropped_while_it_was_being_sent_takes_nothing_else_with_it():
    box = Outbox(room=1)
    box.put(item("status", "old"))
    sending = box.first()
    box.put(item("status", "new"))
    box.sent(sending)

    assert emptied(box) == ["new"]


@given(st.lists(st.sampled_from(DISPENSABLE)), st.integers(1, 5))
def test_it_never_holds_more_and_loses_nothing_uncounted(kinds, room):
    box = Outbox(room)
    for kind in kinds:
        box.put(item(kind))
        assert len(box) <= room

    assert len(box) + box.dropped.total() == len(kinds)
    alerts = kinds.count("alert")
    assert alerts - box.dropped["alert"] == min(alerts, room)
