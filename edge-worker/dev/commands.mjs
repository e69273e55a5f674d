// Commands of tests, one JSON object a line on stdin. Each is answered by one line on stdout:
// {"ok": true} with what the command gives, or {"error": "..."}.
//
//   {"do": "abort", "after_ms": 40}   takes every object's memory away, as a deploy does;
//                                     answered before that if it is to come later
//   {"do": "evict", "class": "Shard", "name": "v1|apac|0"}
//                                     evicts one idle object; an error if it is not in memory
//   {"do": "cron"}                    runs the cron of a minute now
//   {"do": "bucket", "fault": {"ops": ["put"], "how": "refuse", "status": 500}}
//                                     with --gate: what operations on the bucket meet from now on;
//                                     null is nothing. how: refuse (with a status), break (the
//                                     connection), hang and late (for "ms"; the second is carried
//                                     out then), lose (carried out, the answer is not heard).
//                                     Gives "met", what operations met before
//   {"do": "clock", "ahead_ms": 3600000, "speed": 50}
//                                     with --clock: moves the worker's clock, or makes it faster

import { createInterface } from "node:readline";

import { setFault } from "./bucket.mjs";
import { setClock } from "./clock.mjs";

const ABORT = `
import unsafe from "workerd:unsafe";
export default {
  async fetch() {
    await unsafe.abortAllDurableObjects();
    return new Response("done");
  },
};`;

/** A worker beside the one under test that may do what no worker may. */
export const aborter = {
  name: "aborter",
  modules: [{ type: "ESModule", path: "aborter.mjs", contents: ABORT }],
  compatibilityDate: "2026-04-01",
  compatibilityFlags: ["unsafe_module"],
};

/** Carries out commands one after the other until stdin closes. */
export async function obey(input, { miniflare, worker, sweep }) {
  const abort = async () => (await miniflare.getWorker(aborter.name)).fetch("http://aborter/");
  const actions = {
    abort: ({ after_ms: ms }) => (ms > 0 ? void setTimeout(abort, ms) : abort()),
    evict: ({ class: kind, name }) => miniflare.unsafeEvictDurableObject(worker, kind, { name }),
    cron: () => sweep(),
    bucket: async ({ fault }) => ({ met: await setFault(miniflare, fault) }),
    clock: (change) => setClock(miniflare, worker, change),
  };
  for await (const line of createInterface({ input })) {
    let answer = { ok: true };
    try {
      const command = JSON.parse(line);
      const action = actions[command.do];
      if (!action) throw new Error(`there is no command ${command.do}`);
      answer = { ...answer, ...(await action(command)) };
    } catch (error) {
      answer = { error: error.message };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
}
