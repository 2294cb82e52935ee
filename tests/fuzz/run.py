"""Fuzz one target, guided by coverage, or all of them in turn.

    python -m tests.fuzz.run TARGET|all [SECONDS]      SECONDS each, else 60

What it learns is kept in .cache/fuzz; what breaks a target is written beside it as TARGET-crash-…:
mend it, and put that file into tests/fuzz/corpus/TARGET, where every run of the tests tries it
again. An hour in all: `python -m tests.fuzz.run all 450`. The runs of the tests are short, begin
with tests/fuzz/corpus alone, and keep nothing.
"""

import subprocess
import sys
from pathlib import Path

SHORT = 10  # seconds
KEPT = Path(".cache/fuzz")


def fuzz(name: str, seconds: int, kept: Path) -> None:
    """Fuzz in this process, which ends with it."""
    import atheris

    with atheris.instrument_imports(include=["control", "daemon", "state"]):
        from tests.fuzz.targets import CORPUS, TARGETS, corpus

    for file in corpus(name):
        TARGETS[name](file.read_bytes())  # what is made once is made before anything is timed
    kept.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={seconds}", "-rss_limit_mb=2048", "-timeout=10", "-max_len=65536"]
    options.append(f"-artifact_prefix={kept.parent}/{name}-")
    if seconds < SHORT:
        options.append("-seed=1")  # the same inputs each time, as far as the time goes
    atheris.Setup([sys.argv[0], *options, str(kept), str(CORPUS / name)], TARGETS[name])
    atheris.Fuzz()


def main(name: str, seconds: int) -> int:
    """Fuzz each target in a process of its own; return how many broke."""
    from tests.fuzz.targets import TARGETS

    broken = 0
    for one in TARGETS if name == "all" else [name]:
        print(f"fuzzing {one} for {seconds} s", flush=True)
        command = [sys.executable, "-m", "tests.fuzz.run", "--one", one, str(seconds)]
        broken += subprocess.run(command, check=False).returncode != 0
    return broken


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        fuzz(sys.argv[2], int(sys.argv[3]), Path(*sys.argv[4:] or [KEPT]) / sys.argv[2])
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 60))
