// What all pages share: the place in the address, the language, the look, and what is known of the
// site.

import { computed, effect, signal } from "@preact/signals";
import { query } from "./api.ts";
import { isMoney } from "./money.ts";
import { rangeOf, type DateRange } from "./period.ts";
import { readPlace, withFilter, writePlace, type Filter, type Place } from "./place.ts";
import { session } from "./session.ts";
import { english, type Word } from "./words/english.ts";
import { vietnamese } from "./words/vietnamese.ts";
import { dateOf, offsetOf } from "./zone.ts";

const here = (): Place => readPlace(location.pathname, location.search);

/** Where the reader is. */
export const place = signal<Place>(here());

addEventListener("popstate", () => (place.value = here()));

/** Goes somewhere: what is not said stays as it is. */
export function go(to: Partial<Place>, replace = false): void {
  const next = { ...place.value, site: session.value.site, ...to };
  const path = writePlace(next);
  if (path === location.pathname + location.search) return;
  if (replace) history.replaceState(null, "", path);
  else history.pushState(null, "", path);
  place.value = next;
  if (to.page && !replace) scrollTo(0, 0);
}

/** The address of a place, for links. */
export const linkTo = (to: Partial<Place>): string =>
  writePlace({ ...place.value, site: session.value.site, ...to });

/** Adds a condition to the address. */
export const addFilter = (more: Filter): void =>
  go({ filters: withFilter(place.value.filters, more) });

// ---- Language and look

export type Language = "en" | "vi";
const storedLanguage = localStorage.getItem("edgetally_lang");
const isVietnamese = storedLanguage ? storedLanguage === "vi" : /^vi/i.test(navigator.language);

/** The language of the pages. */
export const language = signal<Language>(isVietnamese ? "vi" : "en");

/** The locale that numbers and dates are written in. */
export const locale = computed(() => (language.value === "vi" ? "vi-VN" : "en-US"));

/** A word in the reader's language; `{name}` stands for what is given. */
export function t(word: Word, given: Record<string, string | number> = {}): string {
  const text = (language.value === "vi" ? vietnamese : english)[word];
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(given[name] ?? whole));
}

/** `system` follows the machine. */
export type Look = "system" | "light" | "dark";
const storedLook = localStorage.getItem("edgetally_look");

/** Light or dark. */
export const look = signal<Look>(
  storedLook === "light" || storedLook === "dark" ? storedLook : "system",
);

/** Grows when the colours change, so that charts are drawn anew. */
export const painted = signal(0);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => painted.value++);

/** Whether amounts are hidden, as on a wall that strangers see. */
export const hidesAmounts = signal(false);

effect(() => {
  document.documentElement.lang = language.value;
  localStorage.setItem("edgetally_lang", language.value);
});
effect(() => {
  document.documentElement.dataset.look = look.value;
  localStorage.setItem("edgetally_look", look.value);
  painted.value = painted.peek() + 1;
});

// ---- The site

/** What the API says of a site to whoever may read its reports. */
export interface SiteFacts {
  /** Its local date. */
  today: string;
  /** Its offset of this moment, such as `+07:00`. */
  offset: string;
  /** ISO 4217. */
  currency: string;
}

/** What is known of the site; nothing until it was asked. */
export const facts = signal<SiteFacts | undefined>(undefined);

/** Asks what the site's day, offset and currency are: an empty sum is told in its currency. */
export async function askFacts(signal?: AbortSignal): Promise<SiteFacts> {
  const [days, hours] = await Promise.all([
    query({ metrics: ["revenue"], date_range: "day", dimensions: ["time:day"] }, signal),
    query({ metrics: ["events"], date_range: "realtime", dimensions: ["time:hour"] }, signal),
  ]);
  const hour = hours.results.at(-1)?.dimensions[0] ?? "";
  const revenue = days.results[0]?.metrics[0];
  const known = {
    today: dateOf(days.results[0]?.dimensions[0] ?? hour),
    offset: offsetOf(hour),
    currency: (isMoney(revenue) && revenue[0]?.currency) || "USD",
  };
  if (JSON.stringify(known) !== JSON.stringify(facts.peek())) facts.value = known;
  return known;
}

/** The period of the address as the API takes it. */
export const range = computed<DateRange>(() =>
  rangeOf(place.value.period, facts.value?.today ?? "1970-01-01"),
);
