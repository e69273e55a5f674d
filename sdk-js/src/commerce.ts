/** The shop's vocabulary: GA4's event names and parameters, and ours. Types cost no bytes. */

/** Money in major units: a number, or a decimal string that is taken digit by digit. */
export type Amount = number | string;

/** One line of a cart or an order; `item_id` or `item_name` is required. */
export interface Item {
  item_id?: string;
  item_name?: string;
  item_brand?: string;
  item_category?: string;
  item_variant?: string;
  price?: Amount;
  discount?: Amount;
  quantity?: number;
  coupon?: string;
  index?: number;
  item_list_id?: string;
  item_list_name?: string;
}

/** A value and its ISO 4217 currency; the currency defaults to the site's. */
export interface Money {
  value?: Amount;
  currency?: string;
}

interface Items {
  items?: Item[];
}
interface List extends Items {
  item_list_id?: string;
  item_list_name?: string;
}
interface Promotion extends Items {
  promotion_id?: string;
  promotion_name?: string;
  creative_name?: string;
  creative_slot?: string;
}
interface Checkout extends Money, Items {
  coupon?: string;
}
/** An order; its `value` is what the customer pays. */
export interface Order extends Checkout {
  transaction_id: string;
  tax?: Amount;
  shipping?: Amount;
  discount?: Amount;
  shipping_city?: string;
  affiliation?: string;
  order_platform?: string;
}
interface Payment extends Money {
  transaction_id: string;
  method?: string;
  latency_ms?: number;
  reason?: string;
}

/** Parameters by event name. Names outside this table pass when the site allows them. */
export interface EventMap {
  page_view: Record<string, unknown>;
  search: { search_term: string; results?: number };
  view_item_list: List;
  select_item: List;
  view_item: Money & Items;
  add_to_cart: Money & Items;
  remove_from_cart: Money & Items;
  view_cart: Money & Items;
  add_to_wishlist: Money & Items;
  begin_checkout: Checkout;
  add_shipping_info: Checkout & { shipping_tier?: string };
  add_payment_info: Checkout & { payment_type?: string };
  purchase: Order;
  refund: Partial<Order> & { transaction_id: string };
  order_created: Order;
  order_cancelled: { transaction_id: string; reason?: string };
  payment_success: Payment;
  payment_failed: Payment;
  stock_update: { item_id: string; stock: number };
  view_promotion: Promotion;
  select_promotion: Promotion;
  login: { method?: string };
  sign_up: { method?: string };
  share: { method?: string; content_type?: string; item_id?: string };
  select_content: { content_type?: string; content_id?: string };
  experiment_view: { experiment_id: string; variant_id: string };
  web_vital: { metric: string; value: number };
  engagement: { duration_ms?: number; scroll?: number };
}

/** A name of one's own: any but those of the vocabulary, whose parameters are checked. */
type OwnName<Name extends string> = Name extends keyof EventMap ? never : Name;

/** Records an event. */
export interface Track {
  <Name extends keyof EventMap>(name: Name, params: EventMap[Name]): void;
  <Name extends string>(name: OwnName<Name>, params?: Record<string, unknown>): void;
}

/** Carts, orders, payments and who somebody is: worth a request of their own. */
const URGENT = /^(add|remove|begin|purchase|refund|order|payment|identify|log|sign)/;

/** Whether an event is sent at once rather than with the next batch. */
export const isUrgent = (name: string): boolean => URGENT.test(name);
