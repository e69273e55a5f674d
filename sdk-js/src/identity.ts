/** Who sends: one random id per browser, and the user id the shop gives at login. */

import { isHeld, mayPersist } from "./consent";
import { keepCookie, readCookie } from "./cookie";
import { arrived } from "./linker";
import { read, write } from "./storage";

const enum Key {
  Client = "edgetally_id",
  User = "edgetally_user",
}

/** This browser's id: of this page only, unless it may be persisted. */
export let clientId = "";
/** The signed-in user, or empty. */
export let userId = "";

/** A random UUID; plain http pages, where browsers offer none, get 52 random bits. */
export const uuid = (): string => crypto.randomUUID?.() || Math.random() + "";

/** Brings what is kept on this device in line with what the visitor allows. */
export const remember = (): void => {
  const mayRead = mayPersist();
  clientId =
    (mayRead && ((FULL ? arrived() || readCookie(Key.Client) : read(Key.Client)) || clientId)) ||
    uuid();
  userId ||= mayRead ? read(Key.User) : "";
  keep();
};

/** Signs a user in, or out with an empty id. */
export const setUser = (id: string): void => {
  userId = id;
  keep();
};

const keep = (): void => {
  if (isHeld()) return;
  const mayKeep = mayPersist();
  write(Key.User, mayKeep && userId);
  if (FULL) keepCookie(Key.Client, clientId, mayKeep);
  else write(Key.Client, mayKeep && clientId);
};
