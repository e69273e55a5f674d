// Every page of the dashboard in a real browser: what it shows is what the API answers.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { api, by, digits, fill, open, rowsOf, send, SETTLED_MS_MAX } from "./board.mjs";
import { lone } from "./lone.mjs";
import { place } from "./place.mjs";
import { query, until } from "./system.mjs";

/** What the product promises from the event to the screen, and from readiness to recovery. */
const LIVE_MS_MAX = 2_000;
const RECOVERED_MS_MAX = 5_000;

const here = place(({ dev }) => fill(dev));

const ask = (body) => query(here.dev, { date_range: "day", ...body });
const amount = (money) => digits(money[0].amount);

/** Waits until a part of the page says what is expected, and fails with both. */
async function shows(what, read, expected) {
  let said;
  await until(what, SETTLED_MS_MAX, async () => {
    said = await read();
    return JSON.stringify(said) === JSON.stringify(expected);
  }).catch(() => assert.deepEqual(said, expected, what));
}

const figure = (page, id) => async () => digits(await by(page, id).locator(".value").innerText());

describe("live", () => {
  it("keeps everything through a reload and says how today stands against yesterday", async (t) => {
    const page = await open(here, t);
    const seen = () => page.locator("#order-feed li").evaluateAll((all) => all.length);
    await page.locator('#order-feed [data-order="BOARD-1"]').waitFor();
    const { results } = await ask({ metrics: ["orders", "revenue"] });
    const [orders, revenue] = results[0].metrics;
    const today = async () => [
      digits(await page.innerText("#orders-today")),
      digits(await page.innerText("#revenue-today")),
    ];
    await shows("today", today, [orders, amount(revenue)]);
    // One order of yesterday, one second after midnight: before this moment on any day.
    const delta = by(page, "tile-orders").locator(".delta").first();
    await delta.waitFor();
    assert.equal(digits(await delta.innerText()), (orders - 1) * 100);
    assert.match(await delta.innerText(), /\+.*yesterday/);
    const before = await seen();
    await page.reload();
    await page.locator('#order-feed [data-order="BOARD-1"]').waitFor();
    assert.equal(await seen(), before);
    await shows("today after the reload", today, [orders, amount(revenue)]);
  });

  it("shows an order within two seconds and hides amounts on demand", async (t) => {
    const page = await open(here, t);
    await page.waitForSelector('#connection[data-state="live"]');
    await by(page, "wall").click();
    assert.match(page.url(), /wall=1/);
    const id = `BOARD-LIVE-${Date.now()}`;
    const params = { transaction_id: id, value: "1234567", currency: "VND" };
    await send(here.dev, [{ id, client_id: "b9", name: "purchase", ts: Date.now(), params }]);
    const told = performance.now();
    const row = page.locator(`#order-feed [data-order="${id}"]`);
    await row.waitFor({ timeout: LIVE_MS_MAX });
    t.diagnostic(`order on the live page after ${Math.round(performance.now() - told)} ms`);
    assert.match(await row.innerText(), /₫1,234,567/);
    await by(page, "hide-amounts").click();
    await page.waitForFunction(() => !document.body.innerText.includes("₫"));
    assert.ok(await row.isVisible());
  });
});

describe("overview", () => {
  it("shows what the API answers, filters by click, and keeps that in the address", async (t) => {
    const page = await open(here, t, "/overview");
    const metrics = ["revenue", "orders", "visitors", "sessions", "pageviews"];
    const tiles = () => Promise.all(metrics.map((name) => figure(page, `tile-${name}`)()));
    const figures = async (filters) => {
      const row = (await ask({ metrics, filters })).results[0];
      return row.metrics.map((value) => (Array.isArray(value) ? amount(value) : value));
    };
    await shows("all", tiles, await figures([]));
    await by(page, "channels").getByRole("button", { name: "Email" }).click();
    await page.waitForURL(/f=is%2Cvisit%3Achannel%2CEmail/);
    const some = await figures([["is", "visit:channel", ["Email"]]]);
    assert.notDeepEqual(some, await figures([]));
    await shows("those by mail", tiles, some);
    await page.reload();
    await shows("those by mail after a reload", tiles, some);
    await page.getByRole("button", { name: "is", exact: true }).click();
    const others = await figures([["is_not", "visit:channel", ["Email"]]]);
    await shows("all but those by mail", tiles, others);
    await page.getByRole("button", { name: /Remove condition/ }).click();
    await shows("all again", tiles, await figures([]));
    assert.ok(!page.url().includes("f="));
  });

  it("has the chart as a table that says what the API says, hour by hour", async (t) => {
    const page = await open(here, t, "/overview?metric=orders&compare=none");
    await by(page, "over-time").getByRole("button", { name: "Table" }).click();
    const { results } = await ask({ metrics: ["orders"], dimensions: ["time:hour"] });
    const expected = results.map(({ metrics }) => String(metrics[0]));
    await shows(
      "hours",
      async () => (await rowsOf(page, "over-time")).map((row) => row[1]),
      expected,
    );
    const [first] = await rowsOf(page, "over-time");
    assert.match(first[0], / 00:00$/, "midnight of the site, not of this machine");
  });

  it("zooms by drawing over the chart, down to a period in the address", async (t) => {
    const page = await open(here, t, "/overview");
    const over = by(page, "over-time").locator(".u-over");
    await over.waitFor();
    const { x, y, width, height } = await over.boundingBox();
    await page.mouse.move(x + width * 0.3, y + height / 2);
    await page.mouse.down();
    await page.mouse.move(x + width * 0.5, y + height / 2, { steps: 4 });
    await page.mouse.up();
    await page.waitForURL(/period=\d{4}-\d\d-\d\dT\d\d%3A00%3A00%2B07%3A00/);
  });
});

