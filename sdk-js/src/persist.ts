/**
 * Money outlives the page: commerce events and sign-ins stay in this browser's storage until the
 * collector has answered, and the next page sends them again with the same ids. Not in e.js.
 */

import { isUrgent } from "./commerce";
import type { WireEvent } from "./config";
import { isHeld, mayPersist } from "./consent";
import { clientId } from "./identity";
import { drop, flush, isBlocked, requeue } from "./queue";
import { read, write } from "./storage";

/** One key an event, so that tabs never rewrite each other's. */
const PREFIX = "edgetally:";

/** The collector refuses older events from a write key. */
const AGE_MS_MAX = 604_800_000;

/** Keeps an event, if it must not be lost and may be kept. */
export const keep = (json: string): void => {
  const event = JSON.parse(json) as WireEvent;
  if (!isUrgent(event.name) || isHeld() || !mayPersist()) return;
  write(PREFIX + event.id, JSON.stringify({ client_id: clientId, ...event }));
};

/** Lets go of events that were answered, or of all. */
export const forget = (events?: string[]): void => {
  const answered = events?.map((json) => PREFIX + (JSON.parse(json) as WireEvent).id);
  for (const name of answered || names()) write(name, "");
};

/** Sends what earlier pages could not see answered; one tab at a time does, ids hold the rest. */
export const restore = (): void => {
  // Named before this page keeps any of its own, which are on their way already.
  const left = mayPersist() ? names() : [];
  const { locks } = navigator as { locks?: LockManager };
  if (locks) void locks.request(PREFIX, { ifAvailable: true }, (lock) => lock && drain(left));
  else drain(left);
};

const drain = (left: string[]): unknown => {
  for (const name of left) {
    const json = read(name);
    // Another page has heard of it meanwhile.
    if (!json) continue;
    if (Date.now() - (JSON.parse(json) as WireEvent).ts < AGE_MS_MAX) requeue(json);
    else {
      drop(1);
      write(name, "");
    }
  }
  return isBlocked() || flush();
};

const names = (): string[] => {
  try {
    return Object.keys(localStorage).filter((name) => name.startsWith(PREFIX));
  } catch {
    return [];
  }
};
