/** What is read off the page: links that are followed, forms that are sent, `data-*` events. */

import { isOn, options } from "./config";
import { decorate } from "./linker";

type Emit = (name: string, params?: object) => void;

const FILE = /\.(pdf|docx?|xlsx?|pptx?|csv|zip|rar|dmg|exe|apk|mp[34])$/i;

/** Watches clicks and submitted forms; never reads what was typed. */
export const watchLinks = (emit: Emit): void => {
  const on = (type: string, take: (target: Element) => void): void =>
    addEventListener(type, (event) => take(event.target as Element), true);
  on("click", (target) => {
    const marked = target.closest<HTMLElement>("[data-edgetally-event]");
    if (marked) declare(emit, marked.dataset);
    const link = target.closest<HTMLAnchorElement>("a[href]");
    if (link) follow(emit, link);
  });
  if (isOn(options.forms)) {
    on("submit", (form) =>
      emit("form_submit", {
        form_id: form.getAttribute("id"),
        form_destination: form.getAttribute("action"),
      }),
    );
  }
};

const follow = (emit: Emit, link: HTMLAnchorElement): void => {
  const link_url = link.href.split(/[?#]/)[0]!;
  const file = link_url.match(FILE);
  if (file && isOn(options.downloads)) {
    emit("file_download", { link_url, file_extension: file[1] });
  } else if (link.host != location.host && isOn(options.outbound)) {
    emit("click", { link_url, link_domain: link.host });
  }
  decorate(link);
};

/** `data-edgetally-event="name"`; its parameters are `data-edgetally-event-<name>`. */
const declare = (emit: Emit, dataset: DOMStringMap): void => {
  const { edgetallyEvent, ...others } = dataset;
  const params: Record<string, unknown> = {};
  for (const name in others) {
    const own = name.replace("edgetallyEvent", "");
    if (own != name) params[own.replace(/\B[A-Z]/g, "_$&").toLowerCase()] = others[name];
  }
  emit(edgetallyEvent!, params);
};
