// The live page left open beside a running simulation: each minute, how many messages came and
// what the page holds once its garbage is collected. EDGETALLY_SOAK_MINUTES says for how long.

import assert from "node:assert/strict";
import { it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { open } from "./board.mjs";
import { place } from "./place.mjs";

const MINUTES = Number(process.env.EDGETALLY_SOAK_MINUTES ?? 60);
const MINUTE_MS = 60_000;
/** A tick a second, but for those that the machine was too busy for. */
const MESSAGES_MIN = 55;
/** Until its lists and charts hold as much as they ever will. */
const FILLED_MINUTES = Math.ceil(MINUTES / 4);
const GROWTH_BYTES_MAX = 1_000_000;
const GROWTH_NODES_MAX = 500;

const here = place(null, { flags: ["--seed-demo"] });

/** Counts what the stream says: each message comes in a piece of its own. */
async function counter(devtools) {
  let [stream, messages] = ["", 0];
  await devtools.send("Network.enable");
  devtools.on("Network.requestWillBeSent", ({ requestId, request }) => {
    if (new URL(request.url).pathname === "/v1/live") stream = requestId;
  });
  devtools.on("Network.dataReceived", ({ requestId }) => (messages += requestId === stream));
  return () => {
    const said = messages;
    messages = 0;
    return said;
  };
}

async function held(devtools) {
  await devtools.send("HeapProfiler.collectGarbage");
  const { metrics } = await devtools.send("Performance.getMetrics");
  const all = Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
  return { bytes: all.JSHeapUsedSize, nodes: all.Nodes, listeners: all.JSEventListeners };
}

it("holds no more after an hour than after a quarter of it", async (t) => {
  const page = await open(here, t);
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Performance.enable");
  const said = await counter(devtools);
  // Only streams that begin after it are listened to.
  await page.reload();
  await page.waitForSelector('#connection[data-state="live"]');
  const minutes = [];
  for (let minute = 1; minute <= MINUTES; minute++) {
    await sleep(MINUTE_MS);
    minutes.push({ minute, messages: said(), ...(await held(devtools)) });
    t.diagnostic(JSON.stringify(minutes.at(-1)));
  }
  assert.ok(minutes.every(({ messages }) => messages >= MESSAGES_MIN), "messages every minute");
  const filled = minutes.slice(FILLED_MINUTES - 1);
  const grown = (name) => Math.max(...filled.map((one) => one[name])) - filled[0][name];
  assert.ok(grown("bytes") < GROWTH_BYTES_MAX, `${grown("bytes")} bytes more`);
  assert.ok(grown("nodes") < GROWTH_NODES_MAX, `${grown("nodes")} nodes more`);
  assert.equal(await page.locator('#connection[data-state="live"]').count(), 1);
});
