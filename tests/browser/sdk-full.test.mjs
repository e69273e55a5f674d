// What e.full.js does beyond page views and batches: links, forms, other hosts, GA4's data layer,
// consent, hooks, and what it tells a developer.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { site, snippet } from "./browser.mjs";
import { accepted, call, named, place, visit as open } from "./place.mjs";
import { query, until } from "./system.mjs";

const ANSWER_MS_MAX = 30_000;
/** Longer than any batch waits. */
const QUIET_MS = 1500;

const here = place();
const visit = (t, { attributes = "", ...options } = {}) =>
  open(here, t, { script: "e.full.js", attributes: `data-auto="0" ${attributes}`, ...options });

const storage = (page) => page.evaluate(() => Object.keys(localStorage));

describe("the page", () => {
  const body = `
    <a id="file" href="/files/catalog.PDF?v=2">catalog</a>
    <a id="out" href="https://partner.example/a?b=1#c">partner</a>
    <a id="own" href="/inside">inside</a>
    <button id="marked" data-edgetally-event="size_guide" data-edgetally-event-item-id="sku-1"
      data-edgetally-event-step="2"><b id="inner">sizes</b></button>
    <form id="news" action="/subscribe"><input name="mail" value="a@b.example"><button id="send">
      send</button></form>`;
  // The page stays where it is.
  const prepare = (context) =>
    context.addInitScript(() => {
      for (const type of ["click", "submit"]) {
        addEventListener(type, (event) => event.preventDefault());
      }
    });
  const clickAll = async (page) => {
    for (const id of ["file", "out", "own", "inner"]) await page.click(`#${id}`);
    await page.evaluate(() => document.querySelector("#news").requestSubmit());
  };

  it("tells of files, other hosts, forms and marked elements where it is asked to", async (t) => {
    const attributes = "data-outbound data-downloads data-forms";
    const { page, sent, url, errors } = await visit(t, { body, prepare, attributes });
    await clickAll(page);
    await until("four accepted", ANSWER_MS_MAX, () => accepted(sent) === 4);
    const told = sent.events().map(({ name, params }) => [name, params]);
    assert.deepEqual(told, [
      ["file_download", { link_url: `${url}/files/catalog.PDF`, file_extension: "PDF" }],
      ["click", { link_url: "https://partner.example/a", link_domain: "partner.example" }],
      ["size_guide", { item_id: "sku-1", step: "2" }],
      ["form_submit", { form_id: "news", form_destination: "/subscribe" }],
    ]);
    assert.deepEqual(errors, []);
  });

  it("tells of marked elements only where it is not", async (t) => {
    const { page, sent } = await visit(t, { body, prepare, attributes: 'data-outbound="0"' });
    await clickAll(page);
    await until("one accepted", ANSWER_MS_MAX, () => accepted(sent) === 1);
    await page.waitForTimeout(QUIET_MS);
    assert.deepEqual(sent.events().map(({ name }) => name), ["size_guide"]);
  });
});

describe("another host of the shop", () => {
  /** The same page under another name of this machine. */
  async function pair(t, attributes) {
    const first = await visit(t, { attributes, body: '<a id="over">over</a>' });
    const other = await site(() => snippet({ ...here.dev, edge: first.sent.url }, {
      script: "e.full.js",
      attributes: 'data-auto="0"',
    }));
    t.after(() => other.close());
    const target = `${other.url.replace("127.0.0.1", "localhost")}/there?a=1`;
    await first.page.evaluate((href) => (document.querySelector("#over").href = href), target);
    return { ...first, target };
  }
  const clientOf = async (page, sent) => {
    const before = sent.batches.length;
    await call(page, "track", "search", { search_term: "x" });
    await call(page, "flush");
    await until("a batch", ANSWER_MS_MAX, () => sent.batches.length > before);
    return sent.batches.at(-1).client_id;
  };

  it("goes on with the same client when a link leads there", async (t) => {
    const { page, sent, target } = await pair(t, 'data-link="localhost"');
    const before = await clientOf(page, sent);
    await page.click("#over");
    await page.waitForURL(target, { timeout: ANSWER_MS_MAX });
    assert.equal(await clientOf(page, sent), before);
    await page.reload();
    assert.equal(await clientOf(page, sent), before, "it is kept there");
  });

  it("has a client of its own where no link was named, or the link is old", async (t) => {
    const { page, sent, target } = await pair(t, "");
    const before = await clientOf(page, sent);
    await page.click("#over");
    await page.waitForURL(target);
    assert.notEqual(await clientOf(page, sent), before);
    const old = (Date.now() - 3_600_000).toString(36);
    await page.goto(`${target}&_et=${before}.${old}`);
    await page.waitForURL(target);
    assert.notEqual(await clientOf(page, sent), before);
  });
});

