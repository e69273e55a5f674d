// What the live page knows: figures by second, the figures of today, the newest orders. Messages
// go in, in any order and more than once; nothing here reads a clock.

import type { Money } from "../money.ts";
import { offsetOf, write } from "../zone.ts";

/** Seconds that are kept: an hour, and some for corrections. */
export const SECONDS_MAX = 3_700;
const FEED_LENGTH = 40;
const ALERTS_LENGTH = 10;
/** Orders remembered so that a resumed stream does not show one twice. */
const ORDERS_KNOWN_MAX = 10_000;

/** The figures of one second. */
export interface Second {
  revenue: Money[];
  orders: number;
  events: number;
}

/** The figures of the site's day so far. */
export interface Today {
  revenue: Money[];
  orders: number;
  events: number;
  sessions: number;
  visitors: number;
}

/** An order as the stream tells it. */
export interface LiveOrder {
  transaction_id: string;
  value: Money | null;
  channel: string;
  city: string | null;
  items: { item_id: string | null; item_name: string | null; quantity: number }[];
  at: string;
}

/** An alert that began or is over, as the stream tells it. */
export interface LiveAlert {
  id: string;
  rule: string;
  severity: string;
  state: "firing" | "resolved";
  message: string;
  at: string;
}

/** What the stream says. */
export type Message =
  | ({ type: "order" } & LiveOrder)
  | { type: "reset"; second: string }
  | ({ type: "alert" } & LiveAlert)
  | ({ type: "tick" | "now" | "correction"; second: string } & Partial<Second> & {
        concurrent_visitors?: number;
        payments_succeeded?: number;
        payments_failed?: number;
        today?: Today;
        lag_ms?: number;
      });

/** Everything that the page shows of the stream. */
export interface Board {
  seconds: Map<number, Second>;
  /** The newest second that is complete, epoch ms; 0 before the first tick. */
  lastTickMs: number;
  /** The newest second heard of, epoch ms. */
  newestMs: number;
  offset: string;
  today: Today | undefined;
  visitors: number | undefined;
  lagMs: number | undefined;
  orders: LiveOrder[];
  /** The newest alerts, the newest first. */
  alerts: LiveAlert[];
  known: Set<string>;
}

/** A board that has heard nothing. */
export const emptyBoard = (): Board => ({
  seconds: new Map(),
  lastTickMs: 0,
  newestMs: 0,
  offset: "",
  today: undefined,
  visitors: undefined,
  lagMs: undefined,
  orders: [],
  alerts: [],
  known: new Set(),
});

const NOTHING: Second = { revenue: [], orders: 0, events: 0 };

/** Keeps a second's figures; a message may carry only some of them. */
export function setSecond(board: Board, text: string, given: Partial<Second>): void {
  const ms = Date.parse(text);
  const known = board.seconds.get(ms) ?? NOTHING;
  board.seconds.set(ms, {
    revenue: given.revenue ?? known.revenue,
    orders: given.orders ?? known.orders,
    events: given.events ?? known.events,
  });
  board.offset = offsetOf(text) || board.offset;
  board.newestMs = Math.max(board.newestMs, ms);
}

/** Forgets seconds that no chart reaches. */
function forget(board: Board): void {
  const oldest = board.newestMs - SECONDS_MAX * 1000;
  if (board.seconds.size <= SECONDS_MAX) return;
  for (const ms of board.seconds.keys()) if (ms < oldest) board.seconds.delete(ms);
}

function addOrder(board: Board, order: LiveOrder): void {
  if (board.known.has(order.transaction_id)) return;
  board.known.add(order.transaction_id);
  const [first] = board.known;
  if (board.known.size > ORDERS_KNOWN_MAX && first !== undefined) board.known.delete(first);
  const later = (one: LiveOrder) => Date.parse(one.at) > Date.parse(order.at);
  const place = board.orders.findLastIndex(later) + 1;
  board.orders = board.orders.toSpliced(place, 0, order).slice(0, FEED_LENGTH);
}

/** Orders that were there before the stream began. */
export function setOrders(board: Board, orders: LiveOrder[]): void {
  for (const order of orders) addOrder(board, order);
}

/** Takes in alerts: of one that is known the later telling stands. */
export function setAlerts(board: Board, alerts: LiveAlert[]): void {
  for (const alert of alerts) {
    const before = board.alerts.find(({ id }) => id === alert.id);
    if (before && (before.state === "resolved" || before.state === alert.state)) continue;
    const others = board.alerts.filter((one) => one !== before);
    const later = (one: LiveAlert) => Date.parse(one.at) > Date.parse(alert.at);
    const place = others.findLastIndex(later) + 1;
    board.alerts = others.toSpliced(place, 0, alert).slice(0, ALERTS_LENGTH);
  }
}

/** Takes in one message. */
export function take(board: Board, message: Message): void {
  // What was missed for good is read anew by whoever follows the stream.
  if (message.type === "reset") return;
  if (message.type === "alert") return setAlerts(board, [message]);
  if (message.type === "order") return addOrder(board, message);
  setSecond(board, message.second, message);
  forget(board);
  if (message.type === "correction") return;
  if (message.type === "tick") board.lastTickMs = Date.parse(message.second);
  if (message.today) board.today = message.today;
  board.visitors = message.concurrent_visitors ?? board.visitors;
  board.lagMs = message.lag_ms ?? board.lagMs;
}

/** The last `length` seconds up to `endMs`, as the columns of a chart. */
export function windowOf(board: Board, endMs: number, length: number) {
  const end = Math.floor(endMs / 1000) * 1000;
  return Array.from({ length }, (_, index) => {
    const ms = end - (length - 1 - index) * 1000;
    return { text: write(ms, board.offset), second: board.seconds.get(ms) ?? NOTHING };
  });
}

/** Events a second: of the last complete one, and the mean of a minute. */
export function pace(board: Board): { last: number; mean: number } {
  const end = board.lastTickMs || board.newestMs - 3_000;
  let sum = 0;
  for (let back = 0; back < 60; back++) sum += board.seconds.get(end - back * 1000)?.events ?? 0;
  return { last: board.seconds.get(end)?.events ?? 0, mean: sum / 60 };
}

/** A parser of server-sent events: give it text as it comes, it calls `emit(id, data)`. */
export function eventParser(emit: (id: string, data: string) => void): (text: string) => void {
  let rest = "";
  let data: string[] = [];
  let id = "";
  return (text) => {
    const lines = (rest + text).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const [, name, value = ""] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
      if (name === "data") data.push(value);
      if (name === "id") id = value;
      if (line) continue;
      if (data.length) emit(id, data.join("\n"));
      data = [];
    }
  };
}
