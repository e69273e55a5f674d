/** One attempt to hand a batch to the collector. */

import { log, options } from "./config";

/** The collector's HTTP status (0 = it could not be reached) and the wait it asks for, in s. */
export type Outcome = [status: number, waitS: number];

/** Browsers fail a request that would bring all bodies with `keepalive` over 64 KiB together. */
const KEEPALIVE_BYTES_MAX = 65_536;
let openBytes = 0;

/**
 * Posts a batch. A string body is `text/plain`, which needs no CORS preflight, and `keepalive` lets
 * the request outlive the page while there is room. Never rejects.
 */
export const post = async (body: string): Promise<Outcome> => {
  const { size } = new Blob([body]);
  openBytes += size;
  try {
    const answer = await fetch(options.endpoint + "/v1/events", {
      method: "POST",
      body,
      keepalive: openBytes < KEEPALIVE_BYTES_MAX,
      credentials: "omit",
    });
    void log(answer);
    return [answer.status, +(answer.headers.get("retry-after") || 0)];
  } catch {
    return [0, 0];
  } finally {
    openBytes -= size;
  }
};
