// The live page: history from /v1/query, then every second from /v1/live.

const WINDOW_S = 300;
const FEED_LENGTH = 40;
/** Orders remembered so that a resumed stream does not show one twice. */
const ORDERS_KNOWN_MAX = 10_000;
/** The stream speaks each second; a longer silence is a dead connection. */
const SILENCE_MS_MAX = 10_000;
const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 10_000;

const at = (id) => document.getElementById(id);

/** What is shown: figures by second (epoch ms), the stream's place, the site's clock. */
const state = {
  site: "",
  key: "",
  /** Whether the browser has the cookie of a login, which then stands for a key. */
  isLoggedIn: false,
  seconds: new Map(),
  lastTickMs: 0,
  currency: "",
  offset: "",
  clockMs: undefined,
  heardMs: 0,
  lastEventId: "",
  orders: new Set(),
  hoveredMs: 0,
};
let connection = new AbortController();

// ---- Which site

/** Takes site and key from the address, once, and keeps them in this tab. */
function credentials() {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const name of ["site", "key"]) {
    if (given.get(name)) sessionStorage.setItem(`edgetally_${name}`, given.get(name));
  }
  // The key must not stay where a screenshot or the history shows it.
  if (given.has("key")) {
    given.delete("key");
    history.replaceState(null, "", `#${given}`);
  }
  state.site = sessionStorage.getItem("edgetally_site") ?? "";
  state.key = sessionStorage.getItem("edgetally_key") ?? "";
  state.isLoggedIn = sessionStorage.getItem("edgetally_login") === "yes";
}

/** Takes what the form says; logs in where it has a password and no key. */
async function enter({ site, key, password }) {
  state.site = site.trim();
  sessionStorage.setItem("edgetally_site", state.site);
  sessionStorage.setItem("edgetally_key", key.trim());
  if (password && !key.trim()) {
    try {
      const body = JSON.stringify({ password });
      const headers = { "content-type": "application/json" };
      await checked(await fetch("/v1/login", { method: "POST", headers, body }));
    } catch (error) {
      return ask(error.message);
    }
    sessionStorage.setItem("edgetally_login", "yes");
  }
  at("key-form").reset();
  open();
}

/** Forgets key and login. */
function leave() {
  if (state.isLoggedIn) fetch("/v1/logout", { method: "POST" }).catch(() => {});
  for (const name of ["key", "login"]) sessionStorage.removeItem(`edgetally_${name}`);
  credentials();
  ask("");
}

function ask(problem) {
  connection.abort();
  at("board").hidden = at("leave").hidden = true;
  at("key-form").hidden = false;
  at("key-error").textContent = problem;
  at("key-form").elements.site.value = state.site;
  at("key-form").elements[state.site ? "key" : "site"].focus();
  tellConnection("idle", "not connected");
}

function open() {
  credentials();
  connection.abort();
  if (!state.site || !(state.key || state.isLoggedIn)) return ask("");
  Object.assign(state, { currency: "", lastEventId: "", lastTickMs: 0, clockMs: undefined });
  state.seconds.clear();
  state.orders.clear();
  at("order-feed").replaceChildren();
  at("key-form").hidden = true;
  at("board").hidden = at("leave").hidden = false;
  at("site-name").textContent = state.site;
  document.title = `${state.site} · live · Edgetally`;
  connection = new AbortController();
  follow(connection.signal);
}

// ---- What the aggregator says

const authorization = () => (state.key ? { authorization: `Bearer ${state.key}` } : {});

/** A refusal that trying again will not change. */
class Refused extends Error {}

async function checked(answer) {
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  const text = problem.detail ?? problem.title ?? `HTTP ${answer.status}`;
  throw [401, 403, 404].includes(answer.status) ? new Refused(text) : new Error(text);
}

async function query(signal, body) {
  const answer = await fetch("/v1/query", {
    method: "POST",
    headers: { ...authorization(), "content-type": "application/json" },
    body: JSON.stringify({ site_id: state.site, ...body }),
    signal,
  });
  return (await checked(answer)).json();
}

/** Fills the charts, and today's figures until the stream's first message. */
async function loadHistory(signal) {
  const [recent, today] = await Promise.all([
    query(signal, {
      metrics: ["revenue", "orders", "events"],
      date_range: "realtime",
      dimensions: ["time:second"],
      pagination: { limit: 1000, offset: 0 },
    }),
    query(signal, { metrics: ["revenue", "orders", "visitors"], date_range: "day" }),
  ]);
  for (const { dimensions, metrics } of recent.results) {
    const [revenue, orders, events] = metrics;
    setSecond({ second: dimensions[0], revenue, orders, events });
  }
  const [revenue, orders, visitors] = today.results[0]?.metrics ?? [[], 0, 0];
  showToday({ revenue, orders, visitors });
}

