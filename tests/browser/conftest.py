"""Debian's own Chromium, headless, and a daemon to look at."""

import shutil

import msgspec
import pytest
from playwright.sync_api import sync_playwright

from tests.tmd import CONFIGURATION, Tmd

# Prices jump on the third session: without cash kept back a rebalance before it ends as partial.
SEEN = (
    CONFIGURATION.format(pace=4).replace("1990", "2019")
    + '[execution]\ncash_reserve = 0.1\n[telemetry]\nhttp = "127.0.0.1:0"\n'
)


@pytest.fixture(scope="module")
def chromium():
    """A browser, gone before other tests want a loop of their own; skipped where there is none."""
    binary = shutil.which("chromium")
    if binary is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def daemon(tmp_path):
    """A daemon that trades on paper, with its page on a free port."""
    with Tmd(tmp_path / "tmd", SEEN) as tmd:
        yield tmd.start().ready()


def url(tmd):
    """Where a daemon's page is, by its own log."""
    lines = [msgspec.json.decode(line) for line in tmd.said().splitlines()]
    return [line["url"] for line in lines if line["event"] == "page"][-1]
