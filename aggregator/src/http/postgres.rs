//! Payments of a PostgreSQL database: a table or view with `order_id, amount, status, created_at`.

use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use crate::reconcile::Payment;
use crate::reconcile::plan::is_table;

/// How long a database may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why there are no payments.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The connection is described wrongly, or cannot be made.
    #[error("the database cannot be reached: {0}")]
    Away(String),
    /// The query failed.
    #[error("the payments cannot be read: {0}")]
    Query(String),
}

/// What is read.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Table or view, with its schema or without.
    pub table: String,
    /// The first instant, epoch ms.
    pub from_ms: i64,
    /// The first instant after, epoch ms.
    pub to_ms: i64,
}

/// The error with its causes: what a driver says first is only where it happened.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Connects as `postgres://` or `host=... user=...` say; `sslmode=disable` goes without TLS,
/// `prefer` (without it) with TLS where the server has it, `require` not without.
///
/// # Errors
/// If the connection cannot be made.
pub async fn connect(url: &str) -> Result<Client, DatabaseError> {
    let away = |error: tokio_postgres::Error| DatabaseError::Away(told(&error));
    let mut config: Config = url.parse().map_err(away)?;
    config.connect_timeout(PATIENCE).application_name("edgetally");
    if config.get_ssl_mode() == SslMode::Disable {
        let (client, connection) = config.connect(NoTls).await.map_err(away)?;
        tokio::spawn(connection);
        return Ok(client);
    }
    let roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    let provider = Arc::new(crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| DatabaseError::Away(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let (client, connection) = config.connect(MakeRustlsConnect::new(tls)).await.map_err(away)?;
    tokio::spawn(connection);
    Ok(client)
}

/// Reads the payments of a range. A `created_at` without a zone is UTC.
///
/// # Errors
/// If the database cannot be reached, or has no such columns.
pub async fn read(url: &str, ask: &Ask) -> Result<Vec<Payment>, DatabaseError> {
    if !is_table(&ask.table) {
        return Err(DatabaseError::Query(format!("{:?} is no name of a table", ask.table)));
    }
    let client = connect(url).await?;
    let failed = |error: tokio_postgres::Error| DatabaseError::Query(told(&error));
    let zone = "set time zone 'UTC'; set statement_timeout = '60s'";
    client.batch_execute(zone).await.map_err(failed)?;
    let query = format!(
        "select order_id::text, amount::text, status::text, \
         round(extract(epoch from created_at::timestamptz) * 1000)::bigint \
         from {} where created_at::timestamptz >= to_timestamp($1::bigint / 1000.0) \
         and created_at::timestamptz < to_timestamp($2::bigint / 1000.0)",
        ask.table
    );
    let rows = client.query(&query, &[&ask.from_ms, &ask.to_ms]).await.map_err(failed)?;
    let payment = |row: tokio_postgres::Row| -> Result<Payment, tokio_postgres::Error> {
        let text = |at: usize| row.try_get::<_, Option<String>>(at).map(Option::unwrap_or_default);
        Ok(Payment {
            order_id: text(0)?,
            amount: text(1)?,
            status: text(2)?,
            created_at_ms: row.try_get(3)?,
        })
    };
    rows.into_iter().map(payment).collect::<Result<_, _>>().map_err(failed)
}