describe("GA4's data layer", () => {
  const items = [{ item_id: "sku-1", price: 500, quantity: 2 }];
  const price = { value: 1000, currency: "VND" };
  const ecommerce = () => ({ transaction_id: crypto.randomUUID(), ...price, items });

  it("is read in both forms, before and after the script came", async (t) => {
    const [early, late] = [ecommerce(), ecommerce()];
    const head = `<script>
      dataLayer = [{ event: "view_item", ecommerce: { items: [{ item_id: "sku-1" }] } }];
      function gtag() { dataLayer.push(arguments) }
      gtag("js", new Date()); gtag("config", "G-1"); gtag("event", "page_view", { a: 1 });
      gtag("event", "purchase", ${JSON.stringify(early)});
    </script>`;
    const { page, sent, errors } = await visit(t, { head, attributes: "data-datalayer" });
    await until("two accepted", ANSWER_MS_MAX, () => accepted(sent) === 2);
    await page.evaluate((order) => {
      dataLayer.push({ ecommerce: null });
      dataLayer.push({ event: "gtm.click" }, { event: "purchase", ecommerce: order });
    }, late);
    await until("three accepted", ANSWER_MS_MAX, () => accepted(sent) === 3);
    assert.deepEqual(sent.events().map(({ name, params }) => [name, params.transaction_id]), [
      ["view_item", undefined],
      ["purchase", early.transaction_id],
      ["purchase", late.transaction_id],
    ]);
    assert.equal(await page.evaluate(() => dataLayer.length), 8, "the layer is as it was");
    assert.deepEqual(errors, []);
  });
});

describe("what the visitor allows", () => {
  it("held events go when consent is given, and are erased when it is denied", async (t) => {
    for (const [choice, count] of [["granted", 1], ["denied", 0]]) {
      const { page, context, sent } = await visit(t, { attributes: 'data-consent="pending"' });
      await call(page, "track", "purchase", { transaction_id: crypto.randomUUID(), value: 1 });
      await page.waitForTimeout(QUIET_MS);
      assert.equal(sent.batches.length, 0);
      assert.deepEqual([await storage(page), await context.cookies()], [[], []]);
      await call(page, "consent", choice);
      await until(choice, ANSWER_MS_MAX, () => accepted(sent) === count);
      await page.waitForTimeout(QUIET_MS);
      assert.equal(named(sent, "purchase").length, count, choice);
      assert.equal((await context.cookies()).length, count, choice);
    }
  });

  it("nothing is kept without consent, and the collector is told", async (t) => {
    const { page, context, sent } = await visit(t, { attributes: 'data-consent="denied"' });
    await call(page, "identify", "u-1");
    await call(page, "track", "purchase", { transaction_id: crypto.randomUUID(), value: 1 });
    await until("two accepted", ANSWER_MS_MAX, () => accepted(sent) === 2);
    assert.deepEqual(sent.batches[0].consent, { analytics: false, ads: false });
    assert.deepEqual([await storage(page), await context.cookies()], [[], []]);
  });

  it("data-id=none keeps no id, and the collector counts by the day", async (t) => {
    const { page, context, sent } = await visit(t, { attributes: 'data-id="none"' });
    await call(page, "track", "search", { search_term: "x" });
    await until("one accepted", ANSWER_MS_MAX, () => accepted(sent) === 1);
    assert.deepEqual(sent.batches[0].consent, { analytics: false, ads: false });
    assert.deepEqual([await storage(page), await context.cookies()], [[], []]);
  });

  const signal = (name, value) => (context) =>
    context.addInitScript(
      ([of, is]) => Object.defineProperty(navigator, of, { value: is }),
      [name, value],
    );

  it("a Global Privacy Control signal forbids ids, unless the shop says otherwise", async (t) => {
    const prepare = signal("globalPrivacyControl", true);
    for (const [attributes, kept] of [["", 0], ['data-gpc="0"', 1]]) {
      const { page, context, sent } = await visit(t, { prepare, attributes });
      await call(page, "identify", "u-1");
      await until("one accepted", ANSWER_MS_MAX, () => accepted(sent) === 1);
      assert.equal((await context.cookies()).length, kept);
      assert.equal((await storage(page)).includes("edgetally_user"), kept === 1);
    }
  });

  it("Do Not Track is heeded where the shop wants it", async (t) => {
    const prepare = signal("doNotTrack", "1");
    for (const [attributes, count] of [["data-dnt", 0], ["", 1]]) {
      const { page, sent } = await visit(t, { prepare, attributes });
      await call(page, "track", "search", { search_term: "x" });
      await until("what is allowed", ANSWER_MS_MAX, () => accepted(sent) === count);
      await page.waitForTimeout(QUIET_MS);
      assert.equal(sent.batches.length, count);
    }
  });

  it("who opted out is measured no more until he takes it back", async (t) => {
    const { page, context, sent } = await visit(t);
    await call(page, "optOut");
    await call(page, "track", "search", { search_term: "x" });
    await page.reload();
    await call(page, "track", "search", { search_term: "x" });
    await page.waitForTimeout(QUIET_MS);
    assert.equal(sent.batches.length, 0);
    assert.deepEqual(await context.cookies(), []);
    await call(page, "optOut", false);
    await call(page, "track", "search", { search_term: "x" });
    await until("one accepted", ANSWER_MS_MAX, () => accepted(sent) === 1);
  });
});

