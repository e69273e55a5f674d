/**
 * Money outlives the page: events of orders and payments stay in this browser's storage until the
 * collector has answered. Only full builds carry this; e.js keeps memory only.
 */

import { mayPersist } from "./consent";
import { clientId } from "./identity";
import { drop, enqueue, type WireEvent } from "./queue";
import { read, write } from "./storage";

/** One key an event, so that tabs never rewrite each other's. */
const PREFIX = "edgetally:";
/** The collector refuses older events from a write key. */
const AGE_MS_MAX = 7 * 86_400_000;
const KEPT_NAMES = /^(purchase|refund|order_|payment_)/;

/** Keeps an event that carries money. */
export const keep = (event: WireEvent): void => {
  if (KEPT_NAMES.test(event.name) && mayPersist()) {
    write(PREFIX + event.id, JSON.stringify({ client_id: clientId, ...event }));
  }
};

/** Lets go of events that were answered. */
export const forget = (events: WireEvent[]): void => {
  for (const event of events) write(PREFIX + event.id, "");
};

/** Queues again what an earlier page could not see answered. */
export const restore = (): void => {
  if (!mayPersist()) return;
  for (const name of keptNames()) {
    const json = read(name);
    write(name, "");
    try {
      const event = JSON.parse(json) as WireEvent;
      if (Date.now() - event.ts < AGE_MS_MAX) enqueue(event, false);
      else drop(1);
    } catch {
      drop(1);
    }
  }
};

const keptNames = (): string[] => {
  try {
    return Object.keys(localStorage).filter((name) => name.startsWith(PREFIX));
  } catch {
    return [];
  }
};
