// Keys of the keyboard: `g` and a letter goes to a page, `?` tells them all.

import { useEffect, useRef } from "preact/hooks";
import { signal } from "@preact/signals";
import { PAGES, type Page } from "./place.ts";
import { go, hidesAmounts, look, place, t } from "./store.ts";

const LETTERS: Record<Page, string> = {
  live: "l",
  overview: "o",
  acquisition: "a",
  products: "p",
  funnel: "f",
  orders: "r",
  people: "e",
  quality: "q",
  settings: "s",
};

/** Whether the list of keys is shown. */
export const showsKeys = signal(false);

/** Turns the wall mode of the live page on or off, with the whole screen where it is given. */
export function toggleWall(): void {
  const isOn = place.value.more.wall === "1";
  go({ page: "live", more: isOn ? {} : { wall: "1" } });
  if (isOn && document.fullscreenElement) void document.exitFullscreen().catch(() => undefined);
  if (!isOn) void document.documentElement.requestFullscreen?.().catch(() => undefined);
}

const ACTIONS: Record<string, () => void> = {
  "?": () => (showsKeys.value = !showsKeys.value),
  w: toggleWall,
  m: () => (hidesAmounts.value = !hidesAmounts.value),
  t: () => (look.value = look.value === "dark" ? "light" : "dark"),
};

/** How long after `g` the letter of a page may come. */
const SECOND_KEY_MS = 1_500;

/** Listens to the keys while nobody writes. */
export function useKeys(isOn: boolean): void {
  useEffect(() => {
    if (!isOn) return;
    let wentAt = -Infinity;
    const press = (event: KeyboardEvent) => {
      const at = event.target as HTMLElement;
      const isWriting = /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName);
      if (isWriting || event.metaKey || event.ctrlKey || event.altKey) return;
      if (event.key === "g") return void (wentAt = event.timeStamp);
      const isSecond = event.timeStamp - wentAt < SECOND_KEY_MS;
      wentAt = -Infinity;
      const page = isSecond && PAGES.find((one) => LETTERS[one] === event.key);
      if (page) return go({ page, more: {} });
      ACTIONS[event.key]?.();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [isOn]);
}

/** The list of keys, as a dialog. */
export function Keys() {
  const dialog = useRef<HTMLDialogElement>(null);
  const isShown = showsKeys.value;
  useEffect(() => {
    if (isShown) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isShown]);
  return (
    <dialog ref={dialog} onClose={() => (showsKeys.value = false)} aria-label={t("keys")}>
      <h2>{t("keys")}</h2>
      <dl class="keys">
        {PAGES.map((page) => (
          <div key={page}>
            <dt>
              <kbd>g</kbd> <kbd>{LETTERS[page]}</kbd>
            </dt>
            <dd>{t(page)}</dd>
          </div>
        ))}
        {(["w", "m", "t", "?"] as const).map((key) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{t(`key_${key === "?" ? "help" : key}`)}</dd>
          </div>
        ))}
      </dl>
      <button type="button" onClick={() => (showsKeys.value = false)}>
        {t("close")}
      </button>
    </dialog>
  );
}
