// Settings: the snippet to paste, whether it works, and for administrators the site, its keys and
// its public links.

import { useState } from "preact/hooks";
import { call, Refused } from "../api.ts";
import { useAsked } from "../asked.ts";
import { session } from "../session.ts";
import { t } from "../store.ts";
import { Answer, Panel } from "../ui/states.tsx";
import { Doctor } from "./doctor.tsx";
import { KeysPanel, LinksPanel } from "./keys-panels.tsx";
import { RulesPanel } from "./rules-panel.tsx";

const snippetOf = (edge: string, site: string, key: string): string =>
  `<script>window.edgetally ||= function () {
  (edgetally.q = edgetally.q || []).push(arguments) };</script>
<script defer src="${edge}/e.full.js" data-site="${site}"
  data-key="${key}" data-endpoint="${edge}"></script>`;

/** The snippet; the worker's address is only known to who deployed it. */
function Snippet() {
  const { site } = session.value;
  const [edge, setEdge] = useState("https://collect.example");
  const [key, setKey] = useState("wk_...");
  const [said, setSaid] = useState("");
  const text = snippetOf(edge.replace(/\/+$/, ""), site, key);
  const copy = () => {
    navigator.clipboard.writeText(text).then(
      () => setSaid(t("copied")),
      () => setSaid(t("copyByHand")),
    );
  };
  return (
    <Panel title={t("snippet")} note={t("snippetNote")} name="snippet">
      <div class="fields">
        <label>
          {t("workerAddress")}
          <input value={edge} onInput={(event) => setEdge(event.currentTarget.value)} />
        </label>
        <label>
          {t("writeKey")}
          <input value={key} onInput={(event) => setKey(event.currentTarget.value)} />
        </label>
      </div>
      <pre tabIndex={0} data-testid="snippet-text">
        {text}
      </pre>
      <p>
        <button type="button" onClick={copy}>
          {t("copy")}
        </button>{" "}
        <span role="status">{said}</span>
      </p>
    </Panel>
  );
}

interface SiteAnswer {
  site: string;
  version: number;
  settings: Record<string, unknown>;
}

function Editor({ of, onSaved }: { of: SiteAnswer; onSaved: () => void }) {
  const [text, setText] = useState(JSON.stringify(of.settings, null, 2));
  const [said, setSaid] = useState("");
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    try {
      const settings: unknown = JSON.parse(text);
      const told = await call<SiteAnswer>("PUT", `/v1/sites/${of.site}`, settings);
      setSaid(t("saved", { version: told.version }));
      onSaved();
    } catch (error) {
      setSaid(error instanceof Refused ? error.message : `JSON: ${String(error)}`);
    }
  };
  return (
    <form onSubmit={submit}>
      <textarea
        aria-label={t("siteSettings")}
        rows={18}
        spellcheck={false}
        value={text}
        data-testid="settings-text"
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <p>
        <button class="strong" data-testid="save-settings">
          {t("save")}
        </button>{" "}
        <span role="status" data-testid="settings-said">
          {said}
        </span>
      </p>
    </form>
  );
}

function SitePanel() {
  const { site } = session.value;
  const asked = useAsked(`settings ${site}`, (signal) =>
    call<SiteAnswer>("GET", `/v1/sites/${encodeURIComponent(site)}`, undefined, signal),
  );
  return (
    <Panel title={t("siteSettings")} note={t("siteSettingsNote")} name="site-settings">
      <Answer of={asked}>
        {(told) => <Editor key={told.version} of={told} onSaved={asked.again} />}
      </Answer>
    </Panel>
  );
}

/** What a site needs to be set up, and who may see it. */
export function SettingsPage() {
  const isAdmin = session.value.sites !== undefined;
  return (
    <>
      <Doctor />
      <Snippet />
      {isAdmin ? (
        <>
          <KeysPanel />
          <LinksPanel />
          <RulesPanel />
          <SitePanel />
        </>
      ) : (
        <p class="note">{t("settingsNeedAdmin")}</p>
      )}
    </>
  );
}
