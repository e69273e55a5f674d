/** One attempt to hand a batch to the collector. */

import { log, options } from "./config";

/** The collector's HTTP status (0 = it could not be reached) and the wait it asks for, in s. */
export type Outcome = [status: number, waitS: number];

/**
 * Posts a batch. A string body is `text/plain`, which needs no CORS preflight, and `keepalive` lets
 * the request outlive the page. Never rejects.
 */
export const post = async (body: string): Promise<Outcome> => {
  try {
    const answer = await fetch(options.endpoint + "/v1/events", {
      method: "POST",
      body,
      keepalive: true,
      credentials: "omit",
    });
    void log(answer);
    return [answer.status, +(answer.headers.get("retry-after") || 0)];
  } catch {
    return [0, 0];
  }
};
