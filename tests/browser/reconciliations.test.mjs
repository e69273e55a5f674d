// Hours against the payments of a real PostgreSQL database, as the page of orders shows them.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { api, by, open, rowsOf } from "./board.mjs";
import { launch } from "./browser.mjs";
import { lone } from "./lone.mjs";
import { postgres } from "./postgres.mjs";
import { until } from "./system.mjs";

const HOUR_MS = 3_600_000;
/** As long as the aggregator waits after the end of an hour. */
const SETTLE_MS = 15 * 60_000;
const COMPARED_MS_MAX = 60_000;

/** Two hours with four orders each; in the second one a payment is missing. */
function sales(firstMs) {
  const orders = [];
  const payments = [];
  for (let n = 0; n < 8; n++) {
    const at = firstMs + n * (HOUR_MS / 4) + 60_000;
    const order_code = `P-${n}`;
    orders.push({ order_code, status: "completed", total_amount: 100_000, order_date: at });
    if (n !== 6) payments.push(`('${order_code}', 100000, 'paid', to_timestamp(${at / 1000}))`);
  }
  return { orders, payments };
}

const here = {};
before(async () => {
  here.database = await postgres();
  here.alone = await lone("open sesame", { EDGETALLY_PAYMENTS_SHOP: here.database.url });
  here.dev = { aggregator: here.alone.url, site: "shop", read_key: here.alone.admin };
  here.browser = await launch();
});
after(async () => {
  await here.browser?.close();
  await here.alone?.stop();
  await here.database?.stop();
});

describe("reconciliations", () => {
  it("show what waits, and then each hour with its file", async (t) => {
    const { dev, database } = here;
    const firstMs = Math.floor((Date.now() - SETTLE_MS) / HOUR_MS) * HOUR_MS - 2 * HOUR_MS;
    const reconcile = {
      database_env: "EDGETALLY_PAYMENTS_SHOP",
      since: new Date(firstMs).toISOString(),
    };
    const settings = { timezone: "Asia/Ho_Chi_Minh", currency: "VND" };
    await api(dev, "PUT", "/v1/sites/shop", settings);
    const { orders, payments } = sales(firstMs);
    const told = await api(dev, "POST", "/v1/orders?site=shop", orders);
    assert.equal(told.body.created, 8);
    const page = await open(here, t, "/orders");
    await by(page, "daily").waitFor();
    assert.equal(await by(page, "reconciliations").count(), 0, "nobody asked for it");

    await api(dev, "PUT", "/v1/sites/shop", { ...settings, reconcile });
    const state = async () => (await api(dev, "GET", "/v1/reconciliations?site=shop")).body;
    await until("it waits", COMPARED_MS_MAX, async () => (await state()).schedule?.waits);
    await page.reload();
    await by(page, "reconciliation-waits").getByText("the payments cannot be read").waitFor();

    database.run(`create table payments
      (order_id text, amount numeric, status text, created_at timestamptz);
      insert into payments values ${payments.join(", ")};`);
    await until("both hours", COMPARED_MS_MAX, async () => (await state()).results.length >= 2);
    await page.reload();
    const rows = await rowsOf(page, "reconciliations");
    const [later, earlier] = rows.slice(-2);
    assert.deepEqual(earlier.slice(1, 5), ["4", "0", "0", "0"]);
    assert.deepEqual(later.slice(1, 5), ["3", "0", "1", "0"]);
    assert.deepEqual([earlier[8], later[8]], ["0.00 %", "33.33 %"]);
    const row = by(page, "reconciliations").locator("tr[data-beyond='true']");
    const click = row.getByRole("button").click();
    const [file] = await Promise.all([page.waitForEvent("download"), click]);
    const lines = (await readFile(await file.path(), "utf8")).trim().split("\r\n");
    assert.equal(lines.length, 2);
    assert.ok(lines[1].startsWith('missing_there,"P-6",VND,100000,,100000,'), lines[1]);
  });
});
