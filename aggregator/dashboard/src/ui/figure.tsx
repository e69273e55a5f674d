// Figures on a page: exact ones, estimates with their bounds, changes, tiles.

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Changed } from "../api.ts";
import { change, estimate, type Bounds, type Kind, type Value } from "../figures.ts";
import { formatMoney, isMoney, type Money } from "../money.ts";
import { hidesAmounts, locale, t } from "../store.ts";

const HIDDEN = "•••";

/** An exact amount; hidden where amounts are. */
export function Amount({ of }: { of: Money | null | undefined }) {
  if (!of) return <>–</>;
  return <>{hidesAmounts.value ? HIDDEN : formatMoney(of, locale.value)}</>;
}

/** A value of a report. */
export function Figure({ value, bounds, kind }: { value?: Value; bounds?: Bounds; kind: Kind }) {
  if (isMoney(value) && hidesAmounts.value) return <>{HIDDEN}</>;
  const { text, title } = estimate(value, bounds, kind, locale.value);
  if (!title) return <>{text}</>;
  // A title alone is for pointers; the same is there for who reads by ear or by key.
  return (
    <span class="estimate" title={title} tabIndex={0} aria-label={`${text}, ${title}`}>
      {text}
    </span>
  );
}

/** A change against an earlier stretch; `isGood` says which way is welcome. */
export function Delta({ of, kind, than }: { of: Changed | undefined; kind: Kind; than?: string }) {
  const told = change(of, kind, locale.value);
  if (!told) return null;
  return (
    <span class="delta" data-way={told.way}>
      {told.text}
      {than && <span class="than"> {than}</span>}
    </span>
  );
}

/** The figure of a tile: as large as its length lets it be. */
export function Large({ id, children }: { id?: string; children: ComponentChildren }) {
  const text = useRef<HTMLParagraphElement>(null);
  useEffect(() => {
    const at = text.current;
    at?.style.setProperty("--length", String(Math.max(4, at.textContent.length)));
  });
  return (
    <p class="value" id={id} ref={text}>
      {children}
    </p>
  );
}

/** One figure with its name and what stands below it. */
export function Tile({
  name,
  label,
  children,
  note,
  isWide,
  onClick,
  isChosen,
}: {
  name: string;
  label: string;
  children: ComponentChildren;
  note?: ComponentChildren;
  isWide?: boolean;
  onClick?: () => void;
  isChosen?: boolean;
}) {
  const head = onClick ? (
    <button type="button" class="choose" aria-pressed={isChosen ?? false} onClick={onClick}>
      {label}
    </button>
  ) : (
    label
  );
  return (
    <section class={isWide ? "tile wide" : "tile"} data-chosen={isChosen} data-testid={name}>
      <h2>{head}</h2>
      {children}
      <p class="note">{note}</p>
    </section>
  );
}

/** Yesterday, last week: what a change is against. */
export const than = (word: "yesterday" | "lastWeek"): string => t("than", { what: t(word) });
