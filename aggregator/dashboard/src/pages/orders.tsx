// Orders: the list of the period, the newest first; or one order.

import { useState } from "preact/hooks";
import { list } from "../api.ts";
import { useAsked } from "../asked.ts";
import { listEnds } from "../period.ts";
import { session } from "../session.ts";
import { facts, go, place, t } from "../store.ts";
import { exportList } from "../ui/export.ts";
import { fieldOf } from "../ui/form.ts";
import { Answer, Panel } from "../ui/states.tsx";
import { DailyOrders } from "./daily.tsx";
import { OrderRows, type Order } from "./order-rows.tsx";
import { OrderPage } from "./order.tsx";
import { Reconciliations } from "./reconciliations.tsx";

const PAGE = 50;

/** A form that leads to what one knows the id of. */
export function Find({ label, onFind }: { label: string; onFind: (text: string) => void }) {
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const text = fieldOf(event.currentTarget, "id").trim();
    if (text) onFind(text);
  };
  return (
    <form class="find" role="search" onSubmit={submit}>
      <input name="id" aria-label={label} placeholder={label} autocomplete="off" />
      <button>{t("show")}</button>
    </form>
  );
}

/** Steps through the pages of a list: `after` is where this page begins. */
export function Pager({ next }: { next: string | null }) {
  const { more } = place.value;
  return (
    <p class="pager">
      {more.after && (
        <button type="button" class="quiet" onClick={() => history.back()}>
          {t("back")}
        </button>
      )}
      {next && (
        <button
          type="button"
          class="quiet"
          data-testid="next"
          onClick={() => go({ more: { ...more, after: next } })}
        >
          {t("older")}
        </button>
      )}
    </p>
  );
}

function OrderList() {
  const { period, more } = place.value;
  const today = facts.value?.today ?? "";
  const [trouble, setTrouble] = useState("");
  const ends = () => listEnds(period, today, new Date().toISOString());
  const asked = useAsked(
    `${session.value.site} orders ${period} ${today} ${more.after ?? ""}`,
    (signal) => {
      const [from, to] = ends();
      const parameters = { from, to, sort: "newest", limit: PAGE, after: more.after };
      return list<{ results: Order[]; next: string | null }>("/v1/orders", parameters, signal);
    },
    more.after ? 0 : 5_000,
  );
  const download = () => {
    exportList("orders", ends()).catch((error: unknown) => setTrouble(String(error)));
  };
  return (
    <Panel
      title={t("orders")}
      name="orders"
      tools={
        <>
          <Find label={t("orderId")} onFind={(order) => go({ more: { order } })} />
          <button type="button" class="quiet" onClick={download}>
            CSV
          </button>
        </>
      }
    >
      {trouble && <p role="alert">{trouble}</p>}
      <Answer of={asked}>
        {({ results, next }) => (
          <>
            <OrderRows orders={results} label={t("orders")} />
            <Pager next={next} />
          </>
        )}
      </Answer>
    </Panel>
  );
}

/** The list and the statistics of its days, or the order that the address names. */
export function OrdersPage() {
  const { order, platform } = place.value.more;
  if (order) return <OrderPage key={order} id={order} platform={platform ?? "web"} />;
  return (
    <>
      <OrderList />
      <DailyOrders />
      <Reconciliations />
    </>
  );
}
