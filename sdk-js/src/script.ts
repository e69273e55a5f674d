/** The script tag: reads its `data-*` attributes, installs `edgetally()`, replays earlier calls. */

import { calls } from "./calls";
import { companion } from "./full";
import { drop } from "./queue";

type Call = [name: string, ...args: unknown[]];
type Calls = Record<string, (...args: unknown[]) => unknown>;

declare global {
  interface Window {
    edgetally?: ((...call: Call) => unknown) & { q?: Call[]; init?: unknown };
  }
}

const tag = document.currentScript as HTMLScriptElement;
const { edgetally } = window;

// A second copy of the script would count everything twice.
if (!edgetally?.init) {
  const earlier = edgetally?.q || [];
  // Nothing ever throws into the page: what failed is counted as dropped.
  const run = (name: string, ...args: unknown[]): unknown => {
    try {
      return (calls as unknown as Calls)[name]?.(...args);
    } catch {
      return drop(1);
    }
  };
  for (const name in calls) (run as unknown as Calls)[name] = run.bind(0, name);
  window.edgetally = run;
  const given: Record<string, unknown> = { endpoint: new URL(tag.src).origin, ...tag.dataset };
  // What the visitor allows decides what may be kept, so it is known before anything starts.
  for (const [name, choice] of earlier) if (name == "consent") given["consent"] = choice;
  if (FULL) companion(given, tag.src);
  run("init", given);
  for (const call of earlier) run(...call);
}
