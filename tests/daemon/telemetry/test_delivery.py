"""daemon/telemetry/delivery.py: what is taken, what is tried again, what is dropped."""

import asyncio
import json
import sys
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from daemon.telemetry.delivery import TRIES, Delivery, NotDelivered, command
from daemon.telemetry.web import web
from state.alert import Alert, AlertKind

AT = datetime(2026, 1, 5, 12, tzinfo=UTC)
ALERT = Alert("raised", "warning", AlertKind.HALTED, "account", "halted", AT, AT)


class Instant:
    """A clock on which waiting takes no time."""

    def __init__(self):
        self.slept = []

    async def sleep(self, seconds):
        self.slept.append(seconds)
        await asyncio.sleep(0)


async def delivered(delivery):
    """Run a delivery until nothing waits."""
    task = asyncio.create_task(delivery.run())
    async with asyncio.timeout(30):
        await delivery.flushed()
    task.cancel()


class Threads:
    """A pool of threads."""

    async def run(self, work, *args, **kwargs):
        return await asyncio.to_thread(work, *args, **kwargs)


async def test_an_alert_is_tried_again_and_then_given_up():
    async def never(content):
        raise NotDelivered("no")

    clock = Instant()
    delivery = Delivery("test", never, clock)
    delivery.put(ALERT)
    await delivered(delivery)
    assert delivery.counted == {"failed": TRIES, "given_up": 1}
    assert clock.slept == [2.0, 4.0, 8.0, 16.0]


async def test_the_oldest_goes_where_there_is_no_room():
    got = []

    async def way(content):
        got.append(json.loads(content)["subject"])

    delivery = Delivery("test", way, Instant(), room=2)
    for name in ("one", "two", "three"):
        delivery.put(Alert("raised", "warning", AlertKind.HALTED, name, "halted", AT, AT))
    await delivered(delivery)
    assert got == ["two", "three"]
    assert delivery.counted["dropped"] == 1


async def test_a_command_is_given_the_alert_and_its_page(tmp_path):
    file = tmp_path / "got.json"
    save = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read())"
    delivery = Delivery("command", command([sys.executable, "-c", save, str(file)]), Instant())
    delivery.put(ALERT)
    await delivered(delivery)
    assert delivery.counted == {"delivered": 1}
    told = json.loads(file.read_text())
    assert (told["kind"], told["turn"]) == ("HALTED", "raised")
    assert told["runbook"] == "docs/runbook/halted.md"


async def test_a_command_that_hangs_is_ended():
    hang = [sys.executable, "-c", "import signal; signal.pause()"]
    with pytest.raises(NotDelivered, match="took more than"):
        await command(hang, timeout=0.2)(b"{}")


async def test_a_command_that_fails_or_is_not_there_is_not_delivered():
    with pytest.raises(NotDelivered, match="ended with 3"):
        await command([sys.executable, "-c", "raise SystemExit(3)"])(b"{}")
    with pytest.raises(NotDelivered, match="can't be run"):
        await command(["/no/such/command"])(b"{}")


class Hook(BaseHTTPRequestHandler):
    """Answers with the code that the path names; "/hang" waits for the test to end."""

    def do_POST(self):
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, content))
        if len(self.server.got) == 2:
            self.server.both.set()
        if self.path == "/hang":
            self.server.ended.wait(60)
            return
        self.send_response(int(self.path[1:]))
        self.send_header("Location", "/200")
        self.end_headers()

    def log_message(self, *words):
        pass


@pytest.fixture
def server():
    one = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    one.daemon_threads = True
    one.got, one.ended, one.both = [], threading.Event(), threading.Event()
    one.url = f"http://127.0.0.1:{one.server_port}"
    threading.Thread(target=one.serve_forever, daemon=True).start()
    yield one
    one.ended.set()
    one.shutdown()
    one.server_close()


async def test_a_webhook_takes_it(server):
    await web(f"{server.url}/200", Threads())(b'{"a": 1}')
    assert server.got == [("/200", b'{"a": 1}')]


@pytest.mark.parametrize("code", [302, 307, 404, 500])
async def test_whatever_else_it_answers_is_not_delivered_and_no_redirect_is_followed(server, code):
    with pytest.raises(NotDelivered, match=f"it answered {code}"):
        await web(f"{server.url}/{code}", Threads())(b"{}")
    assert len(server.got) == 1


async def test_a_webhook_that_hangs_keeps_one_thread_and_nobody_waiting(server):
    ask = web(f"{server.url}/hang", Threads(), timeout=0.2)
    with pytest.raises(NotDelivered):
        await ask(b"{}")
    waited = asyncio.create_task(web(f"{server.url}/hang", Threads(), timeout=30)(b"{}"))
    assert await asyncio.to_thread(server.both.wait, 30)  # the loop goes on meanwhile
    assert not waited.done()
    server.ended.set()
    with pytest.raises(NotDelivered):
        await waited


async def test_an_address_where_nobody_is_is_not_repeated():
    with pytest.raises(NotDelivered) as refused:
        await web("http://127.0.0.1:1/token", Threads(), timeout=30)(b"{}")
    assert "token" not in str(refused.value)
