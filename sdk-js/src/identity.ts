/** Who sends: one random id per browser, and the user id the shop gives at login. */

import { options } from "./config";
import { isHeld, mayPersist } from "./consent";
import { read, write } from "./storage";

/** Set by the build; e.js keeps the cookie to one host. */
declare const FULL: boolean;

const COOKIE = "edgetally_id";
const USER = "edgetally_user";
/** The longest life browsers grant a cookie: 400 days, in seconds. */
const COOKIE_AGE_S = 34_560_000;

/** This browser's id: of this page only, unless it may be persisted. */
export let clientId = "";
/** The signed-in user, or empty. */
export let userId = "";

/** A random UUID; plain http pages, where browsers offer none, get time and chance instead. */
export const uuid = (): string => crypto.randomUUID?.() || Date.now() + "-" + Math.random();

/** Brings what is kept on this device in line with what the visitor allows. */
export const remember = (): void => {
  if (isHeld()) {
    clientId ||= uuid();
  } else if (mayPersist()) {
    clientId = document.cookie.match(COOKIE + "=([\\w.-]+)")?.[1] || clientId || uuid();
    userId ||= read(USER);
    write(USER, userId);
    keepCookie(COOKIE_AGE_S);
  } else {
    clientId = uuid();
    write(USER, "");
    keepCookie(0);
  }
};

/** Signs a user in, or out with an empty id. */
export const setUser = (id: string): void => {
  userId = id;
  if (mayPersist() && !isHeld()) write(USER, id);
};

const keepCookie = (ageS: number): void => {
  const domain = FULL && options.domain ? ";domain=" + options.domain : "";
  document.cookie = `${COOKIE}=${clientId};path=/;samesite=lax;max-age=${ageS}${domain}`;
};
