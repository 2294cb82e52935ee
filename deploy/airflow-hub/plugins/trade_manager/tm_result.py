"""What a `tm` container said. Nothing here imports Airflow, so that it can be used anywhere."""

from __future__ import annotations

import json
import re

SCHEMA = "trade-manager/"
SKIP = 99  # nothing to do: already at target, market closed, too late
# Answers that asking again can't change: usage, not authorised, refused, bad arguments, not found,
# conflict, partial, findings; and a program that is not in the image or can't be run.
PERMANENT = frozenset({2, 4, 6, 7, 8, 9, 11, 12, 126, 127})
STATUS = re.compile(r"'StatusCode': (\d+)")


class NoResult(ValueError):
    """A container's output holds no result of `tm`."""


def result(output):
    """Return the last result in `output`: an XCom value, or the lines or chunks of a log.

    Raises NoResult. Docker providers before 4.5.1 hand over chunks, which may hold several lines.
    """
    for text in reversed(output if isinstance(output, (list, tuple)) else [output]):
        text = text.decode(errors="replace") if isinstance(text, bytes) else str(text or "")
        for line in reversed(text.splitlines()):
            try:
                found = json.loads(line)
            except ValueError:
                continue
            if isinstance(found, dict) and str(found.get("schema", "")).startswith(SCHEMA):
                return found
    raise NoResult(f"no line of {str(output)[-200:]!r} is a result of tm")


def exit_code(message):
    """Return the exit code in the message of a failed DockerOperator, None if it names none."""
    found = STATUS.search(str(message))
    return int(found.group(1)) if found else None


def reason(output, code):
    """Return in one line why `tm` ended with `code`, and what to do."""
    try:
        said = result(output)
    except NoResult:
        return f"tm ended with exit code {code} and no result; see the container's output above"
    error = said.get("error") or {}
    what = error.get("message") or said.get("status") or "no message"
    name = f"{said.get('command', 'tm')}: {error.get('code') or said.get('status')} (exit {code})"
    return f"{name}: {what}" + (f"; {error['hint']}" if error.get("hint") else "")
