// The metrics of the pages: what each is called, in what it is given, and which way is welcome.

import type { Kind } from "./figures.ts";

/** Metrics that are shown, with the unit of each. */
export const METRICS = {
  revenue: "money",
  net_revenue: "money",
  orders: "count",
  conversion_rate: "percent",
  aov: "money",
  visitors: "count",
  sessions: "count",
  pageviews: "count",
  bounce_rate: "percent",
  session_duration: "seconds",
  payment_success_rate: "percent",
  refunds: "money",
  units: "count",
  item_views: "count",
  add_to_carts: "count",
  checkouts: "count",
  searches: "count",
  rejected: "count",
  duplicates: "count",
  bot_events: "count",
  late_events: "count",
  events: "count",
  cost: "money",
  roas: "mean",
} as const satisfies Record<string, Kind>;

export type Metric = keyof typeof METRICS;

/** Metrics that should be small. */
export const WELCOME_DOWN: Metric[] = ["bounce_rate", "refunds", "rejected"];

const OF_EVENTS: Metric[] = [
  "events",
  "pageviews",
  "searches",
  "payment_success_rate",
  "bot_events",
  "late_events",
];
const OF_STEPS: Metric[] = ["item_views", "add_to_carts", "checkouts"];
const OF_SESSIONS: Metric[] = [
  "visitors",
  "sessions",
  "bounce_rate",
  "session_duration",
  "conversion_rate",
];
const OF_LINES: Metric[] = ["orders", "revenue", "units"];

/** Metrics that go with a condition, by the family of its dimension; `visit` goes with all. */
const FAMILIES: Record<string, Metric[]> = {
  event: [...OF_EVENTS, ...OF_STEPS, ...OF_SESSIONS],
  item: [...OF_STEPS, ...OF_SESSIONS, ...OF_LINES],
};

/** The metrics that the API answers under these conditions (its matrix is in docs/http-api.md). */
export const fitting = (metrics: readonly Metric[], dimensions: string[]): Metric[] =>
  metrics.filter((metric) =>
    dimensions.every((dimension) => {
      const family = FAMILIES[dimension.split(":")[0] ?? ""];
      return !family || family.includes(metric);
    }),
  );

/** In what a metric is given. */
export const kindOf = (metric: Metric): Kind => METRICS[metric];
