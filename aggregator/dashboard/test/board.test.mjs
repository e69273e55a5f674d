import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { emptyBoard, eventParser, pace, SECONDS_MAX, take, windowOf } from "../src/live/board.ts";
import { write } from "../src/zone.ts";

const START = Date.parse("2026-03-02T10:00:00+07:00");
const at = (second) => write(START + second * 1000, "+07:00");
const vnd = (amount) => [{ currency: "VND", amount }];
const tick = (second, orders, amount) => ({
  type: "tick",
  second: at(second),
  revenue: vnd(amount),
  orders,
  events: orders * 2,
  concurrent_visitors: 3,
  today: { revenue: vnd("9"), orders: 9, events: 9, sessions: 9, visitors: 9 },
  lag_ms: 40,
});
const order = (id, second) => ({
  type: "order",
  transaction_id: id,
  value: vnd("5")[0],
  channel: "Direct",
  city: null,
  items: [],
  at: at(second),
});

describe("the live board", () => {
  it("takes a correction for the second that it is of, and leaves today alone", () => {
    const board = emptyBoard();
    take(board, tick(1, 1, "10"));
    take(board, { type: "correction", second: at(1), revenue: vnd("30"), orders: 2 });
    const [before, last] = windowOf(board, START + 1000, 2);
    assert.deepEqual(last.second, { revenue: vnd("30"), orders: 2, events: 2 });
    assert.deepEqual(before.second, { revenue: [], orders: 0, events: 0 });
    assert.equal(last.text, at(1));
    assert.equal(board.today.orders, 9);
    assert.equal(board.lastTickMs, START + 1000);
  });

  it("shows an order once, in its place in time, however often it is told", () => {
    const board = emptyBoard();
    for (const [id, second] of [
      ["b", 2],
      ["a", 1],
      ["b", 2],
      ["c", 3],
      ["a", 1],
    ]) {
      take(board, order(id, second));
    }
    assert.deepEqual(
      board.orders.map((one) => one.transaction_id),
      ["c", "b", "a"],
    );
  });

  it("stays as large as it is through hours of messages", () => {
    const board = emptyBoard();
    for (let second = 0; second < 4 * SECONDS_MAX; second++) {
      take(board, tick(second, 1, "10"));
      take(board, order(`T${second}`, second));
    }
    assert.ok(board.seconds.size <= SECONDS_MAX + 1);
    assert.equal(board.orders.length, 40);
    assert.ok(board.known.size <= 10_000);
    assert.deepEqual(pace(board), { last: 2, mean: 2 });
  });

  it("reads events as they come, cut anywhere", () => {
    const text = 'id: 7\r\ndata: {"a":1}\r\n\r\n: quiet\n\ndata: x\ndata: y\n\n';
    for (let cut = 1; cut < text.length; cut++) {
      const said = [];
      const feed = eventParser((id, data) => said.push([id, data]));
      feed(text.slice(0, cut));
      feed(text.slice(cut));
      assert.deepEqual(
        said,
        [
          ["7", '{"a":1}'],
          ["7", "x\ny"],
        ],
        `cut at ${cut}`,
      );
    }
  });
});

describe("alerts", () => {
  const alert = (id, state, at) => ({
    type: "alert",
    id,
    rule: "r",
    severity: "critical",
    state,
    message: "m",
    at: `2026-03-02T10:00:${at}.000+07:00`,
  });

  it("stand once, the newest first, and are not taken back by what is resent", () => {
    const board = emptyBoard();
    take(board, alert("a", "firing", "01"));
    take(board, alert("b", "firing", "02"));
    take(board, alert("a", "resolved", "03"));
    take(board, alert("a", "firing", "01"));
    const told = board.alerts.map(({ id, state }) => `${id} ${state}`);
    assert.deepEqual(told, ["a resolved", "b firing"]);
    for (let at = 10; at < 40; at++) take(board, alert(`n${at}`, "firing", String(at)));
    assert.equal(board.alerts.length, 10);
    assert.equal(board.alerts[0].id, "n39");
  });
});
