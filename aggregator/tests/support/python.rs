//! DuckDB in a Python environment of the project: a reader of files that shares no code with us.

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

/// The interpreter, with the database installed once.
fn python() -> PathBuf {
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/python-tests");
    let (stamp, program) = (folder.join(".installed"), folder.join("bin/python"));
    if std::fs::read_to_string(&stamp).is_ok_and(|kept| kept == DATABASE) {
        return program;
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
    // DuckDB gives instants with a zone through pytz.
    run(Command::new(&program).args(["-m", "pip", "install", "-q", DATABASE, "pytz"]));
    std::fs::write(&stamp, DATABASE).unwrap();
    program
}

/// The rows of a Parquet file.
pub fn parquet(path: &Path) -> Vec<Value> {
    let text = run(Command::new(python()).args(["-c", READ]).arg(path));
    let text = String::from_utf8(text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
