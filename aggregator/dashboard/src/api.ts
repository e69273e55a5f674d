// The aggregator's HTTP interface, as docs/http-api.md has it.

import { session } from "./session.ts";
import type { Bounds, Value } from "./figures.ts";
import type { DateRange } from "./period.ts";
import type { Filter } from "./place.ts";
import { askFilters } from "./place.ts";

/** An answer that says no. `status` 0 is no answer at all. */
export class Refused extends Error {
  readonly status: number;
  readonly code: string;

  constructor(message: string, status: number, code = "") {
    super(message);
    this.status = status;
    this.code = code;
  }

  /** Whether the same request may well be answered a little later. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

interface Problem {
  title?: string;
  detail?: string;
  code?: string;
  field?: string;
}

async function refusal(answer: Response): Promise<Refused> {
  const problem = (await answer.json().catch(() => ({}))) as Problem;
  const said = problem.detail ?? problem.title ?? `HTTP ${answer.status}`;
  const text = problem.field ? `${problem.field}: ${said}` : said;
  return new Refused(text, answer.status, problem.code);
}

/** A request with the reader's key, or with the cookie of a login; throws `Refused`. */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  const { key } = session.value;
  if (key) headers.set("authorization", `Bearer ${key}`);
  const sent = fetch(path, { ...init, headers }).catch((error: unknown) => {
    if (init.signal?.aborted) throw error;
    throw new Refused("no answer", 0);
  });
  const answer = await sent;
  if (!answer.ok) throw await refusal(answer);
  return answer;
}

/** A request with or without a JSON body, and its JSON answer. */
export async function call<T>(
  method: string,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<T> {
  const init: RequestInit = { method };
  if (signal) init.signal = signal;
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { "content-type": "application/json" };
  }
  const answer = await request(path, init);
  return (answer.status === 204 ? undefined : await answer.json()) as T;
}

/** A list route of the site, with parameters that are not empty. */
export function list<T>(
  path: string,
  parameters: Record<string, string | number | undefined | null>,
  signal?: AbortSignal,
): Promise<T> {
  const said = new URLSearchParams({ site: session.value.site });
  for (const [name, value] of Object.entries(parameters)) if (value) said.set(name, String(value));
  return call<T>("GET", `${path}?${said}`, undefined, signal);
}

/** A change of a metric: percent or points; of money one for each currency. */
export type Changed = number | null | { currency: string; change: number | null }[];

/** A row of a report. */
export interface Row {
  dimensions: string[];
  metrics: Value[];
  bounds?: Bounds[];
  comparison?: { dimensions: string[]; metrics: Value[]; change: Changed[] | null } | null;
}

/** A report. */
export interface Report {
  results: Row[];
  meta: { watermark: string | null; lagging: string[]; total_rows?: number };
  query: { date_range: [string, string] };
}

/** What is asked; `filters` are those of the address. */
export interface Ask {
  metrics: string[];
  date_range: DateRange;
  dimensions?: string[];
  filters?: Filter[];
  order_by?: [string, "asc" | "desc"][];
  limit?: number;
  offset?: number;
  compare?: string | [string, string] | undefined;
  measure?: string;
}

/** `POST /v1/query`, always with bounds. */
export function query(ask: Ask, signal?: AbortSignal): Promise<Report> {
  const { filters, limit, offset = 0, compare, ...rest } = ask;
  const include: Record<string, unknown> = { bounds: true };
  if (compare && compare !== "none") include.comparison = compare;
  if (limit) include.total_rows = true;
  const body = {
    site_id: session.value.site,
    ...rest,
    ...(filters?.length ? { filters: askFilters(filters) } : {}),
    ...(limit ? { pagination: { limit, offset } } : {}),
    include,
  };
  return call<Report>("POST", "/v1/query", body, signal);
}