/** Follows the stream for as long as this connection is wanted, through every interruption. */
async function follow(signal) {
  for (let failures = 0; !signal.aborted; ) {
    tellConnection("waiting", "connecting");
    try {
      await loadHistory(signal);
      await listen(signal, () => {
        failures = 0;
        tellConnection("live", "live");
      });
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refused) return ask(error.message);
    }
    const waitMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** failures++);
    tellConnection("lost", "connection lost, trying again");
    await new Promise((resolve) => setTimeout(resolve, waitMs * (0.75 + Math.random() / 2)));
  }
}

/** Reads one connection's events to its end; EventSource could not carry the key in a header. */
async function listen(signal, onMessage) {
  const silence = new AbortController();
  const headers = { ...authorization(), accept: "text/event-stream" };
  if (state.lastEventId) headers["last-event-id"] = state.lastEventId;
  let timer = setTimeout(() => silence.abort(), SILENCE_MS_MAX);
  try {
    const answer = await fetch(`/v1/live?site=${encodeURIComponent(state.site)}`, {
      headers,
      signal: AbortSignal.any([signal, silence.signal]),
    });
    const reader = (await checked(answer)).body.pipeThrough(new TextDecoderStream()).getReader();
    const feed = eventParser((event) => {
      onMessage();
      take(event);
    });
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MS_MAX);
      feed(value);
    }
  } finally {
    clearTimeout(timer);
  }
}

/** A parser of server-sent events: give it text as it comes, it calls `emit({id, data})`. */
function eventParser(emit) {
  let rest = "";
  let data = [];
  let id;
  return (text) => {
    const lines = (rest + text).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line);
      if (name === "data") data.push(value);
      if (name === "id") id = value;
      if (line) continue;
      if (data.length) emit({ id, data: data.join("\n") });
      data = [];
    }
  };
}

function take({ id, data }) {
  const message = JSON.parse(data);
  if (id) state.lastEventId = id;
  if (message.type === "order") return showOrder(message);
  if (message.type === "alert") return;
  // What was missed for good has just been read by `follow`.
  if (message.type === "reset") return;
  setSecond(message);
  if (message.type === "correction") return;
  if (message.type === "tick") state.lastTickMs = Date.parse(message.second);
  showNow(message);
}

/** Keeps a second's figures; a message may carry only some of them. */
function setSecond({ second, revenue, orders, events }) {
  const ms = Date.parse(second);
  const known = state.seconds.get(ms) ?? { revenue: [], orders: 0, events: 0 };
  const given = Object.entries({ revenue, orders, events }).filter(([, value]) => value != null);
  state.seconds.set(ms, { ...known, ...Object.fromEntries(given) });
  state.offset = /(Z|[+-]\d\d:\d\d)$/.exec(second)?.[1] ?? state.offset;
  // The newest second heard of sets the clock; a tick, which comes later, cannot set it back.
  state.heardMs = performance.now();
  state.clockMs = Math.max(state.clockMs ?? -Infinity, ms - state.heardMs);
  for (const key of state.seconds.keys()) {
    if (key < nowMs() - 2 * WINDOW_S * 1000) state.seconds.delete(key);
  }
}

// ---- Figures

const formats = new Map();

/** Formats an exact decimal string; `compact` is for the chart's axis only. */
function money({ currency, amount }, compact = false) {
  const name = currency + compact;
  if (!formats.has(name)) {
    const short = { notation: "compact", maximumFractionDigits: 1 };
    const options = { style: "currency", currency, ...(compact && short) };
    formats.set(name, new Intl.NumberFormat(undefined, options));
  }
  return formats.get(name).format(amount);
}

const count = (number) => new Intl.NumberFormat().format(number ?? 0);

function put(id, text) {
  const element = at(id);
  if (element.textContent === text) return;
  element.textContent = text;
  element.style.setProperty("--length", Math.max(4, text.length));
}

