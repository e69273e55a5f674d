// Times as the API writes them: local dates, and instants with the site's offset. They are shown as
// they are written, so no zone of the reader's machine ever comes in.

const SECOND_MS = 1000;
const DAY_MS = 86_400_000;
const OFFSET = /(Z|[+-]\d\d:\d\d)$/;

/** Whether a text is a local date such as 2026-03-02. */
export const isDate = (text: string): boolean => /^\d{4}-\d\d-\d\d$/.test(text);

/** The local date of an instant. */
export const dateOf = (text: string): string => text.slice(0, 10);

/** The wall clock of an instant, to the second. */
export const clockOf = (text: string): string => /T(\d\d:\d\d:\d\d)/.exec(text)?.[1] ?? "";

/** `+07:00`, or `Z`; empty where none is written. */
export const offsetOf = (text: string): string => OFFSET.exec(text)?.[1] ?? "";

/** Local date and wall clock without an offset, as the API takes local times. */
export const wallOf = (text: string): string => text.slice(0, 19);

function offsetMs(offset: string): number {
  const [, sign, hours, minutes] = /([+-])(\d\d):(\d\d)/.exec(offset) ?? [];
  const ms = (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * 60 * SECOND_MS;
  return sign === "-" ? -ms : ms;
}

/** An instant in epoch milliseconds as RFC 3339 with that offset, to the second. */
export function write(ms: number, offset: string): string {
  const wall = new Date(ms + offsetMs(offset)).toISOString().slice(0, 19);
  return wall + (offset || "Z");
}

/** An instant moved by milliseconds, with the offset that it had. */
export const moved = (text: string, ms: number): string =>
  write(Date.parse(text) + ms, offsetOf(text));

/** A local date moved by days. */
export const dayPlus = (date: string, days: number): string =>
  new Date(Date.parse(`${date}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);

/** Days from one local date to another. */
export const daysBetween = (from: string, to: string): number =>
  Math.round((Date.parse(`${to}T00:00:00Z`) - Date.parse(`${from}T00:00:00Z`)) / DAY_MS);

const formats = new Map<string, Intl.DateTimeFormat>();

function dateFormat(locale: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = locale + JSON.stringify(options);
  let format = formats.get(key);
  if (!format) {
    format = new Intl.DateTimeFormat(locale, { ...options, timeZone: "UTC" });
    formats.set(key, format);
  }
  return format;
}

/** A date in words, such as 2 Mar; with the year where it is asked for. */
export function showDate(text: string, locale: string, withYear = false): string {
  const options: Intl.DateTimeFormatOptions = { day: "numeric", month: "short" };
  if (withYear) options.year = "numeric";
  return dateFormat(locale, options).format(Date.parse(`${dateOf(text)}T00:00:00Z`));
}

/** A month in words. */
export const showMonth = (text: string, locale: string): string =>
  dateFormat(locale, { month: "short", year: "numeric" }).format(
    Date.parse(`${dateOf(text)}T00:00:00Z`),
  );

/** An instant as date and clock of the site. */
export const showInstant = (text: string | null, locale: string): string =>
  text ? `${showDate(text, locale)} ${clockOf(text)}` : "–";

/** The lengths of buckets that charts have. */
export type Grain = "second" | "minute" | "hour" | "day" | "week" | "month";

/** What stands under a bucket. */
export function showBucket(text: string, grain: Grain, locale: string): string {
  if (grain === "month") return showMonth(text, locale);
  if (isDate(text)) return showDate(text, locale);
  return clockOf(text).slice(0, grain === "second" ? 8 : 5);
}

/** A bucket in full: what is read out of a chart. */
export function showWhole(text: string, grain: Grain, locale: string): string {
  if (grain === "month") return showMonth(text, locale);
  if (isDate(text)) return showDate(text, locale, true);
  return `${showDate(text, locale)} ${showBucket(text, grain, locale)}`;
}
