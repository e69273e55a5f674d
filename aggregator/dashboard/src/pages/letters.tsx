// Rejected events in full, the newest first, and judging them again.

import { useState } from "preact/hooks";
import { call, list, Refused } from "../api.ts";
import { useAsked } from "../asked.ts";
import { count } from "../figures.ts";
import { listEnds } from "../period.ts";
import { session } from "../session.ts";
import { facts, go, locale, place, t } from "../store.ts";
import { Answer, Panel } from "../ui/states.tsx";
import { showInstant } from "../zone.ts";
import { Pager } from "./orders.tsx";

const PAGE = 20;

interface Letter {
  received_at: string;
  code: string;
  field: string | null;
  message: string;
  event: unknown;
  not_kept: number;
  now: string | null;
}

interface Letters {
  results: Letter[];
  next: string | null;
  hours: { rejected: number; kept: number; not_kept: number; replayed: number }[];
}

interface Replayed {
  replayed: number;
  accepted: number;
  duplicates: number;
  rejected: unknown[];
  next: string | null;
}

/** Judges everything of the period and code again, page by page. */
async function replay(code: string | undefined, [from, to]: [string, string]): Promise<Replayed> {
  const sum: Replayed = { replayed: 0, accepted: 0, duplicates: 0, rejected: [], next: null };
  let after: string | null = null;
  do {
    const body = {
      site: session.value.site,
      from,
      to,
      ...(code ? { code } : {}),
      ...(after ? { after } : {}),
    };
    const told: Replayed = await call<Replayed>("POST", "/v1/rejects/replay", body);
    sum.replayed += told.replayed;
    sum.accepted += told.accepted;
    sum.duplicates += told.duplicates;
    after = told.next;
  } while (after);
  return sum;
}

function Replay({ ends, onDone }: { ends: () => [string, string]; onDone: () => void }) {
  const { code } = place.value.more;
  const [said, setSaid] = useState("");
  const [isBusy, setBusy] = useState(false);
  if (!session.value.sites) return <p class="note">{t("replayNeedsAdmin")}</p>;
  const run = async () => {
    setBusy(true);
    try {
      const { replayed, accepted, duplicates } = await replay(code, ends());
      setSaid(t("replayed", { replayed, accepted, duplicates }));
    } catch (error) {
      setSaid(error instanceof Refused ? error.message : String(error));
    }
    setBusy(false);
    onDone();
  };
  return (
    <>
      <span role="status" data-testid="replayed">
        {said}
      </span>
      <button type="button" disabled={isBusy} onClick={() => void run()} data-testid="replay">
        {t("replay")}
      </button>
    </>
  );
}

function LetterRow({ of }: { of: Letter }) {
  return (
    <details class="letter" data-code={of.code}>
      <summary>
        <time>{showInstant(of.received_at, locale.value)}</time> <b>{of.code}</b>{" "}
        {of.field && <code>{of.field}</code>} <span>{of.message}</span>
        {of.now && <em> {t("nowRefusedAs", { code: of.now })}</em>}
      </summary>
      <pre tabIndex={0}>
        {typeof of.event === "string" ? of.event : JSON.stringify(of.event, null, 2)}
      </pre>
    </details>
  );
}

/** The newest rejected events of the period, of one code if it is chosen. */
export function Letters() {
  const { period, more } = place.value;
  const today = facts.value?.today ?? "";
  const ends = () => listEnds(period, today, new Date().toISOString());
  const asked = useAsked(
    `${session.value.site} letters ${period} ${today} ${more.code ?? ""} ${more.after ?? ""}`,
    (signal) => {
      const [from, to] = ends();
      const parameters = { from, to, code: more.code, limit: PAGE, after: more.after };
      return list<Letters>("/v1/rejects", parameters, signal);
    },
    more.after ? 0 : 5_000,
  );
  const title = more.code ? t("lettersOf", { code: more.code }) : t("letters");
  return (
    <Panel
      title={title}
      name="letters"
      tools={
        <>
          {more.code && (
            <button
              type="button"
              class="quiet"
              onClick={() => go({ more: { ...more, code: "", after: "" } })}
            >
              {t("allCodes")}
            </button>
          )}
          <Replay ends={ends} onDone={asked.again} />
        </>
      }
    >
      <Answer of={asked}>
        {({ results, next, hours }) => {
          const lost = hours.reduce((sum, hour) => sum + hour.not_kept, 0);
          return (
            <>
              {results.map((letter, index) => (
                <LetterRow key={`${letter.received_at} ${index}`} of={letter} />
              ))}
              {!results.length && <p class="empty">{t("noRejects")}</p>}
              {lost > 0 && (
                <p class="note">{t("onlyCounted", { count: count(lost, locale.value) })}</p>
              )}
              <Pager next={next} />
            </>
          );
        }}
      </Answer>
    </Panel>
  );
}
