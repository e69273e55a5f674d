//! `edgetally keys`: keys of a running aggregator.

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::client::{ClientError, Target};
use super::{end, say};

/// What a key opens.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// Events of browsers and apps.
    Write,
    /// Events and orders of servers.
    Server,
    /// Reports.
    Read,
    /// Everything.
    Admin,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Lists ids, kinds and sites of all keys; the keys themselves are not kept.
    List,
    /// Makes a key and shows it, this once.
    Add {
        /// The site.
        #[arg(long)]
        site: String,
        /// What it opens.
        #[arg(long, value_enum)]
        kind: Kind,
    },
    /// Deletes a key by its id.
    Delete {
        /// The id.
        id: String,
    },
}

/// What to do with keys.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    target: Target,
}

/// Runs the command: 0 if it is done, 1 if not.
pub fn run(args: &Args) -> ExitCode {
    let target = &args.target;
    match &args.action {
        Action::List => match list(target) {
            Ok(keys) => {
                let all = keys.iter().try_for_each(|key| say(&key.to_string()));
                end(all.map(|()| Value::Null))
            }
            Err(error) => end(Err(error)),
        },
        Action::Add { site, kind } => {
            let kind = kind.to_possible_value().map(|kind| kind.get_name().to_owned());
            end(target.json("POST", "/v1/keys", Some(&json!({"site": site, "kind": kind}))))
        }
        Action::Delete { id } => {
            let id = percent_encoding::utf8_percent_encode(id, percent_encoding::NON_ALPHANUMERIC);
            end(target.json("DELETE", &format!("/v1/keys/{id}"), None))
        }
    }
}

fn list(target: &Target) -> Result<Vec<Value>, ClientError> {
    let (mut keys, mut after) = (Vec::new(), String::new());
    loop {
        let mut page = target.json("GET", &format!("/v1/keys?limit=1000{after}"), None)?;
        if let Value::Array(rows) = page["results"].take() {
            keys.extend(rows);
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return Ok(keys),
        }
    }
}
