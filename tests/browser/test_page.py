"""The operator page in a real browser: content, live update, disconnection, and nothing else."""

import re
import signal
from decimal import Decimal as D

import pytest
from playwright.sync_api import expect

from control.protocol import Portfolio
from state.command import Halt, Rebalance
from tests.browser.conftest import url
from tests.control.samples import BELIEF, RUN, plain

PATIENCE = 20_000  # ms
EVIL = "<img src=x onerror=alert(1)>"


class Looked:
    """A page, and all that the browser complained of or asked for."""

    def __init__(self, page, address):
        self.page, self.address = page, address
        self.complaints, self.requests = [], []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(address)
        expect(page.locator("#clock")).to_contain_text("Market clock", timeout=PATIENCE)

    def text(self, selector):
        return self.page.locator(selector).inner_text()


@pytest.fixture
def look(chromium, daemon):
    context = chromium.new_context()
    yield lambda **how: Looked(
        (chromium.new_context(**how) if how else context).new_page(), url(daemon)
    )
    context.close()


def test_the_page_shows_what_tm_says_and_follows_it(daemon, look):
    seen = look()
    assert daemon.ask(Rebalance(), key="one", wait=30).ok
    expect(seen.page.locator("#positions")).not_to_contain_text("nothing", timeout=PATIENCE)
    held = {p["symbol"]: D(p["quantity"]) for p in daemon.ask(Portfolio()).data["positions"]}

    rows = seen.page.locator("#positions tbody tr").all()
    shown = {
        row.locator("th").inner_text(): D(row.locator("td").first.inner_text().replace(",", ""))
        for row in rows
    }
    assert shown == held
    clock = seen.text("#clock")
    expect(seen.page.locator("#clock")).not_to_have_text(clock, timeout=PATIENCE)  # bars go on
    assert "filled" in seen.text("#orders")
    assert "max_drawdown" in seen.text("#limits")
    assert "bars_closed" in seen.text("#records")
    expect(seen.page.locator("#curve polyline")).to_have_count(1, timeout=PATIENCE)
    assert seen.complaints == []
    assert {re.sub(r"(//[^/]+/).*", r"\1", u) for u in seen.requests} <= {seen.address, "data:,"}


def test_a_halt_is_shown_at_once_and_what_people_write_is_text(daemon, look):
    seen = look()
    assert daemon.ask(Halt(EVIL), key="stop").ok

    expect(seen.page.locator("#halt")).to_be_visible(timeout=PATIENCE)
    assert EVIL in seen.text("#halt")
    assert seen.page.locator("img").count() == 0
    assert "HALTED" in seen.page.title()
    assert seen.complaints == []


def test_a_daemon_that_is_gone_is_said_to_be_and_comes_back(daemon, look):
    seen = look()
    expect(seen.page.locator("#lost")).to_be_hidden()
    port = seen.address.rstrip("/").rpartition(":")[2]
    daemon.kill()
    expect(seen.page.locator("#lost")).to_be_visible(timeout=PATIENCE)
    assert "Disconnected" in seen.text("#lost")

    daemon.file.write_text(daemon.file.read_text().replace("127.0.0.1:0", f"127.0.0.1:{port}"))
    daemon.start().ready()
    expect(seen.page.locator("#lost")).to_be_hidden(timeout=PATIENCE)


def test_a_daemon_that_says_nothing_any_more_is_noticed(daemon, look):
    seen = look()
    seen.page.clock.install()
    expect(seen.page.locator("#clock")).to_contain_text("Market clock", timeout=PATIENCE)
    daemon.process.send_signal(signal.SIGSTOP)  # connected, and silent
    try:
        seen.page.evaluate("heard = Date.now()")
        seen.page.clock.run_for(11_000)
        expect(seen.page.locator("#lost")).to_be_hidden()
        seen.page.clock.run_for(5_000)
        expect(seen.page.locator("#lost")).to_be_visible(timeout=PATIENCE)
        assert "Nothing was heard" in seen.text("#lost")
    finally:
        daemon.process.send_signal(signal.SIGCONT)
    expect(seen.page.locator("#lost")).to_be_hidden(timeout=PATIENCE)


def test_the_browser_lets_nothing_in_but_the_pages_own_two_files(look):
    seen = look()
    refused = seen.page.evaluate(TRIED)

    assert set(refused) == {
        *("script-src-elem", "script-src-attr", "style-src-elem", "style-src-attr", "img-src"),
        *("connect-src", "frame-src", "font-src", "form-action", "base-uri", "object-src"),
    }
    assert seen.page.evaluate("window.ran") is None


TRIED = """async () => {
  const refused = [];
  addEventListener("securitypolicyviolation", (e) => refused.push(e.effectiveDirective));
  const put = (name, attributes, text) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text) made.textContent = text;
    document.body.append(made);
    return made;
  };
  put("script", {}, "window.ran = 1");
  put("script", { src: "https://example.invalid/x.js" });
  put("p", { onclick: "window.ran = 1" }).click();
  put("style", {}, "body { display: none }");
  put("p", { style: "color: red" });
  put("img", { src: "https://example.invalid/x.png" });
  put("iframe", { src: "https://example.invalid/" });
  put("object", { data: "https://example.invalid/x" });
  put("base", { href: "https://example.invalid/" });
  put("form", { action: "https://example.invalid/", method: "post" }).submit();
  await new FontFace("x", "url(https://example.invalid/x.woff2)").load().catch(() => 0);
  await fetch("https://example.invalid/").catch(() => 0);
  await new Promise((done) => setTimeout(done, 500));
  return refused;
}"""


