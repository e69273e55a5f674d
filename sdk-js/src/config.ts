/** What the page says about itself: which site, which key, where to send. */

import type { ConsentChoice } from "./consent";

/** One event before it is sent; `docs/http-api.md` names the members. */
export interface WireEvent {
  id: string;
  name: string;
  ts: number;
  client_id?: string;
  user_id?: string | undefined;
  context: Record<string, string>;
  params?: object | undefined;
}

/**
 * Options of `init`, and the `data-*` attributes of the script tag by the same names (`beforeSend`
 * is `data-before-send`). Those marked "full" are not in e.js.
 */
export interface Options {
  /** The site's name at the collector. */
  site: string;
  /** A write key (`wk_...`). It is public: the collector checks origins and rates. */
  key: string;
  /** The collector's origin, without a path; a script tag defaults to its own origin. */
  endpoint: string;
  /** Consent at the start; `pending` keeps events in memory until `consent()` is called. */
  consent?: ConsentChoice;
  /** `none` keeps no id on the device: the collector tells visitors apart for a day. */
  id?: "persistent" | "none";
  /** `false` turns automatic page views and engagement off. */
  auto?: boolean;
  /** `false` keeps an id even where the browser sends a Global Privacy Control signal. */
  gpc?: boolean;
  /** Measures nobody whose browser asks not to be tracked (full). */
  dnt?: boolean;
  /** The part after `#` tells pages apart (full). */
  hash?: boolean;
  /** Records clicks on links to other hosts as `click` (full). */
  outbound?: boolean;
  /** Records clicks on links to files as `file_download` (full). */
  downloads?: boolean;
  /** Records submitted forms as `form_submit`, never what was typed (full). */
  forms?: boolean;
  /** Measures web vitals, by e.vitals.js (full). */
  vitals?: boolean;
  /** Domain of the id cookie (`.shop.example`), to share a client between hosts (full). */
  domain?: string;
  /** Other hosts of the shop, separated by commas: links to them carry the client along (full). */
  link?: string;
  /** Reads GA4 commerce pushes of this array (`true`: `dataLayer`), by e.datalayer.js (full). */
  datalayer?: boolean | string;
  /** Sees each event before it is sent, or names a global function that does; what it answers is
   * sent, nothing if it answers nothing (full). */
  beforeSend?: string | ((event: WireEvent) => WireEvent | null | undefined | false);
  /** Says in the console what the collector refused, and why, by e.debug.js (full). */
  debug?: boolean;
}

/** The options in force; without a site until `init`. */
export const options = {} as Options;

/** Whether an option or attribute was switched off: `false`, `"false"`, `"0"`. */
export const isOff = (flag: unknown): boolean => /^(0|false)$/.test(flag as string);

/** Whether an option or attribute was switched on; an attribute without a value is. */
export const isOn = (flag: unknown): boolean => flag != undefined && !isOff(flag);
