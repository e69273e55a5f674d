// Prints what each script costs on the wire, beside other systems' packages, and fails when one
// outgrows its ceiling.

import { readFileSync } from "node:fs";
import { brotliCompressSync, gzipSync } from "node:zlib";

/** Bytes after gzip -9: 1.6, 3.2 and 0.9 KB. Raising a ceiling is a decision, not a fix. */
const CEILINGS = { "e.js": 1600, "e.full.js": 3200, "e.vitals.js": 900 };

let isOver = false;
for (const [file, ceiling] of Object.entries(CEILINGS)) {
  const bytes = readFileSync(new URL(`dist/${file}`, import.meta.url));
  const gzip = gzipSync(bytes, { level: 9 }).length;
  const brotli = brotliCompressSync(bytes).length;
  const verdict = gzip > ceiling ? `OVER ITS ${ceiling}` : `of ${ceiling}`;
  isOver ||= gzip > ceiling;
  console.log(row(file, "", bytes.length, `${gzip} ${verdict}`, `br ${brotli}`));
}
// Measured by peers.mjs.
const peers = JSON.parse(readFileSync(new URL("peers.json", import.meta.url), "utf8"));
for (const { name, version, min, gzip } of peers) console.log(row(name, version, min, gzip));
if (isOver) process.exitCode = 1;

function row(name, version, min, gzip, more = "") {
  const columns = [name.padEnd(30), version.padEnd(12), `min ${min}`.padEnd(12), `gz ${gzip}`];
  return [...columns, more].join("  ").trimEnd();
}
