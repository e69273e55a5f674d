/**
 * e.datalayer.js: a shop that has GA4 needs no other code, its commerce pushes are read as our
 * events. `data-datalayer` names the array unless it is `dataLayer`.
 */

/** `{event, ecommerce}` as for GTM, or the arguments of `gtag("event", name, params)`. */
interface Push {
  event?: string;
  ecommerce?: object | null;
  0?: unknown;
  1?: unknown;
  2?: { items?: unknown; transaction_id?: unknown };
}
type Edgetally = (verb: "track", name: string, params: object) => void;

const scope = window as unknown as Record<string, Push[]> & { edgetally?: Edgetally };
const tag = document.querySelector<HTMLElement>("script[data-datalayer]");
const given = tag?.dataset["datalayer"] ?? "";
const layer = (scope[/^(1|true|)$/.test(given) ? "dataLayer" : given] ||= []);

const track = (name: unknown, params: object): void =>
  scope.edgetally?.("track", String(name), params);

const take = (push?: Push): void => {
  if (!push) return;
  const { event, ecommerce, 0: verb, 1: name, 2: params } = push;
  if (event && ecommerce) track(event, ecommerce);
  if (verb == "event" && (params?.items || params?.transaction_id)) track(name, params);
};

layer.forEach(take);
const { push } = layer;
layer.push = (...pushes) => {
  pushes.forEach(take);
  return push.apply(layer, pushes);
};

export {};
