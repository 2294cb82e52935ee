"use strict";
// Shows what the daemon sends. Text only ever enters as text, so nothing that anybody wrote can run.

const SILENCE = 12000; // ms without a word after which the figures are called old
const byId = (id) => document.getElementById(id);
let zone = "UTC";
let period = "all";
let curve = null;
let view = null;
let heard = 0;

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined && text !== null) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

const NOTHING = "–";
const money = (x) => (x === null || x === undefined ? NOTHING
  : Number(x).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 }));
const plain = (x) => (x === null || x === undefined ? NOTHING : Number(x).toLocaleString("en-US", { maximumFractionDigits: 6 }));
const percent = (x) => (x === null || x === undefined ? NOTHING : (100 * x).toFixed(2) + " %");
const count = (x) => Number(x).toLocaleString("en-US");

function when(moment) {
  if (!moment) return NOTHING;
  return new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "medium" })
    .format(new Date(moment));
}

// What is read aloud is said once: writing the same text again would have it read again.
function announce(id, text) {
  if (byId(id).textContent !== text) byId(id).textContent = text;
}

function short(id) {
  return id.length <= 14 ? id : element("abbr", id.slice(0, 8) + "…" + id.slice(-4), { title: id });
}

function table(id, caption, head, rows, none) {
  const target = byId(id);
  const top = element("tr");
  for (const [name, kind] of head) top.append(element("th", name, { scope: "col", class: kind || "" }));
  const body = element("tbody");
  for (const row of rows) {
    const line = element("tr");
    row.forEach((cell, n) => {
      if (n === 0) line.append(element("th", cell, { scope: "row" }));
      else if (cell instanceof Node) { const td = element("td", null, { class: head[n][1] || "" }); td.append(cell); line.append(td); }
      else line.append(element("td", cell, { class: head[n][1] || "" }));
    });
    body.append(line);
  }
  if (!rows.length) {
    const line = element("tr");
    line.append(element("td", none, { colspan: head.length, class: "text" }));
    body.append(line);
  }
  const headings = element("thead");
  headings.append(top);
  target.replaceChildren(element("caption", caption), headings, body);
}

function cards(pairs) {
  byId("cards").replaceChildren(...pairs.map(([name, value, kind]) => {
    const card = element("div");
    card.append(element("dt", name), element("dd", value, { class: kind || "" }));
    return card;
  }));
}

function meter(used, name) {
  return element("meter", percent(used), {
    min: 0, max: 1, high: 0.9, value: Math.min(used, 1), "aria-label": `${name}: ${percent(used)} of the limit used`,
  });
}