def test_today_and_everything_are_two_plots(look):
    seen = look()
    everything, today = seen.page.evaluate(PLOTTED)

    assert everything == ["From 10.00 to 30.00; lowest 10.00, highest 30.00.", 3]
    assert today == ["From 30.00 to 29.00; lowest 29.00, highest 30.00.", 2]


PLOTTED = """() => {
  curve = { at: ["2019-01-02", "2019-01-03", "2019-01-04"], equity: [10, 20, 30] };
  view.today = [["2019-01-04T15:00:00Z", 30], ["2019-01-04T16:00:00Z", 29]];
  return ["all", "today"].map((which) => {
    document.getElementById(which).click();
    const points = document.querySelector("#curve polyline").getAttribute("points").split(" ");
    return [document.getElementById("curve-said").textContent, points.length];
  });
}"""


def test_what_is_read_aloud_is_said_once(daemon, look):
    seen = look()
    seen.page.evaluate(LISTENED)
    clock = seen.text("#clock")
    expect(seen.page.locator("#clock")).not_to_have_text(clock, timeout=PATIENCE)

    assert seen.page.evaluate("said") == []  # the clock went on, and nobody was told
    assert daemon.ask(Halt("drill"), key="stop").ok
    expect(seen.page.locator("#halt")).to_be_visible(timeout=PATIENCE)
    later = seen.text("#clock")
    expect(seen.page.locator("#clock")).not_to_have_text(later, timeout=PATIENCE)
    heard = seen.page.evaluate("said")
    assert len([one for one in heard if "drill" in one]) == 1


LISTENED = """() => {
  window.said = [];
  for (const live of document.querySelectorAll("[role=status],[role=alert],[aria-live]"))
    new MutationObserver(() => said.push(live.textContent))
      .observe(live, { childList: true, characterData: true, subtree: true });
}"""


def test_beliefs_and_jobs_are_shown_where_there_are_some(daemon, look):
    seen = look()
    assert seen.page.locator("#beliefs-part").is_hidden()
    assert seen.page.locator("#jobs-part").is_hidden()
    added = {"beliefs": plain(BELIEF), "jobs": [RUN | {"status": "running", "generation": 1}]}
    told, jobs, run, said = seen.page.evaluate(SHOWN, [added, {"at": "x", "orders": [[1], [2]]}])

    assert "KO" in told
    assert "95.00 %" in told
    assert "run1" in jobs
    assert "1 of 3" in jobs
    assert run == pytest.approx(1 / 3)
    assert said == "orders (2)"  # and not their JSON
    assert seen.complaints == []


SHOWN = """([added, record]) => {
  Object.assign(view, added);
  show();  // and looked at before the next view comes
  return [document.querySelector("#beliefs").innerText, document.querySelector("#jobs").innerText,
    document.querySelector("#jobs progress").value, said(record)];
}"""


@pytest.mark.parametrize(
    "how",
    [{"viewport": {"width": 390, "height": 844}, "is_mobile": True}, {"color_scheme": "dark"}],
    ids=["phone", "dark"],
)
def test_it_fits_a_phone_and_the_dark(look, how):
    seen = look(**how)
    wide = seen.page.evaluate("document.documentElement.scrollWidth")

    assert wide <= seen.page.viewport_size["width"]
    assert seen.complaints == []


def test_it_works_by_keyboard_and_is_named_for_screen_readers(look):
    seen = look()
    seen.page.keyboard.press("Tab")
    assert seen.page.evaluate("document.activeElement.className") == "skip"
    seen.page.locator("#today").focus()
    seen.page.keyboard.press("Enter")
    assert seen.page.locator("#today").get_attribute("aria-pressed") == "true"

    unnamed = seen.page.evaluate(
        """[...document.querySelectorAll("svg[role=img],meter,button,[role=region]")].filter((e) =>
            !e.getAttribute("aria-label") && !e.getAttribute("aria-labelledby") && !e.innerText
        ).length"""
    )
    captions = seen.page.evaluate(
        """[...document.querySelectorAll("table:not(:empty)")].every((t) => t.caption)"""
    )
    assert unnamed == 0
    assert captions
    ratio = seen.page.evaluate(CONTRAST)
    assert ratio >= 4.5  # WCAG 2.2, 1.4.3


CONTRAST = """(() => {
  const rgb = (c) => c.match(/[0-9.]+/g).slice(0, 3).map(Number);
  const light = (c) => { const [r, g, b] = rgb(c).map((v) => {
    v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const back = light(getComputedStyle(document.body).backgroundColor);
  return Math.min(...[...document.querySelectorAll("p,th,td,dt,dd,figcaption,h2")].filter(
    (e) => e.innerText).map((e) => {
      const front = light(getComputedStyle(e).color);
      return (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05); }));
})()"""