describe("acquisition", () => {
  it("shows the channels of the API", async (t) => {
    const page = await open(here, t, "/acquisition");
    const metrics = ["revenue", "orders", "sessions"];
    const { results } = await ask({ metrics, dimensions: ["visit:channel"] });
    const expected = results.map(({ dimensions, metrics: [revenue, orders, sessions] }) => [
      dimensions[0],
      amount(revenue),
      orders,
      sessions,
    ]);
    const read = async () =>
      (await rowsOf(page, "channels")).map((row) => [row[0], ...row.slice(1, 4).map(digits)]);
    await shows("channels", read, expected);
  });

  it("shows what campaigns cost and bring", async (t) => {
    const { dev } = here;
    const day = await ask({ metrics: ["orders"], dimensions: ["time:day"] });
    const cost = { date: day.results[0].dimensions[0], campaign: "tet", cost: "150000" };
    const costs = `/v1/costs?site=${dev.site}`;
    assert.equal((await api(dev, "POST", costs, [cost], dev.server_key)).status, 200);
    const page = await open(here, t, "/acquisition");
    const metrics = ["cost", "revenue", "orders", "roas"];
    const body = { metrics, dimensions: ["visit:campaign"], site_id: dev.site, date_range: "day" };
    const { results } = (await api(dev, "POST", "/v1/query", body)).body;
    const tet = results.find(({ dimensions }) => dimensions[0] === "tet");
    const expected = [amount(tet.metrics[0]), amount(tet.metrics[1]), tet.metrics[2]];
    const read = async () => {
      const row = (await rowsOf(page, "costs")).find(([name]) => name === "tet");
      return row?.slice(1, 4).map(digits);
    };
    await shows("the campaign's costs", read, expected);
    assert.equal(expected[0], 150_000);
  });

  it("tells why an order is credited, three clicks from the live page", async (t) => {
    const page = await open(here, t);
    await by(page, "nav-acquisition").click();
    await by(page, "channels").getByRole("button", { name: "Paid Social" }).click();
    await by(page, "credited-orders").getByRole("link", { name: "BOARD-1" }).click();
    const path = `/v1/orders/BOARD-1?site=${here.dev.site}`;
    const { body: order } = await api(here.dev, "GET", path);
    assert.equal(await by(page, "channel").innerText(), order.channel);
    assert.match(await by(page, "why").innerText(), /facebook \/ cpc \/ sale3/);
    assert.match(await by(page, "reason").innerText(), /last touch that is not direct/);
    const touches = await rowsOf(page, "why");
    assert.equal(touches.length, order.touches.length);
    assert.deepEqual(
      touches.map((row) => row[4] !== ""),
      order.touches.map((one) => one.credited),
    );
    await page.waitForSelector("text=₫26,000,000");
  });
});

