"""Deciding limits: tighter ones on request, wider ones when somebody answers for them."""

from typing import Any, Final

from msgspec.structs import replace

from state.command import ChangeLimits
from state.denial import Code
from state.event import LimitsChanged
from state.given import ConfigurationInvalid, Given, checked
from state.limits_in_force import NAMES, tight
from state.unfolding import Unfolding

PERMISSIONS: Final = frozenset({"margin", "allow_short"})  # the broker is opened with them


class LimitRefused(Exception):
    """A text sets no limit; the message says why, `hint` what to do."""

    def __init__(self, why: str, hint: str) -> None:
        super().__init__(why)
        self.hint = hint


def parsed(change: str) -> tuple[str, Any]:
    """Return the name and value in "NAME=VALUE"; raise LimitRefused."""
    name, equals, text = (part.strip() for part in change.partition("="))
    name = name.removeprefix("risk.")
    if name not in NAMES or not equals:
        raise LimitRefused(f"{change!r} sets no limit", f"say NAME=VALUE; {', '.join(NAMES)}")
    try:
        return name, checked(Given(("risk", name), text, "limits", text=True))
    except ConfigurationInvalid as e:
        raise LimitRefused(e.problems[0].what, "see `tm limits show`") from None


def change_limits(course: Unfolding, command: ChangeLimits) -> None:
    """Set limits: tighter ones on request, wider ones in the name of who answers for them."""
    if course.now.start is None:
        course.deny(
            Code.LIMIT_INVALID,
            "nothing was ever started, so there is no limit to set",
            hint="start tmd once; then tm limits",
        )
        return
    before = course.now.start.limits
    try:
        wanted = dict(parsed(change) for change in command.changes)
    except LimitRefused as e:
        course.deny(Code.LIMIT_INVALID, str(e), hint=e.hint)
        return
    changed = {name: value for name, value in wanted.items() if value != getattr(before, name)}
    if not changed:
        course.skip("LIMITS_UNCHANGED", "the limits are so already")
        return
    wider = [name for name in changed if not tight(name, changed[name], getattr(before, name))]
    if fixed := sorted(PERMISSIONS.intersection(wider)):
        course.deny(
            Code.LIMIT_INVALID,
            f"{', '.join(fixed)} can only be taken away while running",
            hint="set it in the configuration, and start the daemon again",
        )
        return
    if wider and not command.accept_risk.strip():
        was = "; ".join(f"{n} from {getattr(before, n)} to {changed[n]}" for n in wider)
        course.deny(
            Code.LIMIT_LOOSENED,
            f"this widens {was}, and nobody's name is on it",
            hint="an admin may, with --accept-risk NAME",
        )
        return
    actor = f"{course.actor} ({command.accept_risk})" if command.accept_risk else course.actor
    course.note(
        LimitsChanged(
            tuple(f"{name}: {getattr(before, name)} -> {changed[name]}" for name in changed),
            tuple(changed),
            replace(before, **changed),
            command.reason,
            actor,
            course.moment.at,
        )
    )
