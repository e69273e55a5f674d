// Quality: what was refused and why, what was counted apart, and that everything accepted is there.

import { call, query } from "../api.ts";
import { useAsked } from "../asked.ts";
import { count } from "../figures.ts";
import type { Metric } from "../metrics.ts";
import { everyMs } from "../period.ts";
import { session } from "../session.ts";
import { go, locale, place, range, t } from "../store.ts";
import { Figure, Tile, Large } from "../ui/figure.tsx";
import { Answer, Panel } from "../ui/states.tsx";
import { DataTable } from "../ui/table.tsx";
import { Letters } from "./letters.tsx";
import { Shards, type Edges } from "./shards.tsx";
import { SpeedPanel } from "./speed.tsx";

const EVERY_MS = 5_000;
const COUNTED: Metric[] = ["events", "rejected", "duplicates", "bot_events", "late_events"];

function Tiles() {
  const ask = { metrics: [...COUNTED], date_range: range.value };
  const key = `${session.value.site} quality ${JSON.stringify(ask)}`;
  const asked = useAsked(key, (signal) => query(ask, signal), everyMs(place.value.period));
  return (
    <Answer of={asked}>
      {({ results: [row] }) => (
        <div class="tiles small">
          {COUNTED.map((metric, index) => (
            <Tile
              key={metric}
              name={`tile-${metric}`}
              label={t(metric)}
              note={t(`about_${metric as "rejected"}`)}
            >
              <Large>
                <Figure
                  value={row?.metrics[index] ?? 0}
                  bounds={row?.bounds?.[index]}
                  kind="count"
                />
              </Large>
            </Tile>
          ))}
        </div>
      )}
    </Answer>
  );
}

/** What each code means and what to do, in words. */
function codeText(code: string): string {
  const known = [
    "name_invalid",
    "name_not_allowed",
    "missing_field",
    "value_invalid",
    "value_out_of_bounds",
    "currency_unknown",
    "too_many_items",
    "field_too_long",
    "timestamp_invalid",
    "timestamp_too_old",
    "id_invalid",
    "client_id_invalid",
    "consent_denied",
    "bot",
  ] as const;
  const word = known.find((one) => one === code);
  return word ? t(`code_${word}`) : "";
}

function Codes() {
  const ask = { metrics: ["rejected"], date_range: range.value, dimensions: ["reject:code"] };
  const key = `${session.value.site} codes ${JSON.stringify(ask)}`;
  const asked = useAsked(key, (signal) => query(ask, signal), everyMs(place.value.period));
  const choose = (code: string) => go({ more: { ...place.value.more, code, after: "" } });
  return (
    <Panel title={t("rejectsByCode")} note={t("rejectsByCodeNote")} name="codes">
      <Answer of={asked}>
        {({ results }) => (
          <DataTable
            label={t("rejectsByCode")}
            empty={t("noRejects")}
            columns={[
              { name: t("code") },
              { name: t("meaning") },
              { name: t("rejected"), end: true },
            ]}
            rows={results.map(({ dimensions: [code = ""], metrics: [rejected] }) => ({
              key: code,
              data: { "data-value": code },
              share: Number(rejected) / Math.max(1, Number(results[0]?.metrics[0] ?? 1)),
              cells: [
                <button type="button" class="value" onClick={() => choose(code)}>
                  {code}
                </button>,
                codeText(code),
                count(Number(rejected), locale.value),
              ],
            }))}
          />
        )}
      </Answer>
    </Panel>
  );
}

function Proof({ totals }: { totals: Edges["totals"] }) {
  const { accepted, applied, late_duplicates: late, dead, in_flight: flying } = totals;
  const isEqual = accepted === applied + late + dead + (flying ?? 0);
  const figure = (value: number | null, word: Parameters<typeof t>[0], name: string) => (
    <span>
      <b data-testid={`proof-${name}`}>{value === null ? "?" : count(value, locale.value)}</b>
      {` ${t(word)}`}
    </span>
  );
  return (
    <p class="proof" data-testid="proof" data-equal={isEqual}>
      {figure(accepted, "proof_accepted", "accepted")}
      <i>=</i>
      {figure(applied, "proof_applied", "applied")}
      <i>+</i>
      {figure(late, "proof_late", "late")}
      <i>+</i>
      {figure(dead, "proof_dead", "dead")}
      <i>+</i>
      {figure(flying, "proof_flying", "in-flight")}
      <span class="verdict">{isEqual ? `✓ ${t("proofHolds")}` : `✗ ${t("proofFails")}`}</span>
    </p>
  );
}

/** Refusals, what is counted apart, and the way of everything accepted. */
export function QualityPage() {
  const ask = (signal: AbortSignal) => call<Edges>("GET", "/v1/edges", undefined, signal);
  const edges = useAsked("edges", ask, EVERY_MS);
  return (
    <>
      <Tiles />
      <Codes />
      <Letters />
      <SpeedPanel />
      <Panel title={t("proof")} note={t("proofNote")} name="proof-panel">
        <Answer of={edges}>
          {({ totals, shards }) => (
            <>
              <Proof totals={totals} />
              <Shards shards={shards} />
            </>
          )}
        </Answer>
      </Panel>
    </>
  );
}