describe("products, funnel", () => {
  it("shows products with exact money, and names as texts", async (t) => {
    const page = await open(here, t, "/products");
    const metrics = ["item_views", "add_to_carts", "checkouts", "orders", "units", "revenue"];
    const { results } = await ask({ metrics, dimensions: ["item:name"] });
    const expected = results.map(({ dimensions, metrics }) => [
      dimensions[0],
      ...metrics.map((value) => (Array.isArray(value) ? amount(value) : value)),
    ]);
    assert.ok(expected.some(([name]) => name === "Laptop <b>14</b>"));
    const read = async () =>
      (await rowsOf(page, "products")).map((row) => [row[0], ...row.slice(1, 7).map(digits)]);
    await shows("products", read, expected);
    const searched = await ask({ metrics: ["searches"], dimensions: ["event:search_term"] });
    const terms = searched.results.map(({ dimensions, metrics }) => [dimensions[0], metrics[0]]);
    assert.ok(terms.some(([term]) => term === "laptop mỏng"));
    const told = async () =>
      (await rowsOf(page, "search-terms")).map(([term, count]) => [term, digits(count)]);
    await shows("searches", told, terms);
    const stock = async () => (await rowsOf(page, "stock")).map((row) => digits(row[1]));
    const { body } = await api(here.dev, "GET", `/v1/stock?site=${here.dev.site}`);
    await shows(
      "stock",
      stock,
      body.results.map((row) => row.stock).sort((a, b) => a - b),
    );
  });

  it("counts the funnel as the API does, with steps of one's own in the address", async (t) => {
    const page = await open(here, t, "/funnel");
    const funnel = async (steps) => {
      const body = { site_id: here.dev.site, date_range: "day", ...(steps && { steps }) };
      const told = await api(here.dev, "POST", "/v1/funnel", body);
      return told.body.steps.map(({ event, count }) => [event, count]);
    };
    const read = () =>
      by(page, "funnel-steps")
        .locator("li")
        .evaluateAll((all) =>
          all.map((one) => [one.dataset.step, Number(one.querySelector(".figure").innerText)]),
        );
    await shows("the usual steps", read, await funnel());
    await page.fill('[name="steps"]', "page_view, view_item");
    await page.getByRole("button", { name: "Show" }).click();
    await page.waitForURL(/steps=page_view%2Cview_item/);
    const own = await funnel([{ event: "page_view" }, { event: "view_item" }]);
    await shows("own steps", read, own);
  });
});

describe("orders, people", () => {
  it("lists orders, the newest first, and finds one by its id", async (t) => {
    const page = await open(here, t, "/orders?period=7d");
    const path = `/v1/orders?site=${here.dev.site}&sort=newest&limit=50`;
    const ids = async () =>
      (await api(here.dev, "GET", path)).body.results.map((one) => one.transaction_id);
    await shows(
      "orders",
      async () => (await rowsOf(page, "orders")).map(([id]) => id),
      await ids(),
    );
    await by(page, "orders").getByRole("textbox").fill("BOARD-3");
    await page.keyboard.press("Enter");
    await page.waitForURL(/order=BOARD-3/);
    await by(page, "order").getByRole("link", { name: "u:board-ann" }).click();
    await page.waitForURL(/person=u%3Aboard-ann/);
  });

  it("shows one person on two devices, and which logins made them one", async (t) => {
    const page = await open(here, t, "/people?person=u%3Aboard-ann");
    const path = `/v1/people/u%3Aboard-ann?site=${here.dev.site}`;
    const { body: person } = await api(here.dev, "GET", path);
    const moves = await rowsOf(page, "reassignments");
    const expected = person.reassignments
      .toReversed()
      .map(({ from, to, events }) => [from, to, String(events)]);
    assert.deepEqual(
      moves.map((row) => row.slice(1, 4)),
      expected,
    );
    assert.ok(moves.length >= 2 && moves.every((row) => row[4].startsWith("a login")));
    const kinds = await by(page, "timeline")
      .locator("li")
      .evaluateAll((all) => all.map((one) => one.dataset.kind));
    assert.equal(kinds.filter((kind) => kind === "order").length, person.order_count);
    assert.equal(kinds.filter((kind) => kind === "session").length, person.session_count);
  });
});

