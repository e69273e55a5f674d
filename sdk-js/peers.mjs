// Measures what other systems' browser packages cost, the way ours is measured: one import of the
// package, bundled and minified by esbuild, then gzip -9. Writes peers.json. Run: npm run peers.

import { build } from "esbuild";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const PEERS = [
  "@counterscale/tracker",
  "plausible-tracker",
  "@plausible-analytics/tracker",
  "web-vitals",
  "@snowplow/browser-tracker",
  "@segment/analytics-next",
  "@rudderstack/analytics-js",
  "mixpanel-browser",
];

const folder = mkdtempSync(join(tmpdir(), "peers-"));
const rows = [];
try {
  writeFileSync(join(folder, "package.json"), "{}");
  execFileSync("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", ...PEERS], {
    cwd: folder,
    stdio: "inherit",
  });
  for (const name of PEERS) {
    const { version } = JSON.parse(
      readFileSync(join(folder, "node_modules", name, "package.json"), "utf8"),
    );
    const { outputFiles } = await build({
      stdin: { contents: `import * as all from "${name}"; window.x = all;`, resolveDir: folder },
      bundle: true,
      minify: true,
      write: false,
      target: "es2021",
      legalComments: "none",
      logLevel: "error",
    });
    const bytes = outputFiles[0].contents;
    rows.push({ name, version, min: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length });
  }
} finally {
  rmSync(folder, { recursive: true });
}
rows.sort((a, b) => a.gzip - b.gzip);
writeFileSync(new URL("peers.json", import.meta.url), JSON.stringify(rows, null, 2) + "\n");
console.table(rows);
