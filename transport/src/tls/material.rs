//! Keys and certificates from PEM files, with errors that name the file.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{Config, invalid};

/// The cryptography in use.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The certificates in a file.
pub(super) fn certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let fail = |e: &dyn std::fmt::Display| invalid(format!("{}: {e}", path.display()));
    let text = std::fs::read(path)
        .map_err(|e| io::Error::new(e.kind(), format!("{}: {}", path.display(), crate::strerror(&e))))?;
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(&text).collect::<Result<_, _>>().map_err(|e| fail(&e))?;
    match certificates.is_empty() {
        true => Err(fail(&"no certificate in this file")),
        false => Ok(certificates),
    }
}

/// Our certificate chain and key.
pub(super) fn identity(
    config: &Config,
) -> io::Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let Some(key) = &config.private_key else {
        return Err(invalid("Private key must be configured to use SSL"));
    };
    let Some(certificate) = &config.certificate else {
        return Err(invalid("Certificate must be configured to use SSL"));
    };
    let mut chain = certificates(certificate)?;
    if let Some(more) = &config.peer_ca_cert {
        chain.extend(certificates(more)?);
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(|e| invalid(format!("{}: {e}", key.display())))?;
    Ok((chain, key))
}

/// PEM text of a certificate.
pub(super) fn to_pem(certificate: &CertificateDer<'_>) -> String {
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    let base64 = base64(certificate);
    for line in base64.as_bytes().chunks(64) {
        text.extend(line.iter().map(|byte| char::from(*byte)));
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

/// RFC 4648 section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let value = bits >> (18 - 6 * digit) & 63;
            let used = digit <= group.len();
            text.push(if used { char::from(DIGITS[value as usize]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn base64_of_rfc_4648() {
        for (text, expect) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(super::base64(text.as_bytes()), expect);
        }
    }
}
