//! The driver of `cargo xtask bench edge`. Everything is built before it starts.

mod args;
mod workerd;
mod sink;
mod load;
mod whole;
mod pure;
mod forwarded;
mod footprint;
mod report;

use std::fs;

use anyhow::{Context, Result};
use serde_json::json;

use crate::args::Options;

// One thread: the load, the stand-in of the aggregator and the report share the core that workerd
// leaves them.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Options::parse()?;
    let cores = workerd::Cores::take();
    let mut found = serde_json::Map::new();
    let mut keep = |name: &str, value| {
        found.insert(name.to_owned(), value);
    };
    keep("machine", report::machine(&cores));
    if options.runs("pure") {
        keep("pure", pure::measure(&options, &cores).await.context("the pure path")?);
    }
    if options.runs("whole") {
        keep("whole", whole::measure(&options, &cores).await.context("the whole worker")?);
    }
    if options.runs("forwarded") {
        keep("forwarded", forwarded::measure()?);
    }
    if options.runs("footprint") {
        keep("footprint", footprint::measure(&options, &cores).await.context("the footprint")?);
    }
    let found = json!(found);
    let text = report::markdown(&found);
    fs::create_dir_all(&options.out)?;
    fs::write(options.out.join("edge.json"), serde_json::to_string_pretty(&found)?)?;
    fs::write(options.out.join("edge.md"), &text)?;
    report::print(&text)
}
