"""Years of running, at night: what bench/years.py measures has to hold."""

import pytest

from bench.years import five


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_five_years_of_daily_resets(monkeypatch, tmp_path):
    """Memory flat, no halt, a recovery after every reset, the journal sound."""
    monkeypatch.chdir(tmp_path)
    assert five()
