// The overview: figures of the period against an earlier one, each over time, and where from.

import { useAsked } from "../asked.ts";
import { query, type Report } from "../api.ts";
import { show, type Value } from "../figures.ts";
import { fitting, kindOf, WELCOME_DOWN, type Metric } from "../metrics.ts";
import { amountIn, formatMoney, formatShort, heightOf, isMoney } from "../money.ts";
import { endsOf, everyMs, grainOf, listEnds } from "../period.ts";
import { session } from "../session.ts";
import { facts, go, hidesAmounts, locale, place, range, t } from "../store.ts";
import { Chart, type Series } from "../ui/chart.tsx";
import { exportList } from "../ui/export.ts";
import { Delta, Figure, Tile, Large } from "../ui/figure.tsx";
import { CutReport, DimensionReport } from "../ui/report.tsx";
import { Answer } from "../ui/states.tsx";
import { isDate, moved, type Grain } from "../zone.ts";

/** The tiles; each can be the chart. */
const TILES: Metric[] = [
  "revenue",
  "orders",
  "conversion_rate",
  "aov",
  "visitors",
  "sessions",
  "pageviews",
  "bounce_rate",
  "session_duration",
  "payment_success_rate",
  "refunds",
  "net_revenue",
];

const chosenMetric = (): Metric => {
  const { more, filters } = place.value;
  const possible = fitting(
    TILES,
    filters.map((filter) => filter.dimension),
  );
  return possible.find((metric) => metric === more.metric) ?? possible[0] ?? "sessions";
};

function Tiles() {
  const { compare, filters, period } = place.value;
  const metrics = fitting(
    TILES,
    filters.map((filter) => filter.dimension),
  );
  const ask = { metrics, date_range: range.value, filters, compare };
  const key = `${session.value.site} tiles ${JSON.stringify(ask)}`;
  const asked = useAsked(key, (signal) => query(ask, signal), everyMs(period));
  return (
    <Answer of={asked}>
      {({ results: [row] }) => (
        <div class="tiles small">
          {metrics.map((metric, index) => {
            const kind = kindOf(metric);
            const value = row?.metrics[index] ?? null;
            return (
              <Tile
                key={metric}
                name={`tile-${metric}`}
                label={t(metric)}
                isChosen={metric === chosenMetric()}
                onClick={() => go({ more: { ...place.value.more, metric } }, true)}
                note={
                  <span class={WELCOME_DOWN.includes(metric) ? "welcome-down" : ""}>
                    <Delta of={row?.comparison?.change?.[index]} kind={kind} />
                    {row?.comparison?.metrics[index] != null && (
                      <span class="before">
                        {" "}
                        {t("was")} <Figure value={row.comparison.metrics[index]} kind={kind} />
                      </span>
                    )}
                  </span>
                }
              >
                <Large>
                  <Figure value={value} bounds={row?.bounds?.[index]} kind={kind} />
                </Large>
              </Tile>
            );
          })}
        </div>
      )}
    </Answer>
  );
}

/** The stretch of some buckets, as a period of the address. */
export function zoomed(texts: string[], grain: Grain, first: number, last: number): string {
  const [from = "", to = ""] = [texts[first], texts[last]];
  if (isDate(from)) return `${from}..${to}`;
  const lengths = { second: 1_000, minute: 60_000, hour: 3_600_000 };
  const length = lengths[grain as keyof typeof lengths] ?? 3_600_000;
  return `${moved(from, 0)}..${moved(to, length)}`;
}

