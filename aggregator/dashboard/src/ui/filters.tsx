// The bar above reports: period, comparison, and the conditions in force.

import { useState } from "preact/hooks";
import { COMPARISONS, type Comparison, type Filter } from "../place.ts";
import { endsOf, PRESETS, readPeriod, showPeriod } from "../period.ts";
import { facts, go, locale, place, t } from "../store.ts";
import { isDate } from "../zone.ts";
import { fieldOf } from "./form.ts";

/** What a dimension is called: `visit:channel` is known by the word `channel`. */
export const nameOf = (dimension: string): string => {
  if (dimension === "item:name") return t("product");
  if (dimension === "event:search_term") return t("searchTerm");
  const name = dimension.split(":").slice(1).join(":");
  return NAMES.has(name) ? t(name as Named) : name.replace(/_/g, " ");
};
const NAMED = [
  "channel",
  "source",
  "medium",
  "campaign",
  "term",
  "content",
  "category",
  "referrer",
  "country",
  "region",
  "city",
  "device",
  "browser",
  "os",
  "platform",
  "entry_page",
] as const;
type Named = (typeof NAMED)[number];
const NAMES = new Set<string>(NAMED);

function Period() {
  const { period } = place.value;
  const own = endsOf(period);
  const today = facts.value?.today ?? "";
  const [isOpen, setOpen] = useState(false);
  const choose = (text: string) => {
    if (text === "own") return setOpen(true);
    setOpen(false);
    go({ period: text, more: { ...place.value.more, after: "" } });
  };
  const dates = own && isDate(own[0]) ? own : [today, today];
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget;
    const ends = ["from", "to"].map((name) => fieldOf(form, name)).sort();
    choose(readPeriod(ends.join("..")));
  };
  return (
    <div class="period">
      <label>
        <span class="unseen">{t("period")}</span>
        <select
          data-testid="period"
          value={isOpen ? "own" : period}
          onChange={(event) => choose(event.currentTarget.value)}
        >
          {PRESETS.map((preset) => (
            <option key={preset} value={preset}>
              {t(`period_${preset}`)}
            </option>
          ))}
          {own && <option value={period}>{showPeriod(own, locale.value)}</option>}
          <option value="own">{t("ownPeriod")}</option>
        </select>
      </label>
      {isOpen && (
        <form class="dates" onSubmit={submit}>
          <input type="date" name="from" aria-label={t("from")} defaultValue={dates[0] ?? ""} />
          <input type="date" name="to" aria-label={t("to")} defaultValue={dates[1] ?? ""} />
          <button>{t("show")}</button>
        </form>
      )}
    </div>
  );
}

function Against() {
  const { compare, page } = place.value;
  if (page !== "overview") return null;
  return (
    <label>
      <span class="unseen">{t("comparison")}</span>
      <select
        data-testid="compare"
        value={compare}
        onChange={(event) => go({ compare: event.currentTarget.value as Comparison })}
      >
        {COMPARISONS.map((one) => (
          <option key={one} value={one}>
            {t(one)}
          </option>
        ))}
      </select>
    </label>
  );
}

/** Pages whose figures heed conditions. */
const FILTERED = ["overview", "acquisition", "products", "funnel"];

function Conditions() {
  const { filters, page } = place.value;
  if (!filters.length) return null;
  const without = (gone: Filter) => go({ filters: filters.filter((one) => one !== gone) });
  // What is asked for is shut out, and the other way round.
  const turned: Record<string, string> = {
    is: "is_not",
    is_not: "is",
    contains: "contains_not",
    contains_not: "contains",
  };
  const turn = (one: Filter) => {
    const operator = turned[one.operator] ?? "is";
    go({ filters: filters.map((other) => (other === one ? { ...one, operator } : other)) });
  };
  return (
    <ul class="conditions" aria-label={t("filters")}>
      {filters.map((filter) => (
        <li key={`${filter.dimension} ${filter.operator} ${filter.value}`}>
          {nameOf(filter.dimension)}
          <button type="button" class="quiet" title={t("turnFilter")} onClick={() => turn(filter)}>
            {t(filter.operator as "is")}
          </button>
          <b>{filter.value}</b>
          <button
            type="button"
            class="quiet"
            aria-label={t("removeFilter", { value: filter.value })}
            onClick={() => without(filter)}
          >
            ×
          </button>
        </li>
      ))}
      {!FILTERED.includes(page) && <li class="note">{t("filtersElsewhere")}</li>}
    </ul>
  );
}

/** Period, comparison and conditions of the page. */
export function Bar() {
  return (
    <div class="bar-above">
      <Conditions />
      <Against />
      <Period />
    </div>
  );
}

/** A value that becomes a condition when it is clicked. */
export function FilterLink({ dimension, value }: { dimension: string; value: string }) {
  const add = () => {
    const { filters } = place.value;
    const more = { operator: "is", dimension, value };
    const isThere = filters.some((one) => one.dimension === dimension && one.value === value);
    if (!isThere) go({ filters: [...filters, more] });
  };
  const shown = value === "(none)" ? t("none") : value;
  return (
    <button type="button" class="value" title={t("filterBy", { value: shown })} onClick={add}>
      {shown}
    </button>
  );
}
