// Acquisition: what brought the visitors and has the credit of their orders, down to the single
// order and why it is credited as it is.

import { useAsked } from "../asked.ts";
import { list } from "../api.ts";
import { endsOf, listEnds } from "../period.ts";
import { session } from "../session.ts";
import { facts, go, place, t } from "../store.ts";
import { DimensionReport } from "../ui/report.tsx";
import { Answer, Panel } from "../ui/states.tsx";
import { isDate } from "../zone.ts";
import { OrderRows, type Order } from "./order-rows.tsx";

/** Which orders are looked through for those of a channel: the newest so many. */
const LOOKED_THROUGH = 500;
const SHOWN = 12;

/** The newest orders that the conditions on channels let pass, with what each is credited to. */
function CreditedOrders() {
  const { period, filters } = place.value;
  const channels = filters
    .filter(({ dimension, operator }) => dimension === "visit:channel" && operator === "is")
    .map(({ value }) => value);
  const key = `${session.value.site} credited ${period} ${facts.value?.today}`;
  const asked = useAsked(
    key,
    (signal) => {
      const now = new Date().toISOString();
      const [from, to] = listEnds(period, facts.value?.today ?? "", now);
      const parameters = { from, to, sort: "newest", limit: LOOKED_THROUGH };
      return list<{ results: Order[]; next: string | null }>("/v1/orders", parameters, signal);
    },
    10_000,
  );
  return (
    <Panel
      title={
        channels.length ? t("newestOrdersOf", { what: channels.join(", ") }) : t("newestOrders")
      }
      note={t("clickForWhy")}
      name="credited-orders"
    >
      <Answer of={asked}>
        {({ results, next }) => {
          const booked = results.filter((order) => order.booked);
          const fitting = booked.filter(
            (order) => !channels.length || channels.includes(order.channel),
          );
          if (next && !fitting.length) {
            return <p class="empty">{t("noneAmongNewest", { count: LOOKED_THROUGH })}</p>;
          }
          return <OrderRows orders={fitting.slice(0, SHOWN)} label={t("newestOrders")} />;
        }}
      </Answer>
    </Panel>
  );
}

const CUTS = ["campaign", "source", "medium", "referrer", "term", "content"] as const;

function Campaigns() {
  const asked = CUTS.find((cut) => cut === place.value.more.cut) ?? "campaign";
  const tools = (
    <label>
      <span class="unseen">{t("by")}</span>
      <select
        value={asked}
        data-testid="cut"
        onChange={(event) =>
          go({ more: { ...place.value.more, cut: event.currentTarget.value } }, true)
        }
      >
        {CUTS.map((cut) => (
          <option key={cut} value={cut}>
            {t(`cut_${cut}`)}
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <DimensionReport
      key={asked}
      title={t("campaigns")}
      name="campaigns"
      dimension={`visit:${asked}`}
      metrics={["sessions", "orders", "conversion_rate", "revenue"]}
      tools={tools}
    />
  );
}

/** Dimensions under whose conditions costs are known. */
const COSTED = ["visit:channel", "visit:source", "visit:medium", "visit:campaign"];

/** What campaigns cost and bring; costs are known by whole days. */
function Costs() {
  const { period, filters } = place.value;
  const own = endsOf(period);
  const isWhole = own ? isDate(own[0]) : !["realtime", "24h"].includes(period);
  const fits = filters.every(({ dimension }) => COSTED.includes(dimension));
  if (!isWhole || !fits) return null;
  return (
    <DimensionReport
      title={t("costs")}
      note={t("costsNote")}
      name="costs"
      dimension="visit:campaign"
      metrics={["cost", "revenue", "orders", "roas"]}
    />
  );
}

/** Channels, campaigns, landing pages, costs, and single orders. */
export function AcquisitionPage() {
  return (
    <>
      <DimensionReport
        title={t("channels")}
        note={t("creditNote")}
        name="channels"
        dimension="visit:channel"
        metrics={["revenue", "orders", "sessions", "visitors", "conversion_rate"]}
        withChange
      />
      <div class="pair">
        <Campaigns />
        <DimensionReport
          title={t("entryPages")}
          name="entry-pages"
          dimension="visit:entry_page"
          metrics={["sessions", "orders", "bounce_rate", "revenue"]}
        />
      </div>
      <Costs />
      <CreditedOrders />
    </>
  );
}
