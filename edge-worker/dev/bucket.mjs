// A bucket that fails on demand: between the worker's binding and Miniflare's bucket stands a gate
// that sees each operation as the platform sends it.

import { fileURLToPath } from "node:url";

const NAME = "bucket-gate";
const PLUGIN = "as-written";

// What an operation meets is told in the header `Gate`, as JSON {"ops", "how", "status", "ms"} or
// null; answered by what operations met so far: {"put": {"done": 3, "hang": 1}, ...}.
const gate = (fault) => `
let fault = ${JSON.stringify(fault)};
const met = {};

function operation(headers, body) {
  const size = Number(headers.get("cf-r2-metadata-size"));
  const text = headers.get("cf-r2-request") ?? new TextDecoder().decode(body.slice(0, size));
  return JSON.parse(text).method;
}

function count(method, how) {
  met[method] ??= {};
  met[method][how] = (met[method][how] ?? 0) + 1;
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const refused = (status) => new Response("refused by the gate", { status });

export default {
  async fetch(request, env) {
    const { url, method: verb, headers } = request;
    if (headers.has("Gate")) {
      fault = JSON.parse(headers.get("Gate"));
      return Response.json(met);
    }
    const body = await request.arrayBuffer();
    const method = operation(headers, body);
    const { how, status, ms } = fault?.ops.includes(method) ? fault : { how: "done" };
    count(method, how);
    if (how === "refuse") return refused(status);
    if (how === "break") throw new Error("broken by the gate");
    if (how === "hang" || how === "late") await pause(ms);
    if (how === "hang") return refused(504);
    const init = { method: verb, headers, body: verb === "GET" ? undefined : body };
    const answer = await env.BUCKET.fetch(url, init);
    return how === "lose" ? refused(500) : answer;
  },
};`;

/** Bindings as workerd's own configuration writes them. */
export const plugins = {
  [PLUGIN]: {
    getBindings: ({ config }) =>
      Object.entries(config.env ?? {})
        .filter(([, { dev }]) => dev?.plugin?.name === PLUGIN)
        .map(([name, { dev }]) => ({ name, ...dev.options })),
    getNodeBindings: () => ({}),
    getServices: () => [],
  },
};

function asWritten(name, options) {
  const plugin = { package: fileURLToPath(import.meta.url), name: PLUGIN };
  return { name, type: PLUGIN, plugin, options };
}

/** The gate to a bucket, with what operations meet from the start. */
function gateTo(bucket, fault) {
  const props = { json: JSON.stringify({ MINIFLARE_NAMESPACE: bucket }) };
  return {
    name: NAME,
    modules: [{ type: "ESModule", path: "gate.mjs", contents: gate(fault) }],
    compatibilityDate: "2026-04-01",
    // So that Miniflare runs its bucket.
    r2Buckets: { KEPT: bucket },
    unsafeBindings: [asWritten("BUCKET", { service: { name: "r2:bucket:entry", props } })],
  };
}

/** A worker whose bucket is behind a gate, and the gate. */
export function behindGate({ r2Buckets, ...worker }, fault) {
  const [[binding, bucket]] = Object.entries(r2Buckets);
  const name = typeof bucket === "string" ? bucket : bucket.id;
  const gated = asWritten(binding, { r2Bucket: { name: `core:user:${NAME}` } });
  return [{ ...worker, unsafeBindings: [gated] }, gateTo(name, fault)];
}

/** Says what goes wrong from now on; gives what was met so far. */
export async function setFault(miniflare, fault) {
  const gate = await miniflare.getWorker(NAME);
  return (await gate.fetch("http://gate/", { headers: { Gate: JSON.stringify(fault) } })).json();
}
