//! Key and certificates of the server: files named on the command line, or the strings in columns
//! of databases (`db:DB,TABLE,COLUMN`) that may change at any time.

use std::path::PathBuf;

use transport::tls;

use super::engine::Engine;
use super::remote::{ColumnName, resolve_column};
use crate::value::Datum;

/// The options as given: a file, or `db:DB,TABLE,COLUMN`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    pub private_key: Option<String>,
    pub certificate: Option<String>,
    pub ca_cert: Option<String>,
    /// `ca_cert` was given as `--bootstrap-ca-cert`.
    pub bootstrap: bool,
    pub peer_ca_cert: Option<String>,
}

impl TlsOptions {
    fn values(&self) -> impl Iterator<Item = &str> {
        let all = [&self.private_key, &self.certificate, &self.ca_cert, &self.peer_ca_cert];
        all.into_iter().flatten().map(String::as_str)
    }

    /// Whether an option stands in database `name`.
    fn is_in(&self, name: &str) -> bool {
        self.values().any(|v| ColumnName::parse(v).is_some_and(|c| c.db == name))
    }
}

/// The options and what became of them.
#[derive(Debug, Default)]
pub struct TlsSettings {
    options: TlsOptions,
    dirty: bool,
}

impl TlsSettings {
    pub fn new(options: TlsOptions) -> Self {
        Self { options, dirty: true }
    }

    /// Notes that database `name` changed.
    pub fn note(&mut self, name: &str) {
        self.dirty |= self.options.is_in(name);
    }
}

impl Engine {
    /// Gives new settings to connections made from now on.
    pub(super) fn tls_due(&mut self) {
        if !std::mem::take(&mut self.tls.dirty) || self.tls.options == TlsOptions::default() {
            return;
        }
        let file = |option: &Option<String>| option.as_deref().and_then(|v| self.tls_file(v));
        let options = &self.tls.options;
        let config = tls::Config {
            private_key: file(&options.private_key),
            certificate: file(&options.certificate),
            ca_cert: file(&options.ca_cert),
            bootstrap: options.bootstrap,
            peer_ca_cert: file(&options.peer_ca_cert),
        };
        if *tls::config() != config {
            tls::configure(config);
        }
    }

    /// The file that an option's value means; `None` while the database does not say.
    fn tls_file(&self, value: &str) -> Option<PathBuf> {
        if !value.starts_with("db:") {
            return Some(value.into());
        }
        let column = ColumnName::parse(value).ok_or_else(|| "invalid syntax".to_owned());
        match column.and_then(|name| resolve_column(&self.dbs, name)) {
            Ok((db, table, column)) => {
                let mut values = db.table(table).rows().map(|r| r.column(column));
                let text = values.find_map(|v| Datum::as_str(v).filter(|text| !text.is_empty()))?;
                Some(text.into())
            }
            Err(e) => {
                tracing::warn!(target: "ovsdb_server", rl = 5, "\"{value}\": {e}");
                None
            }
        }
    }
}