describe("quality", () => {
  it("shows what was refused and why, and proves that everything accepted is there", async (t) => {
    const page = await open(here, t, "/quality");
    const { results } = await ask({ metrics: ["rejected"], dimensions: ["reject:code"] });
    const expected = results.map(({ dimensions, metrics }) => [dimensions[0], String(metrics[0])]);
    await shows(
      "codes",
      async () => (await rowsOf(page, "codes")).map((row) => [row[0], row[2]]),
      expected,
    );
    await by(page, "codes").getByRole("button", { name: "currency_unknown" }).click();
    const letter = by(page, "letters").locator("details").first();
    await letter.locator("summary").click();
    assert.match(await letter.innerText(), /params\.currency/);
    assert.match(await letter.innerText(), /"BOARD-4"/);
    const { totals } = (await api(here.dev, "GET", "/v1/edges")).body;
    await shows(
      "accepted",
      async () => digits(await by(page, "proof-accepted").innerText()),
      totals.accepted,
    );
    assert.equal(digits(await by(page, "proof-applied").innerText()), totals.applied);
    assert.equal(await by(page, "proof").getAttribute("data-equal"), "true");
  });

  it("tells an estimate as one, with its bounds", async (t) => {
    const page = await open(here, t, "/quality");
    const measure = "payment_latency_ms";
    const include = { bounds: true };
    const { results } = await ask({ metrics: ["p50"], measure, include });
    const [[low, high]] = results[0].bounds;
    assert.ok(low < high, "the test needs an estimate");
    const shown = by(page, "speed").locator(".estimate").first();
    await shown.waitFor();
    assert.match(await shown.innerText(), /^≈ /);
    const bounds = (await shown.getAttribute("title")).split(" – ").map(digits);
    assert.deepEqual(bounds, [low, high]);
  });

  it("judges rejected events again once the settings let them in", async (t) => {
    const { dev } = here;
    const path = `/v1/sites/${dev.site}`;
    const { settings } = (await api(dev, "GET", path, undefined, dev.admin_key)).body;
    const allow = (names) =>
      api(dev, "PUT", path, { ...settings, events: { allow: names } }, dev.admin_key);
    await allow([]);
    t.after(() => allow(["*"]));
    const params = {};
    const strange = () =>
      send(dev, [{ id: `odd-${Date.now()}`, client_id: "b7", name: "board_dance", params }]);
    await until("a refusal", SETTLED_MS_MAX, async () => (await strange()).rejected.length);
    await allow(["*"]);
    const page = await open(here, t, "/quality?code=name_not_allowed", { key: dev.admin_key });
    await by(page, "letters").locator("details").first().waitFor();
    await by(page, "replay").click();
    await shows(
      "taken in",
      async () => /1 taken in/.test(await by(page, "replayed").innerText()),
      true,
    );
    await shows("no letter left", () => by(page, "letters").locator("details").count(), 0);
  });
});

describe("settings", () => {
  it("makes a public link that opens this site alone, and revokes it", async (t) => {
    const page = await open(here, t, "/settings", { key: here.dev.admin_key });
    await by(page, "make-link").click();
    const url = /http\S+/.exec(await by(page, "made").innerText())[0];
    const context = await here.browser.newContext();
    t.after(() => context.close());
    const stranger = await context.newPage();
    await stranger.goto(url);
    await stranger.waitForSelector('#connection[data-state="live"]');
    assert.ok(!stranger.url().includes("pl_"), "the token stays in no address");
    await stranger.goto(`${here.dev.aggregator}/settings`);
    await stranger.waitForSelector("text=take a login or an admin key");
    const revoke = by(page, "links").getByRole("button", { name: "Revoke" }).last();
    await revoke.click();
    await by(page, "links").getByRole("button", { name: "Really?" }).click();
    await by(page, "links").getByText("Revoked.").waitFor();
    await stranger.goto(`${here.dev.aggregator}/overview`);
    await stranger.waitForSelector("#key-form");
    assert.notEqual(await stranger.innerText("#key-error"), "");
  });

  it("saves settings, and names the member that is wrong", async (t) => {
    const page = await open(here, t, "/settings", { key: here.dev.admin_key });
    const text = by(page, "settings-text");
    const settings = JSON.parse(await text.inputValue());
    await text.fill(JSON.stringify({ ...settings, session: { gapp: "30m" } }));
    await by(page, "save-settings").click();
    await page.waitForSelector('[data-testid="settings-said"]:has-text("session.gapp")');
    const keep = [...(settings.params?.keep ?? []), "board_color"];
    await text.fill(JSON.stringify({ ...settings, params: { keep } }));
    await by(page, "save-settings").click();
    const path = `/v1/sites/${here.dev.site}`;
    await until("the settings", SETTLED_MS_MAX, async () => {
      const { body } = await api(here.dev, "GET", path, undefined, here.dev.admin_key);
      return body.settings.params.keep.includes("board_color");
    });
  });

  it("lets people in by a password, and out again", async (t) => {
    const alone = await lone("open sesame");
    t.after(alone.stop);
    const headers = { authorization: `Bearer ${alone.admin}`, "content-type": "application/json" };
    const body = JSON.stringify({ currency: "USD", timezone: "America/New_York" });
    await fetch(`${alone.url}/v1/sites/shop`, { method: "PUT", headers, body });
    const context = await here.browser.newContext({ locale: "en-US" });
    t.after(() => context.close());
    const page = await context.newPage();
    await page.goto(`${alone.url}/settings`);
    await page.fill('#key-form [name="password"]', "wrong");
    await page.click("#key-form button.strong");
    await page.waitForFunction(() => document.querySelector("#key-error").textContent);
    await page.fill('#key-form [name="password"]', "open sesame");
    await page.click("#key-form button.strong");
    await by(page, "keys").waitFor();
    assert.equal(await page.innerText("#site-name"), "shop");
    await page.goto(`${alone.url}/overview`);
    await shows(
      "nothing in dollars",
      () => by(page, "tile-revenue").locator(".value").innerText(),
      "$0.00",
    );
    await page.click("#leave");
    await page.waitForSelector("#key-form");
    await page.reload();
    await page.waitForSelector("#key-form");
  });
});

