/** What the shop sells; prices in đồng. */

/** One product; `art` names its drawing, `hue` colours the tile behind it. */
const product = (id, art, hue, category, price, brand, vi, en, about) => ({
  id,
  art,
  hue,
  category,
  price,
  brand,
  name: { vi, en },
  about,
});

/** All products, in the order of the front page. */
export const PRODUCTS = [
  product("lap-14", "laptop", 215, "computers", 25_990_000, "Mây", "Laptop Mây 14 mỏng nhẹ",
    "Mây 14 slim laptop",
    { vi: "Vỏ nhôm 1,1 kg, màn hình 2.8K, pin 18 giờ.", en: "1.1 kg, 2.8K screen, 18 hours." }),
  product("phone-x", "phone", 265, "phones", 21_990_000, "Sóng", "Điện thoại Sóng X 256 GB",
    "Sóng X phone, 256 GB",
    { vi: "Ba ống kính, sạc đầy trong 30 phút.", en: "Three lenses, full in 30 minutes." }),
  product("buds-2", "headphones", 20, "audio", 2_190_000, "Sóng", "Tai nghe chống ồn Sóng Tĩnh",
    "Sóng Tĩnh noise-cancelling headphones",
    { vi: "Chống ồn chủ động, nghe 40 giờ.", en: "Active cancelling, 40 hours." }),
  product("watch-s", "watch", 160, "phones", 4_990_000, "Mây", "Đồng hồ thông minh Mây S",
    "Mây S smart watch",
    { vi: "Đo nhịp tim, bơi được, pin 7 ngày.", en: "Heart rate, swim-proof, 7 days." }),
  product("tv-55", "tv", 235, "home", 24_900_000, "Trăng", "Tivi Trăng OLED 55 inch",
    "Trăng 55-inch OLED TV",
    { vi: "OLED 120 Hz, loa 40 W.", en: "120 Hz OLED, 40 W sound." }),
  product("lap-g", "laptop", 345, "computers", 32_490_000, "Lửa", "Laptop gaming Lửa 16",
    "Lửa 16 gaming laptop",
    { vi: "Card rời 12 GB, màn hình 240 Hz.", en: "12 GB graphics, 240 Hz screen." }),
  product("coffee", "coffee", 30, "home", 7_850_000, "Phin", "Máy pha cà phê Phin Espresso",
    "Phin espresso machine",
    { vi: "15 bar, đánh sữa tự động.", en: "15 bar, automatic milk frother." }),
  product("keys-75", "keyboard", 190, "computers", 1_790_000, "Gõ", "Bàn phím cơ Gõ 75",
    "Gõ 75 mechanical keyboard",
    { vi: "Switch nâu, thay nóng, đèn nền.", en: "Brown switches, hot-swap, backlit." }),
  product("speaker", "speaker", 50, "audio", 1_450_000, "Sóng", "Loa di động Sóng Mini",
    "Sóng Mini portable speaker",
    { vi: "Chống nước, 24 giờ, ghép đôi.", en: "Waterproof, 24 hours, pairs up." }),
  product("cooker", "cooker", 95, "home", 1_690_000, "Tre", "Nồi cơm điện Tre 1,8 lít",
    "Tre 1.8-litre rice cooker",
    { vi: "Lòng nồi dày 3 mm, 12 chế độ.", en: "3 mm pot, 12 programmes." }),
  product("chair", "chair", 140, "office", 5_290_000, "Tre", "Ghế công thái học Tre Pro",
    "Tre Pro ergonomic chair",
    { vi: "Tựa lưng lưới, đỡ thắt lưng.", en: "Mesh back, lumbar support." }),
  product("lamp", "lamp", 42, "office", 690_000, "Trăng", "Đèn bàn Trăng Đọc",
    "Trăng reading lamp",
    { vi: "Ánh sáng ấm, không nhấp nháy.", en: "Warm light, no flicker." }),
];

/** Departments, in the order of the front page. */
export const CATEGORIES = ["computers", "phones", "audio", "home", "office"];

/** A product by its id, or nothing. */
export const productOf = (id) => PRODUCTS.find((one) => one.id === id);

/** Letters without their Vietnamese marks, so that "den ban" finds "đèn bàn". */
const plain = (text) =>
  text.toLowerCase().normalize("NFD").replace(/\p{M}/gu, "").replaceAll("đ", "d");

/** Products whose name, brand or description contains every word of the term. */
export function search(term) {
  const words = plain(term).split(/\s+/).filter(Boolean);
  return PRODUCTS.filter(({ name, brand, about }) => {
    const text = plain([name.vi, name.en, brand, about.vi, about.en].join(" "));
    return words.every((word) => text.includes(word));
  });
}
