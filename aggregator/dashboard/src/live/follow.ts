// The live stream of the site: history first, then every second, through every interruption.

import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { list, query, Refused, request } from "../api.ts";
import { pause, retryMs } from "../asked.ts";
import { isMoney } from "../money.ts";
import { leave, session } from "../session.ts";
import { moved, write } from "../zone.ts";
import { emptyBoard, eventParser, setAlerts, setOrders, setSecond, take } from "./board.ts";
import type { Board, LiveAlert, LiveOrder, Message } from "./board.ts";

/** The stream speaks each second; a longer silence is a dead connection. */
const SILENCE_MS_MAX = 10_000;
const FEED_BEFORE_MS = 30 * 60_000;

/** How it stands with the stream. */
export const connection = signal<"waiting" | "live" | "lost">("waiting");
/** What is known; `beat` grows when it changes. */
export const board: { current: Board } = { current: emptyBoard() };
export const beat = signal(0);
/** The clocks of the page go by this. */
const CLOCK_MS = 500;
/** The site's clock: the newest second heard of, and when that was, by the tab's own clock. */
let heard = { siteMs: 0, tabMs: 0 };

/** The site's time; it goes on while nothing arrives, until the connection counts as dead. */
export const nowMs = (): number =>
  heard.siteMs && heard.siteMs + Math.min(performance.now() - heard.tabMs, SILENCE_MS_MAX);

let isDue = false;
function changed(): void {
  const { newestMs } = board.current;
  if (newestMs > nowMs()) heard = { siteMs: newestMs, tabMs: performance.now() };
  if (isDue) return;
  isDue = true;
  // Many messages of one moment are drawn once.
  setTimeout(() => {
    isDue = false;
    beat.value++;
  }, 30);
}

/** How much history the page shows, in seconds. */
export const shown = signal<300 | 3600>(300);

/** Reads the seconds that the page shows; `isFresh`: the answer is newer than what is known. */
async function readSeconds(isFresh: boolean, signal?: AbortSignal): Promise<void> {
  const { newestMs, offset, seconds } = board.current;
  const end = write(newestMs + 1000, offset);
  const report = await query(
    {
      metrics: ["revenue", "orders", "events"],
      date_range: shown.value === 300 || !newestMs ? "realtime" : [moved(end, -3_600_000), end],
      dimensions: ["time:second"],
      limit: 4_000,
    },
    signal,
  );
  for (const { dimensions, metrics } of report.results) {
    const [revenue, orders, events] = metrics;
    const text = dimensions[0] ?? "";
    const given = { orders: Number(orders), events: Number(events) };
    if (isFresh || !seconds.has(Date.parse(text))) {
      setSecond(board.current, text, { ...given, revenue: isMoney(revenue) ? revenue : [] });
    }
  }
  changed();
}

/** Shows the last five minutes, or the last hour. */
export function showSeconds(length: 300 | 3600): void {
  shown.value = length;
  // Where there is no answer now, the next connection asks again.
  if (length === 3600) void readSeconds(false).catch(() => undefined);
}

interface ListedOrder {
  transaction_id: string;
  value: LiveOrder["value"];
  channel: string;
  shipping_city: string | null;
  created_at: string;
  booked: boolean;
}

/** Fills the feed with the orders before the stream. */
async function readOrders(signal: AbortSignal): Promise<void> {
  const { newestMs, offset } = board.current;
  const from = write(newestMs - FEED_BEFORE_MS, offset);
  const parameters = { from, sort: "newest", limit: 40 };
  const { results } = await list<{ results: ListedOrder[] }>("/v1/orders", parameters, signal);
  const told = results
    .filter((order) => order.booked)
    .map((order) => ({
      transaction_id: order.transaction_id,
      value: order.value,
      channel: order.channel,
      city: order.shipping_city,
      items: [],
      at: order.created_at,
    }));
  setOrders(board.current, told);
}

/** The newest alerts from before the stream, those that are over with the time of their end. */
async function readAlerts(signal: AbortSignal): Promise<void> {
  const parameters = { sort: "newest", limit: 10 };
  type Listed = LiveAlert & { resolved_at: string | null };
  const { results } = await list<{ results: Listed[] }>("/v1/alerts", parameters, signal);
  const told = results.map((alert) => ({ ...alert, at: alert.resolved_at ?? alert.at }));
  setAlerts(board.current, told);
}

/** Reads one connection's messages to its end: EventSource could not carry a key in a header. */
async function listen(last: { id: string }, signal: AbortSignal): Promise<void> {
  const silence = new AbortController();
  const headers: Record<string, string> = { accept: "text/event-stream" };
  if (last.id) headers["last-event-id"] = last.id;
  let timer = setTimeout(() => silence.abort(), SILENCE_MS_MAX);
  try {
    const path = `/v1/live?site=${encodeURIComponent(session.value.site)}`;
    const either = AbortSignal.any([signal, silence.signal]);
    const answer = await request(path, { headers, signal: either });
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
    const feed = eventParser((id, data) => {
      if (id) last.id = id;
      take(board.current, JSON.parse(data) as Message);
      connection.value = "live";
      changed();
    });
    for (;;) {
      const { value, done } = (await reader?.read()) ?? { done: true };
      if (done || value === undefined) return;
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MS_MAX);
      feed(value);
    }
  } finally {
    clearTimeout(timer);
  }
}

async function follow(signal: AbortSignal): Promise<void> {
  const last = { id: "" };
  for (let failures = 0; !signal.aborted; failures++) {
    try {
      await readSeconds(true, signal);
      await readOrders(signal);
      await readAlerts(signal);
      await listen(last, signal);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refused && !error.isPassing) return leave(error.message);
    }
    if (signal.aborted) return;
    if (connection.value === "live") failures = 0;
    connection.value = "lost";
    await pause(retryMs(failures), signal);
  }
}

/** Follows the stream of the site for as long as the page is open. */
export function useStream(site: string): void {
  useEffect(() => {
    board.current = emptyBoard();
    heard = { siteMs: 0, tabMs: 0 };
    connection.value = "waiting";
    const stop = new AbortController();
    void follow(stop.signal);
    const timer = setInterval(() => beat.value++, CLOCK_MS);
    return () => {
      clearInterval(timer);
      stop.abort();
    };
  }, [site]);
}
