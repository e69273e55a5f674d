// A real PostgreSQL server of its own, on a socket in a folder of its own.

import { execFileSync, spawn, spawnSync } from "node:child_process";
import { chown, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "./system.mjs";

const ROOT = "/usr/lib/postgresql";
const READY_MS_MAX = 60_000;

/** Root may not run PostgreSQL: then its own user does. */
function asWhom() {
  if (process.getuid() !== 0) return {};
  const id = (what) => Number(execFileSync("id", [what, "postgres"], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g"), cwd: "/" };
}

/** Starts one; `url` is where it is found, `run(sql)` runs a script, `stop()` ends it. */
export async function postgres() {
  const versions = (await readdir(ROOT)).map(Number).filter(Boolean);
  const bin = join(ROOT, String(Math.max(...versions)), "bin");
  const dir = await mkdtemp(join(tmpdir(), "edgetally-pg-"));
  const [data, socket, who] = [join(dir, "data"), join(dir, "s"), asWhom()];
  for (const folder of [data, socket]) await mkdir(folder, { mode: 0o700 });
  if (who.uid) for (const folder of [dir, data, socket]) await chown(folder, who.uid, who.gid);
  const flags = ["--no-sync", "--auth=trust", "--username=postgres", "--locale=C.UTF-8"];
  execFileSync(join(bin, "initdb"), [...flags, "-D", data], { ...who, stdio: "ignore" });
  const settings = ["-c", "listen_addresses=", "-c", "fsync=off", "-k", socket];
  const server = spawn(join(bin, "postgres"), ["-D", data, ...settings], {
    ...who,
    stdio: "ignore",
  });
  const psql = (sql) =>
    spawnSync(join(bin, "psql"), ["-X", "-q", "-U", "postgres", "-v", "ON_ERROR_STOP=1"], {
      input: sql,
      encoding: "utf8",
      env: { ...process.env, PGHOST: socket },
    });
  await until("PostgreSQL", READY_MS_MAX, async () => psql("select 1;").status === 0);
  const run = (sql) => {
    const { status, stderr } = psql(sql);
    if (status !== 0) throw new Error(stderr);
  };
  const stop = async () => {
    const ended = new Promise((resolve) => server.once("exit", resolve));
    server.kill("SIGINT");
    await ended;
    await rm(dir, { recursive: true });
  };
  return { url: `host=${socket} user=postgres dbname=postgres`, run, stop };
}
