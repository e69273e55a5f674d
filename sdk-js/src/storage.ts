/** The browser's own storage, which may be forbidden, full or absent: then nothing is kept. */

/** Reads a value; empty when there is none. */
export const read = (name: string): string => {
  try {
    return localStorage.getItem(name) || "";
  } catch {
    return "";
  }
};

/** Keeps a value; an empty one is removed. */
export const write = (name: string, value: string): void => {
  try {
    if (value) localStorage.setItem(name, value);
    else localStorage.removeItem(name);
  } catch {
    // Private modes and full disks refuse; what cannot be kept lives as long as the page.
  }
};
