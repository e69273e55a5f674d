// What a page asks of the API, kept up to date: asked again when the question changes, every so
// often, and after a failure until there is an answer.

import { useEffect, useRef, useState } from "preact/hooks";
import { signal } from "@preact/signals";
import { Refused } from "./api.ts";
import { leave } from "./session.ts";

/** What is known of an answer. A value that is there stays while it is asked for again. */
export interface Asked<T> {
  value: T | undefined;
  /** A refusal that asking again will not change. */
  error: Refused | undefined;
  /** Whether the value belongs to an earlier question. */
  isStale: boolean;
  /** Asks now. */
  again: () => void;
}

/** How many questions wait for an answer that failed to come. */
export const failing = signal(0);
const waiting = new Set<AbortSignal>();

function note(asker: AbortSignal, fails: boolean): void {
  if (fails) waiting.add(asker);
  else waiting.delete(asker);
  failing.value = waiting.size;
}

/** Readiness is never further away than this: what failed is asked again so soon. */
export const RETRY_MS_MAX = 2_000;
const RETRY_MS_MIN = 300;

/** How long to wait after so many failures in a row. */
export const retryMs = (failures: number): number =>
  Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** failures) * (0.75 + Math.random() / 4);

/** Waits, or until the signal; leaves nothing behind on it, for it may live for days. */
export const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });

interface Told<T> {
  key: string;
  value?: T;
  error?: Refused;
}

async function follow<T>(
  ask: (signal: AbortSignal) => Promise<T>,
  everyMs: number,
  signal: AbortSignal,
  tell: (told: { value: T } | { error: Refused }) => void,
): Promise<void> {
  for (let failures = 0; !signal.aborted;) {
    try {
      tell({ value: await ask(signal) });
      failures = 0;
    } catch (error) {
      if (signal.aborted) break;
      const refused = error instanceof Refused ? error : new Refused(String(error), -1);
      if (refused.status === 401) leave(refused.message);
      if (refused.isPassing) failures++;
      else tell({ error: refused });
    }
    note(signal, failures > 0);
    if (!failures && !everyMs) return;
    await pause(failures ? retryMs(failures) : everyMs, signal);
    // Nobody looks: the next answer waits until somebody does.
    while (document.hidden && !failures && !signal.aborted) await pause(500, signal);
  }
  note(signal, false);
}

/** Asks whenever `key` changes, and every `everyMs` if that is not 0. */
export function useAsked<T>(
  key: string,
  ask: (signal: AbortSignal) => Promise<T>,
  everyMs = 0,
): Asked<T> {
  const [told, setTold] = useState<Told<T>>({ key: "" });
  const [turn, setTurn] = useState(0);
  const latest = useRef(ask);
  latest.current = ask;
  useEffect(() => {
    if (!key) return;
    const stop = new AbortController();
    const tell = (news: { value: T } | { error: Refused }) => {
      if (!stop.signal.aborted) setTold({ key, ...news });
    };
    void follow((signal) => latest.current(signal), everyMs, stop.signal, tell);
    return () => stop.abort();
  }, [key, everyMs, turn]);
  const isStale = told.key !== key;
  return {
    value: told.value,
    error: isStale ? undefined : told.error,
    isStale,
    again: () => setTurn((last) => last + 1),
  };
}
