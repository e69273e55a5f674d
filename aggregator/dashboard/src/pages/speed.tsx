// How fast payments and pages were: quantiles, each with the bounds between which it surely lies.

import { query, type Report } from "../api.ts";
import { useAsked } from "../asked.ts";
import type { Kind } from "../figures.ts";
import { everyMs } from "../period.ts";
import { session } from "../session.ts";
import { place, range, t } from "../store.ts";
import { Figure } from "../ui/figure.tsx";
import { Answer, Panel } from "../ui/states.tsx";
import { DataTable } from "../ui/table.tsx";

/** What is measured, and in what. */
const MEASURES: [string, Kind][] = [
  ["payment_latency_ms", "ms"],
  ["web_vital:LCP", "ms"],
  ["web_vital:INP", "ms"],
  ["web_vital:CLS", "score"],
  ["web_vital:FCP", "ms"],
  ["web_vital:TTFB", "ms"],
];
const QUANTILES = ["p50", "p75", "p95", "p99"];

/** Quantiles of each measure; one without numbers is left out. */
export function SpeedPanel() {
  const ask = (signal: AbortSignal): Promise<Report[]> =>
    Promise.all(
      MEASURES.map(([measure]) =>
        query({ metrics: QUANTILES, measure, date_range: range.value }, signal),
      ),
    );
  const key = `${session.value.site} speed ${JSON.stringify(range.value)}`;
  const asked = useAsked(key, ask, 3 * everyMs(place.value.period));
  return (
    <Panel title={t("speed")} note={t("speedNote")} name="speed">
      <Answer of={asked}>
        {(reports) => (
          <DataTable
            label={t("speed")}
            empty={t("noSpeed")}
            columns={[
              { name: t("measure") },
              ...QUANTILES.map((name) => ({ name: name.toUpperCase(), end: true })),
            ]}
            rows={MEASURES.flatMap(([measure, kind], at) => {
              const row = reports[at]?.results[0];
              if (row?.metrics[0] == null) return [];
              const figures = QUANTILES.map((_, index) => (
                <Figure
                  value={row.metrics[index] ?? null}
                  bounds={row.bounds?.[index]}
                  kind={kind}
                />
              ));
              const name = measure.replace("web_vital:", "");
              const label = kind === "ms" && name === measure ? t("paymentLatency") : name;
              return [{ key: measure, cells: [label, ...figures] }];
            })}
          />
        )}
      </Answer>
    </Panel>
  );
}
