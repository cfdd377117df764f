//! TLS 1.2 and 1.3 for `ssl:` and `pssl:`, as OVS uses it: both sides show a certificate, each must
//! chain to the other's CA; host names are not compared.
//!
//! As in OVS the settings are the process's: [`configure`] replaces them, and connections made
//! from then on use them. Files are read at each connection, so a renewed certificate is found.
//! Errors name the file. Bootstrap: when the CA file is missing, the first server's CA is trusted
//! once and stored; that connection ends and the next one verifies.

mod material;
mod name;
mod stream;
#[cfg(test)]
mod tests;
mod verify;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::server::WebPkiClientVerifier;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

pub use stream::TlsStream;

/// A handshake that takes longer is given up.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Where key and certificates are; PEM files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Our private key (`--private-key`).
    pub private_key: Option<PathBuf>,
    /// Our certificate (`--certificate`).
    pub certificate: Option<PathBuf>,
    /// The CA that peers' certificates must chain to (`--ca-cert`); `none`: trust everyone.
    pub ca_cert: Option<PathBuf>,
    /// Fetch `ca_cert` from the first peer if the file is missing (`--bootstrap-ca-cert`).
    pub bootstrap: bool,
    /// Certificates to send along with ours (`--peer-ca-cert`).
    pub peer_ca_cert: Option<PathBuf>,
}

static CONFIG: RwLock<Option<Arc<Config>>> = RwLock::new(None);

/// Sets the process's TLS configuration.
pub fn configure(config: Config) {
    let mut slot = CONFIG.write().unwrap_or_else(|poisoned| poisoned.into_inner());
    *slot = Some(Arc::new(config));
}

/// The process's TLS configuration.
pub fn config() -> Arc<Config> {
    let slot = CONFIG.read().unwrap_or_else(|poisoned| poisoned.into_inner());
    slot.clone().unwrap_or_default()
}

fn invalid(text: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text.to_string())
}

/// Shakes hands as a client on a connected socket.
pub(crate) async fn connect(tcp: TcpStream, config: &Config) -> io::Result<TlsStream> {
    let address = tcp.peer_addr()?.ip();
    let (verifier, bootstrap) = verify::server_verifier(config)?;
    let (chain, key) = material::identity(config)?;
    let client = rustls::ClientConfig::builder_with_provider(material::provider())
        .with_safe_default_protocol_versions()
        .map_err(invalid)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_auth_cert(chain, key)
        .map_err(invalid)?;
    let handshake = TlsConnector::from(Arc::new(client)).connect(ServerName::IpAddress(address.into()), tcp);
    let stream = tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake)
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    match bootstrap {
        Some(bootstrap) => Err(bootstrap.store()),
        None => Ok(TlsStream::open(stream.into())),
    }
}

/// The server's side of a configuration, ready for [`accept`].
pub(crate) fn acceptor(config: &Config) -> io::Result<TlsAcceptor> {
    let (chain, key) = material::identity(config)?;
    let builder = rustls::ServerConfig::builder_with_provider(material::provider())
        .with_safe_default_protocol_versions()
        .map_err(invalid)?;
    let builder = match verify::roots(config)? {
        Some(roots) => {
            let provider = material::provider();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(invalid)?;
            builder.with_client_cert_verifier(verifier)
        }
        None => builder.with_no_client_auth(),
    };
    let server = builder.with_single_cert(chain, key).map_err(invalid)?;
    Ok(TlsAcceptor::from(Arc::new(server)))
}

/// A server's stream; the handshake happens with the first reads and writes, so that a slow peer
/// keeps only itself waiting.
pub(crate) fn accept(acceptor: &TlsAcceptor, tcp: TcpStream) -> TlsStream {
    TlsStream::handshaking(acceptor.accept(tcp))
}
