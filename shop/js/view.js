/** How things are drawn, and the frame around every page. */

import { account, count, signOut } from "./store.js";
import { signedOut } from "./track.js";
import { language, setLanguage, word } from "./words.js";

const MARKS = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Text that is safe inside HTML. */
export const text = (raw) => String(raw).replace(/[&<>"']/g, (mark) => MARKS[mark]);

/** An amount of đồng, as people write it. */
export const money = (amount) =>
  new Intl.NumberFormat(language() === "vi" ? "vi-VN" : "en-US", {
    style: "currency",
    currency: "VND",
  }).format(amount);

/** The element with a `data-testid`. */
export const part = (id) => document.querySelector(`[data-testid="${id}"]`);

/** Calls `act` when something that matches is clicked, now or after a redraw. */
export const onClick = (selector, act) =>
  document.addEventListener("click", (event) => {
    const target = event.target.closest(selector);
    if (target) act(target, event);
  });

/** Draws the frame and the page, and again whenever the language changes. */
export function show(title, draw) {
  const redraw = () => {
    document.documentElement.lang = language();
    drawFrame();
    document.getElementById("page").innerHTML = draw();
    document.title = `${title()} · Chợ Mây`;
  };
  onClick("#language", () => {
    setLanguage(language() === "vi" ? "en" : "vi");
    redraw();
  });
  onClick("#sign-out", () => {
    signOut();
    signedOut();
    redraw();
  });
  redraw();
  return redraw;
}

/** Brings the header up to date: words, account, number of things in the cart. */
export function drawFrame() {
  for (const element of document.querySelectorAll("[data-word]")) {
    element.textContent = word(element.dataset.word);
  }
  for (const element of document.querySelectorAll("[data-word-placeholder]")) {
    element.placeholder = word(element.dataset.wordPlaceholder);
  }
  const button = document.getElementById("language");
  button.textContent = language() === "vi" ? "EN" : "VI";
  button.setAttribute("aria-label", language() === "vi" ? "English" : "Tiếng Việt");
  document.getElementById("cart-count").textContent = count();
  document.getElementById("account").innerHTML = accountTool();
}

function accountTool() {
  const who = account();
  if (!who) return `<a href="/login" data-testid="login-link">${word("login")}</a>`;
  return `<span class="who" data-testid="account-name">${word("hello")}, ${text(who.name)}</span>
    <button class="plain" id="sign-out" data-testid="logout">${word("logout")}</button>`;
}

/** The lines of a cart or an order, without controls. */
export const summary = (lines) =>
  lines
    .map(
      ({ product, quantity }) => `<li><span>${text(product.name[language()])}
        <small>× ${quantity}</small></span><b>${money(product.price * quantity)}</b></li>`,
    )
    .join("");

/** A message with a way back, where there is nothing else to show. */
export const nothing = (name) =>
  `<section class="empty"><p>${word(name)}</p>
    <a class="button" href="/">${word("back")}</a></section>`;