/** Columns of one metric over time: now, and the earlier stretch. */
function seriesOf(report: Report, metric: Metric, withBefore: boolean): Series[] {
  const kind = kindOf(metric);
  const currency = facts.value?.currency ?? "USD";
  const height = (value: Value | undefined): number | null => {
    if (isMoney(value)) return heightOf(amountIn(value, currency));
    return value === null || value === undefined ? null : Number(value);
  };
  const told = (value: Value | undefined): string => {
    if (kind === "money" && hidesAmounts.value) return "•••";
    if (isMoney(value)) return formatMoney(amountIn(value, currency), locale.value);
    return show(value, kind, locale.value);
  };
  const rows = report.results;
  const nowMs = Date.now();
  // What has not begun yet is no nothing.
  const isToCome = ({ dimensions: [text = ""] }: Report["results"][number]) =>
    isDate(text) ? text > (facts.value?.today ?? text) : Date.parse(text) > nowMs;
  const now: Series = {
    label: t("thisPeriod"),
    color: kind === "money" ? "--money" : "--traffic",
    shape: "area",
    values: rows.map((row) => (isToCome(row) ? null : height(row.metrics[0]))),
    show: (index) => told(rows[index]?.metrics[0]),
  };
  if (!withBefore) return [{ ...now, label: t(metric) }];
  const before: Series = {
    label: t("earlierPeriod"),
    color: "--soft",
    shape: "dashes",
    values: rows.map((row) => height(row.comparison?.metrics[0])),
    show: (index) => told(rows[index]?.comparison?.metrics[0]),
  };
  return [now, before];
}

function OverTime() {
  const metric = chosenMetric();
  const { period, compare, filters } = place.value;
  const grain = grainOf(period);
  const ask = {
    metrics: [metric],
    date_range: range.value,
    dimensions: [`time:${grain}`],
    filters,
    compare,
  };
  const key = `${session.value.site} over time ${JSON.stringify(ask)}`;
  const asked = useAsked(key, (signal) => query(ask, signal), everyMs(period));
  const currency = facts.value?.currency ?? "USD";
  const axis = (value: number): string => {
    if (kindOf(metric) !== "money") return show(value, kindOf(metric), locale.value);
    if (hidesAmounts.value) return "";
    return formatShort({ currency, amount: String(value) }, locale.value);
  };
  return (
    <div class="panel" data-testid="over-time">
      <Answer of={asked}>
        {(report) => {
          const texts = report.results.map((row) => row.dimensions[0] ?? "");
          return (
            <Chart
              title={t("overTime", { metric: t(metric) })}
              note={t("dragToZoom")}
              tools={
                endsOf(period) && (
                  <button type="button" class="quiet" onClick={() => go({ period: "day" })}>
                    {t("wholeDay")}
                  </button>
                )
              }
              texts={texts}
              grain={grain}
              axis={axis}
              height={280}
              series={seriesOf(report, metric, compare !== "none")}
              onZoom={
                grain === "second"
                  ? undefined
                  : (first, last) => go({ period: zoomed(texts, grain, first, last) })
              }
            />
          );
        }}
      </Answer>
    </div>
  );
}

/** Figures, one of them over time, and what they come from. */
export function OverviewPage() {
  const now = new Date().toISOString();
  const ends = () => listEnds(place.value.period, facts.value?.today ?? "", now);
  return (
    <>
      <Tiles />
      <OverTime />
      <div class="pair">
        <DimensionReport
          title={t("channels")}
          name="channels"
          dimension="visit:channel"
          metrics={["sessions", "orders", "revenue"]}
        />
        <CutReport
          title={t("devices")}
          name="devices"
          cuts={["visit:device", "visit:browser", "visit:os", "visit:platform"]}
          metrics={["sessions", "orders", "revenue"]}
        />
        <CutReport
          title={t("places")}
          name="cities"
          cuts={["visit:city", "visit:region", "visit:country"]}
          metrics={["sessions", "orders", "revenue"]}
        />
        <DimensionReport
          title={t("entryPages")}
          name="entry-pages"
          dimension="visit:entry_page"
          metrics={["sessions", "bounce_rate", "revenue"]}
        />
      </div>
      <p class="downloads">
        {t("export")}:{" "}
        {(["timeseries", "sessions", "orders"] as const).map((what) => (
          <button
            key={what}
            type="button"
            class="quiet"
            onClick={() => void exportList(what, ends())}
          >
            {t(`export_${what}`)}
          </button>
        ))}
      </p>
    </>
  );
}
