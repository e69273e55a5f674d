// What goes wrong between a page and the collector, one fault at a time: each purchase arrives
// once, with the right time.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { overloaded } from "./browser.mjs";
import { accepted, call, named, place, visit as open } from "./place.mjs";
import { query, until } from "./system.mjs";

const ANSWER_MS_MAX = 30_000;
const SETTLED_MS_MAX = 30_000;
/** Between a call in the page and its event here, on a busy machine. */
const SLACK_MS = 20_000;
const HOUR_MS = 3_600_000;

const here = place();
const visit = (t, options) =>
  open(here, t, { script: "e.full.js", attributes: 'data-auto="0"', ...options });

/** One order of 1,000 VND, of a number nobody used before. */
const order = () => ({
  transaction_id: `T-${crypto.randomUUID()}`,
  value: 1000,
  currency: "VND",
});
const buy = (page, params) => call(page, "track", "purchase", params);

/** The order as the aggregator has it: one copy from one event, at a time near `at`. */
async function expectOnce({ transaction_id }, at) {
  const path = `/v1/orders/${transaction_id}?site=${here.dev.site}`;
  const headers = { authorization: `Bearer ${here.dev.read_key}` };
  const told = await until("the order", SETTLED_MS_MAX, async () => {
    const answer = await fetch(here.dev.aggregator + path, { headers });
    return answer.ok && answer.json();
  });
  assert.equal(told.copies, 1);
  assert.deepEqual(told.value, { currency: "VND", amount: "1000" });
  const off = Math.abs(Date.parse(told.created_at) - at);
  assert.ok(off < SLACK_MS, `${told.created_at} is ${off} ms off`);
}

const kept = (page) =>
  page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith("edgetally:")));

