// Builds dist/: one page and its files, each file with the hash of its contents in its name and
// a copy beside it as it goes over the wire.

import { build } from "esbuild";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const root = fileURLToPath(new URL(".", import.meta.url));
const dist = `${root}dist/`;

await rm(dist, { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: ["src/main.tsx"],
  outdir: "dist/assets",
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  publicPath: "/assets",
  loader: { ".svg": "file" },
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  jsx: "automatic",
  jsxImportSource: "preact",
  metafile: true,
  logLevel: "warning",
});

const outputs = Object.keys(metafile.outputs).map((path) => path.replace(/^dist/, ""));
const named = (end) => outputs.find((path) => path.endsWith(end));
const template = await readFile(`${root}index.html`, "utf8");
const page = template
  .replace("main.css", named(".css"))
  .replace("main.js", named(".js"))
  .replace("icon.svg", named(".svg"));
await mkdir(dist, { recursive: true });
await writeFile(`${dist}index.html`, page);

const files = await readdir(dist, { recursive: true, withFileTypes: true });
for (const file of files.filter((entry) => entry.isFile())) {
  const path = `${file.parentPath}/${file.name}`;
  await writeFile(`${path}.gz`, gzipSync(await readFile(path), { level: 9 }));
}
