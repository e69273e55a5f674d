//! The end of a visit that buys: the cart, the order, the payments.

use rand::RngExt;
use serde_json::{Value, json};

use super::cart::{self, Line, cart_params};
use super::event::OrderFact;
use super::journey::Plan;
use super::shop::{PAYMENT_FAILURES, PAYMENT_METHODS, PRODUCTS, pick, pick_weighted};

impl Plan<'_> {
    pub(super) fn buy(&mut self, is_high_value: bool) {
        let cart = if is_high_value {
            cart::high_value_cart(self.rng)
        } else {
            self.browse();
            cart::ordinary_cart(self.rng)
        };
        self.fill(&cart);
        if self.chance(60) {
            self.sign_in();
            if self.setting.is_app.len() > 1 {
                // The same user goes on with the same cart on another device.
                self.device = 1;
                self.signed_in = false;
                self.enter();
                self.sign_in();
            }
        }
        self.go("/cart".to_owned(), "Giỏ hàng");
        self.push("view_cart", cart_params(&cart));
        self.go("/checkout".to_owned(), "Thanh toán");
        self.push("begin_checkout", cart_params(&cart));
        let method = pick_weighted(self.rng, &PAYMENT_METHODS);
        let mut payment = cart_params(&cart);
        payment["payment_type"] = json!(method);
        self.push("add_payment_info", payment);
        self.pay(&cart, method);
    }

    /// The way from the button to the thank-you page, with the payments as the back end sees them.
    fn pay(&mut self, cart: &[Line], method: &'static str) {
        let (order, params) = self.order(cart);
        if method == "cod" {
            return self.thank(&order, params);
        }
        if self.chance(50) {
            self.push_server("order_created", params.clone(), &order);
        }
        if self.chance(12) {
            let reason = pick(self.rng, &PAYMENT_FAILURES);
            let failed = json!({"method": method, "reason": reason});
            self.push_server("payment_failed", failed, &order);
            if self.chance(30) {
                return;
            }
        }
        let latency_ms = 180 + self.rng.random_range(0..900) * self.rng.random_range(1..=4);
        let paid = json!({"method": method, "latency_ms": latency_ms});
        self.push_server("payment_success", paid, &order);
        // Some close the page once the bank has said yes: then only the back end tells of it.
        if !self.chance(3) {
            self.thank(&order, params);
        }
    }

    fn thank(&mut self, order: &OrderFact, params: Value) {
        self.go("/thank-you".to_owned(), "Cảm ơn bạn");
        self.push("purchase", params).order = Some(order.clone());
    }

    fn push_server(&mut self, name: &'static str, mut params: Value, order: &OrderFact) {
        params["transaction_id"] = json!(order.transaction_id);
        let step = self.push(name, params);
        step.from_server = true;
        step.order = Some(order.clone());
    }

    fn order(&mut self, cart: &[Line]) -> (OrderFact, Value) {
        let goods = cart::total(cart);
        let shipping = if goods < 1_000_000 { 30_000 } else { 0 };
        let order = OrderFact { transaction_id: self.ids.transaction(), value: goods + shipping };
        let mut params = cart_params(cart);
        params["transaction_id"] = json!(order.transaction_id);
        params["value"] = json!(order.value);
        params["shipping"] = json!(shipping);
        params["shipping_city"] = json!(self.setting.city);
        (order, params)
    }

    /// Paid on delivery, so that each order is one event and all of them fit into a minute even
    /// at one event a second.
    pub(super) fn order_in_a_rush(&mut self, orders: u64) {
        self.sign_in();
        for _ in 0..orders {
            let product = pick(self.rng, &PRODUCTS);
            let (order, params) = self.order(&[Line { product, quantity: 1 }]);
            self.push("purchase", params).order = Some(order);
        }
    }
}
