// A report of one dimension as a table: values that become conditions, figures, the next rows.

import { useState } from "preact/hooks";
import { query, type Report } from "../api.ts";
import { useAsked } from "../asked.ts";
import { fitting, kindOf, type Metric } from "../metrics.ts";
import { heightOf, isMoney } from "../money.ts";
import { everyMs } from "../period.ts";
import { session } from "../session.ts";
import { place, range, t } from "../store.ts";
import { csvOf, save } from "./export.ts";
import { Figure, Delta } from "./figure.tsx";
import { FilterLink, nameOf } from "./filters.tsx";
import { Answer, Panel } from "./states.tsx";
import { DataTable } from "./table.tsx";

const PAGE = 12;

interface ReportProps {
  title: string;
  note?: string;
  name: string;
  dimension: string;
  metrics: Metric[];
  /** Whether a column tells the change of the first metric. */
  withChange?: boolean;
  /** Whether the address's conditions go with it. */
  isFiltered?: boolean;
  tools?: preact.ComponentChildren;
}

const heightAt = (value: Report["results"][number]["metrics"][number] | undefined): number =>
  isMoney(value) ? heightOf(value[0]) : Number(value ?? 0);

/** Everything that is told of the rows, for a file. */
async function saveAll(props: ReportProps): Promise<void> {
  const { dimension, metrics } = props;
  const filters = props.isFiltered === false ? [] : place.value.filters;
  const all = await query({ metrics, date_range: range.value, dimensions: [dimension], filters });
  const rows = all.results.map((row) => [row.dimensions[0] ?? "", ...row.metrics]);
  save(`${props.name}.csv`, csvOf([dimension, ...metrics], rows));
}

/** The largest rows of a dimension. */
export function DimensionReport(given: ReportProps) {
  const conditions = given.isFiltered === false ? [] : place.value.filters;
  const metrics = fitting(
    given.metrics,
    conditions.map((filter) => filter.dimension),
  );
  if (metrics.length) return <FittingReport {...given} metrics={metrics} />;
  return (
    <Panel title={given.title} name={given.name}>
      <p class="empty">{t("notWithConditions")}</p>
    </Panel>
  );
}

/** A report that can be cut in several ways, the first one first. */
export function CutReport({ cuts, ...rest }: Omit<ReportProps, "dimension"> & { cuts: string[] }) {
  const [dimension, choose] = useState(cuts[0] ?? "");
  const tools = (
    <select
      aria-label={t("by")}
      value={dimension}
      onChange={(event) => choose(event.currentTarget.value)}
    >
      {cuts.map((cut) => (
        <option key={cut} value={cut}>
          {nameOf(cut)}
        </option>
      ))}
    </select>
  );
  return <DimensionReport key={dimension} {...rest} dimension={dimension} tools={tools} />;
}

function FittingReport(props: ReportProps) {
  const { dimension, metrics, withChange } = props;
  const [shown, setShown] = useState(PAGE);
  const filters = props.isFiltered === false ? [] : place.value.filters;
  const ask = {
    metrics: [...metrics],
    date_range: range.value,
    dimensions: [dimension],
    filters,
    limit: shown,
    compare: withChange ? "previous_period" : undefined,
  };
  const key = session.value.site + JSON.stringify(ask);
  const asked = useAsked(key, (signal) => query(ask, signal), everyMs(place.value.period));
  return (
    <Panel
      title={props.title}
      note={props.note}
      name={props.name}
      tools={
        <>
          {props.tools}
          <button type="button" class="quiet" onClick={() => void saveAll(props)}>
            CSV
          </button>
        </>
      }
    >
      <Answer of={asked}>
        {(report) => (
          <>
            <Rows report={report} {...props} />
            {(report.meta.total_rows ?? 0) > shown && (
              <button type="button" class="quiet more" onClick={() => setShown(shown * 4)}>
                {t("moreRows", { count: (report.meta.total_rows ?? 0) - shown })}
              </button>
            )}
          </>
        )}
      </Answer>
    </Panel>
  );
}

function Rows({ report, title, dimension, metrics, withChange }: ReportProps & { report: Report }) {
  const heights = report.results.map((row) => heightAt(row.metrics[0]));
  const most = Math.max(1e-9, ...heights);
  const kind = kindOf(metrics[0] ?? "orders");
  return (
    <DataTable
      label={title}
      columns={[
        { name: nameOf(dimension) },
        ...metrics.map((metric) => ({ name: t(metric), end: true })),
        ...(withChange ? [{ name: t("change"), end: true }] : []),
      ]}
      rows={report.results.map((row, index) => ({
        key: row.dimensions[0] ?? "",
        data: { "data-value": row.dimensions[0] ?? "" },
        share: (heights[index] ?? 0) / most,
        cells: [
          <FilterLink dimension={dimension} value={row.dimensions[0] ?? ""} />,
          ...metrics.map((metric, at) => (
            <Figure
              value={row.metrics[at] ?? null}
              bounds={row.bounds?.[at]}
              kind={kindOf(metric)}
            />
          )),
          ...(withChange ? [<Delta of={row.comparison?.change?.[0]} kind={kind} />] : []),
        ],
      }))}
    />
  );
}
