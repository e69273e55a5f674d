/** The cart. */

import { art } from "../art.js";
import { productOf } from "../catalog.js";
import { cart, changeCart, total } from "../store.js";
import { added, removed, viewedCart } from "../track.js";
import { money, nothing, onClick, show, text } from "../view.js";
import { language, word } from "../words.js";

const line = ({ product, quantity }) => `<li class="line" data-testid="line-${product.id}">
  <a class="tile" style="--hue:${product.hue}" href="/product/${product.id}">${art(product)}</a>
  <div><strong>${text(product.name[language()])}</strong>
    <span class="price">${money(product.price)}</span></div>
  <div class="steps" role="group" aria-label="${word("quantity")}">
    <button data-step="-1" data-id="${product.id}" data-testid="less-${product.id}"
      aria-label="${word("quantity")} −1">−</button>
    <output data-testid="quantity-${product.id}">${quantity}</output>
    <button data-step="1" data-id="${product.id}" data-testid="more-${product.id}"
      aria-label="${word("quantity")} +1">+</button></div>
  <button class="plain" data-remove="${product.id}"
    data-testid="remove-${product.id}">${word("remove")}</button></li>`;

const draw = () => {
  const lines = cart();
  if (!lines.length) return nothing("empty_cart");
  return `<h1>${word("cart")}</h1><div class="split">
    <ul class="lines">${lines.map(line).join("")}</ul>
    <aside class="panel"><h2>${word("your_order")}</h2>
      <p class="row"><span>${word("subtotal")}</span><b>${money(total(lines))}</b></p>
      <p class="row"><span>${word("shipping")}</span><b>${word("free")}</b></p>
      <p class="row sum"><span>${word("total")}</span>
        <b data-testid="cart-total">${money(total(lines))}</b></p>
      <a class="button" href="/checkout" data-testid="go-checkout">${word("checkout")}</a>
    </aside></div>`;
};

const redraw = show(() => word("cart"), draw);
if (cart().length) viewedCart(cart());

onClick("[data-step]", ({ dataset }) => {
  const product = productOf(dataset.id);
  const before = quantityOf(dataset.id);
  changeCart(dataset.id, Number(dataset.step));
  const change = quantityOf(dataset.id) - before;
  if (change > 0) added({ product, quantity: change });
  if (change < 0) removed({ product, quantity: -change });
  redraw();
});
onClick("[data-remove]", ({ dataset }) => {
  const quantity = quantityOf(dataset.remove);
  changeCart(dataset.remove, -quantity);
  removed({ product: productOf(dataset.remove), quantity });
  redraw();
});

function quantityOf(id) {
  return cart().find((one) => one.product.id === id)?.quantity ?? 0;
}
