"""Streams in memory: bytes in order after a while, connections that break, and who listens."""

import asyncio
from asyncio import StreamReader, StreamReaderProtocol, StreamWriter

from daemon.principal import Principal, own_uid
from tests.simulation.loop import CURRENT

ANN = Principal(own_uid(), 1000, "ann")


class Transport(asyncio.Transport):
    """One end of a connection."""

    def __init__(self, loop, chance, protocol):
        super().__init__()
        self._loop, self._chance, self.protocol = loop, chance, protocol
        self.other = None
        self.process = CURRENT.get()
        self.context = loop.outside if self.process is None else self.process.context
        self.gone = self._closing = False
        self._last = 0.0  # when what was written last arrives

    def get_extra_info(self, name, default=None):
        return default

    def set_write_buffer_limits(self, high=None, low=None):
        """Nothing waits here."""

    def get_write_buffer_size(self):
        return 0

    def is_closing(self):
        return self._closing

    def is_reading(self):
        return True

    def pause_reading(self):
        """The reader's buffer takes whatever comes."""

    resume_reading = pause_reading

    def write(self, data):
        if not self._closing and data:
            self._arrive(self.other.receive, bytes(data))

    def close(self):
        if not self._closing:
            self._closing = True
            self._arrive(self.other.hung_up)
            self._lose(None)

    def abort(self):
        if not self._closing:
            self._closing = True
            self._arrive(self.other.broken)
            self._lose(None)

    def receive(self, data):
        """Bytes come in."""
        if not self.gone:
            self.protocol.data_received(data)

    def hung_up(self):
        """The other end closed."""
        if not self.gone and self.protocol.eof_received() is False:
            self.close()

    def broken(self):
        """The connection is reset."""
        if not self.gone:
            self._closing = True
            self._lose(ConnectionResetError("reset by peer"))

    def _arrive(self, what, *args):
        """Let something reach the other end, after all that was sent before it."""
        chance = self._chance
        self._last = max(self._last, self._loop.now + chance.between(0.0001, 0.003))
        if chance.fault(self.breaks):
            self._loop.call_at(self._last, self.other.broken, context=self.other.context)
            self._loop.call_at(self._last, self.broken, context=self.context)
            return
        self._loop.call_at(self._last, what, *args, context=self.other.context)

    breaks = 0.0

    def _lose(self, error):
        if not self.gone:
            self.gone = True
            self._loop.call_soon(self.protocol.connection_lost, error, context=self.context)


def end(loop, chance):
    """Return one end: a reader, a writer, and the transport between."""
    reader = StreamReader(loop=loop)
    protocol = StreamReaderProtocol(reader, loop=loop)
    transport = Transport(loop, chance, protocol)
    protocol.connection_made(transport)
    return reader, StreamWriter(transport, protocol, reader, loop), transport


class Network:
    """Where the daemon listens, if it does."""

    def __init__(self, loop, chance):
        self._loop, self._chance = loop, chance
        self._accept = self._process = None
        self.breaks = 0.0

    def listen(self, accept, process):
        """Let a process take connections, until it is killed."""
        self._accept, self._process = accept, process

    def unlisten(self, process):
        if self._process is process:
            self._accept = self._process = None

    async def connect(self):
        """Return (reader, writer) of a new connection; ConnectionRefusedError when nobody is."""
        await asyncio.sleep(self._chance.between(0.0001, 0.002))
        process, accept = self._process, self._accept
        if accept is None or process.dead:
            raise ConnectionRefusedError("nobody listens")
        reader, writer, mine = end(self._loop, self._chance)
        theirs_reader, theirs_writer, theirs = process.context.run(end, self._loop, self._chance)
        mine.other, theirs.other = theirs, mine
        mine.breaks = theirs.breaks = self.breaks
        process.at_death.append(lambda: theirs.gone or reset(theirs))
        self._loop.call_soon(accept, theirs_reader, theirs_writer, context=process.context)
        return reader, writer


def reset(theirs):
    """The kernel closes what a killed process had open."""
    theirs.gone = theirs._closing = True
    theirs._loop.call_soon(theirs.other.broken, context=theirs.other.context)
