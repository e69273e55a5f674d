/** What the page says about itself: which site, which key, where to send. */

import type { ConsentChoice } from "./consent";

/** Options of `init`, and the `data-*` attributes of the script tag by the same names. */
export interface Options {
  /** The site's name at the collector. */
  site: string;
  /** A write key (`wk_...`). It is public: the collector checks origins and rates. */
  key: string;
  /** The collector's origin, without a path; a script tag defaults to its own origin. */
  endpoint: string;
  /** Consent at the start; `pending` keeps events in memory until `consent()` is called. */
  consent?: ConsentChoice;
  /** `false` (or `data-auto="0"`) turns automatic page views off. */
  auto?: boolean | string;
  /** Log the collector's answers to the console; not in e.js. */
  debug?: boolean | string;
  /** Domain of the id cookie (`.shop.example`), to share a client between hosts; not in e.js. */
  domain?: string;
}

/** The options in force; empty until `configure` ran. */
export let options = {} as Options;

/** Sets the options, once, before anything is sent. */
export const configure = (given: Options): void => {
  options = given;
};

/** A `data-*` attribute or an option that was switched off. */
export const isOff = (flag: unknown): boolean => /^(0|false)$/.test(String(flag));

/** Set by the build: e.js leaves out what e.full.js and the module carry. */
declare const FULL: boolean;

/** Logs an error or the collector's answer when the page asked for it; silent otherwise. */
export const log = async (what: unknown): Promise<void> => {
  if (!FULL || !options.debug || isOff(options.debug)) return;
  const isAnswer = what instanceof Response;
  console.warn("edgetally", what, isAnswer ? await what.clone().text() : "");
};
