/** The id's cookie, which hosts of one domain can share. Not in e.js, which uses the storage. */

import { options } from "./config";

/** The longest life browsers grant a cookie: 400 days. */
const AGE_S = 34_560_000;

/** Reads a cookie; empty when there is none. */
export const readCookie = (name: string): string =>
  document.cookie.match(name + "=([\\w.-]+)")?.[1] || "";

/** Keeps a cookie, or removes it. */
export const keepCookie = (name: string, value: string, isKept: boolean): void => {
  if (!isKept && !readCookie(name)) return;
  const domain = options.domain ? ";domain=" + options.domain : "";
  document.cookie = `${name}=${value};path=/;samesite=lax;max-age=${isKept ? AGE_S : 0}${domain}`;
};
