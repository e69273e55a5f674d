//! Connections: what the system is told of them.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};

/// A connection whose other side takes nothing for so long is closed.
const UNREAD_LIMIT: Duration = Duration::from_secs(30);
/// What the system holds of an answer before the other side asks for it.
const UNSENT_BYTES: u32 = 128 << 10;

/// A listener whose connections are told to the system as they should be.
pub struct Prepared(pub TcpListener);

impl Listener for Prepared {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (socket, address) = Listener::accept(&mut self.0).await;
        prepare(&socket);
        (socket, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

/// Sees to it that readers who do not read cost little, and not for long.
///
/// Without this the system would take megabytes for each of them, and keep them for ever.
fn prepare(socket: &TcpStream) {
    let socket = socket2::SockRef::from(socket);
    let mut told = vec![socket.set_tcp_nodelay(true)];
    if cfg!(target_os = "linux") {
        told.push(socket.set_tcp_user_timeout(Some(UNREAD_LIMIT)));
        told.push(socket.set_tcp_notsent_lowat(UNSENT_BYTES));
    }
    for error in told.into_iter().filter_map(Result::err) {
        // The other side may be gone already.
        tracing::debug!(%error, "a connection keeps the system's own settings");
    }
}

/// Lets this process have as many connections as the system allows at all.
pub fn raise_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the number of open files stays as it is");
    }
}
