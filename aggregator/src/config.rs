//! Configuration: `edgetally.toml`, then the environment, which alone holds secrets.

use std::net::SocketAddr;
use std::path::PathBuf;

use argon2::password_hash::phc::PasswordHash;
use serde::Deserialize;

/// Keys of the file, to name the nearest when one is not known.
const KEYS: [&str; 9] = [
    "listen",
    "data",
    "edge",
    "keep_free_mb",
    "mail_from",
    "memory",
    "tls",
    "tls.certificate",
    "tls.key",
];

/// Memory for records, timelines and lines, if nothing else is said.
pub const MEMORY: usize = 1 << 30;
/// Megabytes that are kept free on the disk, so that checkpoints have room when the log stops.
const KEEP_FREE_MB: u64 = 64;

/// The configuration of `edgetally serve`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The data folder.
    pub data: PathBuf,
    /// URL of the worker whose archive is rewritten after an erasure, if given.
    pub edge: Option<String>,
    /// Bytes of memory for records, timelines and lines of persons, and sessions as columns; what
    /// there is no room for is read back from the store, or worked out, when it is needed.
    pub memory: usize,
    /// Nothing is taken while fewer bytes than this are free where the data folder lies.
    pub keep_free_bytes: u64,
    /// A key that opens everything, if given.
    pub admin_key: Option<String>,
    /// What argon2 made of the password of the dashboard, if given.
    pub password_hash: Option<String>,
    /// Signs what goes between workers and aggregator.
    pub edge_secret: String,
    /// URL of the mail server with its password, if mails are sent.
    pub smtp_url: Option<String>,
    /// Whom mails are from.
    pub mail_from: Option<String>,
    /// With what connections are encrypted, if they are.
    pub tls: Option<Tls>,
}

/// Where the parts of TLS are.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The chain of certificates, the server's own first, as PEM.
    pub certificate: PathBuf,
    /// Its private key, as PEM.
    pub key: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    listen: SocketAddr,
    data: PathBuf,
    edge: Option<String>,
    memory: Option<String>,
    tls: Option<Tls>,
    keep_free_mb: u64,
    mail_from: Option<String>,
}

impl Default for File {
    fn default() -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 8_080));
        let data = PathBuf::from("data");
        Self {
            listen,
            data,
            edge: None,
            memory: None,
            tls: None,
            keep_free_mb: KEEP_FREE_MB,
            mail_from: None,
        }
    }
}

