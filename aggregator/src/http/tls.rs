//! Connections, with TLS or without.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls;
pub use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;

use super::sockets::Prepared;

/// How long a client may take to agree on a key.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Connections that agree on a key at a time; others wait to be accepted.
const HANDSHAKES_MAX: usize = 256;

/// Who is at the other end.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

impl Connected<IncomingStream<'_, Prepared>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Prepared>) -> Self {
        Self(*stream.remote_addr())
    }
}

impl Connected<IncomingStream<'_, TlsListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file that cannot be read, or holds something else.
    #[error("{key} cannot be read from {path}: {detail}")]
    File {
        /// Which of the configuration.
        key: &'static str,
        /// Where it should be.
        path: String,
        /// What is wrong.
        detail: String,
    },
    /// Certificate and key that do not belong together.
    #[error("tls.certificate and tls.key cannot be used: {0}")]
    Pair(#[from] rustls::Error),
}

fn broken(key: &'static str, path: &Path, detail: impl ToString) -> TlsError {
    TlsError::File { key, path: path.display().to_string(), detail: detail.to_string() }
}

/// Reads a chain of certificates and its key, both PEM.
///
/// # Errors
/// If a file cannot be read, or they do not belong together.
pub fn load(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| broken("tls.certificate", certificate, error))?;
    if chain.is_empty() {
        return Err(broken("tls.certificate", certificate, "there is no certificate in it"));
    }
    let secret =
        PrivateKeyDer::from_pem_file(key).map_err(|error| broken("tls.key", key, error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, secret)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Serves what comes to a socket until it is asked to stop.
///
/// # Errors
/// If the socket fails.
pub async fn serve(
    tcp: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let service = router.into_make_service_with_connect_info::<Peer>();
    match tls {
        None => axum::serve(Prepared(tcp), service).with_graceful_shutdown(stop).await,
        Some(config) => {
            let listener = TlsListener::new(tcp, config);
            axum::serve(listener, service).with_graceful_shutdown(stop).await
        }
    }
}

type Agreed = Option<(TlsStream<TcpStream>, SocketAddr)>;

/// Connections that have agreed on a key. One that is slow to do so holds up no other.
pub struct TlsListener {
    tcp: Prepared,
    acceptor: TlsAcceptor,
    handshakes: JoinSet<Agreed>,
}

impl TlsListener {
    /// Accepts with that configuration what comes to that socket.
    #[must_use]
    pub fn new(tcp: TcpListener, config: Arc<ServerConfig>) -> Self {
        Self { tcp: Prepared(tcp), acceptor: config.into(), handshakes: JoinSet::new() }
    }
}

async fn agree(acceptor: TlsAcceptor, stream: TcpStream, peer: SocketAddr) -> Agreed {
    match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => Some((stream, peer)),
        Ok(Err(error)) => {
            tracing::debug!(%peer, %error, "no TLS connection came about");
            None
        }
        Err(_) => None,
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let has_room = self.handshakes.len() < HANDSHAKES_MAX;
            tokio::select! {
                (stream, peer) = Listener::accept(&mut self.tcp), if has_room => {
                    self.handshakes.spawn(agree(self.acceptor.clone(), stream, peer));
                }
                Some(agreed) = self.handshakes.join_next() => {
                    if let Ok(Some(connection)) = agreed {
                        return connection;
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}
