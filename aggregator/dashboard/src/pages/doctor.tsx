// The doctor: whether events of the site come in, and what is wrong with those that do not.

import { call, list, query } from "../api.ts";
import { useAsked } from "../asked.ts";
import { count, lag } from "../figures.ts";
import { session } from "../session.ts";
import { locale, t } from "../store.ts";
import { Answer, Panel } from "../ui/states.tsx";
import { showInstant } from "../zone.ts";
import type { Edges } from "./shards.tsx";

interface Check {
  name: string;
  isFine: boolean;
  said: string;
}

/** The share of an hour's events that may be refused before something is wrong with the page. */
const REFUSED_SHARE_MAX = 0.01;
const LAG_MS_MAX = 10_000;

/** Looks at the last hour of the site. */
async function examine(signal: AbortSignal): Promise<Check[]> {
  const metrics = ["events", "rejected", "bot_events", "late_events"];
  const [hour, latest, edges, letters] = await Promise.all([
    query({ metrics, date_range: "1h" }, signal),
    query({ metrics: ["events"], date_range: "realtime" }, signal),
    call<Edges>("GET", "/v1/edges", undefined, signal),
    list<{ results: { code: string; message: string; received_at: string }[] }>(
      "/v1/rejects",
      { limit: 1 },
      signal,
    ),
  ]);
  const [events = 0, rejected = 0, bots = 0, late = 0] = hour.results[0]?.metrics.map(Number) ?? [];
  const now = Number(latest.results[0]?.metrics[0] ?? 0);
  const [letter] = letters.results;
  const behind = edges.shards.filter((shard) => shard.lagging || shard.lag_ms > LAG_MS_MAX);
  const slowest = Math.max(0, ...edges.shards.map((shard) => shard.lag_ms));
  const figure = (value: number) => count(value, locale.value);
  const lastLetter = letter
    ? ` ${showInstant(letter.received_at, locale.value)}: ${letter.code}, ${letter.message}`
    : "";
  return [
    {
      name: t("doctorComing"),
      isFine: now > 0,
      said: now
        ? t("doctorComes", { now: figure(now), hour: figure(events) })
        : t("doctorSilent", { hour: figure(events) }),
    },
    {
      name: t("doctorRefused"),
      isFine: rejected <= (events + rejected) * REFUSED_SHARE_MAX,
      said: t("doctorRefusals", { count: figure(rejected) }) + (rejected ? lastLetter : ""),
    },
    {
      name: t("doctorClocks"),
      isFine: late <= events * REFUSED_SHARE_MAX,
      said: t("doctorLate", { count: figure(late) }),
    },
    {
      name: t("doctorBots"),
      isFine: bots <= events,
      said: t("doctorBotEvents", { count: figure(bots) }),
    },
    {
      name: t("doctorWay"),
      isFine: !behind.length,
      said: t("doctorLag", { lag: lag(slowest, locale.value), count: edges.shards.length }),
    },
  ];
}

/** What works and what does not. */
export function Doctor() {
  const asked = useAsked(`${session.value.site} doctor`, examine, 5_000);
  return (
    <Panel title={t("doctor")} note={t("doctorNote")} name="doctor">
      <Answer of={asked}>
        {(checks) => (
          <ul class="checks">
            {checks.map(({ name, isFine, said }) => (
              <li key={name} data-fine={isFine}>
                <b>
                  {isFine ? "✓" : "!"} {name}
                </b>
                <span>{said}</span>
              </li>
            ))}
          </ul>
        )}
      </Answer>
    </Panel>
  );
}
