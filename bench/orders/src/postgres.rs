//! A PostgreSQL server of its own, with the orders and a table of days that it keeps itself.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::shop::Shop;

const TABLE: &str = "create table orders (code text, platform text, status text, total bigint, \
    discount bigint, paid bigint, ordered bigint, category text, region text, \
    currency text default 'VND');";
/// Orders are found by day, as daily statistics ask for them.
const INDEX: &str = "create index on orders (ordered); analyze orders;";
const DAILY: &str = "create table daily as select '1970-01-01'::date + day as stat_date, platform, \
    category, region, currency, count(*) as orders, count(*) filter (where is_completed) as \
    completed, count(*) filter (where status = 'cancelled') as cancelled, sum(total) as total, \
    coalesce(sum(paid) filter (where is_completed), 0) as revenue, \
    coalesce(sum(discount) filter (where is_completed), 0) as discount \
    from (select ((ordered + 25200000) / 86400000)::int as day, *, case platform when 'web' \
    then status not in ('unpaid', 'pending', 'cancelled') else status = 'completed' end \
    as is_completed from orders) as o group by 1, 2, 3, 4, 5; \
    create unique index on daily (stat_date, platform, category, region, currency); \
    vacuum analyze daily;";
/// As in the program: a gigabyte for what is asked often, and room for sorting.
const SETTINGS: [&str; 5] =
    ["listen_addresses=", "fsync=off", "shared_buffers=1GB", "work_mem=256MB", "max_wal_size=8GB"];
/// Orders that go to `psql` in one write.
const PART: u64 = 20_000;

/// The running server; ended when dropped.
pub struct Postgres {
    socket: PathBuf,
    server: Child,
    /// Seconds that loading, the index and the daily table took.
    pub load: [f64; 3],
}

fn programs() -> Result<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").context("PostgreSQL is not installed")?;
    let bins = versions.flatten().map(|version| version.path().join("bin"));
    bins.filter(|bin| bin.join("initdb").is_file()).max().context("there is no initdb")
}

fn number(what: &str, user: &str) -> Result<u32> {
    let output = Command::new("id").args([what, user]).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// Root may not run PostgreSQL: then its own user does.
fn as_whom() -> Result<Option<(u32, u32)>> {
    let is_root = Command::new("id").arg("-u").output()?.stdout.trim_ascii() == b"0";
    Ok(if is_root { Some((number("-u", "postgres")?, number("-g", "postgres")?)) } else { None })
}

fn command(program: &str) -> Result<Command> {
    let mut command = Command::new(programs()?.join(program));
    if let Some((uid, gid)) = as_whom()? {
        command.uid(uid).gid(gid).current_dir("/");
    }
    Ok(command)
}

impl Postgres {
    /// Makes a server below a folder that other users may enter, and loads the orders.
    pub fn start(folder: &Path, shop: &Shop) -> Result<Self> {
        let (data, socket) = (folder.join("data"), folder.join("s"));
        for folder in [&data, &socket] {
            fs::create_dir_all(folder)?;
            if let Some((uid, gid)) = as_whom()? {
                chown(folder, Some(uid), Some(gid))?;
            }
        }
        fs::set_permissions(&data, fs::Permissions::from_mode(0o700))?;
        let mut made = command("initdb")?;
        made.args(["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8"]);
        let made = made.args(["--locale=C.UTF-8", "-D"]).arg(&data).output()?;
        ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut server = command("postgres")?;
        server.arg("-D").arg(&data).arg("-k").arg(&socket);
        for setting in SETTINGS {
            server.args(["-c", setting]);
        }
        let log = fs::File::create(folder.join("log"))?;
        let server = server.stdout(Stdio::null()).stderr(log).spawn()?;
        let mut postgres = Self { socket, server, load: [0.0; 3] };
        let begun = Instant::now();
        while postgres.run("select 1").is_err() {
            ensure!(begun.elapsed() < Duration::from_secs(60), "PostgreSQL does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        postgres.load(shop)?;
        Ok(postgres)
    }

    fn load(&mut self, shop: &Shop) -> Result<()> {
        self.run(TABLE)?;
        let begun = Instant::now();
        let mut child = self.psql()?.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        let mut stdin = child.stdin.take().context("psql takes nothing")?;
        let columns = "code, platform, status, total, discount, paid, ordered, category, region";
        writeln!(stdin, "copy orders ({columns}) from stdin (format csv);")?;
        for first in (0..shop.orders).step_by(PART as usize) {
            let mut lines = String::new();
            for number in first..(first + PART).min(shop.orders) {
                shop.order(number).write_csv(&mut lines);
            }
            stdin.write_all(lines.as_bytes())?;
        }
        writeln!(stdin, "\\.")?;
        drop(stdin);
        ensure!(child.wait()?.success(), "PostgreSQL did not take the orders");
        let loaded = begun.elapsed().as_secs_f64();
        self.run(INDEX)?;
        let indexed = begun.elapsed().as_secs_f64();
        self.run(DAILY)?;
        self.load = [loaded, indexed - loaded, begun.elapsed().as_secs_f64() - indexed];
        Ok(())
    }

    fn psql(&self) -> Result<Command> {
        let mut command = command("psql")?;
        let ours = ["-X", "-q", "-A", "-t", "-F", ",", "-U", "postgres", "-v", "ON_ERROR_STOP=1"];
        command.args(ours).arg("-h").arg(&self.socket);
        Ok(command)
    }

    fn run(&self, sql: &str) -> Result<Output> {
        let mut child = self
            .psql()?
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut stdin = child.stdin.take().context("psql takes nothing")?;
        let sql = sql.to_owned();
        let writer = std::thread::spawn(move || stdin.write_all(sql.as_bytes()));
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        writer.join().map_err(|_| anyhow::anyhow!("a writer stopped"))??;
        Ok(output)
    }

    /// The rows of a query, cells with commas between them.
    pub fn lines(&self, sql: &str) -> Result<Vec<String>> {
        let output = self.run(sql)?;
        Ok(String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect())
    }

    /// Milliseconds that a query took, each time, as `psql` measures them.
    pub fn time(&self, sql: &str, times: usize) -> Result<Vec<f64>> {
        let script = format!("\\timing on\n\\o /dev/null\n{}", format!("{sql}\n").repeat(times));
        let output = self.run(&script)?;
        let text = String::from_utf8(output.stdout)?;
        let of = |line: &str| line.strip_prefix("Time: ")?.split(' ').next()?.parse().ok();
        let found: Vec<f64> = text.lines().filter_map(of).collect();
        ensure!(found.len() == times, "psql told {} times, not {times}", found.len());
        Ok(found)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // PostgreSQL ends its own processes when it is asked to.
        let _ = Command::new("kill").args(["-INT", &self.server.id().to_string()]).status();
        let _ = self.server.wait();
    }
}
