//! Whom to trust: the chain to the CA counts, the name does not. And the bootstrap of a CA.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::{Config, invalid, material};

/// The CAs to trust; `None`: trust everyone (`--ca-cert=none`).
pub(super) fn roots(config: &Config) -> io::Result<Option<RootCertStore>> {
    let Some(path) = &config.ca_cert else {
        return Err(invalid("CA certificate must be configured to use SSL"));
    };
    if path == Path::new("none") {
        return Ok(None);
    }
    let mut roots = RootCertStore::empty();
    for certificate in material::certificates(path)? {
        roots.add(certificate).map_err(|e| invalid(format!("{}: {e}", path.display())))?;
    }
    Ok(Some(roots))
}

/// How a client verifies; with a [`Bootstrap`] to finish if the CA is still unknown.
pub(super) fn server_verifier(
    config: &Config,
) -> io::Result<(Arc<dyn ServerCertVerifier>, Option<Bootstrap>)> {
    let provider = material::provider();
    match &config.ca_cert {
        Some(path) if config.bootstrap && !path.exists() => {
            let chain = Arc::new(Mutex::new(Vec::new()));
            let verifier = Verifier { roots: None, seen: Some(chain.clone()), provider: provider.clone() };
            let bootstrap = Bootstrap { path: path.clone(), chain, provider };
            Ok((Arc::new(verifier), Some(bootstrap)))
        }
        _ => {
            let verifier = Verifier { roots: roots(config)?, seen: None, provider };
            Ok((Arc::new(verifier), None))
        }
    }
}

type Chain = Vec<CertificateDer<'static>>;

#[derive(Debug)]
struct Verifier {
    /// `None`: anyone.
    roots: Option<RootCertStore>,
    /// Where to leave the server's chain.
    seen: Option<Arc<Mutex<Chain>>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(seen) = &self.seen {
            let all = std::iter::once(end_entity).chain(intermediates);
            let mut seen = seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            *seen = all.map(|certificate| certificate.clone().into_owned()).collect();
        }
        if let Some(roots) = &self.roots {
            check_chain(roots, end_entity, intermediates, now, &self.provider)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn check_chain(
    roots: &RootCertStore,
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    now: UnixTime,
    provider: &CryptoProvider,
) -> Result<(), Error> {
    let parsed = ParsedCertificate::try_from(end_entity)?;
    let algorithms = provider.signature_verification_algorithms.all;
    verify_server_cert_signed_by_trust_anchor(&parsed, roots, intermediates, now, algorithms)
}

/// A CA being learnt from the first server.
pub(super) struct Bootstrap {
    path: PathBuf,
    chain: Arc<Mutex<Chain>>,
    provider: Arc<CryptoProvider>,
}

impl Bootstrap {
    /// Stores the CA that the server sent, if its own certificate is signed by it. Always gives
    /// the reason why this connection ends: done, or what went wrong.
    pub(super) fn store(self) -> io::Error {
        let chain = self.chain.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let [end_entity, .., ca] = chain.as_slice() else {
            return invalid("could not bootstrap CA cert: no CA certificate presented by server");
        };
        let mut roots = RootCertStore::empty();
        let good = roots
            .add(ca.clone())
            .and_then(|()| check_chain(&roots, end_entity, &chain[1..], UnixTime::now(), &self.provider));
        if good.is_err() {
            let bad = CertificateError::UnknownIssuer;
            return invalid(format!("could not bootstrap CA cert: the server's chain: {bad:?}"));
        }
        let path = self.path.display();
        // Never over a file that somebody else has just written.
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&self.path)
            .and_then(|mut file| file.write_all(material::to_pem(ca).as_bytes()));
        match written {
            Ok(()) => {
                tracing::info!(target: "stream_ssl", "successfully bootstrapped CA cert to {path}");
                io::Error::new(
                    io::ErrorKind::ConnectionReset,
                    format!("bootstrapped CA cert to {path}; connecting again"),
                )
            }
            Err(e) => io::Error::new(
                e.kind(),
                format!("could not bootstrap CA cert: creating {path}: {}", crate::strerror(&e)),
            ),
        }
    }
}
