/** What a page can call, before anything is made safe for it. */

import { isUrgent } from "./commerce";
import { isOff, options, type Options } from "./config";
import { isOut, Key, type ConsentChoice } from "./consent";
import { judge, open } from "./full";
import { remember, setUser, userId, uuid } from "./identity";
import { context, watch } from "./page";
import { clear, drop, enqueue, flush, keepPending, tick } from "./queue";
import { write } from "./storage";

/** Turns a throwing call into a counted drop: analytics must never break the shop. */
export const safe =
  <Args extends unknown[], Result>(run: (...args: Args) => Result) =>
  (...args: Args): Result | undefined => {
    try {
      return run(...args);
    } catch {
      drop(1);
      return;
    }
  };

const track = (name: string, params?: object, url?: string): void => {
  if (!options.site || isOut()) return;
  const event = {
    id: uuid(),
    name,
    ts: tick(),
    user_id: userId || undefined,
    context: context(url),
    params,
  };
  if (FULL) {
    const judged = judge(event);
    if (judged) enqueue(judged, isUrgent(name));
  } else enqueue(event, isUrgent(name));
};

const page = (params?: object): void => track("page_view", params);

/** By the names that a page calls them. */
export const calls = {
  init: (given: Options): void => {
    if (options.site) return;
    Object.assign(options, given);
    remember();
    const isAuto = !isOff(given.auto);
    watch(
      () => isAuto && page(),
      (what, url) => {
        if (isAuto) track("engagement", what, url);
        void flush();
      },
    );
    if (FULL) open(track);
  },
  track,
  page,
  identify: (id: string | number, traits?: object): void => {
    setUser(id + "");
    track("identify", traits);
  },
  reset: (): void => {
    const wasSignedIn = userId;
    setUser("");
    if (wasSignedIn) track("logout");
  },
  consent: (choice: ConsentChoice): void => {
    options.consent = choice;
    if (choice == "denied") clear();
    remember();
    if (FULL) keepPending();
    void flush();
  },
  flush,
  optOut: (out?: boolean): void => {
    write(Key.OptOut, out !== false);
    clear();
    remember();
  },
};
