// Hours that were compared with payments, the newest first, and what of them does not match.

import type { ComponentChild } from "preact";
import { useState } from "preact/hooks";
import { list, request } from "../api.ts";
import { useAsked } from "../asked.ts";
import { count } from "../figures.ts";
import { session } from "../session.ts";
import { locale, t } from "../store.ts";
import { save } from "../ui/export.ts";
import { Amount } from "../ui/figure.tsx";
import { Answer, Panel } from "../ui/states.tsx";
import { DataTable } from "../ui/table.tsx";
import { showInstant } from "../zone.ts";

/** Two days. */
const HOURS = 48;

interface Total {
  currency: string;
  here: string;
  there: string;
  apart: string;
  apart_percent: number | null;
}

/** A row of `GET /v1/reconciliations`. */
interface Hour {
  id: string;
  from: string;
  matched: number;
  missing_here: number;
  missing_there: number;
  different: number;
  totals: Total[];
  is_beyond: boolean;
}

interface Schedule {
  limit_percent: string;
  hours_waiting: number;
  waits: { error: string } | null;
}

interface Hours {
  results: Hour[];
  schedule: Schedule | null;
}

async function download(id: string): Promise<void> {
  const said = new URLSearchParams({ site: session.value.site, format: "csv" });
  const answer = await request(`/v1/reconciliations/${encodeURIComponent(id)}?${said}`);
  save(`reconciliation-${id}.csv`, await answer.blob());
}

/** One line for each currency. */
const lines = (totals: Total[], line: (total: Total) => ComponentChild) =>
  totals.map((total) => <div key={total.currency}>{line(total)}</div>);

const money = (of: "here" | "there" | "apart") => (total: Total) => (
  <Amount of={{ currency: total.currency, amount: total[of] }} />
);

const percent = ({ apart_percent: of }: Total) => (of === null ? "–" : `${of.toFixed(2)} %`);

function rowOf(hour: Hour, onFail: (text: string) => void) {
  const figure = (value: number) => count(value, locale.value);
  const fetchIt = () => {
    download(hour.id).catch((error: unknown) => onFail(String(error)));
  };
  return {
    key: hour.id,
    data: { "data-hour": hour.id, "data-beyond": String(hour.is_beyond) },
    cells: [
      showInstant(hour.from, locale.value),
      figure(hour.matched),
      figure(hour.missing_here),
      figure(hour.missing_there),
      figure(hour.different),
      lines(hour.totals, money("here")),
      lines(hour.totals, money("there")),
      lines(hour.totals, money("apart")),
      <span class={hour.is_beyond ? "beyond" : ""}>{lines(hour.totals, percent)}</span>,
      <button
        type="button"
        class="quiet"
        onClick={fetchIt}
        aria-label={`CSV ${showInstant(hour.from, locale.value)}`}
      >
        CSV
      </button>,
    ],
  };
}

/** What the schedule waits for, and what is too much. */
function Standing({ of }: { of: Schedule }) {
  const hours = count(of.hours_waiting, locale.value);
  return (
    <>
      {of.waits && (
        <p role="status" data-testid="reconciliation-waits">
          {t("reconciliationWaits", { count: hours, why: of.waits.error })}
        </p>
      )}
      <p>{t("reconciliationLimit", { limit: of.limit_percent })}</p>
    </>
  );
}

/** The newest hours, where the settings ask for it or did. */
export function Reconciliations() {
  const [trouble, setTrouble] = useState("");
  const asked = useAsked(
    `${session.value.site} reconciliations`,
    (signal) => list<Hours>("/v1/reconciliations", { limit: HOURS }, signal),
    30_000,
  );
  const end = (name: string) => ({ name, end: true });
  const columns = [
    { name: t("hourBegins") },
    end(t("matched")),
    end(t("missingHere")),
    end(t("missingThere")),
    end(t("differentAmount")),
    end(t("orders")),
    end(t("paid")),
    end(t("apart")),
    end("%"),
    { name: <span class="unseen">CSV</span> },
  ];
  return (
    <Answer of={asked}>
      {({ results, schedule }) =>
        (schedule || results.length > 0) && (
          <Panel title={t("reconciliation")} note={t("reconciliationNote")} name="reconciliations">
            {trouble && <p role="alert">{trouble}</p>}
            {schedule && <Standing of={schedule} />}
            <DataTable
              label={t("reconciliation")}
              isTall
              columns={columns}
              rows={results.map((hour) => rowOf(hour, setTrouble))}
              empty={t("noReconciliation")}
            />
          </Panel>
        )
      }
    </Answer>
  );
}
