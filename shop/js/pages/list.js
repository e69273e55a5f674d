/** The front page and the results of a search. */

import { art } from "../art.js";
import { CATEGORIES, PRODUCTS, productOf, search } from "../catalog.js";
import { changeCart } from "../store.js";
import { added, searched, selected, viewedList } from "../track.js";
import { drawFrame, money, onClick, show, text } from "../view.js";
import { language, word } from "../words.js";

const query = new URLSearchParams(location.search);
const term = location.pathname === "/search" ? (query.get("q") ?? "").trim() : "";
const category = CATEGORIES.find((name) => name === query.get("c"));
const department = () => PRODUCTS.filter((one) => !category || one.category === category);
const found = term ? search(term) : department();
const listId = term ? "search" : (category ?? "all");

const card = (product) => `<li class="card" data-testid="product-${product.id}">
  <a href="/product/${product.id}" data-product="${product.id}">
    <span class="tile" style="--hue:${product.hue}">${art(product)}</span>
    <span class="kind">${text(product.brand)}</span>
    <strong>${text(product.name[language()])}</strong>
    <span class="price">${money(product.price)}</span></a>
  <button class="button quiet" data-add="${product.id}"
    data-testid="add-${product.id}">${word("add")}</button></li>`;

const tab = (name) => {
  const isHere = (category ?? "all") === name;
  const href = name === "all" ? "/" : `/?c=${name}`;
  return `<a href="${href}" ${isHere ? 'aria-current="page"' : ""}>${word(name)}</a>`;
};

const heading = () =>
  term
    ? `<h1 class="found">${word("results")} “${text(term)}”</h1>`
    : `<section class="hero"><h1>${word("hero")}</h1><p>${word("hero_more")}</p></section>
       <nav class="tabs" aria-label="${word("category")}">
         ${["all", ...CATEGORIES].map(tab).join("")}</nav>`;

const draw = () =>
  heading() +
  (found.length
    ? `<ul class="grid" data-testid="products">${found.map(card).join("")}</ul>`
    : `<p class="empty">${word("none_found")}</p>`);

show(() => (term ? `${word("search")}: ${term}` : word(category ?? "hero")), draw);
document.getElementById("q").value = term;
if (term) searched(term, found.length);
viewedList(listId, found);

onClick("[data-product]", (link) => selected(listId, productOf(link.dataset.product)));
onClick("[data-add]", (button) => {
  const product = productOf(button.dataset.add);
  changeCart(product.id, 1);
  added({ product, quantity: 1 });
  drawFrame();
  button.textContent = `✓ ${word("added")}`;
});
