"""HTTP as it comes from the network: whole, in pieces, wrong, slow, or too much."""

import asyncio

import pytest

from daemon.page.answer import Answer
from daemon.page.listener import CONNECTIONS, HEADER, http_listener

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def hello(asked):
    if asked.path == "/stream":
        return Answer(kind="text/event-stream", stream=ticks())
    if asked.path == "/bad":
        raise RuntimeError("broken")
    return Answer(body=f"{asked.path} {asked.host}".encode())


async def ticks():
    try:
        while True:
            yield b"x" * 4096
    finally:
        ENDED.set()


ENDED = asyncio.Event()


async def talk(address, data, *, read=True):
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(data)
    try:
        return await reader.read() if read else b""
    finally:
        writer.close()


async def talk_or_nothing(address):
    try:
        return await talk(address, GET)
    except ConnectionError:
        return b""


@pytest.fixture
async def address():
    async with http_listener("127.0.0.1:0", hello, patience=0.5) as bound:
        yield bound


async def test_a_get_is_answered_with_headers_that_keep_a_browser_in(address):
    said = await talk(address, b"GET /a?b=c HTTP/1.1\r\nHost: localhost:1\r\n\r\n")
    head, _, body = said.partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 200")
    assert b"default-src 'none'" in head
    assert body == b"/a localhost:1"


async def test_a_head_has_no_body(address):
    said = await talk(address, GET.replace(b"GET", b"HEAD"))

    assert said.endswith(b"\r\n\r\n")
    assert b"Content-Length: 11" in said


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS"])
async def test_nothing_is_steered_over_http(address, method):
    said = await talk(address, GET.replace(b"GET", method))

    assert said.startswith(b"HTTP/1.1 405")


async def test_a_request_may_come_a_byte_at_a_time(address):
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    for byte in GET:
        writer.write(bytes([byte]))
        await writer.drain()
    assert (await reader.read()).startswith(b"HTTP/1.1 200")
    writer.close()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x00\x01\x02\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * (2 * HEADER) + b"\r\n\r\n", b"431"),
    ],
)
async def test_what_is_no_request_is_refused(address, sent, status):
    assert (await talk(address, sent)).split(b" ")[1] == status


async def test_whoever_says_nothing_is_hung_up_on(address):
    assert await talk(address, b"GET / HT") == b""


async def test_a_reader_who_does_not_read_is_dropped(address):
    host, port = address.split(":")
    _, writer = await asyncio.open_connection(host, int(port), limit=1024)
    writer.write(GET.replace(b"/ ", b"/stream ", 1))  # and this end stops reading soon
    await ENDED.wait()
    writer.close()


async def test_one_too_many_is_hung_up_on_and_the_next_is_served(address):
    host, port = address.split(":")
    idle = [await asyncio.open_connection(host, int(port)) for _ in range(CONNECTIONS)]
    assert await talk_or_nothing(address) == b""
    for _, writer in idle:
        writer.close()
    while not (await talk_or_nothing(address)).startswith(b"HTTP/1.1 200"):
        pass


async def test_a_failure_is_one_connections_own(address, caplog):
    assert await talk(address, GET.replace(b"/ ", b"/bad ", 1)) == b""
    assert (await talk(address, GET)).startswith(b"HTTP/1.1 200")
    assert "page_failed" in caplog.text
