// React: start once outside the tree; page views follow the router by themselves.

import { identify, init, reset, track, type Item } from "edgetally";
import { useEffect } from "react";

init({ site: "shop", key: "wk_...", endpoint: "https://collect.shop.example" });

/** Whoever is signed in, for as long as this shows. */
export function SignedIn({ userId }: { userId: string | undefined }) {
  useEffect(() => {
    if (userId) identify(userId);
    else reset();
  }, [userId]);
  return null;
}

/** A product: seen when it shows, put into the cart by its button. */
export function Product({ item }: { item: Item & { price: number } }) {
  const cart = { value: item.price, currency: "VND", items: [item] };
  useEffect(() => track("view_item", cart), [item.item_id]);
  return <button onClick={() => track("add_to_cart", cart)}>{item.item_name}</button>;
}
