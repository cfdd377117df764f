//! Connection methods as text: `unix:FILE`, `tcp:HOST[:PORT]`, `ssl:HOST[:PORT]` (active) and
//! `punix:FILE`, `ptcp:[PORT][:HOST]`, `pssl:[PORT][:HOST]` (passive). Parses and prints; does
//! not resolve names or touch sockets.

use std::fmt;
use std::path::PathBuf;

/// A parsed connection method. `Display` gives the canonical OVS text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// `unix:PATH`; a relative path is below the run directory.
    Unix(PathBuf),
    /// `tcp:HOST:PORT`.
    Tcp { host: String, port: u16 },
    /// `ssl:HOST:PORT`.
    Ssl { host: String, port: u16 },
    /// `punix:PATH`; a relative path is below the run directory.
    Punix(PathBuf),
    /// `ptcp:PORT[:HOST]`; `None` listens on every address.
    Ptcp { port: u16, host: Option<String> },
    /// `pssl:PORT[:HOST]`.
    Pssl { port: u16, host: Option<String> },
}

/// Why a connection method was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// No `METHOD:` that we know.
    #[error("{0}: unknown connection method; use unix:, tcp:, ssl:, punix:, ptcp: or pssl:")]
    Method(String),
    /// `unix:` or `punix:` without a file.
    #[error("{0}: the socket's file name is missing")]
    Path(String),
    /// `tcp:` or `ssl:` without a host.
    #[error("{0}: the host is missing")]
    Host(String),
    /// A port that is not 0..=65535, or is needed and missing.
    #[error("{0}: bad or missing port number")]
    Port(String),
    /// An IPv6 address without its closing bracket, or trailing rubbish behind it.
    #[error("{0}: bad [IPv6] address")]
    Bracket(String),
}

impl Target {
    /// Parses `text`. `default_port` is used where an active or passive TCP or TLS method names
    /// none (6640 for OVSDB, 6653 for OpenFlow); `None` makes the port mandatory.
    pub fn parse(text: &str, default_port: Option<u16>) -> Result<Self, ParseError> {
        let (method, rest) = text.split_once(':').ok_or_else(|| ParseError::Method(text.to_owned()))?;
        match method {
            "unix" | "punix" if rest.is_empty() => Err(ParseError::Path(text.to_owned())),
            "unix" => Ok(Self::Unix(rest.into())),
            "punix" => Ok(Self::Punix(rest.into())),
            "tcp" | "ssl" => {
                let (host, port) = active(text, rest, default_port)?;
                Ok(if method == "tcp" { Self::Tcp { host, port } } else { Self::Ssl { host, port } })
            }
            "ptcp" | "pssl" => {
                let (port, host) = passive(text, rest, default_port)?;
                Ok(if method == "ptcp" { Self::Ptcp { port, host } } else { Self::Pssl { port, host } })
            }
            _ => Err(ParseError::Method(text.to_owned())),
        }
    }

    /// True for `punix: ptcp: pssl:`, which listen.
    pub fn is_passive(&self) -> bool {
        matches!(self, Self::Punix(_) | Self::Ptcp { .. } | Self::Pssl { .. })
    }

    /// True for `unix:` and `punix:`: the peer is on this host, so it needs no probes.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Unix(_) | Self::Punix(_))
    }

    /// True for `ssl:` and `pssl:`.
    pub fn is_tls(&self) -> bool {
        matches!(self, Self::Ssl { .. } | Self::Pssl { .. })
    }
}

/// `HOST[:PORT]`.
fn active(text: &str, rest: &str, default_port: Option<u16>) -> Result<(String, u16), ParseError> {
    let (host, port) = split_host(text, rest)?;
    if host.is_empty() {
        return Err(ParseError::Host(text.to_owned()));
    }
    Ok((host.to_owned(), parse_port(text, port, default_port)?))
}

/// `[PORT][:HOST]`.
fn passive(text: &str, rest: &str, default_port: Option<u16>) -> Result<(u16, Option<String>), ParseError> {
    let (port, host) = match rest.split_once(':') {
        Some((port, host)) => (port, Some(host)),
        None => (rest, None),
    };
    let port = parse_port(text, Some(port).filter(|p| !p.is_empty()), default_port)?;
    let host = match host {
        None | Some("") => None,
        Some(host) if host.starts_with('[') => Some(split_host(text, host)?.0.to_owned()),
        Some(host) => Some(host.to_owned()),
    };
    Ok((port, host))
}

/// Splits `HOST[:PORT]`, where HOST may be `[IPv6]`, or a bare IPv6 address without a port.
fn split_host<'a>(text: &str, rest: &'a str) -> Result<(&'a str, Option<&'a str>), ParseError> {
    if let Some(inner) = rest.strip_prefix('[') {
        let bad = || ParseError::Bracket(text.to_owned());
        let (host, tail) = inner.split_once(']').ok_or_else(bad)?;
        return match tail.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if tail.is_empty() => Ok((host, None)),
            None => Err(bad()),
        };
    }
    match rest.split_once(':') {
        Some((_, port)) if port.contains(':') => Ok((rest, None)),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((rest, None)),
    }
}

fn parse_port(text: &str, port: Option<&str>, default_port: Option<u16>) -> Result<u16, ParseError> {
    match port {
        Some(port) => port.parse().ok(),
        None => default_port,
    }
    .ok_or_else(|| ParseError::Port(text.to_owned()))
}

/// Puts an IPv6 address back into its brackets.
fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let passive = |f: &mut fmt::Formatter<'_>, name, port, host: &Option<String>| match host {
            Some(host) => write!(f, "{name}:{port}:{}", bracketed(host)),
            None => write!(f, "{name}:{port}"),
        };
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Punix(path) => write!(f, "punix:{}", path.display()),
            Self::Tcp { host, port } => write!(f, "tcp:{}:{port}", bracketed(host)),
            Self::Ssl { host, port } => write!(f, "ssl:{}:{port}", bracketed(host)),
            Self::Ptcp { port, host } => passive(f, "ptcp", *port, host),
            Self::Pssl { port, host } => passive(f, "pssl", *port, host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips() {
        for text in [
            "unix:/a/b",
            "tcp:127.0.0.1:1",
            "tcp:[::1]:6640",
            "ssl:host:2",
            "punix:db.sock",
            "ptcp:6640",
            "ptcp:6640:[::1]",
            "pssl:1:0.0.0.0",
        ] {
            assert_eq!(Target::parse(text, None).unwrap().to_string(), text);
        }
    }

    #[test]
    fn defaults_and_bare_ipv6() {
        let tcp = |host: &str| Target::Tcp { host: host.into(), port: 6640 };
        assert_eq!(Target::parse("tcp:h", Some(6640)), Ok(tcp("h")));
        assert_eq!(Target::parse("tcp:::1", Some(6640)), Ok(tcp("::1")));
        assert_eq!(Target::parse("tcp:[::1]", Some(6640)), Ok(tcp("::1")));
        let any = Target::Ptcp { port: 6640, host: None };
        assert_eq!(Target::parse("ptcp:", Some(6640)), Ok(any));
    }

    #[test]
    fn refuses() {
        for text in [
            "",
            "x",
            "foo:bar",
            "unix:",
            "tcp:",
            "tcp:h",
            "tcp:h:99999",
            "tcp:[::1",
            "tcp:[::1]x:1",
            "ptcp:x",
        ] {
            assert!(Target::parse(text, None).is_err(), "{text}");
        }
    }
}
