// What is left of each product, as the newest update told it.

import { list } from "../api.ts";
import { useAsked } from "../asked.ts";
import { count } from "../figures.ts";
import { session } from "../session.ts";
import { locale, t } from "../store.ts";
import { Answer, Panel } from "../ui/states.tsx";
import { DataTable } from "../ui/table.tsx";
import { showInstant } from "../zone.ts";

const EVERY_MS = 5_000;
const SHOWN = 500;

interface Stock {
  item_id: string;
  item_name: string | null;
  stock: number;
  updated_at: string;
}

/** Products with little left first. */
export function StockPanel() {
  const asked = useAsked(
    `${session.value.site} stock`,
    (signal) =>
      list<{ results: Stock[]; next: string | null }>("/v1/stock", { limit: SHOWN }, signal),
    EVERY_MS,
  );
  return (
    <Panel title={t("stock")} note={t("stockNote")} name="stock">
      <Answer of={asked}>
        {({ results, next }) => (
          <>
            <DataTable
              label={t("stock")}
              empty={t("noStock")}
              isTall
              columns={[
                { name: t("product") },
                { name: t("stockLeft"), end: true },
                { name: t("time"), end: true },
              ]}
              rows={results
                .toSorted((one, other) => one.stock - other.stock)
                .map(({ item_id: id, item_name: name, stock, updated_at: at }) => ({
                  key: id,
                  cells: [name ?? id, count(stock, locale.value), showInstant(at, locale.value)],
                }))}
            />
            {next && <p class="note">{t("onlyFirst", { count: SHOWN })}</p>}
          </>
        )}
      </Answer>
    </Panel>
  );
}
