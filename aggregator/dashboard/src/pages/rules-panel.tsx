// Rules of alerts: what there is, a new one, and a message to try whether anybody hears.

import { useState } from "preact/hooks";
import { call, list } from "../api.ts";
import { useAsked } from "../asked.ts";
import { session } from "../session.ts";
import { t } from "../store.ts";
import { Answer, Panel } from "../ui/states.tsx";
import { DataTable } from "../ui/table.tsx";
import { Once, Remove, useChange } from "./keys-panels.tsx";

const CONDITIONS = ["above", "below", "change_above", "change_below", "no_data"] as const;
type Condition = (typeof CONDITIONS)[number];

interface Rule extends Partial<Record<Condition, unknown>> {
  name: string;
  metric: string;
  window?: string;
  for?: string;
  to?: string[];
  severity?: string;
  is_firing: boolean;
}

const pathOf = (name: string): string =>
  `/v1/alerts/rules/${encodeURIComponent(name)}?site=${encodeURIComponent(session.value.site)}`;

const conditionOf = (rule: Rule): string => {
  const name = CONDITIONS.find((one) => rule[one] !== undefined && rule[one] !== null);
  if (!name) return "";
  return name === "no_data" ? t("when_no_data") : `${t(`when_${name}`)} ${String(rule[name])}`;
};

/** What a form says. */
const written = (form: HTMLFormElement) => {
  const said = new FormData(form);
  const text = (name: string) => ((said.get(name) as string | null) ?? "").trim();
  const when = text("when") as Condition;
  const to = text("to").split(/[\s,]+/);
  const rule = {
    metric: text("metric"),
    [when]: when === "no_data" ? true : text("limit"),
    window: text("window"),
    for: text("for"),
    severity: text("severity"),
    to: to.filter(Boolean),
  };
  return { name: text("name"), rule };
};

const FIELDS = [
  ["metric", "payment_success_rate"],
  ["limit", "95"],
  ["window", "60s"],
  ["for", "60s"],
  ["severity", "critical"],
  ["to", ""],
] as const;

function NewRule({ onPut }: { onPut: (name: string, rule: unknown) => void }) {
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const { name, rule } = written(event.currentTarget as HTMLFormElement);
    onPut(name, rule);
  };
  return (
    <form onSubmit={submit} data-testid="new-rule">
      <div class="fields">
        <label>
          {t("rule_name")}
          <input name="name" required maxLength={100} />
        </label>
        <label>
          {t("rule_when")}
          <select name="when">
            {CONDITIONS.map((name) => (
              <option key={name} value={name}>
                {t(`when_${name}`)}
              </option>
            ))}
          </select>
        </label>
        {FIELDS.map(([name, usual]) => (
          <label key={name}>
            {t(`rule_${name}`)}
            <input name={name} defaultValue={usual} />
          </label>
        ))}
      </div>
      <button class="strong" data-testid="put-rule">
        {t("save")}
      </button>
    </form>
  );
}

/** Rules of the site. */
export function RulesPanel() {
  const { site } = session.value;
  const asked = useAsked(`rules ${site}`, (signal) =>
    list<{ results: Rule[] }>("/v1/alerts/rules", {}, signal),
  );
  const [round, setRound] = useState(0);
  const { said, run } = useChange(asked.again);
  const put = (name: string, rule: unknown) =>
    run(async () => {
      await call("PUT", pathOf(name), rule);
      setRound(round + 1);
      return t("ruleSaved", { name });
    });
  const remove = (name: string) =>
    run(async () => {
      await call("DELETE", pathOf(name));
      return t("removed");
    });
  const test = () =>
    run(async () => {
      const sent = await call<{ deliveries: string[] }>("POST", "/v1/alerts/test", { site });
      return t("testSent", { count: sent.deliveries.length });
    });
  const tools = (
    <button type="button" onClick={test} data-testid="test-alerts">
      {t("testAlerts")}
    </button>
  );
  const columns = [
    { name: t("rule_name") },
    { name: t("rule_when") },
    { name: t("rule_for") },
    { name: t("rule_to") },
    { name: t("actions"), end: true },
  ];
  return (
    <Panel title={t("alertRules")} note={t("alertRulesNote")} name="rules" tools={tools}>
      <Once text={said} />
      <Answer of={asked}>
        {({ results }) => (
          <DataTable
            label={t("alertRules")}
            empty={t("noRules")}
            columns={columns}
            rows={results.map((rule) => ({
              key: rule.name,
              data: { "data-rule": rule.name },
              cells: [
                `${rule.name}${rule.is_firing ? ` · ${t("alertOn")}` : ""}`,
                `${rule.metric} ${conditionOf(rule)}`,
                rule.for ?? "0s",
                (rule.to ?? []).join(", "),
                <Remove label={t("remove")} onRemove={() => remove(rule.name)} />,
              ],
            }))}
          />
        )}
      </Answer>
      <NewRule key={round} onPut={put} />
    </Panel>
  );
}
