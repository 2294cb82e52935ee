"""Whatever comes from outside is read or refused: nothing else, for any bytes."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.run import SHORT
from tests.fuzz.targets import CORPUS, TARGETS, corpus

KEPT = [
    pytest.param(name, file, id=f"{name}-{file.name}") for name in TARGETS for file in corpus(name)
]
SECONDS = 8  # of coverage-guided fuzzing per target on every run: a minute; an hour by hand


def test_a_minute_of_it_runs_each_time_and_begins_alike():
    assert SECONDS * len(TARGETS) >= 60
    assert SECONDS < SHORT


def test_each_target_has_a_corpus_and_each_corpus_a_target():
    assert {folder.name for folder in CORPUS.iterdir()} == TARGETS.keys()
    assert all(corpus(name) for name in TARGETS)


@pytest.mark.parametrize(("name", "file"), KEPT)
def test_what_was_kept_breaks_nothing(name, file):
    TARGETS[name](file.read_bytes())


@st.composite
def mutated(draw, seeds):
    """A kept input with a piece cut out, put in, doubled or replaced."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 40)))
        odd = st.sampled_from([b"", b"NaN", b"1e999999", b"-1", b"\xff", b"[" * 5000, b'"', b"{}"])
        piece = draw(st.one_of(odd, st.binary(max_size=8), st.just(data[start:end] * 2)))
        data = data[:start] + piece + data[end:]
    return data


@pytest.mark.parametrize("name", TARGETS)
def test_nearly_right_inputs_break_nothing(name):
    seeds = [file.read_bytes() for file in corpus(name)]

    @settings(max_examples=60, deadline=None)
    @given(mutated(seeds))
    def try_one(data):
        TARGETS[name](data)

    try_one()


@pytest.mark.timeout(60 + SECONDS)
@pytest.mark.parametrize("name", TARGETS)
def test_inputs_that_reach_new_code_break_nothing(name, tmp_path):
    """atheris has wheels for Linux on x86-64 alone."""
    pytest.importorskip("atheris")
    command = [sys.executable, "-m", "tests.fuzz.run", "--one", name, str(SECONDS), tmp_path]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert "Done " in ran.stderr
