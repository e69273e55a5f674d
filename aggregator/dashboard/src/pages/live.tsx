// The live page: what happens now, and how today stands against the same moment of other days.

import { useState } from "preact/hooks";
import { PageLink } from "../app.tsx";
import { useAsked } from "../asked.ts";
import { count, lag } from "../figures.ts";
import { toggleWall } from "../keys.tsx";
import { beat, board, connection, nowMs, showSeconds, shown, useStream } from "../live/follow.ts";
import { emptyBoard, pace, windowOf } from "../live/board.ts";
import type { Board, LiveOrder, Today } from "../live/board.ts";
import { amountIn, formatMoney, formatShort, heightOf, type Money } from "../money.ts";
import { session } from "../session.ts";
import { facts, hidesAmounts, locale, place, t } from "../store.ts";
import { Chart } from "../ui/chart.tsx";
import { Amount, Delta, Figure, Tile, Large, than } from "../ui/figure.tsx";
import { Panel } from "../ui/states.tsx";
import { clockOf, write } from "../zone.ts";
import { AlertsFeed } from "./alerts-panel.tsx";
import { againstOtherDays, type SameMoment } from "./live-asks.ts";
import { CitiesPanel, ProductsPanel } from "./live-panels.tsx";

const COMPARE_EVERY_MS = 4_000;

/** What is known of the stream; the part of the page that asks is drawn anew with every beat. */
const known = (): Board => (beat.value >= 0 ? board.current : emptyBoard());

function Status() {
  const { lagMs, offset } = known();
  const now = nowMs();
  return (
    <div class="status">
      <p id="connection" role="status" data-state={connection.value}>
        {t(`connection_${connection.value}`)}
      </p>
      <p title={t("lagHint")}>
        {t("clickToScreen")} <b id="lag">{lagMs === undefined ? "–" : lag(lagMs, locale.value)}</b>
      </p>
      <p class="clock">
        <time id="clock">{now ? clockOf(write(now, offset)) : "--:--:--"}</time>{" "}
        <span id="zone">{offset && `UTC${offset === "Z" ? "" : offset}`}</span>
      </p>
      <button
        type="button"
        class="quiet"
        aria-pressed={hidesAmounts.value}
        onClick={() => (hidesAmounts.value = !hidesAmounts.value)}
        data-testid="hide-amounts"
      >
        {hidesAmounts.value ? t("showAmounts") : t("hideAmounts")}
      </button>
      <button type="button" class="quiet" onClick={toggleWall} data-testid="wall">
        {place.value.more.wall === "1" ? t("leaveWall") : t("wall")}
      </button>
    </div>
  );
}

/** How today's figure stands against yesterday and last week at this very second. */
function Against({ same, metric }: { same: SameMoment | undefined; metric: string }) {
  const one = same?.figures[metric];
  if (!one) return <> </>;
  return (
    <>
      <Delta of={one.yesterday} kind={one.kind} than={than("yesterday")} />{" "}
      <Delta of={one.lastWeek} kind={one.kind} than={than("lastWeek")} />
    </>
  );
}

function Revenue({ today, same }: { today: Today | undefined; same: SameMoment | undefined }) {
  const [first, ...others] = today?.revenue ?? [];
  return (
    <Tile
      name="tile-revenue"
      label={t("revenueToday")}
      isWide
      note={<Against same={same} metric="revenue" />}
    >
      <Large id="revenue-today">
        <Amount of={first} />
      </Large>
      {others.length > 0 && (
        <p class="note" id="revenue-others">
          {others.map((one) => (
            <span key={one.currency}>
              <Amount of={one} />{" "}
            </span>
          ))}
        </p>
      )}
    </Tile>
  );
}

function Tiles({ same }: { same: SameMoment | undefined }) {
  const { today, visitors } = known();
  const { last, mean } = pace(board.current);
  const of = (name: string) => same?.figures[name];
  return (
    <div class="tiles">
      <Revenue today={today} same={same} />
      <Tile
        name="tile-orders"
        label={t("ordersToday")}
        note={<Against same={same} metric="orders" />}
      >
        <Large id="orders-today">{today ? count(today.orders, locale.value) : "–"}</Large>
      </Tile>
      <Tile
        name="tile-visitors"
        label={t("visitorsNow")}
        note={`${today ? count(today.visitors, locale.value) : "–"} ${t("todayLower")}`}
      >
        <Large id="visitors-now">
          {visitors === undefined ? "–" : count(visitors, locale.value)}
        </Large>
        <span id="visitors-today" hidden>
          {today ? count(today.visitors, locale.value) : ""}
        </span>
      </Tile>
      <Tile
        name="tile-conversion"
        label={t("conversion_rate")}
        note={<Against same={same} metric="conversion_rate" />}
      >
        <Large>
          <Figure value={of("conversion_rate")?.value ?? null} kind="percent" />
        </Large>
      </Tile>
      <Tile
        name="tile-payments"
        label={t("payment_success_rate")}
        note={<Against same={same} metric="payment_success_rate" />}
      >
        <Large>
          <Figure value={of("payment_success_rate")?.value ?? null} kind="percent" />
        </Large>
      </Tile>
      <Tile
        name="tile-events"
        label={t("eventsPerSecond")}
        note={t("meanOfMinute", { mean: tenths(mean) })}
      >
        <Large id="events-per-second">{count(last, locale.value)}</Large>
      </Tile>
    </div>
  );
}