function show() {
  const { status, health, portfolio } = view;
  zone = view.zone;
  document.title = `${status.broker.account}: ${status.halted ? "HALTED" : health.verdict}`;
  byId("title").textContent = `${status.broker.account} · ${status.mode}`;
  byId("about").textContent =
    `${status.strategy.name}, ${status.feed.kind} feed, ${status.broker.kind} broker, version ${status.version}. Times are of ${zone}.`;
  announce("state", health.verdict === "healthy" ? "Healthy." : `${health.verdict}: ${health.reasons.join("; ")}.`);
  byId("clock").textContent = `Market clock ${when(status.clock)}.`; // not announced: it goes on with every close
  const halt = byId("halt");
  halt.hidden = !status.halts.length;
  announce("halt", status.halts.map((h) => `HALTED (${h.scope}) since ${when(h.at)} by ${h.actor}: ${h.reason}`).join(" · "));
  const alerts = byId("alerts");
  const others = status.alerts.filter((a) => a.kind !== "HALTED"); // the banner above says it
  alerts.hidden = !others.length;
  announce("alerts", others.map((a) => `${a.level} ${a.kind} (${a.subject}) since ${when(a.since)}: ${a.message}`).join(" · "));
  cards([
    [`Equity, ${status.base_currency || ""}`, money(status.equity)],
    ["Cash", money(status.cash)],
    ["Drawdown", percent(status.drawdown), status.drawdown > 0.1 ? "bad" : ""],
    ["Today", status.day ? percent(status.day.start_equity > 0 ? status.equity / status.day.start_equity - 1 : null) : NOTHING],
    ["Gross", percent(status.gross)],
    ["Net", percent(status.net)],
    ["Open orders", count(status.open_orders)],
    ["Unknown orders", count(status.unknown_orders), status.unknown_orders ? "bad" : ""],
  ]);
  table("limits", "How near each limit is", [["Limit"], ["Now"], ["Limit"], ["Used"], ["Nearest", "text"]],
    status.limits.map((l) => [l.name, l.value === null ? NOTHING : plain(l.value.toFixed(4)), plain(l.limit),
      l.used === null ? NOTHING : meter(l.used, l.name), l.symbol]), "no limits before a start");
  table("positions", `At the prices of ${when(portfolio.as_of)}`,
    [["Symbol"], ["Quantity"], ["Average"], ["Price"], ["Value"], ["Weight"], ["Unrealised"], ["Realised"]],
    portfolio.positions.map((p) => [p.symbol, plain(p.quantity), money(p.average_price), money(p.price), money(p.value),
      percent(p.weight), money(p.unrealized), money(p.realized)]), "nothing is held");
  table("orders", "The newest orders", [["At"], ["Order", "text"], ["Symbol", "text"], ["Side", "text"], ["Quantity"], ["Filled"], ["Price"], ["Status", "text"], ["Reason", "long"]],
    view.orders.map((o) => [when(o.created_at), short(o.order_id), o.symbol, o.side, plain(o.quantity), plain(o.filled),
      money(o.average_price), o.status, o.reason]), "no orders");
  const lastAt = status.feed.ended ? "ended" : status.feed.connected ? "connected" : "DOWN";
  table("health", "What the daemon depends on", [["Part"], ["State", "text"], ["Detail", "long"]], [
    ["Feed", lastAt, `last close ${when(status.feed.last_at)}` + Object.entries(status.feed.refused).map(([r, n]) => `; ${n} bars refused: ${r}`).join("")],
    ["Broker", status.broker.connected ? "connected" : status.broker.paused ? "away" : "DOWN", status.broker.paused ? status.broker.paused : status.reconciled ? "the books agree" : status.differences.length
      ? "differs: " + status.differences.map((d) => `${d.subject} ours ${d.ours}, broker ${d.broker}`).join("; ") : "not compared yet"],
    ["Journal", `record ${count(status.journal.seq)}`, `${count(Math.round(status.journal.bytes / 1024))} KiB`],
  ]);
  table("records", "The newest records", [["Record"], ["At", "text"], ["What", "text"], ["", "long"]],
    view.records.map((r) => [r.seq, when(r.at), r.type, said(r)]), "nothing yet");
  beliefs();
  jobs();
  draw();
}

function said(record) {
  return Object.entries(record)
    .filter(([key, value]) => !["seq", "at", "type", "wall"].includes(key) && value !== null && value !== "")
    .map(([key, value]) => `${key.replaceAll("_", " ")} ${brief(value)}`)
    .join(", ").slice(0, 240);
}

function brief(value) {
  if (Array.isArray(value)) return value.length > 3 || value.some((x) => x !== null && typeof x === "object")
    ? `(${value.length})` : value.join(" ");
  if (value !== null && typeof value === "object") {
    const flat = Object.entries(value).filter(([, x]) => x !== null && x !== "" && typeof x !== "object");
    return `(${flat.slice(0, 3).map(([key, x]) => `${key} ${brief(x)}`).join(", ")}${flat.length > 3 ? ", …" : ""})`;
  }
  const digits = typeof value === "string" && /^-?\d+\.\d+$/.test(value) ? Number(value) : value;
  return typeof digits === "number" ? plain(digits) : String(value);
}

function beliefs() {
  const known = view.beliefs && view.beliefs.instruments;
  byId("beliefs-part").hidden = !known || !known.length;
  if (!known) return;
  table("beliefs", `Posterior at ${when(view.beliefs.as_of)}`, [["Symbol"], ["Up"], ["Calm"], ["Normal"], ["Stressed"], ["Exposure"], ["Surprise"]],
    known.map((b) => [b.symbol, percent(b.direction.up), percent(b.volatility.calm), percent(b.volatility.normal),
      percent(b.volatility.stressed), plain(b.exposure), plain(b.surprise)]), "none");
}

