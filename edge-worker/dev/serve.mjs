// Runs the built worker in workerd, through Miniflare: the runtime of production, its Durable
// Objects on disk, without the proxy of `wrangler dev`, which takes most of the throughput.
//
// Prints one JSON line {"url", "workerd_pid"} when it serves, with "twin_url" if there is a twin;
// everything the worker writes goes to stderr. Ends when stdin closes or on SIGTERM. Exits with 1
// when workerd dies, so that whoever started it can start it again on the same port and folder.

import { subscribe } from "node:diagnostics_channel";
import { existsSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { behindGate } from "./bucket.mjs";
import { clock } from "./clock.mjs";
import { aborter, obey } from "./commands.mjs";

const USAGE = `usage: node edge-worker/dev/serve.mjs --persist DIR [options]

  --persist DIR      where Durable Objects (and R2) keep their data
  --port N           port on the host; 0 = a free one (default 0)
  --host ADDRESS     address to listen on (default 127.0.0.1)
  --config FILE      the worker's configuration (default: wrangler.toml of the repository)
  --var NAME=VALUE   sets or replaces a variable; may be repeated
  --secret NAME      takes a secret from the environment variable of that name; may be repeated
  --no-cron          leaves the cron to the commands
  --commands         takes commands from stdin, see commands.mjs
  --twin             runs a second instance of the worker on the objects of the first
  --gate FAULT       puts a gate before the bucket, for the command that makes it fail; FAULT is
                     what operations meet from the start, as JSON, null for nothing
  --clock            gives the worker a clock that a command can set
`;

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

// Where requests seem to come from: the platform fills this in at its edge, a laptop has no edge.
const CF = { country: "VN", city: "Hanoi", continent: "AS", colo: "HAN" };

const EVERY_MINUTE = "* * * * *";

function fail(message, code = 1) {
  process.stderr.write(`serve.mjs: ${message}\n`);
  process.exit(code);
}

/** The command line as {persist, host, port, config, bindings}; ends the process if it is wrong. */
function readOptions() {
  let values;
  try {
    ({ values } = parseArgs({
      options: {
        persist: { type: "string" },
        port: { type: "string", default: "0" },
        host: { type: "string", default: "127.0.0.1" },
        config: { type: "string", default: join(ROOT, "wrangler.toml") },
        var: { type: "string", multiple: true, default: [] },
        secret: { type: "string", multiple: true, default: [] },
        "no-cron": { type: "boolean", default: false },
        commands: { type: "boolean", default: false },
        twin: { type: "boolean", default: false },
        gate: { type: "string" },
        clock: { type: "boolean", default: false },
      },
    }));
  } catch (error) {
    fail(`${error.message}\n${USAGE}`, 2);
  }
  const port = Number(values.port);
  if (!values.persist) fail(`--persist is missing\n${USAGE}`, 2);
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    fail(`--port: ${values.port} is not a port`, 2);
  }
  const bindings = {};
  for (const pair of values.var) {
    const cut = pair.indexOf("=");
    if (cut < 1) fail(`--var: ${pair} is not NAME=VALUE`, 2);
    bindings[pair.slice(0, cut)] = pair.slice(cut + 1);
  }
  for (const name of values.secret) {
    if (process.env[name] === undefined) fail(`--secret: ${name} is not in the environment`, 2);
    bindings[name] = process.env[name];
    // workerd and its crash reports have no need to see it.
    delete process.env[name];
  }
  return {
    persist: resolve(values.persist), host: values.host, port, config: resolve(values.config),
    bindings, cron: !values["no-cron"], commands: values.commands, twin: values.twin,
    gate: values.gate, clock: values.clock,
  };
}

/** Resolves with workerd's process once Miniflare has started it. */
function watchForWorkerd() {
  return new Promise((found) => {
    subscribe("child_process", ({ process: child }) => {
      // The channel speaks before the child has its command; a tick later it is there.
      process.nextTick(() => {
        if (child.spawnfile && basename(child.spawnfile).startsWith("workerd")) found(child);
      });
    });
  });
}

