/** What e.full.js and the module do beyond e.js. */

import { isOn, options, type WireEvent } from "./config";
import { watchLinks } from "./links";
import { restore } from "./persist";
import { flush } from "./queue";

type Hook = (event: WireEvent) => WireEvent | null | undefined | false;

/** What the page's own hook makes of an event before it is sent; nothing if it holds it back. */
export const judge = (event: WireEvent): ReturnType<Hook> => {
  const { beforeSend } = options;
  const hooks = window as unknown as Record<string, Hook>;
  const hook = hooks[beforeSend as string] || beforeSend;
  return hook ? (hook as Hook)(event) : event;
};

/** Starts all of it; `emit` records an event. */
export const open = (emit: (name: string, params?: object) => void): void => {
  restore();
  addEventListener("online", flush);
  watchLinks(emit);
};

/** Other names of the site, and scripts that lie beside this one. */
export const companion = (given: Record<string, unknown>, src: string): void => {
  given["site"] ||= given["siteId"] || given["websiteId"] || given["domainName"];
  for (const name of ["vitals", "debug", "datalayer"]) {
    if (!isOn(given[name])) continue;
    const script = document.createElement("script");
    script.src = src.replace(/[^/]*$/, `e.${name}.js`);
    document.head.append(script);
  }
};
