// Vue: a plugin starts it; page views follow the router by themselves.

import { init, track, type Item, type Options } from "edgetally";
import { defineComponent, h, onMounted, type App, type PropType } from "vue";

/** `app.use(edgetally, { site, key, endpoint })`. */
export const edgetally = {
  install: (app: App, options: Options): void => {
    init(options);
    app.config.globalProperties["$track"] = track;
  },
};

/** A product: seen when it shows, put into the cart by its button. */
export const Product = defineComponent({
  props: { item: { type: Object as PropType<Item & { price: number }>, required: true } },
  setup: ({ item }) => {
    const cart = { value: item.price, currency: "VND", items: [item] };
    onMounted(() => track("view_item", cart));
    return () => h("button", { onClick: () => track("add_to_cart", cart) }, item.item_name);
  },
});
