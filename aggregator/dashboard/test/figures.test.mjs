import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { change, duration, estimate, lag, show } from "../src/figures.ts";
import { fitting } from "../src/metrics.ts";
import { english } from "../src/words/english.ts";
import { vietnamese } from "../src/words/vietnamese.ts";

describe("a figure", () => {
  it("is told as an estimate with its bounds, and as it is where it is exact", () => {
    assert.deepEqual(estimate(12_345, [12_001, 12_689], "count", "en-US"), {
      text: "≈ 12,345",
      title: "12,001 – 12,689 (95 %)",
    });
    const quantile = estimate(1_340, [1_336, 1_343], "ms", "en-US");
    assert.deepEqual(quantile, { text: "≈ 1.3 s", title: "1,336 ms – 1,343 ms" });
    for (const exact of [null, undefined, [7, 7]]) {
      assert.deepEqual(estimate(7, exact, "count", "en-US"), { text: "7", title: "" });
    }
  });

  it("is a dash where it is not defined, never nothing", () => {
    assert.equal(show(null, "percent", "en-US"), "–");
    assert.equal(show(0, "percent", "en-US"), "0.00 %");
    assert.equal(show("12.5", "percent", "vi-VN"), "12,50 %");
  });

  it("says durations as people do", () => {
    assert.equal(duration(59.94, "en-US"), "59.9 s");
    assert.equal(duration(125, "en-US"), "2:05");
    assert.equal(duration(3_725, "en-US"), "1:02:05");
    assert.deepEqual([lag(83, "en-US"), lag(1_250, "en-US")], ["83 ms", "1.3 s"]);
  });

  it("says which way it went, in points where it is a rate", () => {
    assert.deepEqual(change(-3.26, "percent", "en-US"), { text: "−3.3 pp", way: "down" });
    const told = [
      { currency: "VND", change: 12.5 },
      { currency: "USD", change: -1 },
    ];
    assert.deepEqual(change(told, "money", "en-US"), { text: "+12.5 %", way: "up" });
    assert.equal(change(null, "count", "en-US"), undefined);
    assert.equal(change([{ currency: "VND", change: null }], "money", "en-US"), undefined);
  });
});

describe("metrics", () => {
  it("are left out where the API answers them under no such condition", () => {
    const all = ["revenue", "refunds", "sessions", "pageviews", "item_views"];
    assert.deepEqual(fitting(all, ["visit:channel"]), all);
    assert.deepEqual(fitting(all, ["item:name"]), ["revenue", "sessions", "item_views"]);
    assert.deepEqual(fitting(all, ["event:page"]), ["sessions", "pageviews", "item_views"]);
    assert.deepEqual(fitting(all, ["event:page", "item:name"]), ["sessions", "item_views"]);
  });
});

describe("words", () => {
  it("ask for the same values in both languages", () => {
    const asked = (text) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();
    for (const [word, text] of Object.entries(english)) {
      assert.deepEqual(asked(vietnamese[word]), asked(text), word);
    }
  });
});
