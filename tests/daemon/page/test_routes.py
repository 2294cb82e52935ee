"""What each path says, and to whom."""

import asyncio
import re

import msgspec
import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from daemon.page.answer import Asked
from daemon.page.curve import Curve
from daemon.page.live import Live
from daemon.page.metrics import Metrics, StatusCollector
from daemon.page.routes import Routes
from daemon.page.view import JOBS, TAIL, Viewer, jobs
from daemon.watch import Verdict
from state.evolved import Evolution, Run
from state.snapshot import Halting, Snapshot
from state.status import status
from tests.control.samples import COURSE
from tests.desk import desk
from tests.given import CLOSE
from tests.state.test_blended import blend


@pytest.fixture
async def routes(tmp_path):
    async with desk(tmp_path) as d:
        await d.close(50, 100)
        verdicts = [Verdict("healthy")]
        metrics = Metrics(lambda: status(d.now, d.watch.status_facts()), lambda: verdicts[-1])
        live = Live(Viewer(d.engine, d.store, d.watch, "America/New_York").view, d.clock)
        made = Routes(metrics, lambda: verdicts[-1], live, Curve(d.store).drawn)
        made.verdicts, made.desk = verdicts, d
        yield made


async def get(routes, path, host="localhost:9464", peer="127.0.0.1"):
    return await routes.respond(Asked(path, host, peer))


@pytest.mark.parametrize(
    ("verdict", "alive", "ready"),
    [("healthy", 200, 200), ("not ready", 200, 503), ("unhealthy", 503, 503)],
)
async def test_probes_say_how_the_daemon_is(routes, verdict, alive, ready):
    routes.verdicts.append(Verdict(verdict, ("why not",)))

    assert (await get(routes, "/healthz")).status == alive
    answer = await get(routes, "/readyz")
    assert answer.status == ready
    assert answer.body == f"{verdict}; why not\n".encode()


@pytest.mark.parametrize(
    ("host", "peer", "status"),
    [
        ("localhost:9464", "127.0.0.1", 200),
        ("127.0.0.1", "127.0.0.1", 200),
        ("[::1]:9464", "::1", 200),
        ("127.0.0.1:9464", "10.0.0.7", 403),  # another machine
        ("evil.example:9464", "127.0.0.1", 403),  # a page that points its own name at us
        ("", "127.0.0.1", 403),
    ],
)
async def test_the_page_is_for_this_machine_alone(routes, host, peer, status):
    for path in ("/", "/page.js", "/live", "/curve.json"):
        answer = await get(routes, path, host, peer)
        assert answer.status == status
        if answer.stream is not None:
            await answer.stream.aclose()


async def test_scrapers_may_come_from_elsewhere(routes):
    for path in ("/metrics", "/healthz", "/readyz"):
        assert (await get(routes, path, "tmd:9464", "172.18.0.5")).status == 200


async def test_what_is_not_there_says_what_is(routes):
    answer = await get(routes, "/order")

    assert (answer.status, b"/metrics" in answer.body) == (404, True)


async def test_metrics_follow_the_conventions_and_the_status(routes):
    text = (await get(routes, "/metrics")).body.decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    value = {name: f.samples[0].value for name, f in families.items() if f.samples}

    assert all(name.startswith("tm_") for name in families)
    assert value["tm_equity"] == 100_000.0
    assert value["tm_ready"] == 1.0
    assert value["tm_journal_records"] == routes.desk.engine.head.seq
    assert {s.labels["limit"] for s in families["tm_limit_used_ratio"].samples} > {"max_drawdown"}
    assert sum(len(f.samples) for f in families.values()) < 100


async def test_a_pause_of_the_broker_is_not_ready_but_alive_and_a_metric(routes):
    routes.desk.broker.paused = "the restart, until 04:00 UTC"
    routes.verdicts.append(routes.desk.watch.health())
    told = {path: await get(routes, path) for path in ("/readyz", "/healthz", "/metrics")}

    assert [told[path].status for path in told] == [503, 200, 200]
    assert b"until 04:00 UTC" in told["/readyz"].body
    assert b"tm_broker_paused 1.0" in told["/metrics"].body