describe("the shop", () => {
  it("sees each event before it is sent, and may change it or hold it back", async (t) => {
    const head = `<script>
      function tidy(event) {
        if (event.name == "search") return { ...event, params: { search_term: "***" } };
        return event.name == "share" ? null : event;
      }
    </script>`;
    const { page, sent } = await visit(t, { head, attributes: 'data-before-send="tidy"' });
    await call(page, "track", "share", {});
    await call(page, "track", "search", { search_term: "a@b.example" });
    await until("one accepted", ANSWER_MS_MAX, () => accepted(sent) === 1);
    assert.deepEqual(sent.events().map(({ name, params }) => [name, params]), [
      ["search", { search_term: "***" }],
    ]);
  });

  it("may call the site by the names other systems have for it", async (t) => {
    for (const name of ["site-id", "website-id", "domain-name"]) {
      const { page, sent } = await visit(t, {
        prepare: (context) =>
          context.addInitScript(() => {
            new MutationObserver(() => {
              document.querySelector("script[data-site='']")?.removeAttribute("data-site");
            }).observe(document, { childList: true, subtree: true });
          }),
        attributes: `data-${name}="${here.dev.site}"`,
        site: "",
      });
      await call(page, "track", "search", { search_term: "x" });
      await until(`one accepted by ${name}`, ANSWER_MS_MAX, () => accepted(sent) === 1);
    }
  });

  it("learns in the console what was refused, which field, and why", async (t) => {
    const said = [];
    const prepare = (context) =>
      context.on("console", (message) => said.push(message.text()));
    const { page } = await visit(t, { prepare, attributes: "data-debug" });
    await call(page, "track", "purchase", { transaction_id: "T-1", value: 1, currency: "XXQ" });
    await until("a word", ANSWER_MS_MAX, () => said.length >= 2);
    const [counts, refused] = said;
    assert.match(counts, /^edgetally: 0 of 1 events accepted/);
    assert.match(refused, /^edgetally: purchase \([0-9a-f-]{36}\) refused: currency_unknown at/);
    assert.match(refused, /params\.currency: XXQ is not/);
  });

  it("may allow its own origin only by a content security policy", async (t) => {
    const policy = "default-src 'none'; script-src 'self' 'unsafe-inline'; connect-src 'self'";
    const headers = { "content-security-policy": policy };
    const attributes = "data-vitals data-debug data-datalayer";
    const blocked = [];
    const listen = (message) => message.type() === "error" && blocked.push(message.text());
    const prepare = (context) => context.on("console", listen);
    const { page, sent, errors } = await visit(t, { headers, attributes, prepare });
    await call(page, "track", "search", { search_term: "x" });
    await until("one accepted", ANSWER_MS_MAX, () => accepted(sent) === 1);
    assert.deepEqual([errors, blocked], [[], []]);
  });

  it("gets its web vitals into the query by data-vitals", async (t) => {
    const { page, sent } = await visit(t, { attributes: "data-vitals", body: "<h1>Big</h1>" });
    await page.click("h1");
    await page.waitForTimeout(300);
    await page.evaluate(() => (location.href = "/next"));
    await until("metrics", ANSWER_MS_MAX, () => named(sent, "web_vital").length >= 3);
    const measured = async () => {
      const measure = "web_vital:LCP";
      const answer = await query(here.dev, { metrics: ["p75"], measure, date_range: "day" });
      return answer.results[0]?.metrics[0] > 0;
    };
    await until("the quantile", ANSWER_MS_MAX, measured);
  });
});
