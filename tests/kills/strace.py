"""What a process does to its files, by strace: to be seen, and to be made to fail."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

CALLS = "trace=write,pwrite64,fsync,fdatasync,ftruncate,unlink"
SEEN = ("--seccomp-bpf", "-y", "-xx", "-s", str(1 << 20), "-e")
CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+)")
BROKEN_OFF, RESUMED = "<unfinished ...>", re.compile(r"\d+ +<\.\.\. \w+ resumed>")
PATH = re.compile(r"\d+<([^>]*)>")
TEXT = re.compile(r'"([^"]*)"')
SECTOR = 512  # bytes: what a disk writes whole or not at all


class Did(NamedTuple):
    """One thing done: write, truncate, sync, delete a file, or ack (a line on stdout)."""

    what: str
    file: str = ""
    at: int = 0
    data: bytes = b""


def strace(
    *arguments: object, program: list[object], under: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a Python program, `under` another one if so asked; skips where it can't be traced."""
    for tool in ("strace", *under[:1]):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed (Debian: apt-get install {tool})")
    command = ["strace", "-f", *arguments, *under, sys.executable, *program]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if "Operation not permitted" in done.stderr:
        pytest.skip(f"tracing is not allowed here: {done.stderr.strip()}")
    return done


def traced(trace: Path, program: list[object], under: tuple[str, ...] = ()) -> list[Did]:
    """Run a program to its end and return what it did to its files, in order."""
    done = strace(*SEEN, CALLS, "-o", trace, program=program, under=under)
    assert done.returncode == 0, done.stderr
    return seen_in(trace)


def seen_in(trace: Path, files: tuple[str, ...] = ("journal.db",)) -> list[Did]:
    """Return what a trace saw done to some files, and acknowledged, in order."""
    with trace.open() as lines:
        return [did for line in ended(lines) for did in deeds(line, files)]


def ended(lines: Iterable[str]) -> Iterator[str]:
    """Yield each call of a trace where it ended; another thread may have come between."""
    begun: dict[str, str] = {}
    for line in lines:
        pid = line.partition(" ")[0]
        if line.rstrip().endswith(BROKEN_OFF):
            begun[pid] = line.rpartition(BROKEN_OFF)[0]
        elif resumed := RESUMED.match(line):
            yield begun.pop(pid) + line[resumed.end() :]
        else:
            yield line


def deeds(line: str, files: tuple[str, ...]) -> Iterator[Did]:
    """Yield what one line of a trace says was done, if it concerns the files or a reply."""
    call = CALL.search(line)
    if call is None or int(call[3]) < 0:
        return
    name, arguments = call[1], call[2]
    texts = [unescaped(text) for text in TEXT.findall(arguments)]
    if name == "unlink":
        yield Did("delete", Path(texts[0].decode()).name)
        return
    on = PATH.match(arguments)
    if name == "write":
        if arguments.startswith("1<") and texts[0].startswith(b"ack"):
            yield Did("ack", data=texts[0])
        return
    if name == "sendto":
        yield Did("ack", data=texts[-1][: int(call[3])])
        return
    file = Path(unescaped(on[1]).decode()).name if on else ""
    if not file.startswith(files) or file.endswith("-shm"):
        return  # the log's index is memory: it is made anew from the log
    numbers = arguments.rsplit(", ", 1)
    if name == "pwrite64":
        yield Did("write", file, int(numbers[1]), texts[0][: int(call[3])])
    elif name == "ftruncate":
        yield Did("truncate", file, int(numbers[1]))
    else:
        yield Did("sync", file)


def unescaped(text: str) -> bytes:
    """Return the bytes of strace's all-hexadecimal text."""
    return bytes.fromhex(text.replace("\\x", ""))


def after_power_loss(
    before: dict[str, bytes], done: list[Did], chance: Random
) -> tuple[dict[str, bytes], list[bytes]]:
    """Return the files a disk may hold when the power goes after `done`, and what was acked.

    What was synced is there. Of the rest, file by file, nothing may be, or all, or any part in any
    order, the last of it torn at a sector.
    """
    files = {name: bytearray(data) for name, data in before.items()}
    pending: dict[str, list[Did]] = {}
    acked = []
    for did in done:
        if did.what == "ack":
            acked.append(did.data)
        elif did.what == "delete":
            files.pop(did.file, None)
            pending.pop(did.file, None)
        elif did.what == "sync":
            for waiting in pending.pop(did.file, []):
                reach(files, waiting)
        else:
            pending.setdefault(did.file, []).append(did)
    for waiting in pending.values():
        fate = chance.random()
        for did in waiting:
            if fate < 0.3 or (fate < 0.85 and chance.random() < 0.5):
                continue
            torn = did.what == "write" and fate < 0.85 and chance.random() < 0.3
            whole = len(did.data) // 2 // SECTOR * SECTOR if torn else len(did.data)
            reach(files, did._replace(data=did.data[:whole]))
    return {name: bytes(data) for name, data in files.items()}, acked


def reach(files: dict[str, bytearray], did: Did) -> None:
    """Let one write or truncation reach the disk."""
    data = files.setdefault(did.file, bytearray())
    if did.what == "truncate":
        del data[did.at :]
        data.extend(bytes(did.at - len(data)))
        return
    data.extend(bytes(max(0, did.at + len(did.data) - len(data))))
    data[did.at : did.at + len(did.data)] = did.data
