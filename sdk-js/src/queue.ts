/** Events wait here until the collector has them: batched, retried with the same ids, bounded. */

import { options, type WireEvent } from "./config";
import { isHeld, stated } from "./consent";
import { tell } from "./debug";
import { clientId } from "./identity";
import { forget, keep } from "./persist";

/** Limits; the names cost nothing. */
const enum Limit {
  /** The collector takes 50 events a browser batch. */
  Events = 50,
  /** What e.js sends at once without looking at lengths: they stay far below what is taken. */
  SmallEvents = 20,
  /** No character takes more than three bytes, and a batch must stay under 60,000. */
  Length = 19_000,
  /** Browsers fail a request that would bring all bodies with `keepalive` over 64 KiB together. */
  KeepaliveLength = 21_000,
  /** More than this is only waiting when the collector is out of reach; then the oldest go. */
  Pending = 1100,
  DelayMs = 1000,
  /** What e.js waits for if the collector does not say. */
  RetryMs = 10_000,
  RetryMsMax = 300_000,
  TitleLength = 1024,
}

/** As JSON: what the caller changes later is not sent. */
let pending: string[] = [];
let dropped = 0;
let retryMs = Limit.DelayMs;
let blockedUntilMs = 0;
let openLength = 0;
let lastTs = 0;

/**
 * A clock that never repeats itself: events of one page keep their order, because the collector
 * sorts by time. `sent_at` reads it too, so no event lies behind it.
 */
export const tick = (): number => (lastTs = Math.max(Date.now(), lastTs + 1));

/** Counts an event that will not be sent; the next batch tells. */
export const drop = (count: number): void => {
  dropped += count;
};

/** Takes a snapshot of an event and sends it at once or with the next batch. */
export const enqueue = (event: WireEvent, isUrgent?: boolean): void => {
  const json = JSON.stringify(event);
  if (FULL) keep(json);
  wait([...pending, json], isUrgent || pending.length > Limit.SmallEvents ? 0 : Limit.DelayMs);
};

/**
 * Takes back an event of an earlier page. It leaves with what this page has to say first: the time
 * of an event holds what its request spent on the way, so those that share one keep their order.
 */
export const requeue = (json: string): void => wait([...pending, json], Limit.DelayMs);

/** Keeps what waits, now that it may be kept. */
export const keepPending = (): void => pending.forEach(keep);

/** Sends everything that waits, now; resolves when the collector has answered. */
export const flush = async (): Promise<unknown> =>
  pending.length &&
  !isHeld() &&
  Promise.all([send(FULL ? take() : pending.splice(0, Limit.SmallEvents)), flush()]);

/** Forgets what waits: the visitor does not want it sent. */
export const clear = (): void => {
  if (FULL) forget();
  pending = [];
};

const wait = (events: string[], delayMs: number): void => {
  pending = events.slice(-Limit.Pending);
  drop(events.length - pending.length);
  setTimeout(() => void (Date.now() < blockedUntilMs || flush()), delayMs);
};

/** Takes one batch off the front: an event that is too long travels alone. */
const take = (): string[] => {
  let length = 0;
  const rest = pending.findIndex(
    (json, at) => at == Limit.Events || ((length += json.length) > Limit.Length && at > 0),
  );
  return pending.splice(0, rest < 0 ? Limit.Events : rest);
};

const send = async (events: string[], told = dropped): Promise<void> => {
  dropped = 0;
  // A body without a type is `text/plain`, which needs no CORS preflight.
  const body = envelope(events, told);
  openLength += body.length;
  const answer = await fetch(options.endpoint + "/v1/events", {
    method: "POST",
    body,
    keepalive: openLength < Limit.KeepaliveLength,
    // e.js has no room to leave the cookies of its own origin out.
    ...(FULL && { credentials: "omit" }),
  }).catch(() => {});
  openLength -= body.length;
  const status = answer?.status || 500;
  if (FULL) void tell(events, answer);
  if (status == 429 || status > 499) {
    // The collector may have stored them all the same: the ids make a repeat harmless.
    drop(told);
    // What is not there, or no number, becomes zero or NaN.
    const askedMs = (answer?.headers.get("retry-after") as unknown as number) * 1000;
    const delayMs = FULL ? backOff(askedMs || 0) : askedMs || Limit.RetryMs;
    blockedUntilMs = Date.now() + delayMs;
    wait([...events, ...pending], delayMs + 1);
  } else {
    if (FULL) backOff(-1);
    if (status > 299) drop(told + events.length);
    if (FULL) forget(events);
  }
};

/** The next pause: at least what was asked for; twice as long each time. */
const backOff = (askedMs: number): number => {
  retryMs = askedMs < 0 ? Limit.DelayMs : Math.min(Limit.RetryMsMax, retryMs * 2);
  return Math.max(askedMs, retryMs) * (1 + Math.random() / 2);
};

const context = (): object => ({
  context: {
    page_title: document.title.slice(0, Limit.TitleLength),
    language: navigator.language,
    screen: screen.width + "x" + screen.height,
  },
});

const envelope = (events: string[], dropped: number): string =>
  JSON.stringify({
    site: options.site,
    key: options.key,
    client_id: clientId,
    platform: /Mobi/.test(navigator.userAgent) ? "mweb" : "web",
    sent_at: tick(),
    dropped,
    consent: stated(),
    ...(FULL && context()),
  }).replace(/}$/, `,"events":[${events}]}`);
