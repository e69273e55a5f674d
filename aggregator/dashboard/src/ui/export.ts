// Files for people: tables of a page as CSV, whole lists by the API's own exports.

import { request } from "../api.ts";
import { isMoney } from "../money.ts";
import { session } from "../session.ts";

/** A text that a spreadsheet might take for a formula gets a sign in front, as the API does. */
function cell(value: unknown): string {
  const text = isMoney(value)
    ? value.map(({ amount, currency }) => `${amount} ${currency}`).join("; ")
    : String((value as string | number | null) ?? "");
  const isNumber = /^-?\d+(\.\d+)?$/.test(text);
  const safe = !isNumber && /^[=+\-@\t\r\n']/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Rows as CSV (RFC 4180). */
export const csvOf = (columns: string[], rows: unknown[][]): string =>
  [columns, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";

/** Gives the reader a file. */
export function save(name: string, contents: string | Blob): void {
  const blob = typeof contents === "string" ? new Blob([contents]) : contents;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** A whole list of the site by `GET /v1/export/...`; it comes as one file. */
export async function exportList(what: string, [from, to]: [string, string]): Promise<void> {
  const said = new URLSearchParams({ site: session.value.site, from, to, format: "csv" });
  const answer = await request(`/v1/export/${what}?${said}`);
  save(`${what}.csv`, await answer.blob());
}
