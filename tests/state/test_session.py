"""A trading day with two closes in it is one session."""

from datetime import UTC, date, datetime
from decimal import Decimal as D

import pytest
from msgspec.structs import replace

from state.session import Session, joined

DAY = date(2022, 12, 28)
NOON = Session(
    DAY,
    datetime(2022, 12, 28, 17, tzinfo=UTC),
    D(110),
    growth=1.1,
    traded=0.2,
    gross=0.9,
    net=-0.5,
    heaviest="KO",
    weight=-0.4,
)
EVENING = Session(
    DAY,
    datetime(2022, 12, 28, 21, tzinfo=UTC),
    D(121),
    growth=1.2,
    traded=0.1,
    gross=0.7,
    net=0.3,
    heaviest="XOM",
    weight=0.2,
)


def test_the_later_close_stands_and_the_extremes_of_both():
    assert joined(NOON, EVENING) == Session(
        DAY,
        EVENING.at,
        D(121),
        pytest.approx(1.32),
        "",
        pytest.approx(0.3),
        0.9,
        -0.5,
        "KO",
        -0.4,
    )


@pytest.mark.parametrize(
    ("early", "late", "growth"), [(None, 1.2, 1.2), (1.1, None, 1.1), (None, None, None)]
)
def test_a_close_without_money_adds_no_growth(early, late, growth):
    assert joined(replace(NOON, growth=early), replace(EVENING, growth=late)).growth == growth


@pytest.mark.parametrize("which", ["early", "late"])
def test_what_one_close_cannot_say_the_session_cannot(which):
    vague = {"growth": None, "undefined": "no price", "traded": None}
    pair = {"early": NOON, "late": EVENING}
    pair[which] = replace(pair[which], **vague)
    session = joined(**pair)

    assert (session.growth, session.undefined, session.traded) == (None, "no price", None)
