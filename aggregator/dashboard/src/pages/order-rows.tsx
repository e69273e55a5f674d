// Orders as rows, and what an order is as the API tells it.

import { PageLink } from "../app.tsx";
import type { Money } from "../money.ts";
import { locale, t } from "../store.ts";
import { Amount } from "../ui/figure.tsx";
import { DataTable } from "../ui/table.tsx";
import { showInstant } from "../zone.ts";

/** A campaign, or the host that linked; null is direct. */
export type Campaign = Record<string, string> | null;

/** One contact with something that brought the person. */
export interface Touch {
  event_id: string;
  at: string;
  campaign: Campaign;
  channel: string;
  channel_rule: number | string | null;
  rules_version: number | null;
  credited: boolean;
}

/** A refund; `fault` says what is not booked of it. */
export interface Refund {
  refund_id: string | null;
  at: string;
  amount: Money | null;
  fault: string | null;
}

/** An order with its credit. */
export interface Order {
  transaction_id: string;
  platform: string;
  person: string | null;
  session_id: string | null;
  status: string;
  booked: boolean;
  created_at: string;
  cancelled_at: string | null;
  value: Money | null;
  gmv: Money | null;
  nmv: Money | null;
  refunded: Money | null;
  refunds: Refund[];
  units: number;
  copies: number;
  shipping_city: string | null;
  credited: { event_id: string; channel: string; campaign: Campaign } | null;
  channel: string;
  reason: string;
  touches: Touch[];
  aged_out: boolean;
  frozen: boolean;
}

/** The campaign in words. */
export function campaignText(campaign: Campaign): string {
  if (!campaign) return t("direct");
  const { source, medium, name, referrer, ...rest } = campaign;
  if (referrer) return referrer;
  return [source, medium, name, ...Object.values(rest)].filter(Boolean).join(" / ");
}

/** The status in words, with a mark. */
export function Status({ of }: { of: string }) {
  const known = ["completed", "pending", "cancelled", "open", "closed", "final"] as const;
  const word = known.find((one) => one === of);
  return (
    <span class="status-mark" data-status={of}>
      {word ? t(`status_${word}`) : of}
    </span>
  );
}

/** What leads to an order's own page. */
export function OrderLink({ id, platform }: { id: string; platform?: string }) {
  const more: Record<string, string> = { order: id };
  if (platform && platform !== "web") more.platform = platform;
  return <PageLink to={{ page: "orders", more }}>{id}</PageLink>;
}

/** A table of orders, each with the way to why it is credited as it is. */
export function OrderRows({ orders, label }: { orders: Order[]; label: string }) {
  return (
    <DataTable
      label={label}
      empty={t("noOrders")}
      columns={[
        { name: t("order") },
        { name: t("time") },
        { name: t("value"), end: true },
        { name: t("status") },
        { name: t("channel") },
        { name: t("creditedTo") },
        { name: t("city") },
      ]}
      rows={orders.map((order) => ({
        key: `${order.platform} ${order.transaction_id}`,
        data: { "data-order": order.transaction_id },
        cells: [
          <OrderLink id={order.transaction_id} platform={order.platform} />,
          showInstant(order.created_at, locale.value),
          <Amount of={order.value} />,
          <Status of={order.status} />,
          order.channel,
          campaignText(order.credited?.campaign ?? null),
          order.shipping_city ?? "–",
        ],
      }))}
    />
  );
}
