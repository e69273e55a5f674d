// The SDK in a real browser against the real worker: what it sends, when, and what it survives.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { browse, launch, overloaded, site, snippet, tap } from "./browser.mjs";
import { accepted, call, named, place, visit as open } from "./place.mjs";
import { query, until } from "./system.mjs";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const ANSWER_MS_MAX = 30_000;
/** A page stays open for so long, and the next one is prerendered meanwhile. */
const PRERENDERED_MS = 3000;

const here = place();
const visit = (...args) => open(here, ...args);

describe("page views", () => {
  it("sends one for the load and one for each change of address", async (t) => {
    const { page, sent, url } = await visit(t, { script: "e.full.js" }, "/list?size=9");
    await page.evaluate(() => {
      history.pushState({}, "", "/p/1");
      document.title = "Product 1";
    });
    await page.evaluate(() => history.replaceState({}, "", "/p/1#reviews"));
    await page.waitForTimeout(20);
    await page.goBack();
    await until("three views accepted", ANSWER_MS_MAX, () => accepted(sent) === 3);
    const views = named(sent, "page_view");
    assert.deepEqual(
      views.map((view) => view.context.page_url),
      [`${url}/list?size=9`, `${url}/p/1`, `${url}/list?size=9`],
    );
    assert.equal(new Set(views.map((view) => view.id)).size, 3);
    assert.ok(views.every((view) => UUID.test(view.id)));
  });

  it("of e.js tell the path alone after the first", async (t) => {
    const { page, sent, url } = await visit(t, {}, "/list?size=9&utm_source=tet");
    await page.evaluate(() => history.pushState({}, "", "/p/1?variant=2#top"));
    await until("two views accepted", ANSWER_MS_MAX, () => accepted(sent) === 2);
    const seen = named(sent, "page_view").map((view) => view.context.page_url);
    assert.deepEqual(seen, [`${url}/list?size=9&utm_source=tet`, `${url}/p/1`]);
  });

  it("by the Navigation API alone are seen too", async (t) => {
    const { page, sent, url } = await visit(t);
    await page.evaluate(async () => {
      navigation.addEventListener("navigate", (event) => event.intercept());
      await navigation.navigate("/intercepted").finished;
    });
    await until("two views accepted", ANSWER_MS_MAX, () => accepted(sent) === 2);
    const seen = named(sent, "page_view").map((view) => view.context.page_url);
    assert.deepEqual(seen, [`${url}/`, `${url}/intercepted`]);
  });

  it("by the part after # count once each where it tells pages apart", async (t) => {
    const options = { script: "e.full.js", attributes: "data-hash" };
    const { page, sent, url } = await visit(t, options, "/#/cart");
    await page.evaluate(() => (location.hash = "#/pay"));
    await page.evaluate(() => history.replaceState({}, "", "#/pay"));
    await page.waitForTimeout(20);
    await page.goBack();
    await until("three views accepted", ANSWER_MS_MAX, () => accepted(sent) === 3);
    const seen = named(sent, "page_view").map((view) => view.context.page_url);
    assert.deepEqual(seen, [`${url}/#/cart`, `${url}/#/pay`, `${url}/#/cart`]);
  });

  for (const script of ["e.js", "e.full.js"]) {
    it(`end with how long and how far they were looked at (${script})`, async (t) => {
      const body = '<div style="height:4000px">tall</div>';
      const { page, sent, url } = await visit(t, { script, body }, "/tall");
      await page.waitForTimeout(400);
      await page.mouse.wheel(0, 5000);
      await page.waitForFunction(() => scrollY > 3000);
      await page.evaluate(() => history.pushState({}, "", "/short"));
      await until("the look", ANSWER_MS_MAX, () => named(sent, "engagement").length === 1);
      const [{ params, context }] = named(sent, "engagement");
      assert.equal(context.page_url, `${url}/tall`);
      assert.ok(params.duration_ms >= 400 && params.duration_ms < 10_000, params.duration_ms);
      assert.ok(params.scroll > 90 && params.scroll <= 101, params.scroll);
      await until("both views accepted", ANSWER_MS_MAX, () => accepted(sent) === 2);
    });
  }

  it("are seen by wrapped history where the Navigation API is missing", async (t) => {
    const prepare = (context) =>
      context.addInitScript(() => {
        Object.defineProperty(window, "navigation", { value: undefined });
      });
    const { page, sent, url } = await visit(t, { prepare, script: "e.full.js" });
    await page.evaluate(() => history.pushState({}, "", "/a"));
    await page.evaluate(() => history.replaceState({}, "", "/b"));
    await page.goBack();
    await until("four views accepted", ANSWER_MS_MAX, () => accepted(sent) === 4);
    const seen = named(sent, "page_view").map((view) => view.context.page_url.replace(url, ""));
    assert.deepEqual(seen, ["/", "/a", "/b", "/"]);
  });

  it("names campaign and referrer with the first event of a document only", async (t) => {
    const referer = "https://www.google.com/";
    const options = { referer, script: "e.full.js" };
    const { page, sent, url } = await visit(t, options, "/?a=1&utm_source=tet&gclid=X&b=2");
    await call(page, "track", "view_item", { items: [{ item_id: "sku-1" }] });
    await until("two events accepted", ANSWER_MS_MAX, () => accepted(sent) === 2);
    const [view, item] = sent.events();
    assert.equal(view.name, "page_view");
    assert.equal(view.context.page_url, `${url}/?a=1&utm_source=tet&gclid=X&b=2`);
    assert.equal(view.context.referrer, referer);
    assert.equal(item.context.page_url, `${url}/?a=1&b=2`);
    assert.equal(item.context.referrer, undefined);
    assert.ok(item.ts > view.ts, "events of a page never share a millisecond");
  });

  it("counts a return from the back/forward cache", async (t) => {
    const caching = await launch({ hasPageCache: true });
    t.after(() => caching.close());
    const { page, sent } = await visit(t, { browser: caching });
    await page.evaluate(() => (window.isSamePage = true));
    await page.click("#next");
    await page.waitForURL("**/next");
    await page.evaluate(() => history.back());
    await until("three views accepted", ANSWER_MS_MAX, () => accepted(sent) === 3);
    assert.ok(await page.evaluate(() => window.isSamePage), "the page came from the cache");
  });

  it("counts a prerendered page once, when it is shown", async (t) => {
    const sent = await tap(here.dev);
    const rules = JSON.stringify({ prerender: [{ urls: ["/next"], eagerness: "immediate" }] });
    const first = `<script type="speculationrules">${rules}</script><a id="next" href="/next"></a>
      <script>onload = () => setTimeout(() => {
        edgetally("track", "leave");
        setTimeout(() => document.getElementById("next").click(), 50);
      }, ${PRERENDERED_MS})</script>`;
    const next = `<script>
      document.addEventListener("prerenderingchange", () => edgetally("track", "shown"));
      edgetally("track", "add_to_cart", { items: [{ item_id: "sku-1" }] })</script>`;
    const tapped = { ...here.dev, edge: sent.url };
    const pages = await site((path) => snippet(tapped) + (path === "/" ? first : next));
    const browser = browse(pages.url);
    t.after(async () => {
      await browser.close();
      pages.close();
      sent.close();
    });
    await until("five accepted", PRERENDERED_MS + ANSWER_MS_MAX, () => accepted(sent) === 5);
    const [leave] = named(sent, "leave");
    assert.equal(named(sent, "shown").length, 1, "it was prerendered");
    const views = named(sent, "page_view").toSorted((one, other) => one.ts - other.ts);
    const seen = views.map((view) => view.context.page_url);
    assert.deepEqual(seen, [`${pages.url}/`, `${pages.url}/next`]);
    assert.ok(views[1].ts >= leave.ts, "the view is of when it was shown");
    const batch = sent.batches.find(({ events }) => events.some(({ id }) => id === views[1].id));
    assert.ok(batch.sent_at >= leave.ts, "nothing was sent before");
  });

  it("measures web vitals once, when the page is hidden", async (t) => {
    const head = "<h1>Edgetally</h1>";
    const options = { head, script: "e.full.js", attributes: "data-vitals" };
    const { page, sent } = await visit(t, options);
    await page.click("h1");
    await page.waitForTimeout(300);
    await page.evaluate(() => (location.href = "/next"));
    await until("the metrics", ANSWER_MS_MAX, () => named(sent, "web_vital").length >= 4);
    const metrics = named(sent, "web_vital").slice(0, 5).map(({ params }) => params);
    const values = Object.fromEntries(metrics.map(({ metric, value }) => [metric, value]));
    for (const name of ["TTFB", "FCP", "LCP", "CLS"]) {
      assert.ok(values[name] >= 0 && values[name] < 10_000, `${name}: ${values[name]}`);
    }
    assert.ok(values.LCP >= values.FCP && values.FCP >= values.TTFB);
    await until("none rejected", ANSWER_MS_MAX, () => accepted(sent) >= 5);
  });
});

