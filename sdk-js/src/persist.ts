/**
 * Money outlives the page: commerce events and sign-ins stay in this browser's storage until the
 * collector has answered, and the next page sends them again with the same ids. Not in e.js.
 */

import { isUrgent } from "./commerce";
import type { WireEvent } from "./config";
import { isHeld, mayPersist } from "./consent";
import { clientId } from "./identity";
import { requeue } from "./queue";
import { read, write } from "./storage";

/** One key an event, so that tabs never rewrite each other's. */
const PREFIX = "edgetally:";

/** As long as the queue waits before it sends. */
const DELAY_MS = 1000;

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
  else void drain(left);
};

const drain = (left: string[]): Promise<unknown> => {
  for (const name of left) {
    const json = read(name);
    // Another page may have heard of it meanwhile.
    if (json) requeue(json);
  }
  // The lock is let go when they leave.
  return new Promise((done) => setTimeout(done, DELAY_MS));
};

const names = (): string[] => {
  try {
    return Object.keys(localStorage).filter((name) => name.startsWith(PREFIX));
  } catch {
    return [];
  }
};
