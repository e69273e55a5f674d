/** One product. */

import { art } from "../art.js";
import { productOf } from "../catalog.js";
import { changeCart } from "../store.js";
import { added, viewed } from "../track.js";
import { drawFrame, money, nothing, onClick, part, show, text } from "../view.js";
import { language, word } from "../words.js";

const product = productOf(location.pathname.split("/").pop());

const fact = (name, value) => `<dt>${word(name)}</dt><dd>${text(value)}</dd>`;

const draw = () => {
  if (!product) return nothing("no_product");
  return `<article class="product">
    <div class="tile" style="--hue:${product.hue}">${art(product)}</div>
    <div>
      <p class="kind">${text(product.brand)}</p>
      <h1 data-testid="product-name">${text(product.name[language()])}</h1>
      <p class="price" data-testid="product-price">${money(product.price)}</p>
      <p>${text(product.about[language()])}</p>
      <p class="stock">${word("in_stock")}</p>
      <button class="button" data-add data-testid="add-to-cart">${word("add")}</button>
      <p class="done" role="status" data-testid="added"></p>
      <dl>${fact("brand", product.brand)}${fact("category", word(product.category))}
        ${fact("code", product.id)}</dl>
    </div></article>`;
};

show(() => (product ? product.name[language()] : word("no_product")), draw);
if (product) viewed(product);

onClick("[data-add]", () => {
  changeCart(product.id, 1);
  added({ product, quantity: 1 });
  drawFrame();
  part("added").innerHTML = `✓ ${word("added")} · <a href="/cart">${word("cart")}</a>`;
});
