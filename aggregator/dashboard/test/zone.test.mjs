import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { clockOf, dayPlus, moved, showBucket, showInstant, showWhole, write } from "../src/zone.ts";
import { startsDay, tickIndexes } from "../src/ui/ticks.ts";

// The tests would not notice a use of the machine's own zone if that were the site's.
process.env.TZ = "America/St_Johns";

describe("times of the site", () => {
  it("are shown as they are written, whatever zone the reader is in", () => {
    const at = "2026-03-02T23:59:01.000+07:00";
    assert.equal(clockOf(at), "23:59:01");
    assert.equal(showInstant(at, "en-US"), "Mar 2 23:59:01");
    assert.equal(showWhole("2026-03-02", "day", "en-US"), "Mar 2, 2026");
    assert.equal(showBucket(at, "minute", "en-US"), "23:59");
    assert.equal(showBucket("2026-03-01", "month", "en-US"), "Mar 2026");
  });

  it("move by milliseconds and keep their offset", () => {
    assert.equal(moved("2026-03-02T00:00:30.000+07:00", -60_000), "2026-03-01T23:59:30+07:00");
    assert.equal(moved("2026-03-02T00:00:00.000-03:30", 1_000), "2026-03-02T00:00:01-03:30");
    assert.equal(write(0, "Z"), "1970-01-01T00:00:00Z");
    assert.equal(dayPlus("2026-03-01", -1), "2026-02-28");
  });

  it("keep both hours that a clock repeats", () => {
    const texts = ["2026-10-25T02:00:00.000+02:00", "2026-10-25T02:00:00.000+01:00"];
    assert.deepEqual(tickIndexes(texts, "hour", 10), [0, 1]);
  });
});

describe("labels of an axis", () => {
  const seconds = Array.from({ length: 300 }, (_, at) =>
    write(Date.parse("2026-03-02T10:00:07+07:00") + at * 1000, "+07:00"),
  );

  it("stand at round times, as many as there is room for", () => {
    const ticks = tickIndexes(seconds, "second", 10).map((index) => clockOf(seconds[index]));
    assert.equal(ticks[0], "10:00:30");
    assert.ok(ticks.length === 10 && ticks.every((text) => /:(00|30)$/.test(text)));
    assert.ok(tickIndexes(seconds, "second", 3).length <= 5);
  });

  it("are few on long rows of days too, and name the day where one begins", () => {
    const days = Array.from({ length: 365 }, (_, at) => dayPlus("2026-01-01", at));
    assert.ok(tickIndexes(days, "day", 8).length <= 8);
    const hours = ["2026-03-01T23:00:00.000+07:00", "2026-03-02T00:00:00.000+07:00"];
    assert.deepEqual([startsDay(hours, 0), startsDay(hours, 1)], [false, true]);
  });
});
