//! The shop that the simulator plays: what it sells, where its customers live, how they come.

use rand::Rng;
use rand::RngExt;

/// Origin of the simulated shop's pages.
pub const ORIGIN: &str = "https://shop.example";
/// Currency of every price below, in whole đồng.
pub const CURRENCY: &str = "VND";
/// An ordinary cart stays at or below this, so that only the orders meant to be are suspicious.
pub const ORDINARY_TOTAL_MAX: i64 = 50_000_000;
/// Orders of one user within a minute that are still ordinary.
pub const ORDINARY_ORDERS_PER_MINUTE: u64 = 10;

/// Something for sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Product {
    /// Stock keeping unit, the `item_id` of events.
    pub sku: &'static str,
    /// Name on the page.
    pub name: &'static str,
    /// Category, also the last part of its list's address.
    pub category: &'static str,
    /// Price in đồng.
    pub price: i64,
}

const fn product(
    sku: &'static str,
    category: &'static str,
    price: i64,
    name: &'static str,
) -> Product {
    Product { sku, name, category, price }
}

/// The catalogue: everyday goods, and some above 20,000,000 đồng.
pub const PRODUCTS: [Product; 30] = [
    product("sku-1001", "laptop", 25_990_000, "Laptop văn phòng 14 inch"),
    product("sku-1002", "laptop", 42_490_000, "Laptop đồ họa 16 inch"),
    product("sku-1003", "laptop", 13_490_000, "Laptop học sinh 15 inch"),
    product("sku-1004", "phone", 33_990_000, "Điện thoại màn hình gập"),
    product("sku-1005", "phone", 21_490_000, "Điện thoại cao cấp 256 GB"),
    product("sku-1006", "phone", 6_290_000, "Điện thoại phổ thông 128 GB"),
    product("sku-1007", "tv", 28_900_000, "Tivi OLED 65 inch"),
    product("sku-1008", "tv", 8_990_000, "Tivi 43 inch 4K"),
    product("sku-1009", "camera", 47_500_000, "Máy ảnh không gương lật"),
    product("sku-1010", "camera", 11_200_000, "Camera hành trình 4K"),
    product("sku-1011", "appliance", 22_700_000, "Tủ lạnh bốn cánh 500 lít"),
    product("sku-1012", "appliance", 9_490_000, "Máy giặt cửa trước 9 kg"),
    product("sku-1013", "appliance", 1_290_000, "Nồi cơm điện 1,8 lít"),
    product("sku-1014", "appliance", 890_000, "Ấm siêu tốc 1,7 lít"),
    product("sku-1015", "fashion", 349_000, "Áo sơ mi linen"),
    product("sku-1016", "fashion", 429_000, "Quần jean ống đứng"),
    product("sku-1017", "fashion", 1_150_000, "Áo dài lụa"),
    product("sku-1018", "shoes", 790_000, "Giày chạy bộ"),
    product("sku-1019", "shoes", 259_000, "Dép xốp"),
    product("sku-1020", "beauty", 185_000, "Kem chống nắng SPF 50"),
    product("sku-1021", "beauty", 320_000, "Nước tẩy trang 400 ml"),
    product("sku-1022", "grocery", 165_000, "Cà phê rang xay 500 g"),
    product("sku-1023", "grocery", 89_000, "Nước mắm 40 độ đạm"),
    product("sku-1024", "grocery", 215_000, "Hạt điều rang muối 500 g"),
    product("sku-1025", "books", 108_000, "Truyện Kiều bản khảo đính"),
    product("sku-1026", "books", 76_000, "Sổ tay nấu ăn ba miền"),
    product("sku-1027", "audio", 3_490_000, "Tai nghe chống ồn"),
    product("sku-1028", "audio", 1_990_000, "Loa di động chống nước"),
    product("sku-1029", "home", 4_650_000, "Ghế công thái học"),
    product("sku-1030", "home", 540_000, "Đèn bàn chống cận"),
];

/// Where customers live and have things sent, with weights after the size of the cities.
pub const CITIES: [(&str, u32); 12] = [
    ("Hồ Chí Minh", 30),
    ("Hà Nội", 26),
    ("Đà Nẵng", 8),
    ("Hải Phòng", 7),
    ("Cần Thơ", 6),
    ("Biên Hòa", 5),
    ("Nha Trang", 4),
    ("Huế", 4),
    ("Vũng Tàu", 3),
    ("Buôn Ma Thuột", 3),
    ("Đà Lạt", 2),
    ("Vinh", 2),
];

