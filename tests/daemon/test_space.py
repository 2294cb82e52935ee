"""Room on the disk: the ballast is real, and given up once."""

import os
import stat

import pytest

from daemon.space import DiskSpace, Endless
from tests.tmpfs import tmpfs

KIB = 1 << 10


@pytest.fixture
def disk(tmp_path):
    with tmpfs(tmp_path / "disk", 1024 * KIB) as at:
        yield at, DiskSpace(at, ballast=256 * KIB, reserve=64 * KIB)


def fill(at, leaving):
    """Fill the disk with something else, up to so many bytes."""
    with (at / "other").open("ab") as other:
        os.posix_fallocate(other.fileno(), 0, os.fstat(other.fileno()).st_size or 1)
        space = os.statvfs(at)
        free = space.f_bavail * space.f_frsize - leaving
        os.posix_fallocate(other.fileno(), os.fstat(other.fileno()).st_size, free)


def test_the_ballast_takes_the_room_it_promises(disk):
    at, space = disk
    before = space.free()

    assert space.hold()

    assert before - space.free() >= 256 * KIB
    assert stat.S_IMODE((at / "ballast").stat().st_mode) == 0o600
    assert space.hold()


def test_given_up_it_makes_room_and_is_gone(disk):
    at, space = disk
    space.hold()
    fill(at, leaving=0)
    assert "needed" in space.tight()

    assert space.release()

    assert space.tight() == ""
    assert space.free() >= 256 * KIB
    assert not space.release()


def test_it_is_kept_again_only_when_there_is_ample_room(disk):
    at, space = disk
    fill(at, leaving=350 * KIB)

    assert not space.hold()
    assert not (at / "ballast").exists()

    (at / "other").unlink()
    assert space.hold()


def test_a_ballast_that_is_there_says_nothing_of_the_room_beside_it(disk):
    at, space = disk
    space.hold()
    fill(at, leaving=10 * KIB)

    assert not space.hold()


def test_room_that_goes_while_it_is_taken_leaves_no_stump(disk):
    at, _ = disk

    class Hopeful(DiskSpace):
        def free(self):
            return 1 << 40

    space = Hopeful(at, ballast=2048 * KIB, reserve=64 * KIB)

    assert not space.hold()
    assert not (at / "ballast").exists()


def test_tight_says_how_much_and_where(disk):
    at, space = disk
    fill(at, leaving=8 * KIB)

    assert space.tight() == f"8,192 bytes are free in {at}, and 65,536 are needed"


def test_a_ballast_must_be_worth_more_than_the_reserve(tmp_path):
    with pytest.raises(ValueError, match="must leave more than the reserve"):
        DiskSpace(tmp_path, ballast=64 * KIB, reserve=64 * KIB)


def test_memory_is_never_full():
    space = Endless()

    assert (space.tight(), space.hold(), space.release()) == ("", True, False)