/** Currencies stand side by side; they are never added. */
function showToday({ revenue, orders, visitors }) {
  const [first, ...others] = revenue ?? [];
  if (first) {
    state.currency ||= first.currency;
    put("revenue-today", money(first));
    put("revenue-others", others.map((one) => money(one)).join(" · "));
    offerCurrencies(revenue.map((one) => one.currency));
  }
  put("orders-today", count(orders));
  put("visitors-today", count(visitors));
}

function showNow({ today, concurrent_visitors: visitors, lag_ms: lag }) {
  if (today) showToday(today);
  put("visitors-now", count(visitors));
  if (lag != null) put("lag", lag < 1000 ? `${lag} ms` : `${(lag / 1000).toFixed(1)} s`);
}

/** Figures that follow from the seconds kept here; the newest complete second is the last tick. */
function showRecent() {
  const of = (ms) => state.seconds.get(ms);
  // Until the first tick, the second before the last two is taken as the newest complete one.
  const lastMs = state.lastTickMs || secondAt(WINDOW_S - 4);
  put("events-per-second", count(of(lastMs)?.events));
  let events = 0;
  for (let s = 0; s < 60; s++) events += of(lastMs - s * 1000)?.events ?? 0;
  put("events-mean", (events / 60).toFixed(1));
  let orders = 0;
  for (let i = 0; i < WINDOW_S; i++) orders += of(secondAt(i))?.orders ?? 0;
  put("orders-recent", count(orders));
}

function offerCurrencies(currencies) {
  const select = at("chart-currency");
  if (select.options.length === currencies.length) return;
  select.replaceChildren(...currencies.map((name) => new Option(name)));
  select.value = state.currency;
  select.hidden = currencies.length < 2;
}

/** A site's wall clock: the time as the aggregator wrote it, with the site's offset. */
const wall = (second) => /T(\d\d:\d\d:\d\d)/.exec(second)?.[1] ?? "";

function wallOf(ms) {
  const [, sign, hours, minutes] = /([+-])(\d\d):(\d\d)/.exec(state.offset) ?? [0, "+", 0, 0];
  const shift = (sign === "-" ? -1 : 1) * (hours * 60 + +minutes) * 60_000;
  return new Date(ms + shift).toISOString().slice(11, 19);
}

function showClock() {
  put("clock", wallOf(secondAt(WINDOW_S - 1)));
  put("zone", `UTC${state.offset === "Z" ? "" : state.offset}`);
}

function tellConnection(name, text) {
  if (at("connection").dataset.state === name) return;
  at("connection").dataset.state = name;
  at("connection").textContent = text;
}

const node = (name, text) => Object.assign(document.createElement(name), { textContent: text });

function itemText(items) {
  if (!Array.isArray(items)) return items ? `${items} items` : "";
  const [first, ...rest] = items;
  const name = first?.item_name ?? first?.name ?? first?.item_id ?? first?.id ?? "";
  return rest.length ? `${name} +${rest.length}` : name;
}

function showOrder(order) {
  if (state.orders.has(order.transaction_id)) return;
  state.orders.add(order.transaction_id);
  if (state.orders.size > ORDERS_KNOWN_MAX) state.orders.delete(state.orders.keys().next().value);
  const row = document.createElement("li");
  row.dataset.order = order.transaction_id;
  const about = [order.city, order.channel, itemText(order.items)];
  row.append(
    node("b", [order.value ?? []].flat().map((one) => money(one)).join(" · ") || "–"),
    node("time", wall(order.at)),
    node("small", about.filter(Boolean).join(" · ")),
    node("small", order.transaction_id),
  );
  at("order-feed").prepend(row);
  while (at("order-feed").children.length > FEED_LENGTH) at("order-feed").lastChild.remove();
}

// ---- Charts

/** A round step that cuts `max` into at most four. */
function roundStep(max) {
  const power = 10 ** Math.floor(Math.log10(max / 4));
  return [1, 2, 5, 10].map((times) => times * power).find((step) => max / step <= 4);
}

/** Fits the canvas to its box in device pixels, so that lines stay sharp. */
function surface(canvas) {
  const scale = devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = "12px system-ui, sans-serif";
  return { context, width, height };
}

const MARGIN = { left: 64, right: 8, top: 10, bottom: 22 };

