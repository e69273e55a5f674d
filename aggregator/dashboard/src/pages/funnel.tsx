// The funnel: how many get from step to step, with steps of one's own in the address.

import { call } from "../api.ts";
import { useAsked } from "../asked.ts";
import { count, show } from "../figures.ts";
import { everyMs } from "../period.ts";
import { askFilters } from "../place.ts";
import { session } from "../session.ts";
import { go, locale, place, range, t } from "../store.ts";
import { FilterLink } from "../ui/filters.tsx";
import { fieldOf } from "../ui/form.ts";
import { Answer, Panel } from "../ui/states.tsx";
import { DataTable } from "../ui/table.tsx";

const DEFAULT_STEPS = ["view_item", "add_to_cart", "begin_checkout", "purchase"];
const STEPS_MAX = 20;

/** How far people got. */
export interface Step {
  event: string;
  count: number;
  conversion_from_previous: number | null;
  conversion_from_first: number | null;
}

interface Funnel {
  steps: Step[];
  results?: { dimensions: string[]; steps: Step[] }[];
}

/** Steps as words of the address: `page_view:/sale,purchase`. */
export function readSteps(text: string | undefined): { event: string; page?: string }[] {
  const words = (text ?? "").split(",").filter(Boolean).slice(0, STEPS_MAX);
  return (words.length ? words : DEFAULT_STEPS).map((word) => {
    const [event = "", ...page] = word.split(":");
    return page.length ? { event, page: page.join(":") } : { event };
  });
}

function Form() {
  const { more } = place.value;
  const steps = more.steps || DEFAULT_STEPS.join(",");
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const text = (name: string) => fieldOf(event.currentTarget, name);
    const own = text("steps")
      .replace(/\s*[,→]\s*/g, ",")
      .trim();
    go({
      more: {
        steps: own === DEFAULT_STEPS.join(",") ? "" : own,
        order: text("order") === "strict" ? "strict" : "",
        scope: text("scope") === "person" ? "person" : "",
      },
    });
  };
  return (
    <form class="steps-form" onSubmit={submit}>
      <label class="grow">
        {t("steps")}
        <input name="steps" defaultValue={steps} key={steps} spellcheck={false} />
      </label>
      <label>
        {t("stepOrder")}
        <select name="order" defaultValue={more.order ?? ""}>
          <option value="">{t("sequential")}</option>
          <option value="strict">{t("strict")}</option>
        </select>
      </label>
      <label>
        {t("countedBy")}
        <select name="scope" defaultValue={more.scope ?? ""}>
          <option value="">{t("bySession")}</option>
          <option value="person">{t("byPerson")}</option>
        </select>
      </label>
      <button class="strong">{t("show")}</button>
    </form>
  );
}

const percent = (value: number | null) => show(value, "percent", locale.value);

function Steps({ steps }: { steps: Step[] }) {
  const first = Math.max(1, steps[0]?.count ?? 1);
  return (
    <ol class="funnel" data-testid="funnel-steps">
      {steps.map((step, index) => {
        const width = `${Math.max(0.5, (step.count / first) * 100)}%`;
        return (
          <li key={index} data-step={step.event}>
            <p class="head">
              <b>{step.event}</b>
              <span class="figure">{count(step.count, locale.value)}</span>
              <span class="note">
                {index
                  ? t("ofSteps", {
                      previous: percent(step.conversion_from_previous),
                      first: percent(step.conversion_from_first),
                    })
                  : t("firstStep")}
              </span>
            </p>
            <div class="track" aria-hidden="true">
              <div style={{ width }} />
            </div>
          </li>
        );
      })}
    </ol>
  );
}

/** The steps, and the same by channel. */
export function FunnelPage() {
  const { more, filters } = place.value;
  const body = {
    site_id: session.value.site,
    date_range: range.value,
    steps: readSteps(more.steps),
    order: more.order === "strict" ? "strict" : "sequential",
    scope: more.scope === "person" ? "person" : "session",
    dimensions: ["visit:channel"],
    filters: askFilters(filters),
  };
  const ask = (signal: AbortSignal) => call<Funnel>("POST", "/v1/funnel", body, signal);
  const asked = useAsked(JSON.stringify(body), ask, everyMs(place.value.period));
  return (
    <>
      <Panel title={t("funnel")} note={t("funnelNote")} name="funnel">
        <Form />
        <Answer of={asked}>{({ steps }) => <Steps steps={steps} />}</Answer>
      </Panel>
      <Panel title={t("funnelByChannel")} name="funnel-channels">
        <Answer of={asked}>
          {({ steps, results = [] }) => (
            <DataTable
              label={t("funnelByChannel")}
              columns={[
                { name: t("channel") },
                ...steps.map((step) => ({ name: step.event, end: true })),
                { name: t("conversion"), end: true },
              ]}
              rows={results.map(({ dimensions: [channel = ""], steps }) => ({
                key: channel,
                cells: [
                  <FilterLink dimension="visit:channel" value={channel} />,
                  ...steps.map((step) => count(step.count, locale.value)),
                  percent(steps.at(-1)?.conversion_from_first ?? null),
                ],
              }))}
            />
          )}
        </Answer>
      </Panel>
    </>
  );
}
