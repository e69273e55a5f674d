// Figures as texts: counts, percents, durations, estimates with their bounds, changes.

import { formatAll, isMoney, type Money } from "./money.ts";

/** What a metric is given in. */
export type Kind = "count" | "money" | "percent" | "seconds" | "mean" | "ms" | "score";

/** A value of a report. */
export type Value = number | string | null | Money[];

/** Between them lies the truth: of quantiles surely, else in 95 of 100 cases. None: exact. */
export type Bounds = [number, number] | null | undefined;

const formats = new Map<string, Intl.NumberFormat>();

function number(locale: string, digits: number, least = 0): Intl.NumberFormat {
  const key = `${locale} ${digits} ${least}`;
  let format = formats.get(key);
  if (!format) {
    format = new Intl.NumberFormat(locale, {
      maximumFractionDigits: digits,
      minimumFractionDigits: least,
    });
    formats.set(key, format);
  }
  return format;
}

/** A whole number. */
export const count = (value: number | null | undefined, locale: string): string =>
  number(locale, 0).format(value ?? 0);

/** Seconds as minutes and seconds; under a minute as seconds. */
export function duration(seconds: number, locale: string): string {
  if (seconds < 60) return `${number(locale, 1).format(seconds)} s`;
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  const rest = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** Milliseconds as people say them. */
export const lag = (ms: number, locale: string): string =>
  ms < 1000 ? `${Math.round(ms)} ms` : `${number(locale, 1, 1).format(ms / 1000)} s`;

/** Bounds of milliseconds keep their digits, or both would read the same. */
const bound = (value: number, kind: Kind, locale: string): string =>
  kind === "ms" ? `${number(locale, 1).format(value)} ms` : show(value, kind, locale);

/** A value in words of the language; a dash is for what is not defined. */
export function show(value: Value | undefined, kind: Kind, locale: string): string {
  if (value === null || value === undefined) return "–";
  if (isMoney(value)) return value.length ? formatAll(value, locale) : "–";
  const figure = Number(value);
  switch (kind) {
    case "percent":
      return `${number(locale, 2, 2).format(figure)} %`;
    case "seconds":
      return duration(figure, locale);
    case "mean":
      return number(locale, 2, 2).format(figure);
    case "ms":
      return lag(figure, locale);
    case "score":
      return number(locale, 4).format(figure);
    default:
      return number(locale, 2).format(figure);
  }
}

/** An estimate is told as one, and its bounds in full. */
export function estimate(
  value: Value | undefined,
  bounds: Bounds,
  kind: Kind,
  locale: string,
): { text: string; title: string } {
  const text = show(value, kind, locale);
  if (!bounds || bounds[0] === bounds[1]) return { text, title: "" };
  const [low, high] = bounds.map((one) => bound(one, kind, locale));
  // Bounds of quantiles hold always.
  const chance = kind === "ms" || kind === "score" ? "" : " (95 %)";
  return { text: `≈ ${text}`, title: `${low} – ${high}${chance}` };
}

/** A change against an earlier stretch, and which way it goes. */
export interface Change {
  text: string;
  way: "up" | "down" | "same";
}

/** A change of one row; of money the one in the first currency, which is the site's. */
export function change(
  told: number | null | { currency: string; change: number | null }[] | undefined,
  kind: Kind,
  locale: string,
): Change | undefined {
  const points = Array.isArray(told) ? told[0]?.change : told;
  if (points === null || points === undefined) return undefined;
  const sign = points > 0 ? "+" : points < 0 ? "−" : "±";
  const unit = kind === "percent" ? " pp" : " %";
  const digits = Math.abs(points) >= 100 ? 0 : 1;
  const text = sign + number(locale, digits).format(Math.abs(points)) + unit;
  return { text, way: points > 0 ? "up" : points < 0 ? "down" : "same" };
}
