//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::prelude::*;

/// What `--help` prints.
pub const USAGE: &str = "\
usage: cargo xtask <task>

  dev     installs what is missing, builds, and runs the worker, the aggregator and the demo shop
            --edge-port N   port of the worker (default 8787, 0 = a free one)
            --port N        port of the aggregator (default 8080, 0 = a free one)
            --data DIR      where everything is kept (default: a fresh folder under target/)
            --seed-demo     runs the simulator against the demo site
            --json          one JSON line on stdout when ready; ends when stdin closes
            --no-build      takes tools and parts as they are
  build   installs what is missing and builds SDK, worker, dashboard and aggregator
  test    runs every suite; the last line counts the tests
  soak    runs the tests at full length
  bench   runs the benchmarks
  bench edge   measures the edge: pure path, whole worker against others, bytes, memory
            --only PART     pure, whole, forwarded or footprint; may be repeated
            --worker NAME   edge, minimal or per_event; may be repeated
            --size N        events in a batch: 1, 3, 10 or 50; may be repeated
            --seconds N, --rounds N, --connections N   of the whole worker (3, 3, 1024)
            --archive       the whole worker and the others with a bucket
            --v8-flag FLAG  passed to V8, such as --perf-basic-prof for perf
  bench sdk   measures what the SDK takes of a page's main thread
  bench sessions   measures the engine: a clickstream alone, through the program, and in databases
            --events N, --seed N   of the stream (10000000, 1)
            --only PART     pure, memory, whole or batch; may be repeated
  bench query   asks thirty questions of a dashboard over a month, here and in databases
            --days N, --sessions N, --seed N   sessions of a day (30, 30000, 1)
            --rounds N      how often each is asked (15)
            --without-peers without the databases
  bench orders   takes orders of a back office in and asks for daily statistics; PostgreSQL beside
            --orders N, --seed N   how many, and what they are drawn from (10000000, 1)
            --calls N       how often each question is asked (1000)
            --without-peers without PostgreSQL
  ci      the same as test";

/// The worker's port when none is given.
pub const EDGE_PORT: u16 = 8787;
/// The aggregator's port when none is given.
pub const AGGREGATOR_PORT: u16 = 8080;

/// One task of the command line.
#[derive(Debug, PartialEq, Eq)]
pub enum Task {
    Help,
    Dev(DevOptions),
    Build,
    Test,
    Bench,
    /// The benchmark of the edge, with options for its driver.
    BenchEdge(Vec<OsString>),
    /// The benchmark of the SDK.
    BenchSdk,
    /// The benchmark of sessions, with options for its driver.
    BenchSessions(Vec<OsString>),
    /// The benchmark of queries, with options for its driver.
    BenchQuery(Vec<OsString>),
    /// The benchmark of orders, with options for its driver.
    BenchOrders(Vec<OsString>),
    Soak,
    /// Ends what `dev` leaves behind when it is killed; started by `dev` itself.
    Guard,
}

/// The options of `cargo xtask dev`.
#[derive(Debug, PartialEq, Eq)]
pub struct DevOptions {
    /// Port of the worker; 0 = a free one.
    pub edge_port: u16,
    /// Port of the aggregator; 0 = a free one.
    pub port: u16,
    /// Where everything is kept; none = a fresh folder under `target/`.
    pub data: Option<PathBuf>,
    /// Whether the simulator runs.
    pub seed_demo: bool,
    /// Whether stdout carries one JSON line and a closed stdin ends the run.
    pub json: bool,
    /// Whether tools and parts are taken as they are.
    pub no_build: bool,
}

impl Default for DevOptions {
    fn default() -> Self {
        Self {
            edge_port: EDGE_PORT,
            port: AGGREGATOR_PORT,
            data: None,
            seed_demo: false,
            json: false,
            no_build: false,
        }
    }
}

/// Reads the arguments after the program's name.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Task, lexopt::Error> {
    let mut parser = lexopt::Parser::from_args(args);
    let task = match parser.next()? {
        None | Some(Short('h') | Long("help")) => Task::Help,
        Some(Value(name)) => match name.to_str() {
            Some("dev") => return parse_dev(&mut parser),
            Some("build") => Task::Build,
            Some("test" | "ci") => Task::Test,
            Some("bench") => return parse_bench(&mut parser),
            Some("soak") => Task::Soak,
            Some("guard") => Task::Guard,
            _ => return Err(format!("there is no task {}", name.to_string_lossy()).into()),
        },
        Some(other) => return Err(other.unexpected()),
    };
    match parser.next()? {
        None => Ok(task),
        Some(Short('h') | Long("help")) => Ok(Task::Help),
        Some(other) => Err(other.unexpected()),
    }
}

