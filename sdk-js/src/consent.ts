/** What the visitor allows: whether ids may be kept, and whether events may leave at all. */

import { isOff, isOn, options } from "./config";
import { read } from "./storage";

/** What a consent banner reports. */
export type ConsentChoice = "granted" | "denied" | "pending" | { analytics: boolean; ads: boolean };

/** What is kept on this device of his choice. */
export const enum Key {
  /** Set when the visitor must not be measured. */
  OptOut = "edgetally_off",
}

interface Browser {
  globalPrivacyControl?: boolean;
  prerendering?: boolean;
}

/** A prerendered page has no visitor yet, and may never have one. */
export const isPrerendering = (): unknown => (document as Browser).prerendering;

/** True while nothing may be sent: the visitor is being asked, or the page does not show yet. */
export const isHeld = (): unknown => options.consent == "pending" || isPrerendering();

/** The `consent` member of a batch, or nothing when the visitor was not asked. */
export const stated = (): { analytics: boolean; ads: boolean } | undefined => {
  const choice = options.consent;
  if (FULL && options.id == "none") return { analytics: false, ads: false };
  const granted = choice == "granted";
  return granted || choice == "denied"
    ? { analytics: granted, ads: granted }
    : (choice as { analytics: boolean; ads: boolean });
};

/** Whether an id may be kept on this device; a Global Privacy Control signal forbids it. */
export const mayPersist = (): boolean => {
  const isSignalled = (navigator as Browser).globalPrivacyControl;
  const isHeeded = FULL ? isSignalled && !isOff(options.gpc) : isSignalled;
  return !(isOut() || isHeeded || stated()?.analytics === false);
};

/** Whether this visitor must not be measured. */
export const isOut = (): unknown =>
  FULL ? read(Key.OptOut) || (isOn(options.dnt) && navigator.doNotTrack == "1") : read(Key.OptOut);
