//! Choosing ports.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result, bail};

// Below the range from which systems take the local ports of outgoing connections. A port in that
// range could be taken while its part restarts, even by a client that tries to reach the part.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// The port to use: the one asked for, if nobody listens there, or a free one for 0.
///
/// # Errors
/// Names the `option` when its port is taken.
pub fn choose(asked: u16, option: &str, taken: &[u16]) -> Result<u16> {
    if asked != 0 {
        if taken.contains(&asked) || !is_free(asked) {
            bail!("{option}: port {asked} is in use; {option} 0 takes a free one");
        }
        return Ok(asked);
    }
    let mut bytes = [0; 2];
    getrandom::fill(&mut bytes).context("the system gives no random bytes")?;
    let start = u16::from_le_bytes(bytes) % COUNT;
    (0..COUNT)
        .map(|step| FIRST + (start + step) % COUNT)
        .find(|port| !taken.contains(port) && is_free(*port))
        .context("no port is free")
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_refused_by_the_name_of_its_option() {
        let free = choose(0, "--port", &[]).expect("a port");
        assert_eq!(choose(free, "--port", &[]).expect("free"), free);
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, free)).expect("bound");
        let error = choose(free, "--port", &[]).expect_err("taken").to_string();
        assert!(error.contains("--port") && error.contains(&free.to_string()), "{error}");
        assert_ne!(choose(0, "--port", &[]).expect("another"), free);
        let other = choose(0, "--port", &[]).expect("a port");
        choose(other, "--port", &[other]).expect_err("promised to another part");
    }
}
