"""The report as a file one can send: whole, closed, safe, and the same every time."""

import re
from html.parser import HTMLParser

import msgspec
import pytest
from msgspec.structs import replace

from control.plots.report_plots import PLOTS
from control.report_html import html, used
from state.event import EvolutionStarted, GenerationBred, Halted
from state.evolution_answers import verdicts
from state.outlook import Outlook
from state.period import Period
from state.regimes import believed
from state.report import report
from state.report_markdown import markdown
from state.rolling import Rolled
from tests.state.story import AT_MONDAY, MONDAY, STORY, TUESDAY, WEDNESDAY, recorded
from tests.state.test_promoting import COURSE, STARTED, after, ended

INDEX = {MONDAY: 100.0, TUESDAY: 101.0, WEDNESDAY: 103.02}
VOID = {"meta", "br", "hr", "img", "input", "link", "use"}


def told(events=STORY):
    made = report(recorded(events), Period(), INDEX, "S&P 500")
    calm = Outlook(0.5, 0.3, 0.2, 0.6, 0.4, 1.2, 1.5, 0, 0, "m")
    bred = after(STARTED, ended(passes=False))
    return replace(
        made,
        beliefs=believed([(at, calm) for at, _ in made.drawdown]),
        evolution=verdicts(bred.evolution),
        convergence=made.convergence or ((0, 0.1), (1, 0.2)),
        rolling=tuple(Rolled(at, 0.2, 1.1, 0.4) for at, _ in made.drawdown),
    )


@pytest.fixture(scope="module")
def page():
    return html(told())


class Reader(HTMLParser):
    """What a browser sees: tags that close, ids, and text."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.text, self.tags = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(page):
    reader = Reader()
    reader.feed(page)
    reader.close()
    return reader


def test_the_page_is_well_formed(page):
    reader = read(page)

    assert reader.open == []
    assert len(reader.ids) == len(set(reader.ids))


def test_it_loads_nothing_and_may_not(page):
    reader = read(page)
    links = [
        value
        for _, attrs in reader.tags
        for name, value in attrs.items()
        if name in ("src", "href", "xlink:href", "action")
    ]

    assert all(link.startswith("#") for link in links)
    assert not re.search(r"url\((?!#)", page)
    assert "default-src 'none'" in page
    assert "<script" not in page


def test_every_plot_has_a_caption_and_is_read_aloud(page):
    labels = [attrs.get("aria-label") for tag, attrs in read(page).tags if tag == "svg"]

    assert labels == [label for label, _ in PLOTS.values()]


def test_every_table_has_a_caption_and_row_headings(page):
    tags = [tag for tag, _ in read(page).tags]
    scopes = [attrs.get("scope") for tag, attrs in read(page).tags if tag == "th"]

    assert tags.count("caption") == tags.count("table") > 8
    assert all(scopes)


def test_every_table_scrolls_by_itself_on_a_phone(page):
    assert page.count("<table") == page.count('<div class="wide"><table') > 3


def test_figures_are_those_of_the_markdown(page):
    text = " ".join(read(page).text)
    cells = re.findall(r"\| ([^|]+?) (?=\|)", markdown(told()))
    shown = [cell for cell in cells if re.search(r"\d", cell) and "\\" not in cell]

    assert len(shown) > 60
    assert [cell for cell in shown if cell not in text] == []


def test_what_people_wrote_is_only_text():
    page = html(told([*STORY, Halted("account", "<script>x</script>", "MANUAL", "a&b", AT_MONDAY)]))

    assert "<script>" not in page
    assert "&lt;script&gt;x&lt;/script&gt;" in page


def test_nothing_yet_is_a_page_too():
    empty = html(report([], Period()))

    assert read(empty).open == []
    assert "no session closed in this period" in empty


def test_regenerating_gives_identical_bytes(page):
    assert html(told()) == page


def test_thirty_three_years_stay_under_a_megabyte():
    years = 8_313
    whole = told()
    long = replace(
        whole,
        equity=whole.equity[:1] * years,
        drawdown=whole.drawdown[:1] * years,
        monthly=tuple((f"{1990 + n // 12}-{n % 12 + 1:02}", 0.01) for n in range(396)),
    )

    assert len(html(long)) < 1_000_000
    assert len(msgspec.json.encode(long)) < 1 << 20


@pytest.mark.parametrize(
    ("most", "limit", "share"), [(0.5, 1.0, 0.5), (2.0, 1.0, 1.0), (0.0, 0.0, 0.0), (0.1, 0.0, 1.0)]
)
def test_a_limit_of_nothing_is_used_up_by_anything(most, limit, share):
    assert used(most, limit) == share


def test_it_tells_what_evolution_bred_and_why_the_gate_refused_it():
    text = " ".join(read(html(told())).text)

    assert "5eed5eed5eed5eed" in text
    assert "refused" in text
    assert "holdout" in text
    assert "holdout" in markdown(told())
    assert "gamma" in text
    assert "-0.42" in text
    assert "band" not in text
    assert "gamma" in markdown(told())


def test_it_draws_how_the_newest_run_came_along():
    bred = [
        GenerationBred("r2", stage, n, 96, 1.0, {"return for risk": n / 10}, 0, AT_MONDAY)
        for stage, n in (("perception", 9), ("money", 0), ("money", 1), ("money", 1), ("done", 2))
    ]
    older = GenerationBred("r1", "money", 7, 96, 1.0, {"return for risk": 3.0}, 0, AT_MONDAY)
    events = [EvolutionStarted(run, COURSE, "ann", AT_MONDAY) for run in ("r1", "r2")]
    one = told([*STORY[:2], *events, older, *bred, *STORY[2:]])

    assert one.convergence == ((0, 0.0), (1, 0.1), (2, 0.2))
    assert "generation by generation" in html(one)
    assert "generation by generation" not in html(replace(one, convergence=()))


def test_evolution_is_the_same_when_it_came_over_the_wire():
    plain = msgspec.json.decode(msgspec.json.encode(told().evolution))

    assert html(replace(told(), evolution=plain)) == html(told())
