/** What the shop tells its analytics: GA4's events for each step of buying. */

import { total } from "./store.js";

const CURRENCY = "VND";

const send = (...call) => window.edgetally(...call);

const item = ({ product, quantity }, index) => ({
  item_id: product.id,
  item_name: product.name.vi,
  item_brand: product.brand,
  item_category: product.category,
  price: product.price,
  quantity,
  index,
});

const priced = (lines) => ({ currency: CURRENCY, value: total(lines), items: lines.map(item) });
const single = (products) => products.map((product) => ({ product, quantity: 1 }));

export const viewedList = (id, products) =>
  send("track", "view_item_list", { item_list_id: id, items: single(products).map(item) });
export const selected = (id, product) =>
  send("track", "select_item", { item_list_id: id, items: single([product]).map(item) });
export const searched = (term, results) =>
  send("track", "search", { search_term: term, results });
export const viewed = (product) => send("track", "view_item", priced(single([product])));
export const added = (line) => send("track", "add_to_cart", priced([line]));
export const removed = (line) => send("track", "remove_from_cart", priced([line]));
export const viewedCart = (lines) => send("track", "view_cart", priced(lines));
export const beganCheckout = (lines) => send("track", "begin_checkout", priced(lines));

/** A sign-in is who somebody is, and an event of its own. */
export function signedIn(account) {
  send("identify", account.id);
  send("track", "login", { method: "password" });
}
export const signedOut = () => send("reset");

export const bought = (order) =>
  send("track", "purchase", {
    transaction_id: order.id,
    ...priced(order.lines),
    shipping: 0,
    shipping_city: order.city,
    payment_type: order.method,
  });
