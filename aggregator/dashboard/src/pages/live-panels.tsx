// Beside the stream: products of the last minutes, and today's sales by city.

import { query } from "../api.ts";
import { useAsked } from "../asked.ts";
import { count } from "../figures.ts";
import { heightOf, isMoney } from "../money.ts";
import { session } from "../session.ts";
import { locale, t } from "../store.ts";
import { Amount } from "../ui/figure.tsx";
import { Answer, Panel } from "../ui/states.tsx";
import { DataTable } from "../ui/table.tsx";
import { topProducts, type Rising } from "./live-asks.ts";

const EVERY_MS = 5_000;
const CITIES_SHOWN = 8;

function Rise({ of }: { of: Rising }) {
  if (of.rise === undefined) return <span class="delta">{t("isNew")}</span>;
  const way = of.rise >= 1.2 ? "up" : of.rise <= 0.8 ? "down" : "same";
  const text = of.rise.toLocaleString(locale.value, { maximumFractionDigits: 1 });
  return (
    <span class="delta" data-way={way}>
      × {text}
    </span>
  );
}

/** What is looked at now, and how much more than in the hour before. */
export function ProductsPanel() {
  const asked = useAsked(`${session.value.site} top products`, topProducts, EVERY_MS);
  return (
    <Panel title={t("topProducts")} note={t("topProductsNote")} name="top-products">
      <Answer of={asked}>
        {(rows) => (
          <DataTable
            label={t("topProducts")}
            empty={t("noViewsYet")}
            columns={[
              { name: t("product") },
              { name: t("views"), end: true },
              { name: t("adds"), end: true },
              { name: t("rise"), end: true },
            ]}
            rows={rows.map((row) => ({
              key: row.name,
              share: row.views / Math.max(1, rows[0]?.views ?? 1),
              cells: [
                row.name === "(none)" ? t("none") : row.name,
                count(row.views, locale.value),
                count(row.adds, locale.value),
                <Rise of={row} />,
              ],
            }))}
          />
        )}
      </Answer>
    </Panel>
  );
}

/** Today's sales by where they go. */
export function CitiesPanel() {
  const ask = (signal: AbortSignal) =>
    query(
      {
        metrics: ["revenue", "orders"],
        date_range: "day",
        dimensions: ["visit:city"],
        limit: CITIES_SHOWN,
        filters: [],
      },
      signal,
    );
  const asked = useAsked(`${session.value.site} cities`, ask, EVERY_MS);
  return (
    <Panel title={t("salesByCity")} note={t("todayLower")} name="cities">
      <Answer of={asked}>
        {({ results }) => {
          const sold = results.map(({ dimensions: [city = ""], metrics: [revenue, orders] }) => ({
            city,
            money: isMoney(revenue) ? revenue[0] : undefined,
            orders: Number(orders),
          }));
          const most = Math.max(1, ...sold.map(({ money }) => heightOf(money)));
          return (
            <DataTable
              label={t("salesByCity")}
              empty={t("noSalesYet")}
              columns={[
                { name: t("city") },
                { name: t("revenue"), end: true },
                { name: t("orders"), end: true },
              ]}
              rows={sold.map(({ city, money, orders }) => ({
                key: city,
                share: heightOf(money) / most,
                cells: [
                  city === "(none)" ? t("none") : city,
                  <Amount of={money} />,
                  count(orders, locale.value),
                ],
              }))}
            />
          );
        }}
      </Answer>
    </Panel>
  );
}
