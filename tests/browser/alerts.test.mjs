// Alerts in a real browser: a rule made on the settings page fires, and the live page tells of it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { api, by, open, rowsOf } from "./board.mjs";
import { place } from "./place.mjs";

const here = place(async () => undefined);

const byRule = (name) => `#alert-feed li:has-text("${name}")`;

describe("alerts", () => {
  it("come from a rule of the settings page and are seen live, end included", async (t) => {
    const { dev } = here;
    const name = `im lặng ${Date.now()}`;
    const page = await open(here, t, "/settings", { key: dev.admin_key });
    const form = by(page, "new-rule");
    await form.locator('[name="name"]').fill(name);
    await form.locator('[name="when"]').selectOption("above");
    await form.locator('[name="metric"]').fill("nonsense");
    await by(page, "put-rule").click();
    // What is wrong is named, and what was written stays.
    await by(page, "rules")
      .locator('[role="status"]:has-text("metric")')
      .waitFor();
    await form.locator('[name="when"]').selectOption("no_data");
    await form.locator('[name="window"]').fill("1s");
    await form.locator('[name="for"]').fill("0s");
    const live = await open(here, t);
    await live.waitForSelector('#connection[data-state="live"]');
    await form.locator('[name="metric"]').fill("rejected");
    await by(page, "put-rule").click();
    await by(page, "rules").locator(`tr[data-rule="${name}"]`).waitFor();
    const [row] = (await rowsOf(page, "rules")).filter(([rule]) =>
      rule.startsWith(name),
    );
    assert.equal(row[1], "rejected no data");
    await live.waitForSelector(`${byRule(name)}[data-state="firing"]`);
    // Who comes later sees it too.
    await live.reload();
    await live.waitForSelector(`${byRule(name)}[data-state="firing"]`);
    const remove = by(page, "rules").locator(`tr[data-rule="${name}"] button`);
    await remove.click();
    await remove.click();
    await live.waitForSelector(`${byRule(name)}[data-state="resolved"]`);
    const { body } = await api(
      dev,
      "GET",
      `/v1/alerts?site=${dev.site}&sort=newest`,
    );
    const told = body.results.find(({ rule }) => rule === name);
    assert.equal(told.state, "resolved");
  });
});
