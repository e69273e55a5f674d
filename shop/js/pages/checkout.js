/** Delivery, payment, the order. */

import { account, cart, placeOrder, total } from "../store.js";
import { beganCheckout } from "../track.js";
import { money, nothing, show, summary, text } from "../view.js";
import { word } from "../words.js";

const CITIES = [
  "Hà Nội", "TP. Hồ Chí Minh", "Đà Nẵng", "Hải Phòng", "Cần Thơ", "Huế",
  "Nha Trang", "Đà Lạt", "Vũng Tàu", "Quy Nhơn", "Buôn Ma Thuột", "Biên Hòa",
];
const METHODS = ["cod", "card", "wallet"];

const field = (name, type, autocomplete, value = "") => `<label>${word(name)}
  <input name="${name}" type="${type}" autocomplete="${autocomplete}" required
    value="${text(value)}" data-testid="${name}" /></label>`;

const city = () => `<label>${word("city")}<select name="city" data-testid="city">
  ${CITIES.map((name) => `<option>${name}</option>`).join("")}</select></label>`;

const method = (name, index) => `<label class="choice"><input type="radio" name="method"
  value="${name}" ${index ? "" : "checked"} data-testid="pay-${name}" />${word(name)}</label>`;

const draw = () => {
  const lines = cart();
  if (!lines.length) return nothing("empty_cart");
  const who = account();
  return `<h1>${word("checkout")}</h1><div class="split">
    <form id="order" class="panel">
      ${who ? "" : `<p><a href="/login?to=/checkout">${word("faster")}</a></p>`}
      <h2>${word("deliver")}</h2>
      ${field("name", "text", "name", who?.name)}${field("phone", "tel", "tel")}
      ${city()}${field("address", "text", "street-address")}
      <fieldset><legend>${word("pay")}</legend>${METHODS.map(method).join("")}</fieldset>
      <button class="button" data-testid="place-order">${word("place")}</button>
    </form>
    <aside class="panel"><h2>${word("your_order")}</h2><ul class="sums">${summary(lines)}</ul>
      <p class="row sum"><span>${word("total")}</span>
        <b data-testid="checkout-total">${money(total(lines))}</b></p></aside></div>`;
};

show(() => word("checkout"), draw);
if (cart().length) beganCheckout(cart());

document.addEventListener("submit", (event) => {
  if (event.target.id !== "order") return;
  event.preventDefault();
  const form = new FormData(event.target);
  const id = placeOrder({ city: form.get("city"), method: form.get("method") });
  location.assign(`/thank-you?order=${encodeURIComponent(id)}`);
});
