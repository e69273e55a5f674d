// The period that reports are of: a preset, local dates or instants, as one word of the address.

import { dayPlus, daysBetween, isDate, showDate, wallOf, type Grain } from "./zone.ts";

/** What the date picker offers; `yesterday` is the only one that the API has no name for. */
export const PRESETS = [
  "realtime",
  "24h",
  "day",
  "yesterday",
  "7d",
  "30d",
  "month",
  "12mo",
] as const;
export type Preset = (typeof PRESETS)[number];
export const DEFAULT_PERIOD = "day";

/** What the API takes as `date_range`. */
export type DateRange = string | [string, string];

const isPreset = (text: string): text is Preset => PRESETS.some((preset) => preset === text);

const isInstant = (text: string): boolean =>
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)?$/.test(text);

/** Both ends of a period of one's own, or nothing where the word is no such period. */
export function endsOf(period: string): [string, string] | undefined {
  const [from = "", to = "", ...more] = period.split("..");
  const areDates = isDate(from) && isDate(to) && from <= to;
  const areInstants = isInstant(from) && isInstant(to) && Date.parse(from) < Date.parse(to);
  return !more.length && (areDates || areInstants) ? [from, to] : undefined;
}

/** The period of an address: what cannot be read is today. */
export const readPeriod = (text: string | null): string =>
  text && (isPreset(text) || endsOf(text)) ? text : DEFAULT_PERIOD;

/** As the API takes it; `today` is the site's local date. */
export function rangeOf(period: string, today: string): DateRange {
  if (period === "yesterday") return [dayPlus(today, -1), dayPlus(today, -1)];
  return endsOf(period) ?? period;
}

/** Both ends for the routes of lists, which know no presets: dates, or instants. */
export function listEnds(period: string, today: string, now: string): [string, string] {
  const range = rangeOf(period, today);
  if (Array.isArray(range)) return range;
  const back = (days: number): [string, string] => [dayPlus(today, -days), today];
  switch (period) {
    case "7d":
      return back(6);
    case "30d":
      return back(29);
    case "month":
      return [`${today.slice(0, 8)}01`, today];
    case "12mo": {
      // This month and the eleven before it.
      const [year = 0, month = 0] = today.split("-").map(Number);
      const first = new Date(Date.UTC(year, month - 12, 1)).toISOString().slice(0, 10);
      return [first, today];
    }
    case "24h":
    case "realtime": {
      const ms = period === "24h" ? 86_400_000 : 300_000;
      const at = new Date(Date.parse(now) - ms).toISOString().slice(0, 19);
      return [`${at}Z`, `${new Date(Date.parse(now) + 1000).toISOString().slice(0, 19)}Z`];
    }
    default:
      return back(0);
  }
}

const OF_THIS_MOMENT = ["realtime", "24h", "day"];
const OF_THESE_DAYS = ["7d", "30d", "month"];

/** How often a report of it is asked for again, in milliseconds: the longer it is, the less a
 * moment changes it. */
export function everyMs(period: string): number {
  if (OF_THIS_MOMENT.includes(period)) return 5_000;
  return OF_THESE_DAYS.includes(period) ? 15_000 : 60_000;
}

/** How long the buckets of its chart are. */
export function grainOf(period: string): Grain {
  const own = endsOf(period);
  if (own && isDate(own[0])) return grainOfDays(daysBetween(own[0], own[1]) + 1);
  if (own) {
    const minutes = (Date.parse(own[1]) - Date.parse(own[0])) / 60_000;
    if (minutes <= 10) return "second";
    return minutes <= 6 * 60 ? "minute" : grainOfDays(minutes / 1440);
  }
  if (period === "realtime") return "second";
  if (period === "12mo") return "month";
  return ["7d", "30d", "month"].includes(period) ? "day" : "hour";
}

const grainOfDays = (days: number): Grain =>
  days <= 3 ? "hour" : days <= 92 ? "day" : days <= 366 ? "week" : "month";

/** What the picker shows of a period of one's own. */
export function showPeriod([from, to]: [string, string], locale: string): string {
  if (!isDate(from)) {
    const [start, end] = [wallOf(from).replace("T", " "), wallOf(to).replace("T", " ")];
    return start.slice(0, 10) === end.slice(0, 10)
      ? `${showDate(from, locale)} ${start.slice(11)} – ${end.slice(11)}`
      : `${start} – ${end}`;
  }
  if (from === to) return showDate(from, locale, true);
  return `${showDate(from, locale)} – ${showDate(to, locale, true)}`;
}
