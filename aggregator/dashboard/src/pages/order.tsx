// One order: its money, its person, and every touch before it with the one that has the credit.

import { PageLink } from "../app.tsx";
import { list } from "../api.ts";
import { useAsked } from "../asked.ts";
import { session } from "../session.ts";
import { locale, t } from "../store.ts";
import { Amount } from "../ui/figure.tsx";
import { Answer, Panel } from "../ui/states.tsx";
import { DataTable } from "../ui/table.tsx";
import { showInstant } from "../zone.ts";
import { campaignText, Status, type Order } from "./order-rows.tsx";

/** Names and values, side by side. */
export function Facts({ of }: { of: [string, preact.ComponentChildren][] }) {
  return (
    <dl class="facts">
      {of.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Why it is credited as it is, in the reader's language. */
function why(order: Order): string {
  if (order.credited) return t("why_last");
  return order.aged_out ? t("why_old") : t("why_none");
}

function Money({ order }: { order: Order }) {
  return (
    <Facts
      of={[
        [t("status"), <Status of={order.status} />],
        [t("time"), showInstant(order.created_at, locale.value)],
        [t("value"), <Amount of={order.value} />],
        [t("gmv"), <Amount of={order.gmv} />],
        [t("nmv"), <Amount of={order.nmv} />],
        [t("refunds"), <Amount of={order.refunded} />],
        [t("units"), order.units],
        [t("copies"), order.copies],
        [t("city"), order.shipping_city ?? "–"],
        [
          t("person"),
          order.person ? (
            <PageLink to={{ page: "people", more: { person: order.person } }}>
              {order.person}
            </PageLink>
          ) : (
            "–"
          ),
        ],
      ]}
    />
  );
}

function Why({ order }: { order: Order }) {
  const rule = (touch: Order["touches"][number]) =>
    touch.channel_rule === null ? "–" : t("rule", { rule: touch.channel_rule });
  return (
    <Panel title={t("whyCredited")} name="why">
      <p class="verdict">
        <b data-testid="channel">{order.channel}</b> ·{" "}
        {campaignText(order.credited?.campaign ?? null)}
      </p>
      <p data-testid="reason">
        {why(order)} {order.frozen ? t("frozen") : t("notFrozen")}
      </p>
      <DataTable
        label={t("touches")}
        empty={t("noTouches")}
        columns={[
          { name: t("time") },
          { name: t("channel") },
          { name: t("campaign") },
          { name: t("channelRule") },
          { name: t("credit") },
        ]}
        rows={order.touches.map((touch) => ({
          key: touch.event_id,
          data: touch.credited ? { "data-credited": "true" } : {},
          cells: [
            showInstant(touch.at, locale.value),
            touch.channel,
            campaignText(touch.campaign),
            rule(touch),
            touch.credited ? `✓ ${t("hasCredit")}` : "",
          ],
        }))}
      />
    </Panel>
  );
}

/** The order, or that there is none of that name. */
export function OrderPage({ id, platform }: { id: string; platform: string }) {
  const asked = useAsked(
    `${session.value.site} order ${platform} ${id}`,
    (signal) => list<Order>(`/v1/orders/${encodeURIComponent(id)}`, { platform }, signal),
    5_000,
  );
  return (
    <>
      <p class="crumbs">
        <PageLink to={{ page: "orders", more: {} }}>{t("orders")}</PageLink> / <b>{id}</b>
      </p>
      <Answer of={asked}>
        {(order) => (
          <>
            <Why order={order} />
            <Panel title={t("order")} name="order">
              <Money order={order} />
              {order.refunds.length > 0 && (
                <DataTable
                  label={t("refunds")}
                  columns={[
                    { name: t("time") },
                    { name: t("value"), end: true },
                    { name: t("remark") },
                  ]}
                  rows={order.refunds.map((refund, index) => ({
                    key: refund.refund_id ?? String(index),
                    cells: [
                      showInstant(refund.at, locale.value),
                      <Amount of={refund.amount} />,
                      refund.fault ?? "",
                    ],
                  }))}
                />
              )}
            </Panel>
          </>
        )}
      </Answer>
    </>
  );
}
