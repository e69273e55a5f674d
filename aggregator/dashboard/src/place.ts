// Where the reader is, as an address: page, site, period, comparison, filters. What is in the
// address survives a reload and can be sent to somebody.

import { DEFAULT_PERIOD, readPeriod } from "./period.ts";

/** The pages, by the path that each has. */
export const PAGES = [
  "live",
  "overview",
  "acquisition",
  "products",
  "funnel",
  "orders",
  "people",
  "quality",
  "settings",
] as const;
export type Page = (typeof PAGES)[number];

/** What an earlier stretch a report is compared with. */
export const COMPARISONS = ["previous_period", "year_over_year", "none"] as const;
export type Comparison = (typeof COMPARISONS)[number];

/** One condition; conditions on one dimension with one operator are alternatives. */
export interface Filter {
  operator: string;
  dimension: string;
  value: string;
}

export const OPERATORS = ["is", "is_not", "contains", "contains_not"] as const;

/** Everything that the address says. `more` is what only one page knows, such as an order. */
export interface Place {
  page: Page;
  site: string;
  period: string;
  compare: Comparison;
  filters: Filter[];
  more: Record<string, string>;
}

const OWN = ["site", "period", "compare", "f"];

/** Reads an address; what it does not say or cannot mean has its default. */
export function readPlace(path: string, search: string): Place {
  const asked = new URLSearchParams(search);
  const name = path.replace(/^\/+|\/+$/g, "");
  const compare = asked.get("compare");
  return {
    page: PAGES.find((page) => page === name) ?? "live",
    site: asked.get("site") ?? "",
    period: readPeriod(asked.get("period")),
    compare: COMPARISONS.find((one) => one === compare) ?? "previous_period",
    filters: asked.getAll("f").flatMap((text) => readFilter(text) ?? []),
    more: Object.fromEntries([...asked].filter(([key]) => !OWN.includes(key))),
  };
}

function readFilter(text: string): Filter | undefined {
  const [, operator, dimension, value] = /^([a-z_]+),([a-z]+:[^,]+),(.*)$/s.exec(text) ?? [];
  const isKnown = OPERATORS.some((one) => one === operator);
  return isKnown && operator && dimension && value !== undefined
    ? { operator, dimension, value }
    : undefined;
}

/** The address of a place: without what is the default anyway. */
export function writePlace({ page, site, period, compare, filters, more }: Place): string {
  const said = new URLSearchParams();
  if (site) said.set("site", site);
  if (period !== DEFAULT_PERIOD) said.set("period", period);
  if (compare !== "previous_period") said.set("compare", compare);
  for (const { operator, dimension, value } of filters) {
    said.append("f", `${operator},${dimension},${value}`);
  }
  for (const [key, value] of Object.entries(more)) if (value) said.set(key, value);
  const search = said.toString();
  return (page === "live" ? "/" : `/${page}`) + (search && `?${search}`);
}

/** The filters as the API takes them. */
export function askFilters(filters: Filter[]): [string, string, string[]][] {
  const all = new Map<string, [string, string, string[]]>();
  for (const { operator, dimension, value } of filters) {
    const key = `${operator} ${dimension}`;
    const known = all.get(key);
    if (known) known[2].push(value);
    else all.set(key, [operator, dimension, [value]]);
  }
  return [...all.values()];
}

/** The filters with one more; one that is there already stays alone. */
export function withFilter(filters: Filter[], more: Filter): Filter[] {
  const isSame = (one: Filter) =>
    one.operator === more.operator && one.dimension === more.dimension && one.value === more.value;
  return filters.some(isSame) ? filters : [...filters, more];
}
