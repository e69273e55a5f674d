// Fails when `npm pack` would leave out what the package exports, or take along anything else.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const cwd = fileURLToPath(new URL(".", import.meta.url));
const [{ files, size }] = JSON.parse(
  execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd }),
);
const packed = files.map(({ path }) => path);
const { exports } = JSON.parse(readFileSync(`${cwd}package.json`, "utf8"));
const needed = Object.values(exports).flatMap((to) =>
  Object.values(typeof to == "string" ? [to] : to),
);

const isExpected = (path) =>
  /^dist\/(index\.mjs(\.map)?|e(\.\w+)?\.js|types\/\w+\.d\.ts)$/.test(path) ||
  ["package.json", "README.md"].includes(path);
const wrong = [
  ...needed
    .filter((path) => !packed.includes(path.replace("./", "")))
    .map((path) => `${path} is missing`),
  ...packed.filter((path) => !isExpected(path)).map((path) => `${path} does not belong there`),
];
console.log(`${packed.length} files, ${size} bytes packed`);
for (const line of wrong) console.error(line);
if (wrong.length) process.exitCode = 1;