describe("every page", () => {
  it("is small, asks no other host, and is fetched once", async (t) => {
    const { aggregator, site, read_key: key } = here.dev;
    const context = await here.browser.newContext();
    t.after(() => context.close());
    const page = await context.newPage();
    const files = [];
    page.on("response", (response) => files.push(response));
    const begun = performance.now();
    await page.goto(`${aggregator}/#site=${site}&key=${key}`);
    await page.waitForSelector('#connection[data-state="live"]');
    t.diagnostic(`live ${Math.round(performance.now() - begun)} ms after the address was entered`);
    assert.deepEqual([...new Set(files.map((file) => new URL(file.url()).origin))], [aggregator]);
    const own = files.filter((file) => !new URL(file.url()).pathname.startsWith("/v1/"));
    const sizes = await Promise.all(own.map((file) => file.request().sizes()));
    const bytes = sizes.reduce((sum, { responseBodySize: size }) => sum + size, 0);
    t.diagnostic(`${own.length} files, ${bytes} bytes`);
    assert.ok(own.length >= 3 && bytes < 150 * 1024, `${bytes} bytes`);
    for (const file of own.filter((one) => one.url().includes("/assets/"))) {
      const headers = file.headers();
      assert.equal(headers["content-encoding"], "gzip", file.url());
      assert.match(headers["cache-control"], /immutable/, file.url());
    }
    const again = [];
    page.on("request", (request) => again.push(request));
    await page.reload();
    await page.waitForSelector('#connection[data-state="live"]');
    const fetched = await Promise.all(again.map((request) => request.response()));
    const anew = fetched.filter((file) => file?.url().includes("/assets/"));
    const sent = await Promise.all(anew.map((file) => file.request().sizes()));
    assert.ok(
      sent.every(({ responseBodySize: size }) => size <= 0),
      "assets come from the cache",
    );
  });

  it("comes back within five seconds of the aggregator's readiness", async (t) => {
    const { dev } = here;
    const page = await open(here, t, "/overview");
    const live = await open(here, t);
    await live.waitForSelector('#connection[data-state="live"]');
    await by(page, "tile-orders").waitFor();
    await live.evaluate(() => {
      const at = document.querySelector("#connection");
      window.states = [];
      new MutationObserver(() => window.states.push(at.dataset.state)).observe(at, {
        attributes: true,
      });
    });
    const pid = async () => JSON.parse(await readFile(`${dev.data}/pids.json`, "utf8")).aggregator;
    const killed = await pid();
    process.kill(killed, "SIGKILL");
    await until("another aggregator", SETTLED_MS_MAX, async () => (await pid()) !== killed);
    const isReady = async () => (await fetch(`${dev.aggregator}/readyz`).catch(() => null))?.ok;
    await until("its readiness", SETTLED_MS_MAX, isReady);
    const ready = performance.now();
    const isBack = async () => (await live.evaluate(() => window.states)).join() === "lost,live";
    await until("the stream again", RECOVERED_MS_MAX, isBack);
    t.diagnostic(`live again after ${Math.round(performance.now() - ready)} ms`);
    const id = `BOARD-BACK-${Date.now()}`;
    const params = { transaction_id: id, value: 7, currency: "VND" };
    await send(dev, [{ id, client_id: "b8", name: "purchase", ts: Date.now(), params }]);
    await live.locator(`#order-feed [data-order="${id}"]`).waitFor();
    const { results } = await ask({ metrics: ["orders"] });
    await shows("the overview goes on", figure(page, "tile-orders"), results[0].metrics[0]);
    assert.equal(await page.locator(".failing").count(), 0);
  });
});
