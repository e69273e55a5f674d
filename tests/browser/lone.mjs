// An aggregator alone, with settings of the test's own: the program as it was built for the system.

import { spawn, spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { until } from "./system.mjs";

const TARGET =
  process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL("../../target", import.meta.url));
const PROGRAM = join(TARGET, "debug/edgetally");
const READY_MS_MAX = 30_000;

/**
 * Starts one where people log in with `password`; `admin` is its admin key. `variables` are further
 * ones of its environment.
 */
export async function lone(password, variables = {}) {
  const data = await mkdtemp(join(tmpdir(), "edgetally-"));
  const told = spawnSync(PROGRAM, ["hash-password"], { input: `${password}\n`, encoding: "utf8" });
  const admin = "ak_of_the_browser_test";
  const child = spawn(PROGRAM, ["serve"], {
    stdio: ["ignore", "ignore", "pipe"],
    env: {
      ...process.env,
      EDGETALLY_LISTEN: "127.0.0.1:0",
      EDGETALLY_DATA: data,
      EDGETALLY_ADMIN_KEY: admin,
      EDGETALLY_EDGE_SECRET: "of the browser test",
      EDGETALLY_PASSWORD_HASH: told.stdout.trim(),
      ...variables,
    },
  });
  const url = await new Promise((resolve, reject) => {
    const lines = createInterface({ input: child.stderr });
    lines.on("line", (line) => {
      const address = /address=(\S+)/.exec(line)?.[1];
      if (address) resolve(`http://${address}`);
    });
    child.once("exit", (code) => reject(new Error(`the aggregator ended with ${code}`)));
  });
  const isReady = async () => (await fetch(`${url}/readyz`).catch(() => undefined))?.ok;
  await until("the aggregator alone", READY_MS_MAX, isReady);
  const stop = async () => {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill();
    await ended;
    await rm(data, { recursive: true });
  };
  return { url, admin, stop };
}
