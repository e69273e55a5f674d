// One person: clients, sessions and orders in one row of time, and the log of reassignments.

import { PageLink } from "../app.tsx";
import { list } from "../api.ts";
import { useAsked } from "../asked.ts";
import { count } from "../figures.ts";
import { session } from "../session.ts";
import { locale, t } from "../store.ts";
import { Amount } from "../ui/figure.tsx";
import { Answer, Panel } from "../ui/states.tsx";
import { DataTable } from "../ui/table.tsx";
import { clockOf, showInstant } from "../zone.ts";
import { OrderLink, Status, type Order } from "./order-rows.tsx";
import { Facts } from "./order.tsx";
import { SessionRows, startReason, type SessionRow } from "./people.tsx";

interface Reassignment {
  at: string;
  from: string | null;
  to: string;
  events: number | null;
  first: string | null;
  last: string | null;
  because: { kind: string; name?: string; client_id?: string; user_id?: string; at?: string };
}

interface Person {
  person: string;
  merged_into: string | null;
  merged: string[];
  first_seen: string | null;
  last_seen: string | null;
  events: number;
  clients: string[];
  client_count: number;
  sessions: SessionRow[];
  session_count: number;
  orders: Order[];
  order_count: number;
  reassignments: Reassignment[];
  reassignment_count: number;
}

const PersonLink = ({ person }: { person: string }) => (
  <PageLink to={{ page: "people", more: { person } }}>
    <span class="id">{person}</span>
  </PageLink>
);

/** What a session was, in a line. */
const aboutSession = (row: SessionRow): string =>
  [
    startReason(row.start_reason),
    row.platforms.join(" + "),
    t("eventsCount", { count: row.events }),
    `${row.entry_page ?? "–"} → ${row.exit_page ?? "–"} (${clockOf(row.end)})`,
    t("clientsCount", { count: row.clients.length }),
  ].join(" · ");

/** Sessions and orders in one row of time, the newest first. */
function Timeline({ of }: { of: Person }) {
  const sessions = of.sessions.map((row) => ({
    at: row.start,
    key: row.session_id,
    kind: "session",
    text: (
      <>
        <b>{row.channel}</b> · {aboutSession(row)}
      </>
    ),
  }));
  const orders = of.orders.map((order) => ({
    at: order.created_at,
    key: order.transaction_id,
    kind: "order",
    text: (
      <>
        <b>
          <Amount of={order.value} />
        </b>{" "}
        · <OrderLink id={order.transaction_id} platform={order.platform} /> · {order.channel} ·{" "}
        <Status of={order.status} />
      </>
    ),
  }));
  const all = [...sessions, ...orders].sort((a, b) => Date.parse(b.at) - Date.parse(a.at));
  return (
    <ol class="timeline" data-testid="timeline">
      {all.map(({ at, key, kind, text }) => (
        <li key={kind + key} data-kind={kind}>
          <time>{showInstant(at, locale.value)}</time>
          <span>{text}</span>
        </li>
      ))}
    </ol>
  );
}

/** What was learned, in words. */
function because({ kind, client_id, user_id, at }: Reassignment["because"]): string {
  const known = ["login", "logout", "late_event", "merge", "undo_of_merge", "erasure"] as const;
  const word = known.find((one) => one === kind);
  const who = [user_id && `u:${user_id}`, client_id && `c:${client_id}`].filter(Boolean);
  const when = at ? ` (${showInstant(at, locale.value)})` : "";
  return `${word ? t(`because_${word}`) : kind}${who.length ? ` · ${who.join(", ")}` : ""}${when}`;
}

function Log({ of }: { of: Person }) {
  return (
    <Panel title={t("reassignments")} note={t("reassignmentsNote")} name="reassignments">
      <DataTable
        label={t("reassignments")}
        empty={t("noReassignments")}
        columns={[
          { name: t("learnedAt") },
          { name: t("from") },
          { name: t("to") },
          { name: t("events"), end: true },
          { name: t("because") },
        ]}
        rows={of.reassignments.toReversed().map((row, index) => ({
          key: `${row.at} ${index}`,
          cells: [
            showInstant(row.at, locale.value),
            row.from ? <PersonLink person={row.from} /> : "–",
            <PersonLink person={row.to} />,
            row.events === null ? "–" : count(row.events, locale.value),
            because(row.because),
          ],
        }))}
      />
    </Panel>
  );
}

/** Everything that is known of a person. */
export function PersonPage({ person }: { person: string }) {
  const asked = useAsked(
    `${session.value.site} person ${person}`,
    (signal) => list<Person>(`/v1/people/${encodeURIComponent(person)}`, {}, signal),
    5_000,
  );
  return (
    <>
      <p class="crumbs">
        <PageLink to={{ page: "people", more: {} }}>{t("people")}</PageLink> / <b>{person}</b>
      </p>
      <Answer of={asked}>
        {(known) => (
          <>
            <Panel title={known.person} name="person">
              <Facts
                of={[
                  [t("firstSeen"), showInstant(known.first_seen, locale.value)],
                  [t("lastSeen"), showInstant(known.last_seen, locale.value)],
                  [t("events"), count(known.events, locale.value)],
                  [t("sessions"), count(known.session_count, locale.value)],
                  [t("orders"), count(known.order_count, locale.value)],
                  [t("clients"), known.clients.join(", ") || "–"],
                  ...(known.merged_into
                    ? [
                        [t("mergedInto"), <PersonLink person={known.merged_into} />] as [
                          string,
                          preact.JSX.Element,
                        ],
                      ]
                    : []),
                  ...(known.merged.length
                    ? [[t("merged"), known.merged.join(", ")] as [string, string]]
                    : []),
                ]}
              />
            </Panel>
            <Panel title={t("timeline")} name="timeline-panel">
              <Timeline of={known} />
            </Panel>
            <Panel title={t("sessions")} name="person-sessions">
              <SessionRows rows={known.sessions.toReversed()} withPerson={false} />
            </Panel>
            <Log of={known} />
          </>
        )}
      </Answer>
    </>
  );
}
