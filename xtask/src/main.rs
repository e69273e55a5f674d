//! Project automation: `cargo xtask dev | build | test | bench | soak | ci`.

mod args;
mod paths;
mod stop;
mod run;
mod stamp;
mod tools;
mod parts;
mod dev;
mod suites;

use std::process::ExitCode;

use anyhow::Result;

use crate::args::Task;
use crate::paths::Paths;

fn main() -> ExitCode {
    let task = match args::parse(std::env::args_os().skip(1)) {
        Ok(task) => task,
        Err(error) => {
            eprintln!("error: {error}\n\n{}", args::USAGE);
            return ExitCode::from(2);
        }
    };
    // To stop is how `dev` ends; anything else was cut short.
    let when_stopped = if matches!(task, Task::Dev(_)) { 0 } else { 130 };
    match perform(task) {
        Ok(code) => code,
        Err(_) if stop::requested() => ExitCode::from(when_stopped),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task) -> Result<ExitCode> {
    let paths = Paths::find()?;
    match task {
        Task::Help => {
            run::say_out(args::USAGE)?;
            return Ok(ExitCode::SUCCESS);
        }
        Task::Guard => dev::guard::guard(std::io::stdin().lock()),
        Task::Dev(options) => dev::dev(&paths, &options)?,
        Task::Build => {
            stop::watch_signals()?;
            tools::install(&paths)?;
            parts::build(&paths)?;
            tools::install_for_tests(&paths)?;
        }
        Task::Test => return suites::test(&paths),
        Task::Bench => return suites::bench(&paths),
        Task::BenchEdge(options) => return suites::bench_edge(&paths, &options),
        Task::BenchSdk => return suites::bench_sdk(&paths),
        Task::BenchSessions(options) => return suites::bench_sessions(&paths, &options),
        Task::BenchQuery(options) => return suites::bench_query(&paths, &options),
        Task::BenchOrders(options) => return suites::bench_orders(&paths, &options),
        Task::Soak => return suites::soak(&paths),
    }
    Ok(ExitCode::SUCCESS)
}