describe("a purchase arrives once", () => {
  it("when the tab is killed in the middle of its request", async (t) => {
    const { page, context, sent, url } = await visit(t, { faults: ["hang"] });
    const params = order();
    const at = Date.now();
    await buy(page, params);
    await until("a request under way", ANSWER_MS_MAX, () => sent.batches.length === 1);
    const crashed = page.waitForEvent("crash");
    page.goto("chrome://crash").catch(() => {});
    await crashed;
    const next = await context.newPage();
    await next.goto(url);
    await until("sent by the next page", ANSWER_MS_MAX, () => accepted(sent) === 1);
    assert.equal(named(sent, "purchase").length, 1, "every attempt is the same event");
    await expectOnce(params, at);
    await until("nothing kept", ANSWER_MS_MAX, async () => (await kept(next)).length === 0);
  });

  it("when the network goes and comes back", async (t) => {
    const { page, context, sent } = await visit(t);
    await context.setOffline(true);
    const params = order();
    const at = Date.now();
    await buy(page, params);
    await page.waitForTimeout(300);
    assert.equal(sent.batches.length, 0);
    await context.setOffline(false);
    await until("accepted", ANSWER_MS_MAX, () => accepted(sent) === 1);
    await expectOnce(params, at);
  });

  const lateLock = (context) =>
    context.addInitScript(() => {
      const request = navigator.locks.request.bind(navigator.locks);
      navigator.locks.request = async (...args) => {
        await new Promise((resolve) => setTimeout(resolve, 300));
        return request(...args);
      };
    });
  const refused = [
    ["the collector answers 503 first", 503],
    ["the collector answers 429 first", 429],
    ["the browser takes its time with the lock, and the collector answers 503", 503, lateLock],
  ];
  for (const [what, status, prepare] of refused) {
    it(`when ${what}`, async (t) => {
      const { page, sent } = await visit(t, { faults: [overloaded(1, status)], prepare });
      const params = order();
      const at = Date.now();
      await buy(page, params);
      await until("accepted", ANSWER_MS_MAX, () => accepted(sent) === 1);
      const [first, second] = sent.batches;
      assert.deepEqual(second.events, first.events, "the same events with the same ids");
      assert.ok(second.sent_at - first.sent_at >= 1000, "Retry-After is kept");
      await expectOnce(params, at);
    });
  }

  it("when the answer is lost after the collector has taken it", async (t) => {
    const { page, sent } = await visit(t, { faults: ["unanswered"] });
    const params = order();
    const at = Date.now();
    await buy(page, params);
    await until("a second attempt", ANSWER_MS_MAX, () => sent.answers[1]?.status === 202);
    const counted = sent.answers.map(({ body }) => [body.accepted, body.duplicates]);
    assert.deepEqual(counted.slice(0, 2), [[1, 0], [0, 1]]);
    await expectOnce(params, at);
  });

  const refusals = {
    denied: () =>
      Object.defineProperty(window, "localStorage", {
        get() {
          throw new DOMException("denied", "SecurityError");
        },
      }),
    full: () => {
      Storage.prototype.setItem = () => {
        throw new DOMException("full", "QuotaExceededError");
      };
    },
  };
  for (const [how, refuse] of Object.entries(refusals)) {
    it(`when the storage is ${how} and the page stays open`, async (t) => {
      const prepare = (context) => context.addInitScript(refuse);
      const { page, sent, errors } = await visit(t, { prepare, faults: [overloaded(1)] });
      const params = order();
      const at = Date.now();
      await buy(page, params);
      await until("accepted", ANSWER_MS_MAX, () => accepted(sent) === 1);
      assert.deepEqual(errors, []);
      await expectOnce(params, at);
    });
  }

  it("when two tabs buy at once, and neither hears the first answer", async (t) => {
    const { page, context, sent, url } = await visit(t, { faults: ["reset", "reset"] });
    const other = await context.newPage();
    await other.goto(url);
    const [mine, theirs] = [order(), order()];
    const at = Date.now();
    await Promise.all([buy(page, mine), buy(other, theirs)]);
    await until("both accepted", ANSWER_MS_MAX, () => accepted(sent) === 2);
    assert.equal(named(sent, "purchase").length, 2);
    await Promise.all([expectOnce(mine, at), expectOnce(theirs, at)]);
    await until("nothing kept", ANSWER_MS_MAX, async () => (await kept(page)).length === 0);
  });

  for (const hours of [-2, 2]) {
    it(`when the clock is ${hours} hours wrong`, async (t) => {
      const prepare = (context) =>
        context.addInitScript((ms) => {
          const now = Date.now.bind(Date);
          Date.now = () => now() + ms;
        }, hours * HOUR_MS);
      const { page, sent } = await visit(t, { prepare, faults: [overloaded(2)] });
      const params = order();
      const at = Date.now();
      await buy(page, params);
      await until("accepted", ANSWER_MS_MAX, () => accepted(sent) === 1);
      const { ts } = named(sent, "purchase")[0];
      assert.ok(Math.abs(ts - at - hours * HOUR_MS) < SLACK_MS, "the page's clock is wrong");
      await expectOnce(params, at);
    });
  }
});

describe("a burst", () => {
  it("of 1,000 events leaves in batches within the limits, and none is lost", async (t) => {
    const { page, sent } = await visit(t);
    const name = `burst_${Date.now().toString(36)}`;
    await page.evaluate((event) => {
      for (let n = 0; n < 1000; n++) {
        window.edgetally.track(event, { n, text: "hàng mới về ".repeat(n % 30) });
      }
    }, name);
    await until("all accepted", 3 * ANSWER_MS_MAX, () => accepted(sent) === 1000);
    assert.equal(named(sent, name).length, 1000);
    for (const batch of sent.batches) {
      assert.ok(batch.events.length <= 50);
      assert.equal(batch.dropped, 0);
      assert.ok(Buffer.byteLength(JSON.stringify(batch)) < 60_000);
    }
    const counted = async () => {
      const answer = await query(here.dev, {
        metrics: ["events"],
        date_range: "day",
        dimensions: ["event:name"],
        filters: [["is", "event:name", [name]]],
      });
      return answer.results[0]?.metrics[0] === 1000;
    };
    await until("all in the query", SETTLED_MS_MAX, counted);
  });
});
