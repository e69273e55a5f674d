// Who reads, and of which site. A key stays in the tab and is forgotten when it closes; a login is
// a cookie that scripts never see.

import { signal } from "@preact/signals";

/** The reader. */
export interface Session {
  /** The site whose reports are shown. */
  site: string;
  /** Read key, admin key or the token of a public link; empty with a login. */
  key: string;
  /** Whether the cookie of a login stands for a key. */
  isLoggedIn: boolean;
  /** Names of all sites, for whoever may know them; then changes are allowed as well. */
  sites: string[] | undefined;
}

const NOBODY: Session = { site: "", key: "", isLoggedIn: false, sites: undefined };

/** The reader of this tab. */
export const session = signal<Session>(NOBODY);

/** Why the reader was asked to come in again; empty where there is nothing to say. */
export const refusal = signal("");

/** Whether nobody has come in. */
export const isClosed = (one: Session): boolean => !one.site || !(one.key || one.isLoggedIn);

const kept = (name: string): string => sessionStorage.getItem(`edgetally_${name}`) ?? "";

function keep(name: string, value: string): void {
  if (value) sessionStorage.setItem(`edgetally_${name}`, value);
  else sessionStorage.removeItem(`edgetally_${name}`);
}

/** Takes site and key that stand behind `#`, and leaves the address without the key. */
export function takeFragment(): void {
  const given = new URLSearchParams(location.hash.slice(1));
  if (!given.has("key") && !given.has("site")) return;
  for (const name of ["site", "key"]) keep(name, given.get(name) ?? kept(name));
  // The key must not stay where a screenshot or the history shows it.
  history.replaceState(null, "", location.pathname + location.search);
}

interface Sites {
  results: { site: string }[];
}

/** The sites that a login or an admin key opens; nothing for everybody else. */
async function sitesOf(key: string): Promise<string[] | undefined> {
  // Readers' keys and public links say by their names that they open no list of sites.
  if (/^(rk|pl)_/.test(key)) return undefined;
  const headers: HeadersInit = key ? { authorization: `Bearer ${key}` } : {};
  const answer = await fetch("/v1/sites?limit=1000", { headers }).catch(() => undefined);
  if (!answer?.ok) return undefined;
  const { results } = (await answer.json()) as Sites;
  return results.map(({ site }) => site);
}

/** Comes in with what the tab knows; `asked` is the site of the address. */
export async function comeIn(asked: string): Promise<void> {
  const key = kept("key");
  const sites = await sitesOf(key);
  const site = asked || kept("site") || sites?.[0] || "";
  if (site) keep("site", site);
  session.value = { site, key, isLoggedIn: !key && sites !== undefined, sites };
}

/** Another site of the same reader. */
export function changeSite(site: string): void {
  keep("site", site);
  session.value = { ...session.value, site };
}

/** Comes in by a key. */
export async function useKey(site: string, key: string): Promise<void> {
  keep("key", key);
  refusal.value = "";
  await comeIn(site);
}

/** Forgets key and login; `why` is told to the reader. */
export function leave(why: string): void {
  const { site, isLoggedIn } = session.value;
  if (isLoggedIn && !why) void fetch("/v1/logout", { method: "POST" }).catch(() => undefined);
  keep("key", "");
  refusal.value = why;
  session.value = { ...NOBODY, site };
}
