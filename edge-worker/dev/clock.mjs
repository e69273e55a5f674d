// A clock that runs faster and jumps. The built worker is not changed: a module in front of it puts
// other functions in the place of those by which an isolate reads the time and waits.

const CLOCK = `
import * as built from "./index.js";
export * from "./index.js";

const TrueDate = Date;
const read = Date.now;
const wait = setTimeout;
let [speed, shown, since] = [1, read(), read()];

globalThis.Date = class Date extends TrueDate {
  static now() {
    return Math.floor(shown + (read() - since) * speed);
  }
  constructor(...parts) {
    super(...(parts.length > 0 ? parts : [Date.now()]));
  }
};
globalThis.setTimeout = (task, ms, ...rest) => wait(task, ms / speed, ...rest);

function set({ ahead_ms: ahead = 0, speed: next = speed }) {
  [shown, since, speed] = [Date.now() + ahead, read(), next];
}

/** Alarms are kept by the platform, whose clock is the true one. */
function translateAlarms(storage) {
  const kind = Object.getPrototypeOf(storage);
  if (kind.setAlarm.translates) return;
  const { setAlarm } = kind;
  kind.setAlarm = function (at, ...rest) {
    return setAlarm.call(this, Math.ceil(since + (Number(at) - shown) / speed), ...rest);
  };
  kind.setAlarm.translates = true;
}

export class Shard extends built.Shard {
  constructor(state, env) {
    translateAlarms(state.storage);
    super(state, env);
  }
}

export default class extends built.default {
  async fetch(request) {
    const change = request.headers.get("Edgetally-Clock");
    if (change === null) return super.fetch(request);
    set(JSON.parse(change));
    return new Response("set");
  }
}`;

/** The entry module of a worker whose clock can be set, before its other modules. */
export function clock(folder) {
  return { type: "ESModule", path: `${folder}/clock.mjs`, contents: CLOCK };
}

/** Sets the clock of a worker: `ahead_ms` moves it, `speed` is how fast it runs from now on. */
export async function setClock(miniflare, worker, change) {
  const headers = { "Edgetally-Clock": JSON.stringify(change) };
  await (await miniflare.getWorker(worker)).fetch("http://clock/", { headers });
}
