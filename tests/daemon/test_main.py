"""How `tmd` reads its arguments, reloads, and ends."""

import logging
import os

import pytest

from daemon.__main__ import Arguments, End, configured, parsed, reload, run, verdict
from daemon.brokers.paper_book import BookRefused
from daemon.feeds.opening import FeedImpossible
from daemon.feeds.prices import PriceFileInvalid
from daemon.lock import StateHeld
from state.given import ConfigurationInvalid
from state.journal import CommitInDoubt, CorruptJournal
from strategies.plugin import StrategyUnknown


@pytest.mark.parametrize(
    ("failure", "end"),
    [
        pytest.param(FeedImpossible("feed.kind"), End.BAD_CONFIGURATION, id="feed"),
        pytest.param(PriceFileInvalid("f", "empty"), End.BAD_CONFIGURATION, id="price file"),
        pytest.param(StrategyUnknown("?", ()), End.BAD_CONFIGURATION, id="strategy"),
        pytest.param(StateHeld("/s", 1), End.STATE_HELD, id="held"),
        pytest.param(CorruptJournal("j", "bad", 3), End.JOURNAL_UNFIT, id="corrupt"),
        pytest.param(BookRefused("b", "foreign"), End.JOURNAL_UNFIT, id="foreign book"),
        pytest.param(CommitInDoubt("?"), End.COMMIT_IN_DOUBT, id="in doubt"),
        pytest.param(ValueError("a bug"), End.FAILED, id="anything else"),
    ],
)
def test_an_end_has_its_code_and_says_why(failure, end, capsys):
    group = ExceptionGroup("tasks", [ExceptionGroup("inner", [failure])])
    assert verdict(failure) is verdict(group) is end
    if end is not End.FAILED:
        assert capsys.readouterr().err.startswith("error: ")


def test_a_commit_in_doubt_outweighs_what_it_brought_down():
    group = ExceptionGroup("tasks", [ValueError("torn down"), CommitInDoubt("?")])
    assert verdict(group) is End.COMMIT_IN_DOUBT


def test_an_unknown_key_ends_with_7_and_names_the_nearest(tmp_path, capsys):
    file = tmp_path / "c.toml"
    file.write_text("[risk]\nmax_gros = 1.0\n")
    with pytest.raises(SystemExit) as ended:
        run(["--config", str(file)])
    assert ended.value.code == End.BAD_CONFIGURATION
    said = capsys.readouterr().err
    assert f"{file}:2" in said
    assert "max_gross" in said


def test_a_configuration_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ConfigurationInvalid, match="can't be read"):
        configured(parsed(["--config", str(tmp_path / "none.toml")]), {})


def test_without_any_file_the_defaults_hold():
    assert configured(Arguments(None, None, False, False), {"HOME": "/nowhere"}).settings


def test_the_version(capsys):
    with pytest.raises(SystemExit) as ended:
        run(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("tmd ")


class Again:
    """Counts how often roles and certificates were read again."""

    times = 0

    def __call__(self) -> None:
        self.times += 1


class TestReload:
    def configuration(self, tmp_path, text):
        file = tmp_path / "c.toml"
        file.write_text(text)
        return Arguments(str(file), None, False, False)

    @pytest.fixture(autouse=True)
    def quiet(self):
        before = logging.getLogger().level
        yield
        logging.getLogger().setLevel(before)

    def test_the_log_level_changes_at_once_and_the_rest_is_named(self, tmp_path, caplog):
        arguments = self.configuration(tmp_path, "")
        before = configured(arguments, os.environ)
        self.configuration(tmp_path, '[telemetry]\nlog_level = "debug"\n[risk]\nmax_gross = 0.5\n')
        with caplog.at_level(logging.INFO):
            reload(arguments, before, again := Again())
            assert logging.getLogger().level == logging.DEBUG
            assert again.times == 1
        (record,) = [r for r in caplog.records if r.message == "reloaded"]
        assert record.need_a_restart == ["risk.max_gross"]

    def test_a_broken_file_changes_nothing(self, tmp_path, caplog):
        arguments = self.configuration(tmp_path, "")
        before = configured(arguments, os.environ)
        self.configuration(tmp_path, "[risk]\nnonsense = 1\n")
        reload(arguments, before, Again())
        assert "reload_refused" in caplog.text
