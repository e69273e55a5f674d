// Prints what each script costs on the wire and fails when one outgrows its ceiling.

import { readFileSync } from "node:fs";
import { brotliCompressSync, gzipSync } from "node:zlib";

/** Bytes after gzip -9; raising a ceiling is a decision, not a fix. */
const CEILINGS = { "e.js": 2400, "e.full.js": 3277, "e.vitals.js": 922 };

let isOver = false;
for (const [file, ceiling] of Object.entries(CEILINGS)) {
  const bytes = readFileSync(new URL(`dist/${file}`, import.meta.url));
  const gzip = gzipSync(bytes, { level: 9 }).length;
  const brotli = brotliCompressSync(bytes).length;
  const verdict = gzip > ceiling ? "TOO LARGE" : "ok";
  isOver ||= gzip > ceiling;
  console.log(
    `${file.padEnd(12)} min ${bytes.length}  gz ${gzip} of ${ceiling}  br ${brotli}  ${verdict}`,
  );
}
if (isOver) process.exitCode = 1;
