//! One visit planned from its first page to its last: pure, drawn from the seeded generator.

use std::collections::VecDeque;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use serde_json::{Map, Value, json};

use super::cart::{self, Line, cart_params, item_of};
use super::event::{Ids, OrderFact};
use super::shop::{CURRENCY, PRODUCTS, Product, SEARCH_TERMS, pick};

/// What a visit comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One page and gone.
    Bounce,
    /// Looks around.
    Browse,
    /// Fills a cart and leaves it.
    Abandon,
    /// Buys an ordinary cart.
    Buy,
    /// Suspicious: one order above 50,000,000 đồng.
    HighValue,
    /// Suspicious: this many orders by one user in one go.
    Velocity {
        /// Orders, more than ten.
        orders: u64,
    },
}

/// One thing a visitor, or the shop's back end about him, is going to report.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Name of the event.
    pub name: &'static str,
    /// Path of the page.
    pub path: String,
    /// Title of the page.
    pub title: String,
    /// Parameters of the event.
    pub params: Map<String, Value>,
    /// The order it is about.
    pub order: Option<OrderFact>,
    /// Which of the visitor's devices.
    pub device: usize,
    /// Whether the visitor is signed in by then.
    pub signed_in: bool,
    /// Whether the back end reports it.
    pub from_server: bool,
}

/// What is known of a visitor before the visit.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// Whether each of the devices runs the app.
    pub is_app: &'a [bool],
    /// Where orders are shipped to.
    pub city: &'static str,
}

/// Plans a visit of this kind.
pub fn plan(
    kind: Kind,
    setting: Setting<'_>,
    rng: &mut ChaCha8Rng,
    ids: &mut Ids,
) -> VecDeque<Step> {
    let mut plan = Plan {
        setting,
        rng,
        ids,
        steps: VecDeque::new(),
        device: 0,
        signed_in: false,
        path: "/".to_owned(),
        title: "Trang chủ".to_owned(),
    };
    plan.enter();
    match kind {
        Kind::Bounce => {}
        Kind::Browse => plan.browse(),
        Kind::Abandon => plan.abandon(),
        Kind::Buy => plan.buy(false),
        Kind::HighValue => plan.buy(true),
        Kind::Velocity { orders } => plan.order_in_a_rush(orders),
    }
    plan.steps
}

/// A visit being planned; `checkout.rs` plans its end.
pub(super) struct Plan<'a> {
    pub(super) setting: Setting<'a>,
    pub(super) rng: &'a mut ChaCha8Rng,
    pub(super) ids: &'a mut Ids,
    pub(super) steps: VecDeque<Step>,
    pub(super) device: usize,
    pub(super) signed_in: bool,
    pub(super) path: String,
    pub(super) title: String,
}

