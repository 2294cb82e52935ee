"""Times and lengths of time, as the command line spells them."""

from datetime import UTC, datetime

import typer


def moment(text: str | None) -> datetime | None:
    """Return an ISO 8601 time in UTC, which is also meant where no zone is named; None for none."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no ISO 8601 time, like 2022-12-28T21:00Z") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def zoned(text: str) -> datetime:
    """Return an ISO 8601 time in UTC; one without a zone could mean two, so it is refused."""
    found = moment(text)
    assert found is not None
    if datetime.fromisoformat(text).tzinfo is None:
        raise typer.BadParameter(f"{text!r} names no time zone: end it with Z, or an offset")
    return found


def seconds(text: str) -> float:
    """Return a length of time, like "90s" or "15m", in seconds."""
    from state.duration import NotADuration, duration

    try:
        return duration(text).total_seconds()
    except NotADuration as e:
        raise typer.BadParameter(str(e)) from None