/// Why a configuration is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file is no TOML, or a value has the wrong type.
    #[error("the configuration cannot be read: {0}")]
    File(String),
    /// A key that means nothing.
    #[error("the configuration has no key {key:?}; the nearest is {nearest:?}")]
    UnknownKey {
        /// As written.
        key: String,
        /// The nearest known one.
        nearest: &'static str,
    },
    /// A variable of the environment.
    #[error("{name} {problem}")]
    Variable {
        /// Its name.
        name: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

impl Config {
    /// Reads the text of a file, if there is one, and the environment.
    ///
    /// # Errors
    /// If a key is not known, a value cannot be read, or a secret is missing.
    pub fn read(
        text: Option<&str>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let variable = |name: &'static str| environment(name).filter(|value| !value.is_empty());
        let mut file = text.map_or_else(|| Ok(File::default()), parse)?;
        if let Some(listen) = variable("EDGETALLY_LISTEN") {
            file.listen = listen.parse().map_err(|_| ConfigError::Variable {
                name: "EDGETALLY_LISTEN",
                problem: format!("is {listen:?}, which is no address such as 127.0.0.1:8080"),
            })?;
        }
        if let Some(megabytes) = variable("EDGETALLY_KEEP_FREE_MB") {
            file.keep_free_mb = megabytes.parse().map_err(|_| ConfigError::Variable {
                name: "EDGETALLY_KEEP_FREE_MB",
                problem: format!("is {megabytes:?}, which is no number of megabytes"),
            })?;
        }
        let edge_secret = variable("EDGETALLY_EDGE_SECRET").ok_or(ConfigError::Variable {
            name: "EDGETALLY_EDGE_SECRET",
            problem: "is not set; workers and aggregator share it".to_owned(),
        })?;
        Ok(Self {
            listen: file.listen,
            data: variable("EDGETALLY_DATA").map_or(file.data, PathBuf::from),
            edge: edge(variable("EDGETALLY_EDGE").or(file.edge))?,
            memory: memory(variable("EDGETALLY_MEMORY").or(file.memory))?,
            keep_free_bytes: file.keep_free_mb.saturating_mul(1 << 20),
            admin_key: variable("EDGETALLY_ADMIN_KEY"),
            password_hash: password_hash(variable("EDGETALLY_PASSWORD_HASH"))?,
            smtp_url: smtp_url(variable("EDGETALLY_SMTP_URL"))?,
            mail_from: mail_from(variable("EDGETALLY_MAIL_FROM").or(file.mail_from))?,
            tls: file.tls,
            edge_secret,
        })
    }
}

/// What argon2 wrote, or none. What is wrong with it is not said: it may be the password itself.
fn password_hash(text: Option<String>) -> Result<Option<String>, ConfigError> {
    match text {
        Some(text) if !text.starts_with("$argon2") || PasswordHash::new(&text).is_err() => {
            Err(ConfigError::Variable {
                name: "EDGETALLY_PASSWORD_HASH",
                problem: "is not what `edgetally hash-password` prints".to_owned(),
            })
        }
        text => Ok(text),
    }
}

/// A URL of a mail server, or none. It holds a password, so what is wrong with it is not said.
fn smtp_url(text: Option<String>) -> Result<Option<String>, ConfigError> {
    match text {
        Some(text) if lettre::SmtpTransport::from_url(&text).is_err() => {
            let problem = "is no URL such as smtps://user:password@mail.example".to_owned();
            Err(ConfigError::Variable { name: "EDGETALLY_SMTP_URL", problem })
        }
        text => Ok(text),
    }
}

/// Whom mails are from, or none.
fn mail_from(text: Option<String>) -> Result<Option<String>, ConfigError> {
    match text {
        Some(text) if text.parse::<lettre::message::Mailbox>().is_err() => {
            let problem = format!("is {text:?}, which is no address such as Shop <a@shop.vn>");
            Err(ConfigError::Variable { name: "mail_from", problem })
        }
        text => Ok(text),
    }
}

/// A URL of a worker, or none.
fn edge(text: Option<String>) -> Result<Option<String>, ConfigError> {
    let is_url = |text: &String| text.starts_with("http://") || text.starts_with("https://");
    match text {
        Some(text) if !is_url(&text) => Err(ConfigError::Variable {
            name: "edge",
            problem: format!("is {text:?}, which is no URL such as https://collect.example"),
        }),
        text => Ok(text),
    }
}

/// Names of all keys, those of tables after the table and a dot.
fn paths(table: &toml::Table) -> Vec<String> {
    let below = |(key, value): (&String, &toml::Value)| {
        let inner = value.as_table().map(paths).unwrap_or_default();
        let inner = inner.into_iter().map(move |name| format!("{key}.{name}"));
        [key.clone()].into_iter().chain(inner.collect::<Vec<_>>())
    };
    table.iter().flat_map(below).collect()
}

/// An amount of memory such as `512 MiB`.
fn memory(text: Option<String>) -> Result<usize, ConfigError> {
    let Some(text) = text else { return Ok(MEMORY) };
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
    let amount = units.into_iter().find_map(|(unit, shift)| {
        let number: usize = text.strip_suffix(unit)?.trim().parse().ok()?;
        number.checked_mul(1 << shift).filter(|bytes| *bytes > 0)
    });
    amount.ok_or_else(|| ConfigError::Variable {
        name: "memory",
        problem: format!("is {text:?}, which is no amount such as 512 MiB or 2 GiB"),
    })
}

fn parse(text: &str) -> Result<File, ConfigError> {
    let unreadable = |error: toml::de::Error| ConfigError::File(error.to_string());
    let table: toml::Table = text.parse().map_err(unreadable)?;
    if let Some(key) = paths(&table).into_iter().find(|key| !KEYS.contains(&key.as_str())) {
        let near = |known: &&str| (strsim::jaro_winkler(known, &key) * 1e6) as u64;
        let nearest = KEYS.into_iter().max_by_key(near).unwrap_or_default();
        return Err(ConfigError::UnknownKey { key, nearest });
    }
    toml::from_str(text).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: Option<&str>, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let find = |name: &str| environment.iter().find(|(n, _)| *n == name);
        Config::read(text, |name| find(name).map(|(_, value)| (*value).to_owned()))
    }

    const SECRET: (&str, &str) = ("EDGETALLY_EDGE_SECRET", "s");

    /// The documented example is read as it is.
    #[test]
    fn the_example_is_read() {
        let example = include_str!("../../docs/examples/edgetally.toml");
        let config = read(Some(example), &[SECRET]).unwrap();
        assert_eq!(config.listen, "127.0.0.1:8080".parse().unwrap());
        assert_eq!(config.data, PathBuf::from("/var/lib/edgetally"));
        assert_eq!(config.memory, MEMORY);
    }

    #[test]
    fn the_environment_goes_before_the_file() {
        let environment = [SECRET, ("EDGETALLY_LISTEN", "127.0.0.1:0"), ("EDGETALLY_DATA", "d")];
        let config = read(Some("listen = \"127.0.0.1:9\"\ndata = \"x\""), &environment).unwrap();
        assert_eq!((config.listen.port(), config.data), (0, PathBuf::from("d")));
        let environment = [SECRET, ("EDGETALLY_MEMORY", "64 KiB")];
        assert_eq!(read(Some("memory = \"2 GiB\""), &environment).unwrap().memory, 64 << 10);
        assert_eq!(read(Some("memory = \"2GiB\""), &[SECRET]).unwrap().memory, 2 << 30);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let said = |text, environment: &[_]| read(text, environment).unwrap_err().to_string();
        assert!(said(Some("lisen = \"127.0.0.1:9\""), &[SECRET]).contains("nearest is \"listen\""));
        assert!(said(Some("listen = 5"), &[SECRET]).contains("listen"));
        let tls = said(Some("[tls]\ncertifcate = \"c\""), &[SECRET]);
        assert!(tls.contains("nearest is \"tls.certificate\""), "{tls}");
        assert!(said(Some("[tls]\nkey = \"k\""), &[SECRET]).contains("certificate"));
        let password = said(None, &[SECRET, ("EDGETALLY_PASSWORD_HASH", "hunter2")]);
        assert!(password.contains("hash-password") && !password.contains("hunter2"), "{password}");
        assert!(said(None, &[SECRET, ("EDGETALLY_EDGE", "shop")]).contains("edge is \"shop\""));
        for wrong in ["1", "1 GB", "-1 MiB", "0 KiB", "99999999999 GiB"] {
            let problem = said(None, &[SECRET, ("EDGETALLY_MEMORY", wrong)]);
            assert!(problem.contains(&format!("memory is {wrong:?}")), "{problem}");
        }
        assert!(said(None, &[]).contains("EDGETALLY_EDGE_SECRET is not set"));
        assert!(said(None, &[SECRET, ("EDGETALLY_LISTEN", "x")]).contains("EDGETALLY_LISTEN"));
    }
}
