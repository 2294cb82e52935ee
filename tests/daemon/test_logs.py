"""daemon/logs.py: one JSON object a line, with what the event is about."""

import json
import logging

from daemon.logs import JsonLines


def line(event, extra=None, exc_info=None):
    record = logging.getLogger("daemon.engine").makeRecord(
        "daemon.engine", logging.WARNING, "file", 1, event, (), exc_info, extra=extra
    )
    return JsonLines().format(record)


def test_a_line_says_when_what_and_about_whom():
    said = json.loads(line("denied", {"principal": "ann", "op": "halt", "order_id": "R.0"}))
    assert said.pop("at").endswith("+00:00")
    assert said == {
        "level": "warning",
        "logger": "daemon.engine",
        "event": "denied",
        "principal": "ann",
        "op": "halt",
        "order_id": "R.0",
    }


def test_a_failure_is_still_one_line():
    failure = ValueError("two\nlines")
    said = line("failed", exc_info=(ValueError, failure, None))
    assert "\n" not in said
    assert "two\nlines" in json.loads(said)["exception"]


def test_what_json_does_not_know_is_written_as_text():
    assert json.loads(line("odd", {"detail": ValueError("why")}))["detail"] == "why"
