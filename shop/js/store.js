/** The shop's "back office" in this browser: cart, account, orders. */

import { PRODUCTS, productOf } from "./catalog.js";

const load = (name, otherwise) => JSON.parse(localStorage.getItem(name) ?? "null") ?? otherwise;
const save = (name, value) => localStorage.setItem(name, JSON.stringify(value));

/** Cart lines: a product and how many of it. */
export const cart = () =>
  Object.entries(load("shop_cart", {}))
    .map(([id, quantity]) => ({ product: productOf(id), quantity }))
    .filter((line) => line.product);

/** Changes how many of a product are in the cart; never below none, never above 99. */
export function changeCart(id, by) {
  const lines = load("shop_cart", {});
  const quantity = Math.min(99, Math.max(0, (lines[id] ?? 0) + by));
  if (quantity) lines[id] = quantity;
  else delete lines[id];
  save("shop_cart", lines);
}

/** What the lines cost together, in đồng. */
export const total = (lines) =>
  lines.reduce((sum, { product, quantity }) => sum + product.price * quantity, 0);

/** How many things are in the cart. */
export const count = () => cart().reduce((sum, line) => sum + line.quantity, 0);

/** Who is signed in: `{id, name}`, or nothing. */
export const account = () => load("shop_account", undefined);

/** Signs in; the id is a digest, because an e-mail address is nobody else's business. */
export async function signIn(email) {
  const bytes = new TextEncoder().encode(email.trim().toLowerCase());
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const id = "u-" + [...digest.slice(0, 6)].map((b) => b.toString(16).padStart(2, "0")).join("");
  const signedIn = { id, name: email.trim().split("@")[0] };
  save("shop_account", signedIn);
  return signedIn;
}

/** Signs out. */
export const signOut = () => localStorage.removeItem("shop_account");

/** Turns the cart into an order and answers its number. */
export function placeOrder({ city, method }) {
  const day = new Date().toISOString().slice(2, 10).replaceAll("-", "");
  const random = crypto.getRandomValues(new Uint32Array(2));
  const code = [...random].map((part) => part.toString(36).padStart(7, "0")).join("");
  const id = `CM-${day}-${code.slice(0, 10).toUpperCase()}`;
  const lines = cart().map(({ product, quantity }) => ({ id: product.id, quantity }));
  save("shop_orders", { ...load("shop_orders", {}), [id]: { city, method, lines } });
  save("shop_cart", {});
  return id;
}

/** An order by its number: lines, city, and whether its purchase was tracked. */
export function orderOf(id) {
  const order = load("shop_orders", {})[id];
  if (!order) return undefined;
  const lines = order.lines.map(({ id: item, quantity }) => ({
    product: PRODUCTS.find((one) => one.id === item),
    quantity,
  }));
  return { ...order, id, lines: lines.filter((line) => line.product) };
}

/** Remembers that an order's purchase was tracked, so that a reload does not track it again. */
export function markTracked(id) {
  const orders = load("shop_orders", {});
  save("shop_orders", { ...orders, [id]: { ...orders[id], tracked: true } });
}
