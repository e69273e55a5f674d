// Builds dist/: three scripts for a script tag and one module for bundlers.

import { build } from "esbuild";
import { fileURLToPath } from "node:url";

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

/** A script for the page: minified, nothing in the global scope but `edgetally`. */
const script = (source, file, isFull) =>
  build({
    ...common,
    entryPoints: [source],
    outfile: `dist/${file}`,
    format: "iife",
    minify: true,
    define: { FULL: String(isFull) },
  });

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
