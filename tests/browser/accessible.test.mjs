// The dashboard for everybody: axe, the keyboard alone, both languages, a phone.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { it } from "node:test";
import { by, fill, open, SETTLED_MS_MAX } from "./board.mjs";
import { place } from "./place.mjs";
import { until } from "./system.mjs";

const here = place(({ dev }) => fill(dev));

const PATHS = ["/", "/overview", "/acquisition", "/products", "/funnel", "/orders", "/people"];
const MORE = ["/quality", "/settings", "/orders?order=BOARD-1"];
/** More than any page has to step through. */
const STEPS_MAX = 300;
const QUIET_MS = 1_000;

/** Nothing is added to the page any more, nor taken from it. */
async function settled(page) {
  const count = () => page.evaluate(() => document.querySelectorAll("*").length);
  await until("the page to stay as it is", SETTLED_MS_MAX, async () => {
    const before = await count();
    await page.waitForTimeout(QUIET_MS);
    return (await count()) === before;
  });
}

/** What has the focus now; null at the end of the page. */
const focused = (page) =>
  page.evaluate(() => {
    const at = document.activeElement;
    if (!at || at === document.body) return null;
    const all = [...document.querySelectorAll("*")];
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(at);
    const label = at.labels?.[0]?.innerText || at.getAttribute("aria-label") || at.title;
    return {
      order: all.indexOf(at),
      what: at.outerHTML.slice(0, 80),
      name: (label || at.innerText || at.placeholder || "").trim(),
      isSeen: (outlineStyle !== "none" && outlineWidth !== "0px") || boxShadow !== "none",
    };
  });

it("goes through every page in the order of its text, is seen, and has a name", async (t) => {
  const page = await open(here, t, "/", { key: here.dev.admin_key });
  for (const path of [...PATHS, ...MORE]) {
    await page.goto(here.dev.aggregator + path);
    await page.waitForSelector("#main :is(table, .value, .funnel, .empty)");
    await settled(page);
    const steps = [];
    for (let step = 0; step < STEPS_MAX; step++) {
      await page.keyboard.press("Tab");
      const now = await focused(page);
      // Past the end it begins again, by way of the browser's own parts or not.
      if (!now || now.order === steps[0]?.order) break;
      steps.push(now);
    }
    assert.ok(steps.length > 10 && steps.length < STEPS_MAX, `${path}: ${steps.length} steps`);
    const orders = steps.map(({ order }) => order);
    assert.deepEqual(orders, orders.toSorted((a, b) => a - b), `${path}: out of order`);
    const bad = steps.filter(({ name, isSeen }) => !name || !isSeen);
    assert.deepEqual(bad, [], path);
  }
});

it("has no serious or critical violation that axe finds, light and dark", async (t) => {
  const axe = await readFile(new URL(import.meta.resolve("axe-core/axe.min.js")), "utf8");
  const paths = [
    "/",
    "/overview",
    "/acquisition",
    "/products",
    "/funnel",
    "/orders",
    "/quality",
    "/orders?order=BOARD-1",
    "/people",
    "/people?person=u%3Aboard-ann",
    "/settings",
    "/?wall=1",
  ];
  const page = await open(here, t, "/", { key: here.dev.admin_key });
  const found = [];
  for (const path of paths) {
    await page.emulateMedia({ colorScheme: "light" });
    await page.goto(here.dev.aggregator + path);
    await page.waitForSelector("#main :is(table, .value, .funnel)");
    await page.evaluate(axe);
    const all = await page.evaluate(() => window.axe.run(document));
    // Nothing but the colours is another one in the dark.
    await page.emulateMedia({ colorScheme: "dark" });
    const dark = await page.evaluate(() =>
      window.axe.run(document, { runOnly: ["color-contrast"] }),
    );
    const bad = [...all.violations, ...dark.violations].filter(({ impact }) =>
      ["serious", "critical"].includes(impact),
    );
    found.push(...bad.map(({ id, nodes }) => `${path} ${id} ${nodes[0].html.slice(0, 120)}`));
  }
  assert.deepEqual(found, []);
});

it("speaks Vietnamese, goes by keys, and fits a phone", async (t) => {
  const viewport = { width: 390, height: 844 };
  const page = await open(here, t, "/", { viewport, locale: "vi-VN" });
  assert.equal(await page.getAttribute("html", "lang"), "vi");
  assert.match(await page.innerText("#main"), /Doanh thu hôm nay/);
  await by(page, "language").click();
  await page.waitForSelector("text=Revenue today");
  for (const [key, path] of [
    ["o", "/overview"],
    ["a", "/acquisition"],
    ["q", "/quality"],
    ["r", "/orders"],
    ["e", "/people"],
    ["s", "/settings"],
    ["f", "/funnel"],
    ["p", "/products"],
  ]) {
    await page.keyboard.press("g");
    await page.keyboard.press(key);
    await page.waitForURL((url) => url.pathname === path);
    await page.waitForSelector("#main :is(table, .empty, .value, .funnel, .checks)");
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(over <= 0, `${path} scrolls sideways by ${over}`);
  }
});
