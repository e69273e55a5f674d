//! What is in a cart, and how events tell of it: pure.

use rand::{Rng, RngExt};
use serde_json::{Value, json};

use super::shop::{CURRENCY, ORDINARY_TOTAL_MAX, PRODUCTS, Product, pick};

/// A line of a cart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// What is bought.
    pub product: Product,
    /// How many of it, at least 1.
    pub quantity: i64,
}

/// What the lines cost together, in đồng.
#[must_use]
pub fn total(lines: &[Line]) -> i64 {
    lines.iter().map(|line| line.product.price * line.quantity).sum()
}

/// An ordinary cart: one to four products, never above [`ORDINARY_TOTAL_MAX`].
pub fn ordinary_cart(rng: &mut impl Rng) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let wanted = rng.random_range(1..=4);
    for _ in 0..wanted {
        let product = pick(rng, &PRODUCTS);
        let quantity = if product.price < 2_000_000 { rng.random_range(1..=3) } else { 1 };
        let line = Line { product, quantity };
        let is_new = lines.iter().all(|known| known.product != product);
        if is_new && total(&lines) + total(&[line]) <= ORDINARY_TOTAL_MAX {
            lines.push(line);
        }
    }
    lines
}

/// A cart above [`ORDINARY_TOTAL_MAX`], the way a stolen card buys: several of the dearest goods.
pub fn high_value_cart(rng: &mut impl Rng) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    while total(&lines) <= ORDINARY_TOTAL_MAX {
        let product = pick(rng, &PRODUCTS);
        let is_new = lines.iter().all(|known| known.product != product);
        if is_new && product.price > 20_000_000 {
            lines.push(Line { product, quantity: rng.random_range(1..=3) });
        }
    }
    lines
}

/// The line as an entry of `items`.
#[must_use]
pub fn item_of(line: &Line) -> Value {
    json!({
        "item_id": line.product.sku,
        "item_name": line.product.name,
        "item_category": line.product.category,
        "price": line.product.price,
        "quantity": line.quantity,
    })
}

/// The lines as the parameters of an event about them.
#[must_use]
pub fn cart_params(lines: &[Line]) -> Value {
    let items: Vec<Value> = lines.iter().map(item_of).collect();
    json!({"value": total(lines), "currency": CURRENCY, "items": items})
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::ChaCha8Rng;

    use super::*;

    #[test]
    fn carts_are_ordinary_or_above_the_limit_as_asked() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        for _ in 0..2_000 {
            let cart = ordinary_cart(&mut rng);
            assert!(!cart.is_empty() && total(&cart) <= ORDINARY_TOTAL_MAX);
            assert!(total(&high_value_cart(&mut rng)) > ORDINARY_TOTAL_MAX);
        }
    }
}
