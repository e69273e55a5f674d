/** After the order: this is where a purchase is told, once. */

import { markTracked, orderOf, total } from "../store.js";
import { bought } from "../track.js";
import { money, nothing, show, summary, text } from "../view.js";
import { word } from "../words.js";

const order = orderOf(new URLSearchParams(location.search).get("order"));

const draw = () => {
  if (!order) return nothing("no_order");
  return `<section class="panel narrow thanks"><h1>${word("thanks")}</h1>
    <p>${word("thanks_more")}</p>
    <p class="row"><span>${word("order_code")}</span>
      <b data-testid="order-id">${text(order.id)}</b></p>
    <p class="row"><span>${word("ship_to")}</span><b>${text(order.city)}</b></p>
    <ul class="sums">${summary(order.lines)}</ul>
    <p class="row sum"><span>${word("total")}</span>
      <b data-testid="order-total">${money(total(order.lines))}</b></p>
    <a class="button" href="/">${word("back")}</a></section>`;
};

show(() => word("thanks"), draw);
if (order && !order.tracked) {
  bought(order);
  markTracked(order.id);
}
