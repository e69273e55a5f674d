// Statistics of the period's orders: a row for each day, order platform and currency.

import { list } from "../api.ts";
import { useAsked } from "../asked.ts";
import { count } from "../figures.ts";
import { listEnds } from "../period.ts";
import { session } from "../session.ts";
import { facts, locale, place, t } from "../store.ts";
import { Amount } from "../ui/figure.tsx";
import { Answer, Panel } from "../ui/states.tsx";
import { DataTable } from "../ui/table.tsx";

/** Most rows that are shown. */
const ROWS = 1_000;

/** A row of `GET /v1/orders/daily`. */
interface Daily {
  stat_date: string;
  platform: string;
  currency: string;
  total_orders: number;
  completed_orders: number;
  cancelled_orders: number;
  pending_orders: number;
  gross_merchandise_value: string;
  total_revenue: string;
  total_discount: string;
  cancellation_rate: number | null;
  avg_order_value: string | null;
  is_final: boolean;
}

function cells(row: Daily) {
  const figure = (value: number) => count(value, locale.value);
  const money = (amount: string | null) => (
    <Amount of={amount === null ? null : { currency: row.currency, amount }} />
  );
  return [
    row.stat_date,
    row.platform,
    figure(row.total_orders),
    figure(row.completed_orders),
    figure(row.cancelled_orders),
    figure(row.pending_orders),
    money(row.gross_merchandise_value),
    money(row.total_revenue),
    money(row.avg_order_value),
    row.cancellation_rate === null ? "–" : `${row.cancellation_rate.toFixed(2)} %`,
    row.is_final ? t("status_final") : t("status_open"),
  ];
}

/** The days of the period, the newest first. */
export function DailyOrders() {
  const { period } = place.value;
  const today = facts.value?.today ?? "";
  const asked = useAsked(
    `${session.value.site} daily ${period} ${today}`,
    (signal) => {
      const [from, to] = listEnds(period, today, new Date().toISOString());
      const parameters = { from, to, limit: ROWS };
      return list<{ results: Daily[]; dirty_days: number }>("/v1/orders/daily", parameters, signal);
    },
    10_000,
  );
  const end = (name: string) => ({ name, end: true });
  const columns = [
    { name: t("day") },
    { name: t("platform") },
    end(t("orders")),
    end(t("status_completed")),
    end(t("status_cancelled")),
    end(t("status_pending")),
    end(t("dailyGmv")),
    end(t("dailyRevenue")),
    end(t("dailyMean")),
    end(t("dailyCancelled")),
    { name: t("status") },
  ];
  return (
    <Panel title={t("daily")} name="daily">
      <Answer of={asked}>
        {({ results, dirty_days }) => (
          <>
            <DataTable
              label={t("daily")}
              isTall
              columns={columns}
              rows={results.toReversed().map((row) => ({
                key: `${row.stat_date} ${row.platform} ${row.currency}`,
                cells: cells(row),
                data: { day: row.stat_date, of: row.platform },
              }))}
            />
            {dirty_days > 0 && <p>{t("dailyWait", { count: count(dirty_days, locale.value) })}</p>}
          </>
        )}
      </Answer>
    </Panel>
  );
}
