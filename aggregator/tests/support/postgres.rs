//! A real PostgreSQL server of its own, on a socket in a folder of its own.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub struct Postgres {
    dir: tempfile::TempDir,
    server: Child,
}

/// The newest version that is installed.
fn programs() -> PathBuf {
    let root = Path::new("/usr/lib/postgresql");
    let versions = fs::read_dir(root).expect("PostgreSQL is not installed: cargo xtask test");
    let bin = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().path().join("bin");
    let found = versions.map(bin).filter(|bin| bin.join("initdb").is_file());
    found.max_by_key(|bin| version_of(bin)).expect("there is no initdb of PostgreSQL")
}

fn version_of(bin: &Path) -> u32 {
    let name = bin.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    name.and_then(|name| name.parse().ok()).unwrap_or(0)
}

fn number(what: &str, user: &str) -> u32 {
    let output = Command::new("id").args([what, user]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

/// Root may not run PostgreSQL: then its own user does.
fn as_whom() -> Option<(u32, u32)> {
    let own = Command::new("id").arg("-u").output().unwrap().stdout;
    (own.trim_ascii() == b"0").then(|| (number("-u", "postgres"), number("-g", "postgres")))
}

fn command(program: &str) -> Command {
    let mut command = Command::new(programs().join(program));
    if let Some((uid, gid)) = as_whom() {
        command.uid(uid).gid(gid).current_dir("/");
    }
    command
}

impl Postgres {
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let (data, socket) = (dir.path().join("data"), dir.path().join("s"));
        for folder in [&data, &socket] {
            fs::create_dir(folder).unwrap();
            if let Some((uid, gid)) = as_whom() {
                chown(folder, Some(uid), Some(gid)).unwrap();
            }
        }
        fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
        let made = command("initdb")
            .args(["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8"])
            .args(["--locale=C.UTF-8", "-D"])
            .arg(&data)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let server = command("postgres")
            .arg("-D")
            .arg(&data)
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-k"])
            .arg(&socket)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let postgres = Self { dir, server };
        let deadline = Instant::now() + Duration::from_secs(60);
        while !postgres.answers() {
            assert!(Instant::now() < deadline, "PostgreSQL does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        postgres
    }

    /// Where clients find it: the folder of its socket.
    pub fn host(&self) -> String {
        self.dir.path().join("s").display().to_string()
    }

    fn psql(&self) -> Command {
        let mut command = Command::new(programs().join("psql"));
        let ours = ["-X", "-q", "-U", "postgres", "-v", "ON_ERROR_STOP=1", "-h"];
        command.args(ours).arg(self.host());
        command
    }

    fn answers(&self) -> bool {
        let asked = self.psql().args(["-c", "select 1"]).output();
        asked.is_ok_and(|output| output.status.success())
    }

    /// Runs a script.
    pub fn run(&self, sql: &str) {
        self.lines(sql);
    }

    /// The rows of a query, cells with commas between them.
    pub fn lines(&self, sql: &str) -> Vec<String> {
        let mut child = self
            .psql()
            .args(["-A", "-t", "-F", ","])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let sql = sql.to_owned();
        let writer = std::thread::spawn(move || stdin.write_all(sql.as_bytes()));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    /// Loads rows of CSV into a table.
    pub fn copy(&self, table: &str, csv: &str) {
        self.run(&format!("copy {table} from stdin (format csv);\n{csv}\\.\n"));
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // PostgreSQL ends its own processes when it is asked to.
        let pid = self.server.id().to_string();
        let _ = Command::new("kill").args(["-INT", &pid]).status();
        let _ = self.server.wait();
    }
}
