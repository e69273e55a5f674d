// Where a reader comes in: by a key of the site, or by the password of the aggregator.

import { useEffect, useRef, useState } from "preact/hooks";
import { call, Refused } from "./api.ts";
import { comeIn, refusal, session, useKey } from "./session.ts";
import { language, t } from "./store.ts";
import { fieldOf } from "./ui/form.ts";
import icon from "./icon.svg";

async function enter(form: HTMLFormElement): Promise<string> {
  const [site, key] = ["site", "key"].map((name) => fieldOf(form, name).trim());
  const password = fieldOf(form, "password");
  if (!key && !password) return t("keyOrPassword");
  refusal.value = "";
  if (key) {
    if (!site) return t("whichSite");
    await useKey(site, key);
    return "";
  }
  try {
    await call("POST", "/v1/login", { password });
  } catch (error) {
    return error instanceof Refused ? error.message : String(error);
  }
  await comeIn(site ?? "");
  if (!session.value.site) return t("noSites");
  return "";
}

/** The form, and why the last attempt failed. */
export function Door() {
  const [trouble, setTrouble] = useState("");
  const form = useRef<HTMLFormElement>(null);
  const { site } = session.value;
  useEffect(() => {
    const fields = form.current?.elements;
    (fields?.namedItem(site ? "key" : "site") as HTMLInputElement | null)?.focus();
  }, []);
  const submit = async (event: Event) => {
    event.preventDefault();
    setTrouble("");
    if (form.current) setTrouble(await enter(form.current));
  };
  return (
    <main class="door">
      <form id="key-form" ref={form} onSubmit={submit}>
        <h1>
          <img src={icon} alt="" width="32" height="32" /> Edgetally
        </h1>
        <p id="key-error" role="alert">
          {trouble || refusal.value}
        </p>
        <label>
          {t("site")}
          <input name="site" defaultValue={site} autocomplete="off" spellcheck={false} />
        </label>
        <label>
          {t("readKey")}
          <input name="key" type="password" autocomplete="off" />
        </label>
        <p class="or">{t("or")}</p>
        <label>
          {t("password")}
          <input name="password" type="password" autocomplete="current-password" />
        </label>
        <button class="strong">{t("open")}</button>
        <p class="note">{t("keyHint")}</p>
        <button
          type="button"
          class="quiet"
          onClick={() => (language.value = language.value === "en" ? "vi" : "en")}
        >
          {language.value === "en" ? "Tiếng Việt" : "English"}
        </button>
      </form>
    </main>
  );
}
