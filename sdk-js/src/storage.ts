/** The browser's own storage, which may be forbidden, full or absent: then nothing is kept. */

/** Reads a value; empty when there is none. */
export const read = (name: string): string => {
  try {
    return (localStorage[name] as string) || "";
  } catch {
    return "";
  }
};

/** Keeps a value; an empty one, or none, is removed. */
export const write = (name: string, value: unknown): void => {
  try {
    if (value) localStorage[name] = value;
    else delete localStorage[name];
  } catch {
    // Private modes and full disks refuse; what cannot be kept lives as long as the page.
  }
};
