// What stands where there is no answer yet, none to come, or nothing in it.

import type { ComponentChildren } from "preact";
import type { Asked } from "../asked.ts";
import { t } from "../store.ts";

/** What was asked, once it is there; until then that it is asked for, or why it is refused. */
export function Answer<T>({
  of,
  children,
}: {
  of: Asked<T>;
  children: (value: T) => ComponentChildren;
}) {
  if (of.error) {
    return (
      <div class="trouble" role="alert">
        <p>{of.error.message}</p>
        <button type="button" onClick={of.again}>
          {t("tryAgain")}
        </button>
      </div>
    );
  }
  if (of.value === undefined) {
    return (
      <p class="waiting" role="status">
        {t("loading")}
      </p>
    );
  }
  return <div class={of.isStale ? "stale" : "fresh"}>{children(of.value)}</div>;
}

/** A part of a page with a heading. */
export function Panel({
  title,
  note,
  tools,
  children,
  name,
}: {
  title: string;
  note?: ComponentChildren;
  tools?: ComponentChildren;
  children: ComponentChildren;
  /** Names it for tests and styles. */
  name?: string;
}) {
  return (
    <section class="panel" data-testid={name}>
      <div class="head">
        <h2>{title}</h2>
        {note && <p class="note">{note}</p>}
        {tools}
      </div>
      {children}
    </section>
  );
}
