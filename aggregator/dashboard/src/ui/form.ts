// Forms of pages.

/** What a field of a form says. */
export function fieldOf(form: EventTarget | null, name: string): string {
  const said = form instanceof HTMLFormElement ? new FormData(form).get(name) : "";
  return typeof said === "string" ? said : "";
}
