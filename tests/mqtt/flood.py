"""A flood of quotes, published for little: what is measured is who reads it, not who writes it.

`python -m tests.mqtt.flood PORT RATE SECONDS [PREFIX]` publishes RATE quotes a second of 1,000
symbols, evenly, until then or until it is asked to end; it says when it begins, and how many there
were. MQTT 3.1.1 by hand: a client library costs as much a message as the reader does, and on two
cores it would be the publisher that is in the way.
"""

import signal
import socket
import sys
import time
from datetime import UTC, datetime

SYMBOLS = [f"S{n:03d}" for n in range(1000)]
TURN = 0.002  # seconds between looks at what is due
CONNECT = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x00\x00\x05flood"
CONNACK = b"\x20\x02\x00\x00"
DISCONNECT = b"\xe0\x00"


def packet(topic: bytes, payload: bytes) -> bytes:
    """A PUBLISH of quality of service 0."""
    size = 2 + len(topic) + len(payload)
    length = bytes([size]) if size < 128 else bytes([size % 128 | 128, size // 128])
    return b"\x30" + length + len(topic).to_bytes(2, "big") + topic + payload


def quote(n: int, at: str, prefix: str) -> bytes:
    """The n-th quote: of another symbol than the one before, and of another price."""
    price = 50 + n % 7 / 100
    body = f'{{"at":"{at}","bid":{price:.2f},"ask":{price + 0.02:.2f},"last":{price + 0.01:.2f}}}'
    return packet(f"{prefix}/md/quote/{SYMBOLS[n % 1000]}".encode(), body.encode())


def publish(port: int, rate: float, seconds: float, prefix: str = "tm") -> int:
    """Publish; return how many quotes the broker has been given."""
    with socket.create_connection(("127.0.0.1", port)) as broker:
        broker.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        broker.sendall(CONNECT)
        assert broker.recv(4) == CONNACK
        over: list[int] = []
        signal.signal(signal.SIGTERM, lambda number, frame: over.append(number))
        print("flowing", flush=True)
        began, n = time.monotonic(), 0
        while (passed := time.monotonic() - began) < seconds and not over:
            due = int(passed * rate)
            if n < due:
                at = datetime.now(UTC).isoformat()
                broker.sendall(b"".join(quote(k, at, prefix) for k in range(n, due)))
                n = due
            time.sleep(TURN)
        broker.sendall(DISCONNECT)
        while broker.recv(1):
            pass
        return n


if __name__ == "__main__":
    print(publish(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), *sys.argv[4:5]))
