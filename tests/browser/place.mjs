// The running system with a browser, and pages that embed the SDK there.

import { after, before } from "node:test";
import { launch, site, snippet, tap } from "./browser.mjs";
import { system } from "./system.mjs";

/**
 * What a file of tests runs on; there from the first test on, and `prepare(here)` has ended.
 * `flags` are further ones of `cargo xtask dev`.
 */
export function place(prepare, { flags = [] } = {}) {
  const here = {};
  before(async () => {
    here.dev = await system(flags);
    here.browser = await launch();
    await prepare?.(here);
  });
  after(async () => {
    await here.browser?.close();
    await here.dev?.stop();
  });
  return here;
}

/**
 * Opens one page of a fresh browser profile that embeds the SDK, and records its batches.
 * Options: `script`, `attributes` of the tag; `head`, `body` of the page; `key`; `faults` as `tap`
 * takes them; `prepare(context)` before the page opens; `referer`; `browser`; `headers` of a page
 * that has the collector on its own origin.
 */
export async function visit(here, t, options = {}, path = "/") {
  const html = (at) =>
    `<!doctype html><title>Page ${at}</title>${options.head ?? ""}${snippet(tapped, options)}
     ${options.body ?? ""}<a id="next" href="/next">next</a>`;
  const own = options.headers && Object.assign(html, { headers: options.headers });
  const sent = await tap(here.dev, options.faults, own);
  const tapped = { ...here.dev, edge: sent.url, write_key: options.key ?? here.dev.write_key };
  const pages = own ? sent : await site(html);
  const context = await (options.browser ?? here.browser).newContext();
  const errors = [];
  const page = await context.newPage();
  page.on("pageerror", (error) => errors.push(error.message));
  t.after(async () => {
    await context.close();
    pages.close();
    sent.close();
  });
  await options.prepare?.(context);
  await page.goto(pages.url + path, { referer: options.referer });
  return { page, context, sent, errors, url: pages.url };
}

/** Calls `edgetally(...)` in a page. */
export const call = (page, ...args) => page.evaluate((all) => window.edgetally(...all), args);

/** Events of a name that were sent, each once. */
export const named = (sent, name) => sent.events().filter((event) => event.name === name);

/** How many events were accepted, those left out that tell how long a page was looked at. */
export const accepted = (sent) =>
  sent.batches.reduce((sum, { events }, at) => {
    const { accepted = 0, rejected = [] } = sent.answers[at]?.body ?? {};
    const refused = new Set(rejected.map(({ index }) => index));
    const looked = events.filter(({ name }, index) => name === "engagement" && !refused.has(index));
    return sum + Math.max(0, accepted - looked.length);
  }, 0);
