// Products: looked at, put into the cart, bought, with their revenue; and what people search for.

import { t } from "../store.ts";
import { DimensionReport } from "../ui/report.tsx";
import { StockPanel } from "./stock.tsx";

/** From the look to the sale, by product, category and search. */
export function ProductsPage() {
  return (
    <>
      <DimensionReport
        title={t("products")}
        note={t("changeOfViews")}
        name="products"
        dimension="item:name"
        metrics={["item_views", "add_to_carts", "checkouts", "orders", "units", "revenue"]}
        withChange
      />
      <div class="pair">
        <DimensionReport
          title={t("categories")}
          name="categories"
          dimension="item:category"
          metrics={["revenue", "orders", "item_views"]}
        />
        <DimensionReport
          title={t("searchTerms")}
          name="search-terms"
          dimension="event:search_term"
          metrics={["searches"]}
          withChange
        />
      </div>
      <StockPanel />
    </>
  );
}
