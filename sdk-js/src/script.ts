/** The script tag: reads its `data-*` attributes, installs `edgetally()`, replays earlier calls. */

import { consent, flush, identify, init, optOut, page, reset, track } from "./index";
import type { ConsentChoice, Options } from "./index";

type Call = [name: string, ...args: unknown[]];
type Global = ((...call: Call) => unknown) & { q?: Call[]; track?: unknown };

const scope = window as { edgetally?: Global };
const tag = document.currentScript as HTMLScriptElement | null;
const methods = { consent, flush, identify, init, optOut, page, reset, track };
const run = (...[name, ...args]: Call): unknown =>
  (methods as Record<string, ((...args: unknown[]) => unknown) | undefined>)[name]?.(...args);

// A second copy of the script would count everything twice.
if (tag && !scope.edgetally?.track) {
  const earlier = scope.edgetally?.q || [];
  scope.edgetally = Object.assign(run, methods);
  const given = { endpoint: new URL(tag.src).origin, ...tag.dataset } as Options;
  // What the visitor allows decides what may be kept, so it is known before anything starts.
  for (const [name, choice] of earlier) {
    if (name == "consent") given.consent = choice as ConsentChoice;
  }
  init(given);
  for (const call of earlier) run(...call);
}
