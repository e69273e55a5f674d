//! Python environments of the project: DuckDB reads files, aiosmtpd takes mails. Neither shares
//! code with us.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

const DATABASE: &str = "duckdb==2.0.0";

/// Prints each row of a Parquet file as a line of JSON: instants as epoch milliseconds, decimals
/// as texts without needless zeros.
const READ: &str = r#"
import datetime, decimal, json, sys
import duckdb

def plain(value):
    if isinstance(value, datetime.datetime):
        return round(value.timestamp() * 1000)
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return value

duckdb.sql("set timezone = 'UTC'")
answer = duckdb.execute("select * from read_parquet(?)", [sys.argv[1]])
names = [column[0] for column in answer.description]
for row in answer.fetchall():
    print(json.dumps(dict(zip(names, map(plain, row)))))
"#;

fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().expect("the tests need Python 3 with venv");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The interpreter of an environment, with packages installed once.
fn python(name: &str, packages: &[&str]) -> PathBuf {
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools").join(name);
    let (stamp, program) = (folder.join(".installed"), folder.join("bin/python"));
    let wanted = packages.first().copied().unwrap_or_default();
    if std::fs::read_to_string(&stamp).is_ok_and(|kept| kept == wanted) {
        return program;
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
    run(Command::new(&program).args(["-m", "pip", "install", "-q"]).args(packages));
    std::fs::write(&stamp, wanted).unwrap();
    program
}

/// Takes mails, and prints each as a line of JSON: what its readers would see.
const MAILS: &str = r#"
import asyncio, email, email.policy, json
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

class Taker:
    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        body = lambda kind: mail.get_body((kind,)).get_content()
        print(json.dumps({"from": envelope.mail_from, "to": envelope.rcpt_tos,
            "subject": mail["subject"], "id": mail["message-id"], "date": mail["date"],
            "text": body("plain"), "html": body("html")}), flush=True)
        return "250 taken"

def login(server, session, envelope, mechanism, auth):
    return AuthResult(success=auth.login == b"shop" and auth.password == b"secret of mails")

taker = Controller(Taker(), hostname="127.0.0.1", port=PORT, authenticator=login,
    auth_required=True, auth_require_tls=False, enable_SMTPUTF8=True)
taker.start()
print(json.dumps(taker.server.sockets[0].getsockname()[1]), flush=True)
import sys
sys.stdin.read()
taker.stop()
"#;

/// A mail server; it ends when dropped.
pub struct MailServer {
    child: std::process::Child,
    lines: std::io::Lines<std::io::BufReader<std::process::ChildStdout>>,
    pub port: u16,
}

impl MailServer {
    pub fn start() -> Self {
        use std::io::BufRead;
        let program = python("python-mail", &["aiosmtpd==1.4.6"]);
        // Controllers cannot begin at a port that the system chooses.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let script = MAILS.replace("PORT", &port.to_string());
        let mut child = Command::new(program)
            .args(["-c", &script])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
        let started = lines.next().unwrap().unwrap();
        assert_eq!(started, port.to_string());
        Self { child, lines, port }
    }

    /// The next mail; waits for it.
    pub fn next(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The rows of a Parquet file.
pub fn parquet(path: &Path) -> Vec<Value> {
    let text =
        run(Command::new(python("python-tests", &[DATABASE, "pytz"])).args(["-c", READ]).arg(path));
    let text = String::from_utf8(text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
