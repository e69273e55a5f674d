// Chromium, a small web site of the test's own, and a wire tap between it and the worker.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { connect, createServer as createWire } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--disable-background-networking",
];

const executable = () => process.env.CHROMIUM || "/usr/bin/chromium";

/** Starts a headless browser; the driver turns the back/forward cache off unless told not to. */
export const launch = ({ hasPageCache = false } = {}) =>
  chromium.launch({
    ignoreDefaultArgs: hasPageCache ? ["--disable-back-forward-cache"] : [],
    executablePath: executable(),
    headless: true,
    args: FLAGS,
  });

/** Opens a page in a browser that nothing drives: a driven one never shows what it prerenders. */
export function browse(url) {
  const profile = mkdtempSync(join(tmpdir(), "browse-"));
  const flags = [...FLAGS, "--headless=new", "--no-first-run", "--remote-debugging-port=0"];
  const args = [...flags, `--user-data-dir=${profile}`, url];
  const child = spawn(executable(), args, { stdio: "ignore", detached: true });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  return {
    close: async () => {
      // All of its processes at once, so that none writes to the folder any more.
      process.kill(-child.pid, "SIGKILL");
      await ended;
      rmSync(profile, { recursive: true, force: true, maxRetries: 20 });
    },
  };
}

/** Serves the same page at every path; `page(path)` gives its HTML. */
export const site = (page) =>
  listen((request, response) => {
    const path = new URL(request.url, "http://site").pathname;
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
    response.end(page(path));
  });

/**
 * Passes every request on to the worker and back, and keeps what was said: `batches` fills as they
 * arrive, `answers` has at the same place what each was answered. A browser's own log would miss
 * the requests that outlive their page, and those matter most here. `faults` are taken one a
 * batch: a status with headers instead of the worker's answer, "reset" for a connection that
 * breaks, "unanswered" for one that breaks once the worker has answered, "hang" for one that stays
 * silent. With a `page(path)`, its HTML under its `headers` is what other paths than the worker's
 * show, as of one origin.
 */
export async function tap(dev, faults = [], page) {
  const batches = [];
  const answers = [];
  const server = await listen(async (request, response) => {
    const body = await whole(request).catch(() => null);
    if (body === null) return;
    if (page?.headers && !/^\/(e\.|v1\/)/.test(request.url)) {
      response.writeHead(200, { "content-type": "text/html; charset=utf-8", ...page.headers });
      return void response.end(page(request.url));
    }
    const isBatch = request.method === "POST" && request.url === "/v1/events";
    const at = isBatch ? batches.push(JSON.parse(body)) - 1 : -1;
    const fault = isBatch && faults.shift();
    if (fault === "hang") return;
    if (fault === "reset") return void request.socket.destroy();
    const isPassed = !fault || fault === "unanswered";
    // What a page sends as it goes may find the worker gone.
    const answer = isPassed ? await pass(dev, request, body).catch(() => null) : fault;
    if (!answer) return void request.socket.destroy();
    if (isBatch) answers[at] = { status: answer.status, body: parsed(answer.body) };
    if (fault === "unanswered") return void request.socket.destroy();
    response.writeHead(answer.status, answer.headers);
    response.end(answer.body);
  });
  /** Every event once, in the order it first arrived: a repeat carries the same id. */
  const events = () => {
    const all = batches.flatMap((batch) => batch.events);
    return [...new Map(all.map((event) => [event.id, event])).values()];
  };
  return { ...server, batches, answers, events };
}

/** A wire to another server that can be cut, and mended. */
export async function wire(target) {
  const { hostname, port } = new URL(target);
  const open = new Set();
  let isCut = false;
  const server = createWire((near) => {
    if (isCut) return void near.destroy();
    const far = connect(Number(port), hostname);
    for (const [one, other] of [[near, far], [far, near]]) {
      open.add(one);
      one.pipe(other);
      one.on("error", () => other.destroy());
      one.on("close", () => open.delete(one) && other.destroy());
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = () => {
    isCut = true;
    for (const end of open) end.destroy();
  };
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    cut,
    mend: () => (isCut = false),
    close: () => server.close(cut()),
  };
}

/** A collector that asks to come back after `seconds`. */
export const overloaded = (seconds, status = 503) => ({
  status,
  headers: {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "Retry-After",
    "retry-after": String(seconds),
  },
  body: "{}",
});

/** The snippet a shop pastes, with more `data-*` attributes in `attributes`. */
export const snippet = (dev, { script = "e.js", attributes = "", site = dev.site } = {}) =>
  `<script>window.edgetally ||= function () {
     (edgetally.q = edgetally.q || []).push(arguments) };</script>
   <script defer src="${dev.edge}/${script}" data-site="${site}" data-key="${dev.write_key}"
     data-endpoint="${dev.edge}" ${attributes}></script>`;

async function pass(dev, request, body) {
  const { host, connection, "content-length": length, ...headers } = request.headers;
  const hasBody = request.method === "POST";
  const answer = await fetch(dev.edge + request.url, {
    method: request.method,
    headers,
    ...(hasBody && { body }),
  });
  const kept = [...answer.headers].filter(([name]) => !HOP.has(name));
  return {
    status: answer.status,
    headers: Object.fromEntries(kept),
    body: Buffer.from(await answer.arrayBuffer()),
  };
}

/** Headers of one connection, and those that `fetch` has already undone. */
const HOP = new Set(
  "connection keep-alive transfer-encoding content-encoding content-length".split(" "),
);

async function whole(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts);
}

function parsed(body) {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

async function listen(answer) {
  const server = createServer(answer);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
