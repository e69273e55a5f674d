// Builds dist/: three scripts for a script tag and one module for bundlers.

import { build } from "esbuild";
import { mkdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { minify } from "terser";

const root = fileURLToPath(new URL(".", import.meta.url));

/** What all builds share; ES2021 is what browsers of the last five years run. */
const common = {
  absWorkingDir: root,
  bundle: true,
  target: "es2021",
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
  // Modules are strict without saying so.
  tsconfigRaw: { compilerOptions: { alwaysStrict: false } },
};

/** What terser does on top of esbuild: about three bytes of a hundred after gzip. */
const SMALLER = { ecma: 2020, compress: { passes: 3, keep_fargs: false, unsafe_methods: true } };

/** A script for the page: minified, nothing in the global scope but `edgetally`. */
const script = async (source, file, isFull) => {
  const { outputFiles } = await build({
    ...common,
    entryPoints: [source],
    format: "iife",
    minify: true,
    write: false,
    define: { FULL: String(isFull) },
  });
  const { code } = await minify(outputFiles[0].text, SMALLER);
  await writeFile(`${root}dist/${file}`, code);
};

await mkdir(`${root}dist`, { recursive: true });
await Promise.all([
  script("src/script.ts", "e.js", false),
  script("src/script.ts", "e.full.js", true),
  script("src/vitals.ts", "e.vitals.js", false),
  script("src/console.ts", "e.debug.js", false),
  script("src/datalayer.ts", "e.datalayer.js", false),
  build({
    ...common,
    entryPoints: ["src/index.ts"],
    outfile: "dist/index.mjs",
    format: "esm",
    sourcemap: true,
    define: { FULL: "true" },
  }),
]);
