//! What runs under `dev`: how each part is started and how one tells that it is ready.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::dev::SITE;
use crate::dev::state::Secrets;
use crate::paths::Paths;

// Settings of the test suites; the aggregator refuses settings that it does not know.
const NOT_FOR_PARTS: [&str; 3] = ["EDGETALLY_SOAK", "EDGETALLY_XTASK", "EDGETALLY_DEV_JSON"];

// Longer than anyone looks at a demo.
const SIMULATOR_DURATION: &str = "8760h";

/// Where everything is on this run.
pub struct Layout<'a> {
    /// The repository.
    pub paths: &'a Paths,
    /// The data folder.
    pub data: &'a Path,
    /// The aggregator's port.
    pub port: u16,
    /// The worker's port.
    pub edge_port: u16,
    /// The shop's port.
    pub shop_port: u16,
    /// Keys and secrets.
    pub secrets: Secrets,
}

impl Layout<'_> {
    /// Where the aggregator answers.
    pub fn aggregator_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Where the worker answers.
    pub fn edge_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.edge_port)
    }

    /// Where the shop answers.
    pub fn shop_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.shop_port)
    }

    fn log(&self, name: &str) -> PathBuf {
        self.data.join("logs").join(name).with_extension("log")
    }
}

/// One process of `dev`, with whatever it starts itself.
pub struct Part {
    /// Its name in messages and of its log.
    pub name: &'static str,
    /// Makes the command; the same one at every restart, so ports and data stay.
    pub command: Box<dyn Fn() -> Command>,
    /// Where its output goes.
    pub log: PathBuf,
    /// Whether it prints one JSON line on stdout when it serves.
    pub announces: bool,
    /// A URL that answers 200 once it is ready.
    pub health: Option<String>,
}

impl Part {
    /// The aggregator on its embedded store.
    pub fn aggregator(layout: &Layout<'_>) -> Self {
        let program = layout.paths.aggregator();
        let settings = [
            ("EDGETALLY_LISTEN", format!("127.0.0.1:{}", layout.port)),
            ("EDGETALLY_DATA", layout.data.join("aggregator").display().to_string()),
            ("EDGETALLY_ADMIN_KEY", layout.secrets.admin_key.clone()),
            ("EDGETALLY_EDGE_SECRET", layout.secrets.edge_secret.clone()),
            ("EDGETALLY_EDGE", layout.edge_url()),
        ];
        let folder = layout.data.to_path_buf();
        let command = move || {
            let mut command = Command::new(&program);
            NOT_FOR_PARTS.iter().for_each(|name| {
                command.env_remove(name);
            });
            command.arg("serve").current_dir(&folder).envs(settings.clone());
            command
        };
        Self {
            name: "aggregator",
            command: Box::new(command),
            log: layout.log("aggregator"),
            announces: false,
            health: Some(format!("{}/readyz", layout.aggregator_url())),
        }
    }

    /// The worker in workerd.
    pub fn worker(layout: &Layout<'_>) -> Self {
        let (node, root) = (layout.paths.node(), layout.paths.root.clone());
        let persist = layout.data.join("worker");
        let arguments = [
            "--port".to_owned(),
            layout.edge_port.to_string(),
            "--var".to_owned(),
            format!("AGGREGATOR_URL={}", layout.aggregator_url()),
            "--secret".to_owned(),
            "EDGE_SECRET".to_owned(),
            "--var".to_owned(),
            // Sooner than in production, so that it can be watched.
            "ARCHIVE_SECONDS=5".to_owned(),
        ];
        let secret = layout.secrets.edge_secret.clone();
        let command = move || {
            let mut command = Command::new(&node);
            command.arg("edge-worker/dev/serve.mjs").arg("--persist").arg(&persist);
            command.args(&arguments).current_dir(&root).env("EDGE_SECRET", &secret);
            command
        };
        Self {
            name: "worker",
            command: Box::new(command),
            log: layout.log("worker"),
            announces: true,
            health: Some(format!("{}/healthz", layout.edge_url())),
        }
    }

    /// The demo shop.
    pub fn shop(layout: &Layout<'_>) -> Result<Self> {
        let (node, root) = (layout.paths.node(), layout.paths.root.clone());
        let key = layout.secrets.write_key.clone().context("the site has no write key")?;
        let arguments = [
            "shop/serve.mjs".to_owned(),
            "--port".to_owned(),
            layout.shop_port.to_string(),
            "--edge".to_owned(),
            layout.edge_url(),
            "--site".to_owned(),
            SITE.to_owned(),
            "--key".to_owned(),
            key,
        ];
        let command = move || {
            let mut command = Command::new(&node);
            command.args(&arguments).current_dir(&root);
            command
        };
        Ok(Self {
            name: "shop",
            command: Box::new(command),
            log: layout.log("shop"),
            announces: true,
            health: Some(layout.shop_url()),
        })
    }

    /// The simulator, which fills the demo site.
    pub fn simulator(layout: &Layout<'_>) -> Result<Self> {
        let program = layout.paths.aggregator();
        let key = layout.secrets.server_key.clone().context("the site has no server key")?;
        let edge = layout.edge_url();
        let folder = layout.data.to_path_buf();
        let command = move || {
            let mut command = Command::new(&program);
            NOT_FOR_PARTS.iter().for_each(|name| {
                command.env_remove(name);
            });
            command.args(["simulate", "--edge", &edge, "--site", SITE, "--key", &key]);
            command.args(["--rate", "20", "--seed", "1", "--duration", SIMULATOR_DURATION]);
            command.current_dir(&folder);
            command
        };
        Ok(Self {
            name: "simulator",
            command: Box::new(command),
            log: layout.log("simulator"),
            announces: false,
            health: None,
        })
    }
}
