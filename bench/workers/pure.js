// The pure path as wasm. Clocks stand still between two I/O operations, so the caller measures:
// POST /collect?times=N runs it N times over the body, /parse the typed parse that it is held
// against; times=0 is the cost of asking.
import wasm from "./pure_bg.wasm";
import { collect, initSync, parse } from "./pure.js";

initSync({ module: wasm });

export default {
  async fetch(request) {
    if (request.method !== "POST") return new Response("ok");
    const url = new URL(request.url);
    const body = new Uint8Array(await request.arrayBuffer());
    const times = Number(url.searchParams.get("times"));
    const run = url.pathname === "/collect" ? collect : parse;
    return new Response(String(run(body, times)));
  },
};
