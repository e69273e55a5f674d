// The running system under test: the one named by EDGETALLY_DEV_JSON, or one started here.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** A cold build of worker and aggregator fits; a hang does not wait for ever. */
const READY_MS_MAX = 20 * 60_000;
const STOP_MS_MAX = 20_000;

/**
 * Answers the ready line of `cargo xtask dev --json`, with further `flags`, and how to stop what
 * was started for it.
 */
export async function system(flags = []) {
  const given = process.env.EDGETALLY_DEV_JSON;
  if (given) return { ...JSON.parse(given), stop: async () => {} };
  // `cargo xtask test` names the program it is, so that no build runs beside the tests.
  const [program, ...first] = process.env.EDGETALLY_XTASK
    ? [process.env.EDGETALLY_XTASK]
    : ["cargo", "xtask"];
  const args = [...first, "dev", "--json", "--edge-port", "0", "--port", "0", ...flags];
  const child = spawn(program, args, { cwd: root, stdio: ["pipe", "pipe", "inherit"] });
  const ready = await firstLine(child);
  return { ...ready, stop: () => stopped(child) };
}

function firstLine(child) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill();
      reject(new Error("cargo xtask dev was not ready in time"));
    }, READY_MS_MAX);
    createInterface({ input: child.stdout }).once("line", (line) => {
      clearTimeout(timer);
      resolve(JSON.parse(line));
    });
    child.once("exit", (code) => {
      clearTimeout(timer);
      reject(new Error(`cargo xtask dev ended with ${code}`));
    });
  });
}

/** Closing stdin is the documented way to stop; a child that stays is a failure. */
function stopped(child) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error("cargo xtask dev did not stop when its stdin closed"));
    }, STOP_MS_MAX);
    child.once("exit", () => {
      clearTimeout(timer);
      resolve();
    });
    child.stdin.end();
  });
}

/** Asks the aggregator's query API; `body` is a query without its site. */
export async function query(dev, body) {
  const answer = await fetch(`${dev.aggregator}/v1/query`, {
    method: "POST",
    headers: { authorization: `Bearer ${dev.read_key}`, "content-type": "application/json" },
    body: JSON.stringify({ site_id: dev.site, ...body }),
  });
  if (!answer.ok) throw new Error(`query: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

/** Repeats `probe` until it answers something truthy; fails with what it was waiting for. */
export async function until(what, timeoutMs, probe) {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (performance.now() > end) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