/** Draws one bar a second, the newest at the right edge. */
function drawBars(canvas, valueOf, label, color) {
  const { context, width, height } = surface(canvas);
  const style = getComputedStyle(document.documentElement);
  const ink = (name) => style.getPropertyValue(name);
  const values = Array.from({ length: WINDOW_S }, (_, i) => valueOf(secondAt(i)));
  const max = Math.max(...values, 0);
  const step = max ? roundStep(max) : 1;
  const top = max ? Math.ceil(max / step) * step : 1;
  const floor = height - MARGIN.bottom;
  const y = (value) => floor - (value / top) * (floor - MARGIN.top);
  const slot = (width - MARGIN.left - MARGIN.right) / WINDOW_S;
  context.lineWidth = 1;
  context.textBaseline = "middle";
  context.textAlign = "right";
  for (let value = 0; value <= top; value += step) {
    const line = Math.round(y(value)) + 0.5;
    context.strokeStyle = ink("--edge");
    context.beginPath();
    context.moveTo(MARGIN.left, line);
    context.lineTo(width - MARGIN.right, line);
    context.stroke();
    context.fillStyle = ink("--soft");
    if (max || !value) context.fillText(label(value), MARGIN.left - 10, line);
  }
  context.textAlign = "center";
  values.forEach((value, i) => {
    const ms = secondAt(i);
    const x = MARGIN.left + i * slot;
    context.fillStyle = ink("--soft");
    if (ms % 60_000 === 0) context.fillText(wallOf(ms).slice(0, 5), x, height - 8);
    context.fillStyle = ms === state.hoveredMs ? ink("--ink") : ink(color);
    // The last two seconds are not complete yet.
    context.globalAlpha = ms > state.lastTickMs ? 0.55 : 1;
    if (value) context.fillRect(x, y(value), Math.max(1, slot - 1), Math.max(2, floor - y(value)));
    context.globalAlpha = 1;
  });
}

/** The site's time; it goes on while nothing arrives, until the connection counts as dead. */
const nowMs = () =>
  state.clockMs + Math.min(performance.now(), state.heardMs + SILENCE_MS_MAX);

/** The second of a bar: the newest is at the right edge. */
const secondAt = (index) => (Math.floor(nowMs() / 1000) - WINDOW_S + 1 + index) * 1000;

const amountIn = (second) =>
  second?.revenue.find((one) => one.currency === state.currency)?.amount ?? "0";
const revenueAt = (ms) => Number(amountIn(state.seconds.get(ms)));
const eventsAt = (ms) => state.seconds.get(ms)?.events ?? 0;

function draw() {
  if (at("board").hidden || state.clockMs === undefined) return;
  showClock();
  showRecent();
  const { currency } = state;
  const axis = (amount) => (currency ? money({ currency, amount }, true) : String(amount));
  drawBars(at("revenue-chart"), revenueAt, axis, "--money");
  drawBars(at("events-chart"), eventsAt, count, "--traffic");
  const readout = state.hoveredMs ? hovered() : peak();
  put("chart-readout", readout);
  at("revenue-chart").setAttribute("aria-label", `Revenue per second, ${readout}`);
}

function hovered() {
  const second = state.seconds.get(state.hoveredMs);
  const { currency } = state;
  const sum = currency ? money({ currency, amount: amountIn(second) }) : "0";
  return `${wallOf(state.hoveredMs)} · ${sum} · ${count(second?.orders)} orders`;
}

function peak() {
  let best = 0;
  for (let i = 1; i < WINDOW_S; i++) {
    if (revenueAt(secondAt(i)) > revenueAt(secondAt(best))) best = i;
  }
  const ms = secondAt(best);
  if (!revenueAt(ms)) return "last 5 minutes: none yet";
  const amount = amountIn(state.seconds.get(ms));
  const text = money({ currency: state.currency, amount });
  return `last 5 minutes: peak ${text} at ${wallOf(ms)}`;
}

// ---- Start

at("revenue-chart").addEventListener("pointermove", ({ offsetX, target }) => {
  const slot = (target.clientWidth - MARGIN.left - MARGIN.right) / WINDOW_S;
  const index = Math.floor((offsetX - MARGIN.left) / slot);
  state.hoveredMs = index >= 0 && index < WINDOW_S ? secondAt(index) : 0;
  draw();
});
at("revenue-chart").addEventListener("pointerleave", () => (state.hoveredMs = 0));
at("chart-currency").addEventListener("change", ({ target }) => (state.currency = target.value));
at("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  enter(Object.fromEntries(new FormData(event.target)));
});
at("leave").addEventListener("click", leave);
addEventListener("hashchange", () => location.hash.includes("key=") && open());
addEventListener("resize", draw);
setInterval(draw, 250);
open();
