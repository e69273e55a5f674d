// What the SDK takes of a page's main thread: a trace of Chromium while a page records events, less
// one of the same page that records none. Prints a report, keeps it as target/bench/sdk.json.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const root = fileURLToPath(new URL("../..", import.meta.url));
const EVENTS = 1000;
const ROUNDS = 5;
/** The last batch leaves a second after the last event. */
const SETTLED_MS = 2500;

const dist = (name) => readFileSync(`${root}sdk-js/dist/${name}`);
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

/** A collector that takes everything, and the page. */
function serve() {
  let taken = 0;
  const server = createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    if (request.method === "POST") {
      taken += JSON.parse(Buffer.concat(parts)).events.length;
      response.writeHead(202, { "content-type": "application/json" });
      return void response.end("{}");
    }
    const script = request.url.match(/^\/(e[\w.]*\.js)$/)?.[1];
    response.writeHead(200, { "content-type": script ? "text/javascript" : "text/html" });
    if (script) return void response.end(dist(script));
    const name = new URL(request.url, "http://page").searchParams.get("script");
    response.end(`<!doctype html><title>Shop</title>
      <script src="/${name}" data-site="s" data-key="k" data-auto="0"></script>`);
  });
  return new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () =>
      resolve({ server, url: `http://127.0.0.1:${server.address().port}`, taken: () => taken }),
    ),
  );
}

/** Processor milliseconds of the page's main thread while `work` ran and until all was sent. */
async function traced(browser, page, work) {
  await browser.startTracing(page, { categories: ["toplevel", "devtools.timeline"] });
  await work();
  await page.waitForTimeout(SETTLED_MS);
  const { traceEvents } = JSON.parse(await browser.stopTracing());
  const mains = traceEvents.filter(
    ({ name, args }) => name === "thread_name" && args.name === "CrRendererMain",
  );
  const isMain = new Set(mains.map(({ pid, tid }) => `${pid}.${tid}`));
  const tasks = traceEvents.filter(
    ({ name, ph, pid, tid }) =>
      ph === "X" && name.endsWith("RunTask") && isMain.has(`${pid}.${tid}`),
  );
  return tasks.reduce((sum, { tdur = 0 }) => sum + tdur / 1000, 0);
}

const burst = (page) =>
  page.evaluate((count) => {
    for (let n = 0; n < count; n++) {
      window.edgetally.track("view_item", {
        value: 25000000,
        currency: "VND",
        items: [{ item_id: `sku-${n}`, item_name: "Laptop", price: 25000000, quantity: 1 }],
      });
    }
  }, EVENTS);

const { server, url, taken } = await serve();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
});
const report = {};
for (const script of ["e.js", "e.full.js"]) {
  const rounds = [];
  for (let round = 0; round < ROUNDS; round++) {
    const page = await browser.newPage();
    await page.goto(`${url}/?script=${script}`);
    const idle = await traced(browser, page, () => page.evaluate(() => undefined));
    const before = taken();
    const busy = await traced(browser, page, () => burst(page));
    if (taken() - before !== EVENTS) throw new Error(`${taken() - before} of ${EVENTS} arrived`);
    rounds.push(((busy - idle) * 100) / EVENTS);
    await page.close();
  }
  report[script] = { ms_per_100_events: median(rounds), rounds };
  console.log(`${script}: ${median(rounds).toFixed(2)} ms of the main thread for 100 events`);
}
await browser.close();
server.close();
mkdirSync(`${root}target/bench`, { recursive: true });
writeFileSync(`${root}target/bench/sdk.json`, JSON.stringify(report, null, 2) + "\n");
