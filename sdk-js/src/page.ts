/** Page views: document loads, history changes, returns from the back/forward cache. */

import { isPrerendering } from "./consent";
import { flush, type WireEvent } from "./queue";

/** Limits of the collector: longer strings would have the whole event refused. */
const URL_LENGTH_MAX = 2048;
const TITLE_LENGTH_MAX = 1024;

/** Campaign tags and ad click ids; they belong to the arrival, not to every page after it. */
const TAGS = new RegExp(
  "[?&](utm_\\w+|\\w*cl(ic)?k?id|gclsrc|[gw]braid|epik|sccid|tblci" +
    "|li_fat_id|rdt_cid|mc_eid|_kx)=[^&]*",
  "gi",
);

let isArrival = true;
let shownPath = "";
let shown: WireEvent | undefined;

/**
 * Where an event happened. Only the first event of a document load says how the visitor arrived:
 * a tag that is repeated with every event would look like a click on each of them.
 */
export const context = (): Record<string, string> => {
  let query = location.search;
  const where: Record<string, string> = {};
  const from = document.referrer;
  if (!isArrival) query = query.replace(TAGS, "").replace(/^&/, "?");
  else if (from) where["referrer"] = from.slice(0, URL_LENGTH_MAX);
  isArrival = false;
  where["page_url"] = (location.origin + location.pathname + query).slice(0, URL_LENGTH_MAX);
  return where;
};

/** The title of the page that shows now. */
export const title = (): string => document.title.slice(0, TITLE_LENGTH_MAX);

/** Remembers which page view shows, to follow its title. */
export const setShown = (event: WireEvent | undefined): void => {
  shown = event;
};

/** Frameworks set the title after they changed the address: read it again before sending. */
export const retitle = (): void => {
  if (shown && path() == shownPath) shown.context["page_title"] = title();
  shown = undefined;
};

/** Calls `view` for every page view from now on, the present one included. */
export const watch = (view: () => void): void => {
  const show = (): void => {
    shownPath = path();
    view();
  };
  const move = (): void => {
    if (path() != shownPath) show();
  };
  if (isPrerendering()) document.addEventListener("prerenderingchange", show, { once: true });
  else show();
  followHistory(move);
  addEventListener("pageshow", (event) => event.persisted && show());
};

/**
 * Sends what waits when the page may be about to go: `hidden` is the last dependable sign. A page
 * that leaves hears that its open requests failed, though they go on: they need no second attempt.
 */
export const flushOnHide = (): void => {
  let isLeaving = false;
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState == "hidden" && !isLeaving) void flush();
  });
  addEventListener("pagehide", () => {
    isLeaving = true;
    void flush();
  });
  addEventListener("pageshow", () => {
    isLeaving = false;
  });
};

const path = (): string => location.pathname + location.search;

/** The Navigation API tells of every change; older browsers need their history wrapped. */
const followHistory = (move: () => void): void => {
  const navigation = (window as { navigation?: EventTarget }).navigation;
  if (navigation) {
    navigation.addEventListener("currententrychange", move);
    return;
  }
  for (const name of ["pushState", "replaceState"] as const) {
    const original = history[name];
    history[name] = function (this: History, ...args: Parameters<History["pushState"]>) {
      original.apply(this, args);
      move();
    };
  }
  addEventListener("popstate", move);
};
