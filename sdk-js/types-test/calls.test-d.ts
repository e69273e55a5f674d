// What a shop may write, and what must not compile: `npm run typecheck` holds both.

import { consent, flush, identify, init, optOut, page, reset, track } from "../dist/types/index";

init({ site: "shop", key: "wk_1", endpoint: "https://collect.shop.example" });
init({ site: "shop", key: "wk_1", endpoint: "", consent: { analytics: true, ads: false } });
// @ts-expect-error A site has a write key.
init({ site: "shop", endpoint: "" });
// @ts-expect-error No such choice.
init({ site: "shop", key: "wk_1", endpoint: "", consent: "maybe" });

track("purchase", { transaction_id: "T-1", value: "25000000", currency: "VND" });
track("purchase", { transaction_id: "T-1", items: [{ item_id: "sku-1", price: 1, quantity: 2 }] });
// @ts-expect-error An order has a number.
track("purchase", { value: 1 });
// @ts-expect-error Its number is a text.
track("purchase", { transaction_id: 1 });
// @ts-expect-error A value is a number or a decimal text.
track("purchase", { transaction_id: "T-1", value: true });
// @ts-expect-error A quantity is a number.
track("add_to_cart", { items: [{ item_id: "sku-1", quantity: "2" }] });
// @ts-expect-error No such parameter of an item.
track("view_item", { items: [{ sku: "sku-1" }] });
// @ts-expect-error A search has a term.
track("search", {});
// @ts-expect-error A variant belongs to an experiment.
track("experiment_view", { variant_id: "b" });
// @ts-expect-error Commerce events have parameters.
track("refund");
track("size_guide", { step: 2 });
track("size_guide");

page();
page({ page_type: "list" });
identify("u-1", { tier: "gold" });
identify(42);
// @ts-expect-error Somebody has an id.
identify();
consent("granted");
// @ts-expect-error Both are said.
consent({ analytics: true });
reset();
optOut(false);
void flush().then(() => undefined);
