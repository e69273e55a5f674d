// Shards: how far each has come, and whether anything of it is missing.

import { count, lag } from "../figures.ts";
import { locale, t } from "../store.ts";
import { DataTable } from "../ui/table.tsx";

/** What `GET /v1/edges` tells. */
export interface Edges {
  shards: {
    shard: string;
    epoch: string;
    last_sequence: number;
    head_sequence: number;
    /** Null where it is not known whose they are. */
    in_flight: number | null;
    gaps: number;
    replays: number;
    forks: number;
    lag_ms: number;
    accepted: number;
    lagging: boolean;
  }[];
  totals: {
    accepted: number;
    applied: number;
    late_duplicates: number;
    dead: number;
    in_flight: number | null;
  };
}

/** A row for each shard. */
export function Shards({ shards }: Pick<Edges, "shards">) {
  const figure = (value: number) => count(value, locale.value);
  return (
    <DataTable
      label={t("shards")}
      columns={[
        { name: t("shard") },
        { name: t("sequence"), end: true },
        { name: t("accepted"), end: true },
        { name: t("inFlight"), end: true },
        { name: t("gaps"), end: true },
        { name: t("replays"), end: true },
        { name: t("forks"), end: true },
        { name: t("lag"), end: true },
      ]}
      rows={shards.map((one) => ({
        key: `${one.shard} ${one.epoch}`,
        cells: [
          <span class="id">{one.shard}</span>,
          one.head_sequence > one.last_sequence
            ? `${figure(one.last_sequence)} / ${figure(one.head_sequence)}`
            : figure(one.last_sequence),
          figure(one.accepted),
          one.in_flight === null ? "?" : figure(one.in_flight),
          figure(one.gaps),
          figure(one.replays),
          figure(one.forks),
          <>
            {one.lagging && <span class="delta" data-way="down">{`${t("lagging")} `}</span>}
            {lag(one.lag_ms, locale.value)}
          </>,
        ],
      }))}
    />
  );
}
