// A chart of a time series by uPlot, and the same numbers as a table. Places on the x axis are
// places in the row of buckets: labels are the API's own texts, so no zone is ever worked out here.

import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { locale, painted, t } from "../store.ts";
import { showBucket, showDate, showWhole, type Grain } from "../zone.ts";
import { DataTable } from "./table.tsx";
import { startsDay, tickIndexes } from "./ticks.ts";

/** One line of a chart. */
export interface Series {
  label: string;
  /** A custom property with its colour, such as `--money`. */
  color: string;
  shape: "bars" | "area" | "dashes";
  /** Heights; texts are told apart, exactly. */
  values: (number | null)[];
  show: (index: number) => string;
}

export interface ChartProps {
  /** What it is of, for who does not see it. */
  title: string;
  /** The start of each bucket, as the API tells it. */
  texts: string[];
  grain: Grain;
  series: Series[];
  /** A label of the y axis. */
  axis: (value: number) => string;
  height?: number;
  /** Called with the first and the last bucket of a stretch that was drawn over. */
  onZoom?: ((first: number, last: number) => void) | undefined;
  /** The id of the canvas. */
  id?: string;
}

const ink = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const TICK_PX = 76;

/** Values that no line leads to or from: without a dot the first hour of a day is not seen. */
function lone(plot: uPlot, series: number): number[] | null {
  const values = Array.from(plot.data[series] ?? []);
  const is = (index: number) => values[index] !== null && values[index] !== undefined;
  const found = values.flatMap((_, index) =>
    is(index) && !is(index - 1) && !is(index + 1) ? [index] : [],
  );
  return found.length > 0 ? found : null;
}

function options(props: ChartProps, width: number, hover: (index: number | null) => void) {
  const latest = { current: props };
  const [soft, edge] = [ink("--soft"), ink("--edge")];
  const font = "12px system-ui, sans-serif";
  const splits = (plot: uPlot): number[] => {
    const { texts, grain } = latest.current;
    const most = Math.max(2, Math.floor((plot.width - 60) / TICK_PX));
    return tickIndexes(texts, grain, most);
  };
  const name = (index: number): string => {
    const { texts, grain } = latest.current;
    const text = texts[index] ?? "";
    const isLater = grain !== "second" && startsDay(texts, index);
    return isLater ? showDate(text, locale.value) : showBucket(text, grain, locale.value);
  };
  const shapes = latest.current.series.map((one): uPlot.Series => {
    const stroke = ink(one.color);
    const bars = one.shape === "bars" && uPlot.paths.bars?.({ size: [0.82, 64], align: 0 });
    return {
      label: one.label,
      stroke,
      width: bars ? 0 : one.shape === "dashes" ? 1.5 : 2,
      points: { show: false, filter: bars ? () => null : lone },
      ...(bars ? { paths: bars, fill: stroke } : {}),
      ...(one.shape === "area" ? { fill: `${stroke}22` } : {}),
      ...(one.shape === "dashes" ? { dash: [5, 4] } : {}),
    };
  });
  const plan: uPlot.Options = {
    width,
    height: props.height ?? 240,
    legend: { show: false },
    padding: [10, 12, 0, 0],
    scales: {
      x: { time: false, range: (_, low, high) => [low - 0.6, high + 0.6] },
      y: { range: (_, __, high) => [0, high > 0 ? high * 1.08 : 1] },
    },
    cursor: {
      drag: { x: props.onZoom !== undefined, y: false, setScale: false },
      points: { show: false },
      y: false,
    },
    axes: [
      {
        stroke: soft,
        font,
        size: 32,
        grid: { show: false },
        ticks: { stroke: edge, width: 1, size: 4 },
        splits,
        values: (_, places) => places.map(name),
      },
      {
        stroke: soft,
        font,
        size: 66,
        grid: { stroke: edge, width: 1 },
        ticks: { show: false },
        // Where there is nothing the scale has no height either.
        values: (_, values) => {
          const hasHeight = latest.current.series.some((one) => one.values.some(Boolean));
          return values.map((value) => (value && !hasHeight ? "" : latest.current.axis(value)));
        },
      },
    ],
    series: [{}, ...shapes],
    hooks: {
      setCursor: [(plot) => hover(plot.cursor.idx ?? null)],
      setSelect: [
        (plot) => {
          const { left, width } = plot.select;
          if (width < 4) return;
          const [first, last] = [plot.posToIdx(left), plot.posToIdx(left + width)];
          plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
          latest.current.onZoom?.(first, last);
        },
      ],
    },
  };
  return { plan, latest };
}

