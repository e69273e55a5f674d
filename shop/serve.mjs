// Serves the demo shop on this machine:
//   node shop/serve.mjs --port 0 --edge http://127.0.0.1:8787 --site demo --key wk_...
// Prints {"url": ...} when it listens; ends on SIGTERM or when its stdin closes.

import { fstatSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL(".", import.meta.url));

const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};

const PUBLIC = new Set(["/shop.css", "/goods.css", "/icon.svg"]);

/** The shop's pages: path pattern, the module that draws it, the title until it has. */
const PAGES = [
  [/^\/$/, "list", "Chợ Mây"],
  [/^\/search$/, "list", "Tìm kiếm · Chợ Mây"],
  [/^\/product\/[\w-]+$/, "product", "Sản phẩm · Chợ Mây"],
  [/^\/cart$/, "cart", "Giỏ hàng · Chợ Mây"],
  [/^\/checkout$/, "checkout", "Thanh toán · Chợ Mây"],
  [/^\/login$/, "login", "Đăng nhập · Chợ Mây"],
  [/^\/thank-you$/, "thanks", "Cảm ơn · Chợ Mây"],
];

const { values: options } = parseArgs({
  options: {
    port: { type: "string", default: "0" },
    edge: { type: "string" },
    site: { type: "string", default: "demo" },
    key: { type: "string" },
  },
});
for (const name of ["edge", "key"]) {
  if (options[name]) continue;
  console.error(`serve.mjs: --${name} is missing`);
  process.exit(2);
}

const attribute = (text) => text.replace(/[&<>"]/g, (mark) => `&#${mark.charCodeAt(0)};`);

async function shopPage([, module, title]) {
  const filled = { ...options, module, title };
  const html = await readFile(join(root, "page.html"), "utf8");
  return html.replace(/\{\{(\w+)\}\}/g, (_, name) => attribute(filled[name]));
}

/** A file that a page may ask for, or nothing; whatever the address hides in dots and slashes. */
function asset(path) {
  const plain = posix.normalize(path);
  const isPublic = plain.startsWith("/js/") || PUBLIC.has(plain);
  return isPublic && TYPES[extname(plain)] ? join(root, plain) : undefined;
}

async function answer(request, response) {
  const path = decodeURIComponent(new URL(request.url, "http://shop").pathname);
  const page = PAGES.find(([pattern]) => pattern.test(path));
  const file = page ? undefined : asset(path);
  if (!page && !file) throw Object.assign(new Error("no such page"), { code: "ENOENT" });
  const body = page ? await shopPage(page) : await readFile(file);
  const type = page ? "text/html; charset=utf-8" : TYPES[extname(file)];
  response.writeHead(200, { "content-type": type, "cache-control": "no-cache" });
  response.end(request.method === "HEAD" ? undefined : body);
}

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    const status = error.code === "ENOENT" ? 404 : error instanceof URIError ? 400 : 500;
    response.writeHead(status, { "content-type": "text/plain; charset=utf-8" });
    response.end(status === 404 ? "Không có trang này · No such page\n" : `${error.message}\n`);
  });
});

function stop() {
  server.closeAllConnections();
  server.close(() => process.exit(0));
}

process.once("SIGTERM", stop);
process.once("SIGINT", stop);
// Whoever holds the other end of a pipe owns this process; a file or /dev/null is no owner.
const stdin = fstatSync(0);
if (stdin.isFIFO() || stdin.isSocket()) {
  process.stdin.on("end", stop).on("error", stop).resume();
}

server.listen(Number(options.port), "127.0.0.1", () => {
  console.log(JSON.stringify({ url: `http://127.0.0.1:${server.address().port}` }));
});