async def test_metrics_tell_a_blends_members_and_whose_halt_is_whose(routes):
    halts = {
        scope: Halting(scope, "drill", "TRADING_HALTED", "ann", CLOSE)
        for scope in ("symbol:KO", "strategy:brave", "strategy:steady")
    }
    now = replace(routes.desk.now, strategy="blend", blend=blend(), halts=halts)
    facts = routes.desk.watch.status_facts()
    made = StatusCollector(lambda: status(now, facts), lambda: Verdict("degraded"))
    families = {family.name: family.samples for family in made.collect()}

    assert families["tm_halted"][0].value == 0
    assert families["tm_symbol_halts"][0].value == 1
    assert families["tm_strategy_halts"][0].value == 2
    assert {s.labels["member"]: s.value for s in families["tm_strategy_capital_ratio"]} == {
        "steady": 0.6,
        "brave": 0.4,
    }


async def test_every_metric_has_a_help_and_every_counter_is_a_total(routes):
    text = (await get(routes, "/metrics")).body.decode()
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE))

    assert kinds.keys() == set(re.findall(r"^# HELP (\w+) \S.*$", text, re.MULTILINE))
    named = {name for name in kinds if name.endswith("_total")}
    assert named == {name for name, kind in kinds.items() if kind == "counter"}
    assert not [name for name in kinds if re.search(r"_(ms|minutes|hours|percent|kib|mib)\b", name)]


async def test_the_curve_is_followed_close_by_close(routes):
    first = msgspec.json.decode((await get(routes, "/curve.json")).body)
    await routes.desk.close(51, 100)
    second = msgspec.json.decode((await get(routes, "/curve.json")).body)

    assert len(first["equity"]) == 1
    assert len(second["equity"]) == 2
    assert second["at"][0] == first["at"][0]


async def test_the_view_is_what_tm_would_say(routes):
    stream = (await get(routes, "/live")).stream
    event = await anext(stream)
    await stream.aclose()
    view = msgspec.json.decode(event.partition(b"data: ")[2])

    assert event.startswith(b"event: view\n")
    assert event.endswith(b"\n\n")
    assert view["status"]["equity"] == "100000"
    assert view["records"][0]["seq"] == routes.desk.engine.head.seq
    assert not {"bars", "targets", "belief", "blend"} & view["records"][0].keys()
    assert view["beliefs"] is None  # nothing is believed by this desk's strategy
    assert view["jobs"] == []


async def test_the_tail_is_the_journals_whoever_looked_before(routes):
    d = routes.desk
    viewer = Viewer(d.engine, d.store, d.watch, "America/New_York")

    async def tail():
        view = msgspec.json.decode(await viewer.view())
        return [record["seq"] for record in view["records"]]

    first = await tail()
    for price in range(51, 54):
        await d.close(price, 100)
        both = await asyncio.gather(tail(), tail())
        assert both[0] == both[1] != first
        head = d.engine.head.seq
        assert both[0] == list(range(head, max(0, head - TAIL), -1))
    for price in range(60, 60 + TAIL):  # more than a view holds, and nobody looked
        await d.close(price, 100)
    head = d.engine.head.seq
    assert await tail() == list(range(head, head - TAIL, -1))


def test_the_last_runs_are_shown_the_newest_first():
    runs = {f"r{n}": Run(f"r{n}", COURSE, "ada", CLOSE, generation=n) for n in range(JOBS + 2)}
    shown = jobs(Snapshot(evolution=Evolution(runs)))

    assert [(run["run_id"], run["generation"]) for run in shown] == [
        (f"r{n}", n) for n in range(JOBS + 1, 1, -1)
    ]
