// Builds the examples against the built package, as a shop's bundler would: they must not rot.

import { build } from "esbuild";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

await build({
  entryPoints: ["plain/shop.js", "react/shop.tsx", "vue/shop.ts"].map(here),
  outdir: here("../dist/examples"),
  bundle: true,
  format: "esm",
  target: "es2021",
  jsx: "automatic",
  alias: { edgetally: here("../dist/index.mjs") },
  define: { "process.env.NODE_ENV": '"production"' },
  logLevel: "warning",
});
