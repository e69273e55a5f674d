//! TLS by the program itself.

use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::support::server::{ADMIN, Server};

/// A certificate for this machine and a configuration that names it.
fn configured(dir: &Path) -> (PathBuf, String) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let config = dir.join("edgetally.toml");
    let text = format!("[tls]\ncertificate = {certificate:?}\nkey = {key:?}\n");
    std::fs::write(&config, text).unwrap();
    (config, made.cert.pem())
}

fn agent(pem: Option<&str>) -> ureq::Agent {
    let certificates = pem.map(|pem| Certificate::from_pem(pem.as_bytes()).unwrap());
    let certificates: Vec<Certificate<'static>> = certificates.into_iter().collect();
    let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&certificates)).build();
    let config = ureq::Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(20)));
    config.build().into()
}

#[test]
fn with_a_certificate_everything_is_encrypted() {
    let dir = tempfile::tempdir().unwrap();
    let (config, pem) = configured(dir.path());
    let data = dir.path().join("data");
    // Readers that never agree on a key hold nobody up.
    let server = Server::start_tls(&data, &config, agent(Some(&pem)));
    let address = server.base.strip_prefix("https://").unwrap();
    let idle: Vec<TcpStream> = (0..20).map(|_| TcpStream::connect(address).unwrap()).collect();
    server.make_site();
    let (status, headers, _) = server.request("GET", "/", &[], None);
    assert_eq!(
        (status, &headers["strict-transport-security"]),
        (200, &"max-age=31536000".parse().unwrap())
    );
    let (_, link) =
        server.call("POST", "/v1/links", ADMIN, Some(serde_json::json!({"site": "demo"})));
    assert!(link["url"].as_str().unwrap().starts_with(&server.base), "{link}");
    drop(idle);
    // Who trusts another certificate gets nothing, and neither does who speaks without TLS.
    let strange = agent(None).get(format!("{}/healthz", server.base)).call();
    assert!(strange.is_err());
    let plain = agent(None).get(format!("http://{address}/healthz")).call();
    assert!(plain.is_err());
    let mut broken = TcpStream::connect(address).unwrap();
    broken.write_all(&[0x16, 0x03, 0x01, 0xff, 0xff, 0x01]).unwrap();
    drop(broken);
    assert_eq!(server.call("GET", "/v1/sites", ADMIN, None).0, 200);
    assert!(server.stop().success());
}

#[test]
fn a_certificate_that_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (config, _) = configured(dir.path());
    std::fs::write(dir.path().join("cert.pem"), "no certificate").unwrap();
    let refused = Server::try_start_tls(&dir.path().join("data"), &config, agent(None));
    let refused = refused.err().expect("it must not start");
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.log.contains("tls.certificate"), "{}", refused.log);
}
