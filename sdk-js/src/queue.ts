/** Events wait here until the collector has them: batched, retried with the same ids, bounded. */

import { options } from "./config";
import { isHeld, stated } from "./consent";
import { clientId } from "./identity";
import { retitle } from "./page";
import { forget, keep } from "./persist";
import { post } from "./transport";

/** One event as it travels; `docs/http-api.md` names the members. */
export interface WireEvent {
  id: string;
  name: string;
  ts: number;
  client_id?: string;
  user_id?: string;
  context: Record<string, string>;
  params: object;
}

/** Set by the build: whether money outlives the page. */
declare const FULL: boolean;

interface Entry {
  event: WireEvent;
  bytes: number;
}

/** The collector takes 50 events a browser batch. */
const BATCH_EVENTS_MAX = 50;
/** A batch stays under 60,000 bytes, so that it fits the browser's 64 KiB for keepalive bodies. */
const BATCH_BYTES_MAX = 58_000;
/** More than this is only waiting when the collector is out of reach; then the oldest go. */
const PENDING_MAX = 500;
const BATCH_DELAY_MS = 1000;
const RETRY_MS_MAX = 300_000;

let pending: Entry[] = [];
let dropped = 0;
let timer: ReturnType<typeof setTimeout> | undefined;
let dueMs = 0;
let blockedUntilMs = 0;
let failures = 0;
let lastTs = 0;

/**
 * A clock that never repeats itself: events of one page keep their order, because the collector
 * sorts by time. `sent_at` reads the same clock without advancing it, so no event lies behind it.
 */
export const tick = (step: number): number => (lastTs = Math.max(Date.now(), lastTs + step));

/** Counts an event that will not be sent; the next batch tells. */
export const drop = (count: number): void => {
  dropped += count;
};

/** Takes a snapshot of an event and sends it at once or with the next batch. */
export const enqueue = (event: WireEvent, isUrgent: boolean): WireEvent | undefined => {
  const json = JSON.stringify(event);
  const bytes = new Blob([json]).size + 1;
  if (bytes > BATCH_BYTES_MAX) return drop(1) as undefined;
  const snapshot = JSON.parse(json) as WireEvent;
  pending.push({ event: snapshot, bytes });
  trim();
  if (FULL) keep(snapshot);
  schedule(isUrgent ? 0 : BATCH_DELAY_MS);
  return snapshot;
};

/** Sends everything that waits, now; resolves when the collector has answered. */
export const flush = async (): Promise<void> => {
  clearTimeout(timer);
  timer = undefined;
  if (isHeld()) return;
  retitle();
  const attempts = [];
  while (pending.length) attempts.push(send(take()));
  await Promise.all(attempts);
};

/** Forgets what waits: the visitor opted out. */
export const clear = (): void => {
  if (FULL) forget(pending.map((entry) => entry.event));
  pending = [];
};

const schedule = (delayMs: number): void => {
  const now = performance.now();
  const at = Math.max(now + delayMs, blockedUntilMs);
  if (timer && at >= dueMs) return;
  clearTimeout(timer);
  dueMs = at;
  timer = setTimeout(flush, at - now);
};

/** Takes one batch off the front. */
const take = (): Entry[] => {
  let bytes = 0;
  let count = 0;
  for (const entry of pending) {
    bytes += entry.bytes;
    if (count == BATCH_EVENTS_MAX || bytes > BATCH_BYTES_MAX) break;
    count++;
  }
  return pending.splice(0, count);
};

const trim = (): void => {
  const surplus = pending.length - PENDING_MAX;
  if (surplus > 0) drop(pending.splice(0, surplus).length);
};

const send = async (batch: Entry[]): Promise<void> => {
  const told = dropped;
  dropped = 0;
  const events = batch.map((entry) => entry.event);
  const [status, waitS] = await post(envelope(events, told));
  if (!status || status == 429 || status > 499) {
    // The collector may have stored them all the same: the ids make a repeat harmless.
    pending = batch.concat(pending);
    trim();
    drop(told);
    const backoffMs = Math.max(waitS * 1000 || 0, Math.min(RETRY_MS_MAX, 1000 * 2 ** failures++));
    blockedUntilMs = performance.now() + backoffMs * (1 + Math.random() / 2);
    schedule(0);
    return;
  }
  failures = blockedUntilMs = 0;
  if (status > 299) drop(told + batch.length);
  if (FULL) forget(events);
};

const envelope = (events: WireEvent[], told: number): string =>
  JSON.stringify({
    site: options.site,
    key: options.key,
    client_id: clientId,
    platform: /Mobi/.test(navigator.userAgent) ? "mweb" : "web",
    sent_at: tick(0),
    dropped: told,
    consent: stated(),
    context: { language: navigator.language, screen: screen.width + "x" + screen.height },
    events,
  });