function jobs() {
  byId("jobs-part").hidden = !view.jobs || !view.jobs.length;
  if (!view.jobs) return;
  table("jobs", "Runs of evolution, the newest first", [["Run"], ["Status", "text"], ["Stage", "text"], ["Generation"], ["Progress"], ["Genomes tried"], ["Seconds"], ["Why", "long"]],
    view.jobs.map((j) => {
      const done = j.status === "finished" ? 1 : j.generations ? j.generation / j.generations : 0;
      return [j.run_id, j.status, j.stage, `${j.generation} of ${j.generations}`, element("progress", percent(done),
        { max: 1, value: done, "aria-label": `Run ${j.run_id}: ${percent(done)}` }), count(j.evaluations), count(Math.round(j.seconds)), j.reason];
    }), "none");
}

function draw() {
  const points = period === "today" ? view.today.map(([at, worth]) => [Date.parse(at), worth])
    : curve ? curve.at.map((at, n) => [Date.parse(at), curve.equity[n]]) : [];
  const svg = byId("curve");
  const make = (name, attributes, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text) made.textContent = text;
    return made;
  };
  const W = Math.max(300, Math.round(svg.getBoundingClientRect().width) || 900), H = W < 600 ? 200 : 240;
  svg.setAttribute("viewBox", `0 0 ${W} ${H}`); // a text of 12 px is one on a phone too
  if (points.length < 2) {
    svg.replaceChildren(make("text", { x: W / 2, y: H / 2, "text-anchor": "middle" }, "not enough closes yet"));
    byId("curve-said").textContent = "";
    return;
  }
  const xs = points.map((p) => p[0]), ys = points.map((p) => p[1]);
  const [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const L = 76, R = W - 10, B = H - 30;
  const X = (x) => L + (R - L) * ((x - x0) / (x1 - x0 || 1)), Y = (y) => B - (B - 15) * ((y - y0) / (y1 - y0 || 1));
  const parts = [];
  for (let n = 0; n <= 4; n++) {
    const y = y0 + ((y1 - y0) * n) / 4;
    parts.push(make("line", { x1: L, x2: R, y1: Y(y), y2: Y(y), class: "grid" }),
      make("text", { x: L - 6, y: Y(y) + 4, "text-anchor": "end" }, count(Math.round(y))));
  }
  parts.push(make("text", { x: L, y: H - 8 }, when(x0).slice(0, 16)), make("text", { x: R, y: H - 8, "text-anchor": "end" }, when(x1).slice(0, 16)));
  parts.push(make("polyline", { class: "line", points: points.map((p) => `${X(p[0]).toFixed(1)},${Y(p[1]).toFixed(1)}`).join(" ") }));
  svg.replaceChildren(...parts);
  byId("curve-said").textContent =
    `From ${money(ys[0])} to ${money(ys[ys.length - 1])}; lowest ${money(y0)}, highest ${money(y1)}.`;
}

async function refreshCurve() {
  try {
    curve = await (await fetch("curve.json")).json();
    if (view) draw();
  } catch { /* the banner says that the daemon is away */ }
}

function choose(which) {
  period = which;
  byId("today").setAttribute("aria-pressed", String(which === "today"));
  byId("all").setAttribute("aria-pressed", String(which === "all"));
  if (view) draw();
}

function lost(why) {
  document.body.classList.add("stale");
  byId("lost").hidden = false;
  announce("lost", `${why} The figures are of ${heard ? new Date(heard).toLocaleTimeString() : "never"}.`);
}

const source = new EventSource("live");
source.addEventListener("view", (event) => {
  view = JSON.parse(event.data);
  heard = Date.now();
  document.body.classList.remove("stale");
  byId("lost").hidden = true;
  show();
});
source.addEventListener("error", () => lost("Disconnected: the daemon does not answer. Trying again …"));
byId("today").addEventListener("click", () => choose("today"));
byId("all").addEventListener("click", () => choose("all"));
setInterval(() => { if (heard && Date.now() - heard > SILENCE) lost("Nothing was heard for a while."); }, 2000);
setInterval(refreshCurve, 10000);
addEventListener("resize", () => { if (view) draw(); });
refreshCurve();
