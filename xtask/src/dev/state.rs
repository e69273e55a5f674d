//! What a data folder keeps between runs, beside the data of the parts.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// The keys of the demo site and the secrets of its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secrets {
    /// Opens every route of the aggregator.
    pub admin_key: String,
    /// Signs what worker and aggregator say to each other.
    pub edge_secret: String,
    /// For browsers; none until the site is made.
    pub write_key: Option<String>,
    /// For servers; none until the site is made.
    pub server_key: Option<String>,
    /// For reports; none until the site is made.
    pub read_key: Option<String>,
}

impl Secrets {
    /// The folder's own, or new ones when it has none.
    pub fn load_or_make(data: &Path) -> Result<Self> {
        let file = keys_file(data);
        if let Ok(text) = fs::read_to_string(&file) {
            return Self::read(&text).with_context(|| format!("{} is damaged", file.display()));
        }
        let secrets = Self {
            admin_key: format!("ak_{}", random_hex()?),
            edge_secret: random_hex()?,
            write_key: None,
            server_key: None,
            read_key: None,
        };
        secrets.save(data)?;
        Ok(secrets)
    }

    /// Writes them where only their owner reads them.
    pub fn save(&self, data: &Path) -> Result<()> {
        let value = json!({
            "admin_key": self.admin_key,
            "edge_secret": self.edge_secret,
            "write_key": self.write_key,
            "server_key": self.server_key,
            "read_key": self.read_key,
        });
        write_private(&keys_file(data), &value)
    }

    fn read(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text)?;
        let optional = |name: &str| value[name].as_str().map(str::to_owned);
        let required = |name: &str| optional(name).with_context(|| format!("{name} is missing"));
        Ok(Self {
            admin_key: required("admin_key")?,
            edge_secret: required("edge_secret")?,
            write_key: optional("write_key"),
            server_key: optional("server_key"),
            read_key: optional("read_key"),
        })
    }
}

/// Where the keys of a data folder are.
pub fn keys_file(data: &Path) -> PathBuf {
    data.join("keys.json")
}

/// Replaces a file as a whole: a reader sees the old text or the new, never a part.
pub fn write_private(file: &Path, value: &Value) -> Result<()> {
    let draft = file.with_extension("new");
    let write = || -> std::io::Result<()> {
        let mut open = OpenOptions::new();
        open.write(true).create(true).truncate(true).mode(0o600);
        open.open(&draft)?.write_all(format!("{value}\n").as_bytes())?;
        fs::rename(&draft, file)
    };
    write().with_context(|| format!("{} cannot be written", file.display()))
}

fn random_hex() -> Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).context("the system gives no random bytes")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn secrets_survive_and_stay_private() {
        let data = std::env::temp_dir().join(format!("secrets-{}", std::process::id()));
        fs::create_dir_all(&data).expect("a folder");
        let mut made = Secrets::load_or_make(&data).expect("made");
        assert!(made.admin_key.starts_with("ak_") && made.edge_secret.len() == 64);
        made.write_key = Some("wk_1".into());
        made.save(&data).expect("saved");
        assert_eq!(Secrets::load_or_make(&data).expect("loaded"), made);
        let mode = fs::metadata(keys_file(&data)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(keys_file(&data), "{}").expect("written");
        let error = Secrets::load_or_make(&data).expect_err("damaged");
        assert!(format!("{error:#}").contains("admin_key"));
        fs::remove_dir_all(data).expect("removed");
    }
}
