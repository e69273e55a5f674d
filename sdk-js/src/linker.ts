/** One client over several hosts of a shop: a link carries the id along for two minutes. */

import { options } from "./config";
import { mayPersist } from "./consent";
import { clientId } from "./identity";

const PARAM = "_et";
const FRESH_MS = 120_000;

/** The id that the visitor brought from another host of the shop; the address is cleaned of it. */
export const arrived = (): string => {
  const url = new URL(location.href);
  const [, id, time] = url.search.match(/[?&]_et=([\w.-]+)\.(\w+)/) || [];
  if (!id) return "";
  url.searchParams.delete(PARAM);
  history.replaceState(history.state, "", url);
  return Date.now() - parseInt(time!, 36) < FRESH_MS ? id : "";
};

/** Lets a link to another host of the shop carry the id. */
export const decorate = (link: HTMLAnchorElement): void => {
  if (!options.link?.split(",").includes(link.hostname) || !mayPersist()) return;
  const url = new URL(link.href);
  url.searchParams.set(PARAM, clientId + "." + Date.now().toString(36));
  link.href = url.href;
};
