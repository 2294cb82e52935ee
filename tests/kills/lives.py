"""Lives of the daemon to be ended at will: forked from a warm process, or of the program itself."""

import asyncio
import sys

from tests.tmd import ROOT, Tmd


class Forked:
    """Lives forked from a warm process: several kills a second."""

    def __init__(self, tmd: Tmd):
        self._tmd = tmd
        self.pid = 0

    async def __aenter__(self):
        self._tmd.prepare()
        with self._tmd.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.kills.forking"),
                *(self._tmd.file, self._tmd.state, self._tmd.socket),
                env=self._tmd.environment | {"PYTHONPATH": str(ROOT)},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        return self

    async def __aexit__(self, failed, *_):
        if failed:
            self._process.kill()  # its child goes with it
        self._process.stdin.close()
        await self._process.wait()

    async def begin(self):
        """Start a life."""
        self._process.stdin.write(b"\n")
        self.pid = int(await self._process.stdout.readline())

    async def ended(self):
        """Return the exit code of the life that ended."""
        return int(await self._process.stdout.readline())


class Executed:
    """Lives of the installed program."""

    def __init__(self, tmd: Tmd):
        self._tmd = tmd
        self.pid = 0

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        self._tmd.__exit__()

    async def begin(self):
        """Start a life."""
        self._tmd.start()
        self.pid = self._tmd.process.pid

    async def ended(self):
        """Return the exit code of the life that ended."""
        return await asyncio.to_thread(self._tmd.process.wait)