describe("batches", () => {
  it("carry the contract's members and arrive in the query", async (t) => {
    const name = `probe_${Date.now().toString(36)}`;
    const { page, sent } = await visit(t);
    const cart = { items: [{ item_id: "sku-1" }] };
    await page.evaluate(([event, params]) => {
      window.edgetally.track(event, params);
      params.items.length = 0;
    }, [name, cart]);
    await until("both accepted", ANSWER_MS_MAX, () => accepted(sent) === 2);
    const [batch] = sent.batches;
    assert.equal(sent.batches.length, 1, "events of one second share a request");
    assert.equal(batch.site, here.dev.site);
    assert.equal(batch.key, here.dev.write_key);
    assert.match(batch.client_id, UUID);
    assert.equal(batch.platform, "web");
    assert.equal(batch.dropped, 0);
    assert.ok(batch.sent_at >= batch.events[1].ts);
    assert.deepEqual(batch.events[1].params, cart, "a later change by the caller is not sent");
    const counted = async () => {
      const answer = await query(here.dev, {
        metrics: ["events"],
        date_range: "day",
        dimensions: ["event:name"],
        filters: [["is", "event:name", [name]]],
      });
      return answer.results[0]?.metrics[0] === 1;
    };
    await until("the event in the query", ANSWER_MS_MAX, counted);
  });

  for (const script of ["e.js", "e.full.js"]) {
    // Times hold what a request spent on its way: in two requests they could change places.
    it(`hold a page's first view and what follows within the second (${script})`, async (t) => {
      const body = `<script>onload = () => setTimeout(edgetally, 300, "track", "seen")</script>`;
      const { sent } = await visit(t, { script, body });
      await until("two accepted", ANSWER_MS_MAX, () => accepted(sent) === 2);
      const names = sent.batches.map(({ events }) => events.map(({ name }) => name));
      assert.deepEqual(names, [["page_view", "seen"]]);
    });
  }

  it("leave at once for commerce events", async (t) => {
    const { page, sent } = await visit(t);
    const started = performance.now();
    await call(page, "track", "add_to_cart", { items: [{ item_id: "sku-1" }] });
    await until("the cart sent", 500, () => named(sent, "add_to_cart").length === 1);
    assert.ok(performance.now() - started < 600);
  });

  it("leave when the visitor goes to another page", async (t) => {
    const { page, sent } = await visit(t);
    await page.evaluate(() => {
      window.edgetally("track", "view_item", { items: [{ item_id: "sku-1" }] });
      location.href = "/next";
    });
    await page.waitForURL("**/next");
    await until("all three accepted", ANSWER_MS_MAX, () => accepted(sent) === 3);
    assert.equal(named(sent, "view_item").length, 1);
  });

  it("reach the aggregator when the tab is closed", async (t) => {
    const name = `closing_${Date.now().toString(36)}`;
    const { page } = await visit(t);
    await call(page, "track", name, {});
    await page.close({ runBeforeUnload: true });
    const counted = async () => {
      const answer = await query(here.dev, {
        metrics: ["events"],
        date_range: "day",
        filters: [["is", "event:name", [name]]],
        dimensions: ["event:name"],
      });
      return answer.results[0]?.metrics[0] === 1;
    };
    await until("the event in the query", ANSWER_MS_MAX, counted);
  });

  it("split at 50 events and below 60,000 bytes", async (t) => {
    const { page, sent } = await visit(t);
    await page.evaluate(() => {
      const text = "ệ".repeat(300);
      for (let i = 0; i < 120; i++) window.edgetally.track("long_text", { text });
      return window.edgetally.flush();
    });
    await until("121 accepted", 2 * ANSWER_MS_MAX, () => accepted(sent) === 121);
    for (const batch of sent.batches) {
      assert.ok(batch.events.length <= 50);
      assert.ok(Buffer.byteLength(JSON.stringify(batch)) < 60_000);
    }
  });
});

