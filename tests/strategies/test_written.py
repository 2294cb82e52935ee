"""The strategy that docs/strategies.md writes is one: its files are taken from the page and run."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from control.protocol import Portfolio
from state.command import Rebalance
from state.configuration import decode
from strategies.plugin import StrategyUnusable, adopted
from tests.tmd import ROOT, Tmd

PAGE = (ROOT / "docs/strategies.md").read_text()
FILES = dict(re.findall(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a folder with the files of the page, from which they can be imported."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in ("strongest", "test_strongest"):
        sys.modules.pop(name, None)


def test_the_page_has_a_package_a_module_its_tests_and_a_configuration():
    assert set(FILES) == {"pyproject.toml", "strongest.py", "test_strongest.py", "config.toml"}


def test_the_tests_of_the_page_pass(package):
    import test_strongest as theirs  # type: ignore[import-not-found]

    tests = [getattr(theirs, name) for name in dir(theirs) if name.startswith("test_")]
    assert len(tests) == 4
    for test in tests:
        test()


def test_it_is_taken_as_a_strategy_with_the_parameters_of_the_page(package):
    import strongest  # type: ignore[import-not-found]

    settings = decode(FILES["config.toml"], "docs/strategies.md", {}).settings
    one = adopted("strongest", strongest, settings.strategy.parameters)
    closes = np.linspace(1.0, 1.0 + np.arange(6) / 10, 300)

    assert one.parameters == {"count": 4.0, "skip": 21.0}
    assert one.weights(closes, np.zeros(6)).tolist() == [0, 0, 0.25, 0.25, 0.25, 0.25]
    with pytest.raises(StrategyUnusable, match="count = 90"):
        adopted("strongest", strongest, {"count": 90.0})


@pytest.mark.nightly  # a pip install and a daemon: 10 s
@pytest.mark.timeout(180)
def test_installed_as_the_page_says_it_trades(package, tmp_path):
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--no-build-isolation", "--target", str(site), str(package)], check=True)
    daemon = Tmd(
        tmp_path / "run", FILES["config.toml"] + "[replay]\nstart = 2020-01-02\npace = 5\n"
    )
    with daemon.start(under=("env", f"PYTHONPATH={site}")).ready():
        reply = daemon.ask(Rebalance(), key="first", wait=60.0)
        held = daemon.ask(Portfolio()).data["positions"]

    assert reply.ok, reply
    assert 1 <= len(held) <= 4
