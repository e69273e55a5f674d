/**
 * Edgetally in a page: `init` once, then `track`, `identify`, `page` and the rest. No call ever
 * throws into the page; what cannot be sent is counted, and the next batch tells the collector.
 */

import type { Track } from "./commerce";
import type { Options } from "./config";
import type { ConsentChoice } from "./consent";
import { calls, safe } from "./calls";

export type { Amount, EventMap, Item, Money, Order, Track } from "./commerce";
export type { Options, WireEvent } from "./config";
export type { ConsentChoice } from "./consent";

/** Starts the SDK for a page; later calls change nothing. */
export const init: (options: Options) => void = safe(calls.init);

/** Records an event: a name of the commerce vocabulary, or one of your own. */
export const track: Track = safe(calls.track);

/** Records a page view; automatic unless `auto` is off. */
export const page: (params?: object) => void = safe(calls.page);

/** Signs a user in: this event and all that follow carry the id, on later pages too. */
export const identify: (userId: string | number, traits?: object) => void = safe(calls.identify);

/** Signs the user out; what follows belongs to nobody until the next `identify`. */
export const reset: () => void = safe(calls.reset);

/** Takes the visitor's choice from a consent banner; what was held goes, or is erased. */
export const consent: (choice: ConsentChoice) => void = safe(calls.consent);

/** Sends what waits; resolves when the collector has answered. */
export const flush: () => Promise<unknown> = calls.flush;

/** Never measures this browser again, or with `false` does again. */
export const optOut: (out?: boolean) => void = safe(calls.optOut);