/// Words that customers search for.
pub const SEARCH_TERMS: [&str; 10] = [
    "laptop mỏng nhẹ",
    "điện thoại",
    "tai nghe",
    "áo sơ mi",
    "giày chạy bộ",
    "cà phê",
    "kem chống nắng",
    "tivi 65 inch",
    "nồi cơm",
    "quà tết",
];

/// One way into the shop: the tags on the landing address and the page before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Query of the landing page, without the question mark.
    pub query: &'static str,
    /// The page before, empty if there was none.
    pub referrer: &'static str,
    /// `utm_source`, `utm_medium`, `utm_campaign` for apps, which have no address.
    pub campaign: Option<[&'static str; 3]>,
}

const fn entry(
    query: &'static str,
    referrer: &'static str,
    campaign: Option<[&'static str; 3]>,
) -> Entry {
    Entry { query, referrer, campaign }
}

/// Ways into the shop, with weights.
pub const ENTRIES: [(Entry, u32); 9] = [
    (entry("", "", None), 30),
    (entry("", "https://www.google.com/", None), 20),
    (entry("", "https://coccoc.com/search", None), 5),
    (entry("", "https://www.facebook.com/", None), 8),
    (
        entry(
            "utm_source=google&utm_medium=cpc&utm_campaign=laptop_mua_he",
            "https://www.google.com/",
            Some(["google", "cpc", "laptop_mua_he"]),
        ),
        12,
    ),
    (
        entry(
            "utm_source=facebook&utm_medium=paid_social&utm_campaign=sale_11_11",
            "https://www.facebook.com/",
            Some(["facebook", "paid_social", "sale_11_11"]),
        ),
        10,
    ),
    (
        entry(
            "utm_source=tiktok&utm_medium=paid_social&utm_campaign=livestream_toi",
            "https://www.tiktok.com/",
            Some(["tiktok", "paid_social", "livestream_toi"]),
        ),
        7,
    ),
    (
        entry(
            "utm_source=accesstrade&utm_medium=affiliate&utm_campaign=hoan_tien",
            "https://blog.example.vn/",
            Some(["accesstrade", "affiliate", "hoan_tien"]),
        ),
        4,
    ),
    (
        entry(
            "utm_source=newsletter&utm_medium=email&utm_campaign=tuan_moi",
            "",
            Some(["newsletter", "email", "tuan_moi"]),
        ),
        4,
    ),
];

/// How an order is paid. `cod`, cash on delivery, has no payment event.
pub const PAYMENT_METHODS: [(&str, u32); 5] =
    [("momo", 26), ("vnpay", 18), ("card", 16), ("zalopay", 12), ("cod", 28)];

/// Why payments fail.
pub const PAYMENT_FAILURES: [&str; 3] = ["insufficient_funds", "issuer_timeout", "otp_expired"];

/// One of a list, all alike. The list must not be empty.
pub fn pick<T: Copy>(rng: &mut impl Rng, list: &[T]) -> T {
    list[rng.random_range(0..list.len())]
}

/// One of a list by weight. The list must not be empty.
pub fn pick_weighted<T: Copy, const N: usize>(rng: &mut impl Rng, list: &[(T, u32); N]) -> T {
    let total: u32 = list.iter().map(|(_, weight)| weight).sum();
    let mut left = rng.random_range(0..total.max(1));
    for (one, weight) in list {
        if left < *weight {
            return *one;
        }
        left -= weight;
    }
    list[0].0
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::ChaCha8Rng;

    use super::*;

    #[test]
    fn the_catalogue_has_distinct_skus_and_dear_goods() {
        let mut skus: Vec<&str> = PRODUCTS.iter().map(|product| product.sku).collect();
        skus.sort_unstable();
        skus.dedup();
        assert_eq!(skus.len(), PRODUCTS.len());
        let dear = PRODUCTS.iter().filter(|product| product.price > 20_000_000).count();
        assert!(dear >= 4, "{dear} products above 20,000,000");
        assert!(PRODUCTS.iter().all(|product| product.price <= ORDINARY_TOTAL_MAX));
    }

    #[test]
    fn weights_decide_how_often_something_is_picked() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let list = [("never", 0), ("often", 9), ("seldom", 1)];
        let drawn: Vec<&str> = (0..1_000).map(|_| pick_weighted(&mut rng, &list)).collect();
        let often = drawn.iter().filter(|one| **one == "often").count();
        assert!((850..950).contains(&often), "{often}");
        assert!(!drawn.contains(&"never"));
    }
}