/** The worker as Miniflare wants it: wrangler.toml gives everything but the modules. */
function workerOptions(wrangler, name, { config, bindings, clock: hasClock }) {
  const { workerOptions: worker, main } = wrangler.unstable_getMiniflareWorkerOptions(config);
  if (!main || !existsSync(main)) fail(`the worker is not built: ${main} is missing`);
  const folder = dirname(main);
  return {
    ...worker,
    name,
    modulesRoot: folder,
    modules: [
      ...(hasClock ? [clock(folder)] : []),
      { type: "ESModule", path: main },
      { type: "CompiledWasm", path: join(folder, "index_bg.wasm") },
    ],
    bindings: { ...worker.bindings, ...bindings },
  };
}

/** The same worker once more, in an isolate of its own, on the objects of the first. */
function twinOf(worker, host) {
  const theirs = Object.entries(worker.durableObjects).map(([binding, object]) => [
    binding,
    { ...(typeof object === "string" ? { className: object } : object), scriptName: worker.name },
  ]);
  return {
    ...worker,
    name: `${worker.name}-twin`,
    durableObjects: Object.fromEntries(theirs),
    unsafeDirectSockets: [{ host, port: 0 }],
  };
}

/** Runs the cron of a minute. */
async function runCron(miniflare, name) {
  const worker = await miniflare.getWorker(name);
  const { outcome } = await worker.scheduled({ cron: EVERY_MINUTE });
  if (outcome !== "ok") throw new Error(`the cron ended with ${outcome}`);
}

/** Runs the cron of each minute, and once at the start: nothing else keeps the clock for it. */
function keepCron(sweep) {
  const run = () =>
    sweep().catch((error) => process.stderr.write(`serve.mjs: the cron: ${error.message}\n`));
  void run();
  setInterval(run, 60_000).unref();
}

async function main() {
  const options = readOptions();
  // Neither a look-up of where this machine is, nor a count of its use, leaves it.
  process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";
  process.env.WRANGLER_SEND_METRICS = "false";
  const wranglerPath = createRequire(import.meta.url).resolve("wrangler/package.json");
  const require = createRequire(wranglerPath);
  const wrangler = require("wrangler");
  // Wrangler pins the Miniflare that knows its configuration; ours is that one.
  const { Log, LogLevel, Miniflare, convertV4MiniflareOptions } = require("miniflare");

  mkdirSync(options.persist, { recursive: true });
  const { name, triggers } = wrangler.unstable_readConfig({ config: options.config });
  const plain = workerOptions(wrangler, name, options);
  const isGated = options.gate !== undefined;
  const [worker, ...gate] = isGated ? behindGate(plain, JSON.parse(options.gate)) : [plain];
  const started = watchForWorkerd();
  const settings = {
    host: options.host,
    port: options.port,
    cf: CF,
    log: new Log(LogLevel.WARN),
    logRequests: false,
    resourcePersistencePath: options.persist,
    isolatedResourcePersistencePath: options.persist,
    handleStructuredLogs: ({ level, message }) =>
      process.stderr.write(`${new Date().toISOString()} ${level} ${message}\n`),
    workers: [
      worker,
      ...(options.twin ? [twinOf(worker, options.host)] : []),
      ...(options.commands ? [aborter] : []),
      ...gate,
    ],
  };
  const miniflare = new Miniflare(
    convertV4MiniflareOptions ? convertV4MiniflareOptions(settings) : settings,
  );
  const url = await miniflare.ready;
  const workerd = await started;

  let stopping = false;
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    await miniflare.dispose();
    process.exit(0);
  };
  workerd.once("exit", (code, signal) => {
    if (!stopping) fail(`workerd ended (${signal ?? `code ${code}`})`);
  });
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, stop);
  process.stdin.on("end", stop).on("error", stop);

  const sweep = () => runCron(miniflare, worker.name);
  if (options.cron && triggers?.crons?.includes(EVERY_MINUTE)) keepCron(sweep);
  const ready = { url: url.origin, workerd_pid: workerd.pid };
  if (options.twin) {
    ready.twin_url = (await miniflare.unsafeGetDirectURL(`${worker.name}-twin`)).origin;
  }
  process.stdout.write(`${JSON.stringify(ready)}\n`);
  if (options.commands) void obey(process.stdin, { miniflare, worker: worker.name, sweep });
  else process.stdin.resume();
}

main().catch((error) => fail(error.stack ?? String(error)));