describe("identity", () => {
  it("puts the user on events from identify to reset, over pages", async (t) => {
    const { page, sent } = await visit(t);
    await call(page, "identify", "u-42", { tier: "gold" });
    await call(page, "track", "view_cart", { items: [] });
    await page.goto(page.url() + "next");
    await page.waitForFunction(() => window.edgetally.track);
    await call(page, "reset");
    await call(page, "track", "search", { search_term: "laptop" });
    await until("six events accepted", ANSWER_MS_MAX, () => accepted(sent) === 6);
    const users = sent
      .events()
      .filter(({ name }) => name !== "engagement")
      .map((event) => [event.name, event.user_id]);
    assert.deepEqual(users, [
      ["page_view", undefined],
      ["identify", "u-42"],
      ["view_cart", "u-42"],
      ["page_view", "u-42"],
      ["logout", undefined],
      ["search", undefined],
    ]);
    assert.deepEqual(named(sent, "identify")[0].params, { tier: "gold" });
    assert.equal(new Set(sent.batches.map((batch) => batch.client_id)).size, 1);
  });

  it("keeps nothing on the device without consent", async (t) => {
    const { page, context, sent } = await visit(t, { attributes: 'data-consent="denied"' });
    await call(page, "identify", "u-42");
    await until("a batch", ANSWER_MS_MAX, () => sent.batches.length > 0);
    assert.deepEqual(sent.batches[0].consent, { analytics: false, ads: false });
    assert.deepEqual(await context.cookies(), []);
    assert.equal(await page.evaluate(() => localStorage.length), 0);
  });

  it("keeps nothing on the device under Global Privacy Control", async (t) => {
    const prepare = (context) =>
      context.addInitScript(() =>
        Object.defineProperty(navigator, "globalPrivacyControl", { value: true }),
      );
    const { page, context, sent } = await visit(t, { prepare });
    await call(page, "identify", "u-42");
    await until("a batch", ANSWER_MS_MAX, () => sent.batches.length > 0);
    assert.deepEqual(await context.cookies(), []);
    assert.equal(await page.evaluate(() => localStorage.length), 0);
  });

  it("sends nothing while consent is pending, and all of it once granted", async (t) => {
    const { page, context, sent } = await visit(t, {
      script: "e.full.js",
      attributes: 'data-consent="pending"',
    });
    await call(page, "track", "add_to_cart", { items: [{ item_id: "sku-1" }] });
    await page.waitForTimeout(1500);
    assert.equal(sent.batches.length, 0);
    await call(page, "consent", "granted");
    await until("both accepted", ANSWER_MS_MAX, () => accepted(sent) === 2);
    const [cookie] = await context.cookies();
    assert.equal(cookie.value, sent.batches[0].client_id);
  });
});