impl Plan<'_> {
    pub(super) fn push(&mut self, name: &'static str, params: Value) -> &mut Step {
        self.steps.push_back(Step {
            name,
            path: self.path.clone(),
            title: self.title.clone(),
            params: match params {
                Value::Object(params) => params,
                _ => Map::new(),
            },
            order: None,
            device: self.device,
            signed_in: self.signed_in,
            from_server: false,
        });
        let last = self.steps.len() - 1;
        &mut self.steps[last]
    }

    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_ratio(percent, 100)
    }

    /// Goes to a page, which apps do without saying so.
    pub(super) fn go(&mut self, path: String, title: &str) {
        self.path = path;
        title.clone_into(&mut self.title);
        if !self.is_app() {
            self.push("page_view", json!({}));
        }
    }

    fn is_app(&self) -> bool {
        self.setting.is_app.get(self.device).copied().unwrap_or(false)
    }

    pub(super) fn enter(&mut self) {
        if self.is_app() {
            self.push("app_open", json!({}));
        }
        self.go("/".to_owned(), "Trang chủ");
    }

    fn view(&mut self, product: Product) {
        self.go(format!("/p/{}", product.sku), product.name);
        let item = Line { product, quantity: 1 };
        let params =
            json!({"value": product.price, "currency": CURRENCY, "items": [item_of(&item)]});
        self.push("view_item", params);
    }

    pub(super) fn browse(&mut self) {
        if self.chance(30) {
            let term = pick(self.rng, &SEARCH_TERMS);
            self.go("/search".to_owned(), "Tìm kiếm");
            self.push("search", json!({"search_term": term}));
        } else {
            let category = pick(self.rng, &PRODUCTS).category;
            self.go(format!("/c/{category}"), category);
            let items: Vec<Value> = PRODUCTS
                .iter()
                .filter(|product| product.category == category)
                .map(|product| item_of(&Line { product: *product, quantity: 1 }))
                .collect();
            self.push("view_item_list", json!({"item_list_name": category, "items": items}));
        }
        for _ in 0..self.rng.random_range(1..=3) {
            let product = pick(self.rng, &PRODUCTS);
            self.view(product);
        }
    }

    pub(super) fn fill(&mut self, cart: &[Line]) {
        for line in cart {
            self.view(line.product);
            self.push("add_to_cart", cart_params(std::slice::from_ref(line)));
        }
    }

    fn abandon(&mut self) {
        self.browse();
        let cart = cart::ordinary_cart(self.rng);
        self.fill(&cart);
        if self.chance(40) {
            self.go("/cart".to_owned(), "Giỏ hàng");
            self.push("view_cart", cart_params(&cart));
            if let (true, Some(line)) = (self.chance(50), cart.first()) {
                self.push("remove_from_cart", cart_params(std::slice::from_ref(line)));
            }
        }
        if self.chance(30) {
            self.push("begin_checkout", cart_params(&cart));
        }
    }

    pub(super) fn sign_in(&mut self) {
        self.signed_in = true;
        match self.rng.random_range(0..10) {
            0..=5 => self.push("login", json!({"method": "password"})),
            6..=8 => self.push("identify", json!({})),
            _ => self.push("sign_up", json!({"method": "email"})),
        };
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::simulate::shop::ORDINARY_TOTAL_MAX;

    fn planned(kind: Kind, seed: u64, is_app: &[bool]) -> Vec<Step> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let setting = Setting { is_app, city: "Huế" };
        plan(kind, setting, &mut rng, &mut Ids::new(seed, "test")).into()
    }

    fn names(steps: &[Step]) -> Vec<&'static str> {
        steps.iter().map(|step| step.name).collect()
    }

    #[test]
    fn a_visit_is_a_function_of_its_seed() {
        for seed in 0..50 {
            assert_eq!(planned(Kind::Buy, seed, &[false]), planned(Kind::Buy, seed, &[false]));
        }
        assert_ne!(planned(Kind::Buy, 1, &[false]), planned(Kind::Buy, 2, &[false]));
    }

    #[test]
    fn apps_open_and_browsers_view_pages() {
        assert_eq!(names(&planned(Kind::Bounce, 1, &[false])), ["page_view"]);
        assert_eq!(names(&planned(Kind::Bounce, 1, &[true])), ["app_open"]);
    }

    #[test]
    fn every_purchase_is_worth_its_items_and_shipping() {
        for seed in 0..300 {
            for step in planned(Kind::Buy, seed, &[false]) {
                if step.name != "purchase" && step.name != "order_created" {
                    continue;
                }
                let items = step.params["items"].as_array().expect("items");
                let goods: i64 = items
                    .iter()
                    .map(|item| {
                        item["price"].as_i64().unwrap() * item["quantity"].as_i64().unwrap()
                    })
                    .sum();
                let shipping = step.params["shipping"].as_i64().expect("shipping");
                let value = step.params["value"].as_i64().expect("value");
                assert_eq!(value, goods + shipping);
                assert!(value <= ORDINARY_TOTAL_MAX);
                let order = step.order.expect("an order");
                assert_eq!(order.value, value);
                assert_eq!(step.params["transaction_id"], json!(order.transaction_id));
                assert_eq!(step.params["shipping_city"], json!("Huế"));
            }
        }
    }

    #[test]
    fn suspicious_visits_break_the_two_rules() {
        for seed in 0..100 {
            let big = planned(Kind::HighValue, seed, &[false]);
            let orders = big.iter().filter_map(|step| step.order.as_ref());
            assert!(orders.clone().all(|order| order.value > ORDINARY_TOTAL_MAX));
            let rush = planned(Kind::Velocity { orders: 12 }, seed, &[false]);
            let bought = rush.iter().filter(|step| step.name == "purchase" && step.signed_in);
            assert_eq!(bought.count(), 12);
        }
    }

    #[test]
    fn who_changes_the_device_signs_in_again() {
        let journeys: Vec<Vec<Step>> =
            (0..100).map(|seed| planned(Kind::Buy, seed, &[false, true])).collect();
        let second: Vec<&Step> = journeys
            .iter()
            .filter_map(|steps| steps.iter().position(|step| step.device == 1).map(|at| &steps[at]))
            .collect();
        assert!(second.len() > 30);
        assert!(second.iter().all(|step| step.name == "app_open" && !step.signed_in));
    }
}
