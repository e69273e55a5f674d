import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { amountIn, formatMoney, formatShort, isMoney } from "../src/money.ts";

describe("money", () => {
  it("keeps every digit that a float would lose", () => {
    for (const [amount, expected] of [
      ["9007199254740993", "₫9,007,199,254,740,993"],
      ["123456789012345678901234567890", "₫123,456,789,012,345,678,901,234,567,890"],
      ["0", "₫0"],
      ["-25990000", "-₫25,990,000"],
    ]) {
      assert.equal(formatMoney({ currency: "VND", amount }, "en-US"), expected);
    }
    const usd = { currency: "USD", amount: "90071992547409.93" };
    assert.equal(formatMoney(usd, "en-US"), "$90,071,992,547,409.93");
  });

  it("shows as many decimals as the API tells, whatever the browser thinks of the currency", () => {
    assert.match(formatMoney({ currency: "KWD", amount: "1.500" }, "en-US"), /1\.500$/);
    assert.match(formatMoney({ currency: "VND", amount: "1.5" }, "en-US"), /1\.5$/);
    assert.match(formatMoney({ currency: "USD", amount: "7" }, "en-US"), /\$7$/);
  });

  it("is written as the language writes it", () => {
    const vnd = { currency: "VND", amount: "25990000" };
    assert.match(formatMoney(vnd, "vi-VN"), /^25\.990\.000\s₫$/);
    assert.equal(formatShort(vnd, "en-US"), "₫26M");
  });

  it("finds one currency among several, and nothing where it is not", () => {
    const both = [
      { currency: "VND", amount: "5" },
      { currency: "USD", amount: "1.00" },
    ];
    assert.equal(amountIn(both, "USD").amount, "1.00");
    assert.deepEqual(amountIn(both, "EUR"), { currency: "EUR", amount: "0" });
    assert.ok(isMoney(both) && !isMoney([1, 2]) && !isMoney("5"));
  });
});