describe("trouble", () => {
  it("replays calls made before the script came, after the first page view", async (t) => {
    const head = `<script>window.edgetally = function () {
      (edgetally.q = edgetally.q || []).push(arguments) };
      edgetally("identify", "early"); edgetally("track", "search", { search_term: "tivi" });
    </script>`;
    const { sent, errors } = await visit(t, { head });
    await until("three accepted", ANSWER_MS_MAX, () => accepted(sent) === 3);
    assert.deepEqual(
      sent.events().map((event) => [event.name, event.user_id]),
      [["page_view", undefined], ["identify", "early"], ["search", "early"]],
    );
    assert.deepEqual(errors, []);
  });

  it("never throws into the page, and tells what it dropped", async (t) => {
    const options = { script: "e.full.js", attributes: 'data-auto="0"' };
    const { page, sent, errors } = await visit(t, options);
    await page.evaluate(async () => {
      const circle = {};
      circle.self = circle;
      window.edgetally("track", "circle", circle);
      window.edgetally("no_such_method", 1);
      window.edgetally("track", "search", { search_term: "first" });
      await window.edgetally("flush");
      window.edgetally("track", "huge", { text: "x".repeat(70_000) });
      await window.edgetally("flush");
      window.edgetally("track", "search", { search_term: "next" });
      await window.edgetally("flush");
    });
    await until("both searches accepted", ANSWER_MS_MAX, () => accepted(sent) === 2);
    const told = sent.batches.map(({ dropped, events }) => [dropped, events.map((e) => e.name)]);
    assert.deepEqual(told, [
      [1, ["search"]],
      [0, ["huge"]],
      [1, ["search"]],
    ]);
    assert.equal(sent.answers[1].status, 413);
    assert.deepEqual(errors, []);
  });

  it("survives rejections, and refusals of the whole batch are not repeated", async (t) => {
    const { page, sent, errors } = await visit(t);
    await call(page, "track", "purchase", { transaction_id: "", value: -1 });
    await until("a rejection", ANSWER_MS_MAX, () =>
      sent.answers.some((answer) => answer.status === 202 && answer.body.rejected.length === 1),
    );
    const wrong = await visit(t, { key: "wk_not_a_key" });
    await until("a refusal", ANSWER_MS_MAX, () => wrong.sent.answers.length === 1);
    assert.equal(wrong.sent.answers[0].status, 401);
    await wrong.page.waitForTimeout(2500);
    assert.equal(wrong.sent.batches.length, 1);
    await call(wrong.page, "track", "search", { search_term: "again" });
    await until("the next batch", ANSWER_MS_MAX, () => wrong.sent.batches.length === 2);
    assert.equal(wrong.sent.batches[1].dropped, 1, "what was refused is told");
    assert.deepEqual([...errors, ...wrong.errors], []);
  });

  it("sends again with the same ids and a fresh sent_at, not before Retry-After", async (t) => {
    const { sent } = await visit(t, { faults: [overloaded(2)] });
    await until("accepted in the end", 2 * ANSWER_MS_MAX, () => accepted(sent) === 1);
    const [first, second] = sent.batches;
    assert.deepEqual(second.events, first.events);
    assert.ok(second.sent_at - first.sent_at >= 2000, "Retry-After is kept");
    assert.ok(second.sent_at - first.sent_at < 5000);
  });

  it("sends an order from the next page when this one never heard an answer", async (t) => {
    const options = { script: "e.full.js", attributes: 'data-auto="0"', faults: ["reset"] };
    const { page, sent } = await visit(t, options);
    const order = `T-${Date.now()}`;
    await call(page, "track", "purchase", { transaction_id: order, value: 1000, currency: "VND" });
    await until("one lost attempt", ANSWER_MS_MAX, () => sent.batches.length === 1);
    await page.reload();
    await until("accepted in the end", ANSWER_MS_MAX, () => accepted(sent) >= 1);
    const ids = new Set(named(sent, "purchase").map((event) => event.id));
    assert.equal(ids.size, 1, "every attempt is the same event");
    await until("nothing kept", ANSWER_MS_MAX, () =>
      page.evaluate(() => !Object.keys(localStorage).some((key) => key.startsWith("edgetally:"))),
    );
  });
});
