/** What the visitor allows: whether ids may be kept, and whether events may leave at all. */

import { read, write } from "./storage";

/** What a consent banner reports. */
export type ConsentChoice =
  | "granted"
  | "denied"
  | "pending"
  | { analytics: boolean; ads: boolean };

const OPT_OUT = "edgetally_off";

let choice: ConsentChoice | undefined;

/** Takes a new choice; `undefined` leaves the decision to the site's settings. */
export const choose = (given?: ConsentChoice): void => {
  choice = given;
};

/** A prerendered page has no visitor yet, and may never have one. */
export const isPrerendering = (): boolean =>
  !!(document as { prerendering?: boolean }).prerendering;

/** True while nothing may be sent: the visitor is being asked, or the page does not show yet. */
export const isHeld = (): boolean => choice == "pending" || isPrerendering();

/** The `consent` member of a batch, or nothing when the visitor was not asked. */
export const stated = (): { analytics: boolean; ads: boolean } | undefined => {
  if (!choice || typeof choice == "object") return choice;
  const granted = choice == "granted";
  return { analytics: granted, ads: granted };
};

/** Whether an id may be kept on this device; a Global Privacy Control signal always forbids it. */
export const mayPersist = (): boolean =>
  !(navigator as { globalPrivacyControl?: boolean }).globalPrivacyControl &&
  !hasOptedOut() &&
  stated()?.analytics !== false;

/** Whether this visitor asked never to be measured. */
export const hasOptedOut = (): boolean => !!read(OPT_OUT);

/** Remembers, or with `false` forgets, that this visitor must not be measured. */
export const setOptOut = (out: boolean): void => write(OPT_OUT, out ? "1" : "");
