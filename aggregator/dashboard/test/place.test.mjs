import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { grainOf, listEnds, rangeOf, readPeriod } from "../src/period.ts";
import { askFilters, readPlace, withFilter, writePlace } from "../src/place.ts";

describe("an address", () => {
  it("says the same when it is read and written again", () => {
    const place = {
      page: "acquisition",
      site: "demo",
      period: "2026-03-01..2026-03-07",
      compare: "none",
      filters: [
        { operator: "is", dimension: "visit:channel", value: "Paid Search" },
        { operator: "is_not", dimension: "event:page", value: "/a,b?c=d&e#f" },
        { operator: "is", dimension: "visit:city", value: "Hồ Chí Minh" },
      ],
      more: { cut: "source", order: "T-1/2&x" },
    };
    const [path, search] = writePlace(place).split(/(?=\?)/);
    assert.equal(path, "/acquisition");
    assert.deepEqual(readPlace(path, search), place);
  });

  it("is short where everything is as usual, and usual where it cannot be read", () => {
    const usual = readPlace("/nowhere", "?period=never&compare=x&f=what&f=is,no,x");
    assert.equal(usual.page, "live");
    assert.deepEqual([usual.period, usual.compare, usual.filters], ["day", "previous_period", []]);
    assert.equal(writePlace(usual), "/");
  });

  it("joins conditions on one dimension as alternatives", () => {
    const of = (value, operator = "is") => ({ operator, dimension: "visit:channel", value });
    assert.deepEqual(askFilters([of("Email"), of("Direct"), of("Affiliates", "is_not")]), [
      ["is", "visit:channel", ["Email", "Direct"]],
      ["is_not", "visit:channel", ["Affiliates"]],
    ]);
    assert.equal(withFilter([of("Email")], of("Email")).length, 1);
  });
});

describe("a period", () => {
  it("is what the API takes", () => {
    assert.equal(rangeOf("7d", "2026-03-02"), "7d");
    assert.deepEqual(rangeOf("yesterday", "2026-03-01"), ["2026-02-28", "2026-02-28"]);
    const own = "2026-03-02T10:00:00+07:00..2026-03-02T10:05:00+07:00";
    assert.deepEqual(rangeOf(own, "x"), own.split(".."));
    for (const wrong of ["2026-03-02..2026-03-01", "2026-03-02..", "a..b", "1..2..3", ""]) {
      assert.equal(readPeriod(wrong), "day", wrong);
    }
  });

  it("has both ends for lists, which know no presets", () => {
    const ends = (period) => listEnds(period, "2026-03-02", "2026-03-02T03:00:00.000Z");
    assert.deepEqual(ends("day"), ["2026-03-02", "2026-03-02"]);
    assert.deepEqual(ends("7d"), ["2026-02-24", "2026-03-02"]);
    assert.deepEqual(ends("month"), ["2026-03-01", "2026-03-02"]);
    assert.deepEqual(ends("12mo"), ["2025-04-01", "2026-03-02"]);
    assert.deepEqual(ends("yesterday"), ["2026-03-01", "2026-03-01"]);
    assert.deepEqual(ends("realtime"), ["2026-03-02T02:55:00Z", "2026-03-02T03:00:01Z"]);
  });

  it("has buckets that fit its length, down to the second", () => {
    for (const [period, grain] of [
      ["realtime", "second"],
      ["day", "hour"],
      ["30d", "day"],
      ["12mo", "month"],
      ["2026-03-01..2026-03-03", "hour"],
      ["2026-01-01..2026-12-31", "week"],
      ["2026-03-02T10:00:00Z..2026-03-02T10:10:00Z", "second"],
      ["2026-03-02T10:00:00Z..2026-03-02T11:00:00Z", "minute"],
    ]) {
      assert.equal(grainOf(period), grain, period);
    }
  });
});