const tenths = (value: number): string =>
  value.toLocaleString(locale.value, { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** The second that sold most, in words. */
function peakOf(columns: { text: string; money: Money }[]): string {
  let best = columns[0];
  for (const one of columns) if (best && heightOf(one.money) > heightOf(best.money)) best = one;
  if (!best || !heightOf(best.money)) return t("noSalesYet");
  const amount = hidesAmounts.value ? "•••" : formatMoney(best.money, locale.value);
  return t("peak", { amount, time: clockOf(best.text) });
}

function RevenueChart() {
  const { today } = known();
  const currencies = today?.revenue.map((one) => one.currency) ?? [];
  const [chosen, choose] = useState("");
  const currency = chosen || currencies[0] || facts.value?.currency || "USD";
  const seconds = windowOf(board.current, nowMs(), shown.value);
  const columns = seconds.map(({ text, second }) => ({
    text,
    money: amountIn(second.revenue, currency),
    orders: second.orders,
  }));
  const tools = (
    <>
      {currencies.length > 1 && (
        <select
          id="chart-currency"
          aria-label={t("currency")}
          value={currency}
          onChange={(event) => choose(event.currentTarget.value)}
        >
          {currencies.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      )}
      {([300, 3600] as const).map((length) => (
        <button
          key={length}
          type="button"
          class="quiet"
          aria-pressed={shown.value === length}
          onClick={() => showSeconds(length)}
        >
          {t(length === 300 ? "fiveMinutes" : "oneHour")}
        </button>
      ))}
    </>
  );
  const amount = (index: number) => {
    const one = columns[index];
    if (!one) return "";
    const sum = hidesAmounts.value ? "•••" : formatMoney(one.money, locale.value);
    return `${sum} · ${t("ordersCount", { count: one.orders })}`;
  };
  return (
    <Chart
      id="revenue-chart"
      title={t("revenuePerSecond")}
      note={peakOf(columns)}
      tools={tools}
      texts={columns.map(({ text }) => text)}
      grain="second"
      height={place.value.more.wall === "1" ? 520 : 240}
      axis={(value) =>
        hidesAmounts.value ? "" : formatShort({ currency, amount: String(value) }, locale.value)
      }
      series={[
        {
          label: t("revenue"),
          color: "--money",
          shape: "bars",
          values: columns.map(({ money }) => heightOf(money)),
          show: amount,
        },
      ]}
    />
  );
}

const itemText = (items: LiveOrder["items"]): string => {
  const [first, ...rest] = items;
  const name = first?.item_name ?? first?.item_id ?? "";
  return rest.length ? `${name} +${rest.length}` : name;
};

function Feed() {
  const { orders } = known();
  return (
    <Panel title={t("orders")} name="feed">
      <ol id="order-feed" aria-label={t("orders")}>
        {orders.map((order) => (
          <li key={order.transaction_id} data-order={order.transaction_id}>
            <PageLink to={{ page: "orders", more: { order: order.transaction_id } }}>
              <b>
                <Amount of={order.value} />
              </b>
              <time>{clockOf(order.at)}</time>
              <small>
                {[order.city, order.channel, itemText(order.items)].filter(Boolean).join(" · ")}
              </small>
            </PageLink>
          </li>
        ))}
      </ol>
      {!orders.length && <p class="empty">{t("ordersComeHere")}</p>}
    </Panel>
  );
}

/** What happens now. */
export function LivePage() {
  const { site } = session.value;
  useStream(site);
  const same = useAsked(`${site} same moment`, againstOtherDays, COMPARE_EVERY_MS);
  const isWall = place.value.more.wall === "1";
  return (
    <>
      <Status />
      <Tiles same={same.value} />
      <div class="columns">
        <div class="main-column">
          <div class="panel">
            <RevenueChart />
          </div>
          {!isWall && (
            <div class="pair">
              <ProductsPanel />
              <CitiesPanel />
            </div>
          )}
        </div>
        <div>
          <AlertsFeed />
          <Feed />
        </div>
      </div>
    </>
  );
}