const WITH_OPTIONS: [&str; 4] = ["edge", "sessions", "query", "orders"];

// The driver judges its options: it knows them.
fn parse_bench(parser: &mut lexopt::Parser) -> Result<Task, lexopt::Error> {
    match parser.next()? {
        None => Ok(Task::Bench),
        Some(Short('h') | Long("help")) => Ok(Task::Help),
        Some(Value(name)) if name == "sdk" => Ok(Task::BenchSdk),
        Some(Value(name)) if WITH_OPTIONS.iter().any(|known| name == *known) => {
            let options: Vec<OsString> = parser.raw_args()?.collect();
            let is_help = |option: &OsString| option == "--help" || option == "-h";
            let asks_help = options.iter().any(is_help);
            let task = match name.to_str() {
                Some("edge") => Task::BenchEdge,
                Some("query") => Task::BenchQuery,
                Some("orders") => Task::BenchOrders,
                _ => Task::BenchSessions,
            };
            Ok(if asks_help { Task::Help } else { task(options) })
        }
        Some(other) => Err(other.unexpected()),
    }
}

fn parse_dev(parser: &mut lexopt::Parser) -> Result<Task, lexopt::Error> {
    let mut options = DevOptions::default();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("edge-port") => options.edge_port = parser.value()?.parse()?,
            Long("port") => options.port = parser.value()?.parse()?,
            Long("data") => options.data = Some(parser.value()?.into()),
            Long("seed-demo") => options.seed_demo = true,
            Long("json") => options.json = true,
            Long("no-build") => options.no_build = true,
            Short('h') | Long("help") => return Ok(Task::Help),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Task::Dev(options))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Task, String> {
        parse(line.split_whitespace().map(OsString::from)).map_err(|error| error.to_string())
    }

    #[test]
    fn dev_has_the_documented_defaults() {
        assert_eq!(parsed("dev"), Ok(Task::Dev(DevOptions::default())));
        let defaults = DevOptions::default();
        assert_eq!((defaults.edge_port, defaults.port), (8787, 8080));
    }

    #[test]
    fn dev_takes_every_option() {
        let expected = DevOptions {
            edge_port: 0,
            port: 9000,
            data: Some("here".into()),
            seed_demo: true,
            json: true,
            no_build: true,
        };
        let line = "dev --edge-port 0 --port=9000 --data here --seed-demo --json --no-build";
        assert_eq!(parsed(line), Ok(Task::Dev(expected)));
    }

    #[test]
    fn options_of_a_benchmark_are_handed_on() {
        let expected = ["--only", "pure"].map(OsString::from).to_vec();
        assert_eq!(parsed("bench edge --only pure"), Ok(Task::BenchEdge(expected)));
        let expected = ["--events", "9"].map(OsString::from).to_vec();
        assert_eq!(parsed("bench sdk"), Ok(Task::BenchSdk));
        assert_eq!(parsed("bench sessions --events 9"), Ok(Task::BenchSessions(expected)));
        let expected = ["--days", "9"].map(OsString::from).to_vec();
        assert_eq!(parsed("bench query --days 9"), Ok(Task::BenchQuery(expected)));
        let expected = ["--orders", "9"].map(OsString::from).to_vec();
        assert_eq!(parsed("bench orders --orders 9"), Ok(Task::BenchOrders(expected)));
        assert_eq!(parsed("bench"), Ok(Task::Bench));
        assert_eq!(parsed("bench edge --help"), Ok(Task::Help));
    }

    #[test]
    fn a_wrong_word_is_named() {
        for (line, word) in [
            ("dve", "dve"),
            ("dev --prot 1", "--prot"),
            ("dev --port 70000", "70000"),
            ("test now", "now"),
            ("bench now", "now"),
        ] {
            let error = parsed(line).expect_err(line);
            assert!(error.contains(word), "{line}: {error}");
        }
    }
}