const dataOf = ({ texts, series }: ChartProps): uPlot.AlignedData => [
  texts.map((_, index) => index),
  ...series.map((one) => one.values),
];

/** The drawing; answers nothing but what is hovered. */
function Drawing(props: ChartProps & { hover: (index: number | null) => void }) {
  const box = useRef<HTMLDivElement>(null);
  const drawn = useRef<{ plot: uPlot; latest: { current: ChartProps } } | null>(null);
  const look = painted.value;
  const shape = props.series.map(({ label, shape }) => label + shape).join() + locale.value;
  useEffect(() => {
    const at = box.current;
    if (!at) return;
    const { plan, latest } = options(props, Math.max(200, at.clientWidth), props.hover);
    const plot = new uPlot(plan, dataOf(props), at);
    if (props.id) plot.ctx.canvas.id = props.id;
    drawn.current = { plot, latest };
    const watcher = new ResizeObserver(() => {
      const width = Math.max(200, at.clientWidth);
      if (width !== plot.width) plot.setSize({ width, height: plot.height });
    });
    watcher.observe(at);
    return () => {
      watcher.disconnect();
      plot.destroy();
      drawn.current = null;
    };
  }, [look, shape, props.height, props.onZoom !== undefined]);
  useEffect(() => {
    if (!drawn.current) return;
    drawn.current.latest.current = props;
    drawn.current.plot.setData(dataOf(props));
  });
  return <div class="drawing" ref={box} role="img" aria-label={props.title} />;
}

/** What is said of a bucket: its time and each figure. */
const told = ({ texts, grain, series }: ChartProps, index: number): string =>
  [
    showWhole(texts[index] ?? "", grain, locale.value),
    ...series.map((one) => (series.length > 1 ? `${one.label} ` : "") + one.show(index)),
  ].join(" · ");

/** A chart with what is hovered above it, and a table in its place for who wants to read. */
export function Chart(props: ChartProps & { note?: string; tools?: preact.ComponentChildren }) {
  const [hovered, hover] = useState<number | null>(null);
  const [asTable, setAsTable] = useState(false);
  const { texts, grain, series } = props;
  const isThere = hovered !== null && hovered < texts.length;
  return (
    <figure class="chart">
      <figcaption class="head">
        <h2>{props.title}</h2>
        <p class="readout" data-testid="readout">
          {isThere ? told(props, hovered) : (props.note ?? "")}
        </p>
        {props.tools}
        <button
          type="button"
          class="quiet"
          aria-pressed={asTable}
          onClick={() => setAsTable(!asTable)}
        >
          {t("asTable")}
        </button>
      </figcaption>
      {asTable ? (
        <DataTable
          label={props.title}
          columns={[{ name: t("time") }, ...series.map((one) => ({ name: one.label, end: true }))]}
          rows={texts.map((text, index) => ({
            key: text,
            cells: [showWhole(text, grain, locale.value), ...series.map((one) => one.show(index))],
          }))}
          isTall
        />
      ) : (
        <Drawing {...props} hover={hover} />
      )}
      {series.length > 1 && (
        <ul class="legend">
          {series.map((one) => (
            <li key={one.label} data-shape={one.shape} data-color={one.color.slice(2)}>
              {one.label}
            </li>
          ))}
        </ul>
      )}
    </figure>
  );
}
