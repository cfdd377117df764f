//! Port names of a bridge, asked for only when a text needs them.

use std::cell::OnceCell;

use flow::field::PortNames;
use openflow::msg::{Message, PortDesc};
use openflow::{OfPort, Version, VersionSet};

use super::conn::{Conn, decode_or_die};

/// Names and numbers of `bridge`'s ports.
pub struct Names {
    bridge: String,
    versions: VersionSet,
    ports: OnceCell<Vec<PortDesc>>,
}

impl Names {
    pub fn new(bridge: &str, versions: VersionSet) -> Self {
        Names { bridge: bridge.to_owned(), versions, ports: OnceCell::new() }
    }

    /// The ports; asks the switch the first time.
    pub fn ports(&self) -> &[PortDesc] {
        self.ports.get_or_init(|| fetch(&mut Conn::open(&self.bridge, self.versions)))
    }

    /// The port that `text` names or numbers.
    pub fn find(&self, text: &str) -> Option<&PortDesc> {
        let number = text.parse::<OfPort>().ok();
        self.ports().iter().find(|p| number.map_or(p.name == text, |n| n == p.port))
    }
}

/// All ports, from the features reply or a port description.
pub fn fetch(conn: &mut Conn) -> Vec<PortDesc> {
    if conn.version < Version::V1_3 {
        return match conn.query(&Message::FeaturesRequest) {
            Message::FeaturesReply(f) => f.ports,
            _ => Vec::new(),
        };
    }
    let mut out = Vec::new();
    conn.multipart(&Message::PortDescRequest(OfPort::ANY), |bytes| {
        if let Message::PortDescReply(ports) = decode_or_die(bytes) {
            out.extend(ports);
        }
    });
    out
}

impl PortNames for Names {
    fn number(&self, name: &str) -> Option<u32> {
        self.ports().iter().find(|p| p.name == name).map(|p| u32::from(p.port.low16()))
    }
    fn name(&self, port: u32) -> Option<String> {
        self.ports().iter().find(|p| u32::from(p.port.low16()) == port & 0xffff).map(|p| p.name.clone())
    }
}
