"""The limits are those that Interactive Brokers publishes of questions about the past."""

from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.feeds.ib.pacing import Pacer


def asked(pacer, questions, now=0.0):
    """Ask each as soon as it may be, and return when they were."""
    times = []
    for contract, what in questions:
        now += pacer.wait(contract, what, now)
        pacer.asked(contract, what, now)
        times.append(now)
    return times


def test_the_first_questions_wait_for_nothing():
    assert asked(Pacer(), [(n, "4 Y") for n in range(30)]) == [0.0] * 30


def test_the_very_same_question_waits_for_more_than_fifteen_seconds():
    pacer = Pacer()
    assert asked(pacer, [(1, "2 D"), (1, "2 D")])[1] > 15
    assert pacer.wait(2, "2 D", 0.0) == 0.0


def test_after_a_refusal_nothing_is_asked_for_a_minute():
    pacer = Pacer()
    pacer.refused(100.0)
    assert pacer.wait(1, "2 D", 101.0) == 59.0


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from(["2 D", "3 D", "4 Y"])), max_size=150))
def test_no_limit_is_ever_passed(questions):
    times = asked(Pacer(), questions)
    told = list(zip(times, questions, strict=True))
    for at, question in told:
        before = [(t, q) for t, q in told if at - 600 < t <= at]
        assert len(before) <= 60
        assert sum(q == question and t > at - 15 for t, q in before) == 1
        assert sum(q[0] == question[0] and t > at - 2 for t, q in before) < 6
