// Keys and public links of the site: made, shown once, deleted.

import { useState } from "preact/hooks";
import { call, Refused } from "../api.ts";
import { useAsked } from "../asked.ts";
import { session } from "../session.ts";
import { locale, t } from "../store.ts";
import { Answer, Panel } from "../ui/states.tsx";
import { DataTable } from "../ui/table.tsx";
import { showInstant } from "../zone.ts";

interface Named {
  id: string;
  site: string;
}

interface Page<T> {
  results: T[];
}

/** Runs a change and tells how it ended. */
export function useChange(onDone: () => void) {
  const [said, setSaid] = useState("");
  const run = async (change: () => Promise<string>) => {
    try {
      setSaid(await change());
    } catch (error) {
      setSaid(error instanceof Refused ? error.message : String(error));
    }
    onDone();
  };
  return { said, run: (change: () => Promise<string>) => void run(change) };
}

/** A button that asks once more before it deletes. */
export function Remove({ onRemove, label }: { onRemove: () => void; label: string }) {
  const [isSure, setSure] = useState(false);
  return (
    <button
      type="button"
      class={isSure ? "alarm" : "quiet"}
      onClick={() => (isSure ? onRemove() : setSure(true))}
      onBlur={() => setSure(false)}
    >
      {isSure ? t("reallyRemove") : label}
    </button>
  );
}

/** What was just made; nobody is shown it again. */
export const Once = ({ text }: { text: string }) =>
  text ? (
    <p class="once" role="status" data-testid="made">
      {text}
    </p>
  ) : null;

const KINDS = ["write", "read", "server", "admin"] as const;

/** Keys of the site. */
export function KeysPanel() {
  const { site } = session.value;
  const asked = useAsked(`keys ${site}`, (signal) =>
    call<Page<Named & { kind: string }>>("GET", "/v1/keys?limit=1000", undefined, signal),
  );
  const { said, run } = useChange(asked.again);
  const make = (kind: string) =>
    run(async () => {
      const { key } = await call<{ key: string }>("POST", "/v1/keys", { site, kind });
      return `${t("shownOnce")} ${key}`;
    });
  const remove = (id: string) =>
    run(async () => {
      await call("DELETE", `/v1/keys/${encodeURIComponent(id)}`);
      return t("removed");
    });
  const tools = KINDS.map((kind) => (
    <button key={kind} type="button" data-testid={`make-${kind}`} onClick={() => make(kind)}>
      + {t(`kind_${kind}`)}
    </button>
  ));
  return (
    <Panel title={t("keysOfSite")} note={t("keysNote")} name="keys" tools={<>{tools}</>}>
      <Once text={said} />
      <Answer of={asked}>
        {({ results }) => (
          <DataTable
            label={t("keysOfSite")}
            columns={[{ name: t("kind") }, { name: "id" }, { name: t("actions"), end: true }]}
            rows={results
              .filter((key) => key.site === site)
              .map((key) => ({
                key: key.id,
                cells: [
                  key.kind,
                  <span class="id">{key.id}</span>,
                  <Remove label={t("remove")} onRemove={() => remove(key.id)} />,
                ],
              }))}
          />
        )}
      </Answer>
    </Panel>
  );
}

/** Public links of the site. */
export function LinksPanel() {
  const { site } = session.value;
  const asked = useAsked(`links ${site}`, (signal) =>
    call<Page<Named & { created_at: string }>>("GET", "/v1/links?limit=1000", undefined, signal),
  );
  const { said, run } = useChange(asked.again);
  const make = () =>
    run(async () => {
      const { url } = await call<{ url: string }>("POST", "/v1/links", { site });
      return `${t("shownOnce")} ${url}`;
    });
  const remove = (id: string) =>
    run(async () => {
      await call("DELETE", `/v1/links/${encodeURIComponent(id)}`);
      return t("revoked");
    });
  const tools = (
    <button type="button" onClick={make} data-testid="make-link">
      + {t("publicLink")}
    </button>
  );
  return (
    <Panel title={t("publicLinks")} note={t("linksNote")} name="links" tools={tools}>
      <Once text={said} />
      <Answer of={asked}>
        {({ results }) => (
          <DataTable
            label={t("publicLinks")}
            empty={t("noLinks")}
            columns={[{ name: "id" }, { name: t("madeAt") }, { name: t("actions"), end: true }]}
            rows={results
              .filter((link) => link.site === site)
              .map((link) => ({
                key: link.id,
                cells: [
                  <span class="id">{link.id}</span>,
                  showInstant(link.created_at, locale.value),
                  <Remove label={t("revoke")} onRemove={() => remove(link.id)} />,
                ],
              }))}
          />
        )}
      </Answer>
    </Panel>
  );
}
