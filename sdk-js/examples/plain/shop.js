// Calls before the script has come are replayed once it has.

const laptop = { item_id: "sku-1", item_name: "Laptop", price: 25_000_000, quantity: 1 };

document.querySelector("#add").addEventListener("click", () => {
  window.edgetally("track", "add_to_cart", {
    value: laptop.price,
    currency: "VND",
    items: [laptop],
  });
});
