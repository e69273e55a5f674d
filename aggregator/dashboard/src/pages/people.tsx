// Sessions and persons: the sessions of the period, and one person over all devices with the log
// of what became theirs and why.

import { PageLink } from "../app.tsx";
import { list } from "../api.ts";
import { useAsked } from "../asked.ts";
import { count } from "../figures.ts";
import type { Money } from "../money.ts";
import { listEnds } from "../period.ts";
import { session } from "../session.ts";
import { facts, go, locale, place, t } from "../store.ts";
import { Amount } from "../ui/figure.tsx";
import { Answer, Panel } from "../ui/states.tsx";
import { DataTable } from "../ui/table.tsx";
import { clockOf, showInstant } from "../zone.ts";
import { campaignText, OrderLink, Status, type Campaign } from "./order-rows.tsx";
import { Find, Pager } from "./orders.tsx";
import { PersonPage } from "./person.tsx";

const PAGE = 50;

/** A session as the API tells it. */
export interface SessionRow {
  session_id: string;
  person: string;
  start: string;
  end: string;
  start_reason: string[];
  clients: string[];
  platforms: string[];
  attributed: Campaign;
  channel: string;
  events: number;
  pageviews: number;
  orders: string[];
  revenue: Money[];
  entry_page: string | null;
  exit_page: string | null;
  city: string | null;
  device: string | null;
  state: string;
}

/** Why a session began, in words. */
export const startReason = (reasons: string[]): string =>
  reasons
    .map((reason) => {
      const known = ["first", "gap", "day", "campaign"] as const;
      const word = known.find((one) => one === reason);
      return word ? t(`start_${word}`) : reason;
    })
    .join(", ");

const ID_LENGTH_MAX = 14;

/** Enough of an id to tell it from others of a page. */
const shortId = (id: string): string =>
  id.length > ID_LENGTH_MAX ? `${id.slice(0, ID_LENGTH_MAX - 1)}…` : id;

/** Sessions as rows; `withPerson` where they are of more than one. */
export function SessionRows({ rows, withPerson }: { rows: SessionRow[]; withPerson: boolean }) {
  return (
    <DataTable
      label={t("sessions")}
      empty={t("noSessions")}
      columns={[
        { name: t("start") },
        ...(withPerson ? [{ name: t("person") }] : []),
        { name: t("begunBy") },
        { name: t("channel") },
        { name: t("campaign") },
        { name: t("deviceAndPlace") },
        { name: t("events"), end: true },
        { name: t("orders") },
        { name: t("revenue"), end: true },
        { name: t("state") },
      ]}
      rows={rows.map((row) => ({
        key: row.session_id,
        data: { "data-session": row.session_id },
        cells: [
          <span class="whole">
            {showInstant(row.start, locale.value)} – {clockOf(row.end)}
          </span>,
          ...(withPerson
            ? [
                <PageLink to={{ page: "people", more: { person: row.person } }}>
                  <span class="id" title={row.person}>
                    {shortId(row.person)}
                  </span>
                </PageLink>,
              ]
            : []),
          startReason(row.start_reason),
          row.channel,
          campaignText(row.attributed),
          [row.platforms.join(" + "), row.device, row.city].filter(Boolean).join(" · "),
          count(row.events, locale.value),
          <>
            {row.orders.map((order) => (
              <span key={order}>
                <OrderLink id={order} />{" "}
              </span>
            ))}
          </>,
          <Amount of={row.revenue[0]} />,
          <Status of={row.state} />,
        ],
      }))}
    />
  );
}

function SessionList() {
  const { period, more } = place.value;
  const today = facts.value?.today ?? "";
  const asked = useAsked(
    `${session.value.site} sessions ${period} ${today} ${more.after ?? ""}`,
    (signal) => {
      const [from, to] = listEnds(period, today, new Date().toISOString());
      const parameters = { from, to, sort: "newest", limit: PAGE, after: more.after };
      return list<{ results: SessionRow[]; next: string | null }>(
        "/v1/sessions",
        parameters,
        signal,
      );
    },
    more.after ? 0 : 5_000,
  );
  const find = (text: string) => {
    const person = /^[uc]:/.test(text) ? text : `u:${text}`;
    go({ more: { person } });
  };
  return (
    <Panel
      title={t("sessions")}
      name="sessions"
      tools={<Find label={t("personId")} onFind={find} />}
    >
      <Answer of={asked}>
        {({ results, next }) => (
          <>
            <SessionRows rows={results} withPerson />
            <Pager next={next} />
          </>
        )}
      </Answer>
    </Panel>
  );
}

/** The list, or the person that the address names. */
export function PeoplePage() {
  const { person } = place.value.more;
  return person ? <PersonPage key={person} person={person} /> : <SessionList />;
}
