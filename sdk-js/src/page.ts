/** Page views: document loads, history changes, returns from the back/forward cache. */

import { isOn, options } from "./config";
import { isPrerendering } from "./consent";

const enum Limit {
  /** The collector refuses longer addresses. */
  UrlLength = 2048,
}

/** Campaign tags and ad click ids; they belong to the arrival, not to every page after it. */
const TAGS = /* @__PURE__ */ new RegExp(
  "[?&](utm_\\w+|\\w*cl(ic)?k?id|gclsrc|[gw]braid|epik|sccid|tblci" +
    "|li_fat_id|rdt_cid|mc_eid|_kx)=[^&#]*",
  "gi",
);

let isArrival = true;

/** The address that shows, with its `#` part where that tells pages apart. */
const address = (): string =>
  (FULL && isOn(options.hash) ? location.href : location.href.split("#")[0]!).slice(
    0,
    Limit.UrlLength,
  );

/** An address without how the visitor arrived; e.js has no room to tell tags from the rest. */
const plain = (url: string): string =>
  FULL ? url.replace(TAGS, "").replace(/^([^?]*)&/, "$1?") : url.split("?")[0]!;

/**
 * Where an event happened. Only the first event of a document load says how the visitor arrived:
 * a tag that is repeated with every event would look like a click on each of them.
 */
export const context = (url = address()): Record<string, string> => {
  const where = isArrival
    ? { page_url: url, referrer: document.referrer.slice(0, Limit.UrlLength) }
    : { page_url: plain(url) };
  isArrival = false;
  return where;
};

/** How long a page showed, in ms, and how far down it was seen, in percent of its height. */
export interface Engagement {
  duration_ms: number;
  scroll: number;
}

let shown = "";
let sinceMs = 0;
let depth = 0;

const reach = (): number =>
  (((scrollY + innerHeight) / document.documentElement.scrollHeight) * 100) | 0;

const look = (): void => {
  depth = Math.max(depth, reach());
};

/**
 * Calls `view` for every page view from now on, the present one included, and `leave` when what
 * shows is about to go or may never come back, with its address and what is new of it. The depth
 * is the greatest one, in e.js the last one.
 */
export const watch = (view: () => void, leave: (what: Engagement, url: string) => void): void => {
  const start = (): void => {
    sinceMs = Date.now();
    if (FULL) depth = 0;
  };
  const show = (): void => {
    shown = address();
    start();
    view();
  };
  const end = (): void => {
    if (FULL) look();
    leave({ duration_ms: Date.now() - sinceMs, scroll: FULL ? depth : reach() }, shown);
  };
  // The last dependable sign that a page may never come back.
  addEventListener("visibilitychange", () => (document.hidden ? end() : start()));
  if (FULL) addEventListener("scroll", look, { passive: true });
  addEventListener("pageshow", (event) => event.persisted && show());
  // This one does not bubble.
  if (isPrerendering()) addEventListener("prerenderingchange", show, true);
  else show();
  const move = (): void => {
    if (address() == shown) return;
    end();
    show();
  };
  // In every browser since January 2026; older ones need their history wrapped.
  const { navigation } = window as { navigation?: EventTarget };
  navigation?.addEventListener("currententrychange", move);
  if (FULL && !navigation) wrapHistory(move);
};

const wrapHistory = (move: () => void): void => {
  for (const name of ["pushState", "replaceState"] as const) {
    // eslint-disable-next-line @typescript-eslint/unbound-method -- called on its own
    const original = history[name];
    history[name] = function (this: History, ...args: Parameters<History["pushState"]>) {
      original.apply(this, args);
      move();
    };
  }
  addEventListener("popstate", move);
};
