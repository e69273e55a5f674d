/**
 * Edgetally in a page: `init` once, then `track`, `identify`, `page` and the rest. No call ever
 * throws into the page; what cannot be sent is counted, and the next batch tells the collector.
 */

import { isUrgent, type Track } from "./commerce";
import { configure, isOff, log, options, type Options } from "./config";
import { choose, hasOptedOut, setOptOut, type ConsentChoice } from "./consent";
import { remember, setUser, userId, uuid } from "./identity";
import { context, flushOnHide, setShown, title, watch } from "./page";
import { restore } from "./persist";
import { clear, drop, enqueue, flush as send, tick, type WireEvent } from "./queue";

export type { Amount, EventMap, Item, Money, Order, Track } from "./commerce";
export type { Options } from "./config";
export type { ConsentChoice } from "./consent";

/** Set by the build: e.js keeps nothing beyond the page. */
declare const FULL: boolean;

const emit = (name: string, params: object = {}): WireEvent | undefined => {
  if (!options.site || hasOptedOut()) return;
  const event: WireEvent = { id: uuid(), name, ts: tick(1), context: context(), params };
  if (userId) event.user_id = userId;
  if (name == "page_view") event.context["page_title"] = title();
  return enqueue(event, isUrgent(name));
};

/** Turns a throwing call into a counted drop: analytics must never break the shop. */
const safe =
  <Args extends unknown[]>(run: (...args: Args) => unknown) =>
  (...args: Args): void => {
    try {
      run(...args);
    } catch (error) {
      drop(1);
      log(error);
    }
  };

/** Starts the SDK for a page; later calls change nothing. */
export const init = safe((given: Options) => {
  if (options.site) return;
  configure(given);
  choose(given.consent);
  remember();
  if (FULL) restore();
  flushOnHide();
  if (!isOff(given.auto)) watch(page);
});

/** Records an event: a name of the commerce vocabulary, or one of your own. */
export const track: Track = safe(emit);

/** Records a page view; automatic unless `auto` is off. */
export const page = safe((params?: object) => {
  setShown(emit("page_view", params));
});

/** Signs a user in: this event and all that follow carry the id, on later pages too. */
export const identify = safe((id: string | number, traits?: object) => {
  setUser(String(id).trim());
  emit("identify", traits);
});

/** Signs the user out; what follows belongs to nobody until the next `identify`. */
export const reset = safe(() => {
  const wasSignedIn = userId;
  setUser("");
  if (wasSignedIn) emit("logout");
});

/** Takes the visitor's choice from a consent banner. */
export const consent = safe((choice: ConsentChoice) => {
  choose(choice);
  remember();
  void send();
});

/** Sends what waits; resolves when the collector has answered. */
export const flush = (): Promise<void> => send().catch(log);

/** Never measures this browser again, or with `false` does again. */
export const optOut = safe((out?: boolean) => {
  setOptOut(out !== false);
  clear();
  remember();
});
