/** e.debug.js: says in the console what became of each event, and why one was refused. */

import type { Answer } from "./debug";

interface Verdict {
  index: number;
  code: string;
  field?: string;
  message: string;
}
interface Body {
  accepted?: number;
  duplicates?: number;
  rejected?: Verdict[];
  warnings?: Verdict[];
  detail?: string;
  code?: string;
}

const SAYS = "edgetally:";

const name = (json: string | undefined): string => {
  const { name, id } = JSON.parse(json || "{}") as { name?: string; id?: string };
  return `${name} (${id})`;
};

const parse = (body: string): Body => {
  try {
    return JSON.parse(body) as Body;
  } catch {
    return {};
  }
};

const show = ([events, status, body]: Answer): void => {
  const { accepted, duplicates, rejected, warnings, detail, code } = parse(body);
  if (!status) return console.warn(SAYS, "the collector cannot be reached; it is tried again");
  if (!accepted && !rejected) {
    const then = status == 429 || status > 499 ? "it is tried again" : "the batch is given up";
    return console.warn(
      SAYS,
      `${events.length} events refused: ${status} ${code ?? ""}`,
      detail,
      then,
    );
  }
  console.info(SAYS, `${accepted} of ${events.length} events accepted, ${duplicates} known before`);
  const say = (what: string, { index, code, field, message }: Verdict): void =>
    console.warn(
      SAYS,
      `${name(events[index])} ${what}: ${code} at ${field ?? "the event"}:`,
      message,
    );
  for (const verdict of rejected ?? []) say("refused", verdict);
  for (const verdict of warnings ?? []) say("taken with a warning", verdict);
};

const scope = window as unknown as { edgetallyAnswers?: { push: (answer: Answer) => unknown } };
const earlier = (scope.edgetallyAnswers ?? []) as unknown as Answer[];
scope.edgetallyAnswers = { push: show };
earlier.forEach(show);
