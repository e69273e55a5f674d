// What the live page asks beside the stream: today against other days at the same second, and
// what sells now against what sold the hour before.

import { query, type Changed } from "../api.ts";
import type { Kind, Value } from "../figures.ts";
import { board } from "../live/follow.ts";
import { facts } from "../store.ts";
import { dateOf, dayPlus, moved, wallOf, write } from "../zone.ts";

/** Figures of the day that is compared, with the unit of each. */
const COMPARED: [string, Kind][] = [
  ["revenue", "money"],
  ["orders", "count"],
  ["conversion_rate", "percent"],
  ["payment_success_rate", "percent"],
];

/** Today's figures, and how each differs from the same stretch of another day. */
export interface SameMoment {
  figures: Record<
    string,
    { kind: Kind; value: Value; yesterday: Changed | undefined; lastWeek: Changed | undefined }
  >;
}

/** Today up to this second, against yesterday and the same day of last week up to it. */
export async function againstOtherDays(signal: AbortSignal): Promise<SameMoment> {
  const { newestMs, offset } = board.current;
  const today = newestMs ? dateOf(write(newestMs, offset)) : (facts.value?.today ?? "");
  // Local times without an offset: the same wall clock, whatever the clocks did in between.
  const end = newestMs ? wallOf(write(newestMs + 1000, offset)) : "";
  const stretch = (days: number): [string, string] => {
    const date = dayPlus(today, -days);
    return [`${date}T00:00:00`, `${dayPlus(dateOf(end), -days)}${end.slice(10)}`];
  };
  const metrics = COMPARED.map(([metric]) => metric);
  const ask = (days: number) =>
    query(
      end
        ? { metrics, date_range: stretch(0), compare: stretch(days) }
        : { metrics, date_range: "day", compare: "previous_period" },
      signal,
    );
  const [yesterday, lastWeek] = await Promise.all([ask(1), end ? ask(7) : undefined]);
  const [row, other] = [yesterday.results[0], lastWeek?.results[0]];
  const figures: SameMoment["figures"] = {};
  COMPARED.forEach(([metric, kind], index) => {
    figures[metric] = {
      kind,
      value: row?.metrics[index] ?? null,
      yesterday: row?.comparison?.change?.[index],
      lastWeek: other?.comparison?.change?.[index],
    };
  });
  return { figures };
}

/** A product of the last minutes; `rise` is how many times its own pace of the hour before. */
export interface Rising {
  name: string;
  views: number;
  adds: number;
  orders: number;
  /** Nothing where it was not looked at in the hour before. */
  rise: number | undefined;
}

const NOW_MINUTES = 5;
const BEFORE_MINUTES = 60;
const ITEMS_SHOWN = 8;

/** What is looked at now, the most viewed first, against the pace of the hour before. */
export async function topProducts(signal: AbortSignal): Promise<Rising[]> {
  const now = await query(
    {
      metrics: ["item_views", "add_to_carts", "orders"],
      date_range: "realtime",
      dimensions: ["item:name"],
      limit: ITEMS_SHOWN,
    },
    signal,
  );
  const start = now.query.date_range[0];
  const before = await query(
    {
      metrics: ["item_views"],
      date_range: [moved(start, -BEFORE_MINUTES * 60_000), moved(start, 0)],
      dimensions: ["item:name"],
    },
    signal,
  );
  const paces = new Map(
    before.results.map(({ dimensions, metrics }) => [dimensions[0], Number(metrics[0])]),
  );
  const seen = now.results.filter(({ metrics }) => Number(metrics[0]) > 0);
  return seen.map(({ dimensions: [name = ""], metrics }) => {
    const [views = 0, adds = 0, orders = 0] = metrics.map(Number);
    const pace = ((paces.get(name) ?? 0) * NOW_MINUTES) / BEFORE_MINUTES;
    return { name, views, adds, orders, rise: pace ? views / pace : undefined };
  });
}
