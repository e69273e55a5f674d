// The dashboard in a browser, what is sent for it to show, and how its tables are read.

import assert from "node:assert/strict";
import { until } from "./system.mjs";

export const SETTLED_MS_MAX = 30_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Vietnam has one offset all year. */
const ZONE_MS = 7 * HOUR_MS;
/** A day that ends while the tests run would end what they know of it. */
const RUN_MS_MAX = 180_000;
/** Events are told as of a minute ago; that is today too. */
const BEGUN_MS = 90_000;

async function amidDay() {
  const since = () => (Date.now() + ZONE_MS) % DAY_MS;
  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  if (since() > DAY_MS - RUN_MS_MAX) await wait(DAY_MS - since() + 1_000);
  if (since() < BEGUN_MS) await wait(BEGUN_MS - since());
}

/** Digits of a text as a number; `₫25,990,000` is 25990000. */
export const digits = (text) => Number(text.replace(/[^\d.]/g, ""));

/** Part of a page by its name. */
export const by = (page, id) => page.locator(`[data-testid="${id}"]`);

/** Asks the aggregator as a reader, or with another key; answers status and body. */
export async function api(dev, method, path, body, key = dev.read_key) {
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  const init = { method, headers, ...(body && { body: JSON.stringify(body) }) };
  const answer = await fetch(dev.aggregator + path, init);
  return { status: answer.status, body: answer.status === 204 ? null : await answer.json() };
}

/** Sends events as a server of the shop does; answers what the worker said. */
export async function send(dev, events) {
  const answer = await fetch(`${dev.edge}/v1/events`, {
    method: "POST",
    headers: { authorization: `Bearer ${dev.server_key}`, "content-type": "application/json" },
    body: JSON.stringify({ site: dev.site, events }),
  });
  assert.equal(answer.status, 202);
  return answer.json();
}

let made = 0;
const event = (client, name, ts, more = {}) => {
  const { context, ...rest } = more;
  return {
    id: `board-${made++}-${ts}`,
    client_id: client,
    platform: "web",
    name,
    ts,
    context: { page_url: "https://shop.example/p", country: "VN", city: "Huế", ...context },
    ...rest,
  };
};

const ITEM = { item_id: "lap", item_name: "Laptop <b>14</b>", item_category: "it", quantity: 2 };
const tagged = (source, medium, name) => {
  const tags = `utm_source=${source}&utm_medium=${medium}&utm_campaign=${name}`;
  return { page_url: `https://shop.example/sale?${tags}` };
};

/**
 * A small day of a shop: three buyers by two campaigns and directly, one of them on two devices,
 * searches, a failed payment, an order of yesterday, and two events that are refused.
 */
export async function fill(dev) {
  await amidDay();
  const now = Date.now() - 60_000;
  const midnight = Math.floor((now + ZONE_MS) / DAY_MS) * DAY_MS - ZONE_MS;
  const buy = (client, order, value, at, more) => {
    const params = { transaction_id: order, value, currency: "VND", shipping_city: "Đà Nẵng" };
    const items = [{ ...ITEM, price: value / 2 }];
    return event(client, "purchase", at, { params: { ...params, items }, ...more });
  };
  const look = (client, at) => event(client, "view_item", at, { params: { items: [ITEM] } });
  const cart = (client, at) => event(client, "add_to_cart", at, { params: { items: [ITEM] } });
  const events = [
    buy("y1", "BOARD-YESTERDAY", 1_000_000, midnight - DAY_MS + 1_000),
    event("b1", "page_view", now - 9_000, { context: tagged("facebook", "cpc", "sale3") }),
    look("b1", now - 8_500),
    cart("b1", now - 8_000),
    event("b1", "begin_checkout", now - 7_500, { params: { items: [ITEM] } }),
    buy("b1", "BOARD-1", 26_000_000, now - 7_000),
    event("b1", "payment_success", now - 6_900, {
      params: { transaction_id: "BOARD-1", latency_ms: 1_234 },
    }),
    event("b1", "stock_update", now - 6_800, { params: { item_id: "lap", stock: 3 } }),
    event("b2", "page_view", now - 9_000, { context: tagged("newsletter", "email", "tet") }),
    event("b2", "search", now - 8_800, { params: { search_term: "laptop mỏng" } }),
    look("b2", now - 8_600),
    event("b2", "payment_failed", now - 5_000, { params: { transaction_id: "BOARD-2" } }),
    event("b3", "page_view", now - 9_000),
    event("b3", "login", now - 8_000, { user_id: "board-ann" }),
    event("b4", "page_view", now - 7_000, { platform: "android" }),
    event("b4", "login", now - 6_000, { user_id: "board-ann", platform: "android" }),
    buy("b4", "BOARD-3", 900_000, now - 5_000, { user_id: "board-ann", platform: "android" }),
    event("b5", "page_view", now - 3_000, { params: {}, context: { page_url: 5 } }),
    event("b5", "purchase", now - 3_000, {
      params: { transaction_id: "BOARD-4", value: 1, currency: "XXQ" },
    }),
  ];
  const told = await send(dev, events);
  assert.equal(told.rejected.length, 2, JSON.stringify(told));
  await until("everything counted", SETTLED_MS_MAX, async () => {
    const orders = await api(dev, "GET", `/v1/orders?site=${dev.site}&limit=1000`);
    const known = new Set(orders.body.results.map((order) => order.transaction_id));
    return ["BOARD-YESTERDAY", "BOARD-1", "BOARD-3"].every((order) => known.has(order));
  });
}

/** Opens the dashboard with a key, on a page of it; what the page throws is kept. */
export async function open(here, t, path = "/", options = {}) {
  const { key = here.dev.read_key, url = here.dev.aggregator, ...more } = options;
  const context = await here.browser.newContext({
    viewport: { width: 1440, height: 900 },
    locale: "en-US",
    ...more,
  });
  const page = await context.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  t.after(async () => {
    await context.close();
    assert.deepEqual(errors, []);
  });
  await page.goto(`${url}/#site=${here.dev.site}&key=${key}`);
  await page.waitForSelector("#site-name");
  if (path !== "/") await page.goto(url + path);
  await page.waitForSelector("#main > :nth-child(2)");
  return page;
}

/** A table of a part of a page: its rows as texts of their cells. */
export async function rowsOf(page, id) {
  const rows = by(page, id).locator("tbody tr");
  await rows.first().waitFor();
  const read = (all) => all.map((row) => [...row.cells].map((cell) => cell.innerText.trim()));
  return rows.evaluateAll(read);
}
