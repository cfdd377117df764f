//! Capture files of dummy ports (`options:tx_pcap`, `rxq_pcap`, `pcap`).

use std::fs::File;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use dpif::{PortError, PortSpec};

use crate::packet::Packet;

/// A file that packets are appended to, or none.
#[derive(Default)]
pub struct Capture(Option<Mutex<File>>);

impl Capture {
    /// The file that option `key` (or `pcap`) of `spec` names.
    pub fn of(spec: &PortSpec, key: &str) -> Result<Capture, PortError> {
        let Some(path) = spec.options.get(key).or_else(|| spec.options.get("pcap")) else {
            return Ok(Capture::default());
        };
        let file = create(path).map_err(|e| PortError::Device(format!("{path}: {e}")))?;
        Ok(Capture(Some(Mutex::new(file))))
    }

    pub fn write(&self, packets: &[Packet]) {
        let Some(file) = &self.0 else { return };
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        for p in packets {
            let len = (p.len() as u32).to_ne_bytes();
            let record = [&[0; 8], &len[..], &len[..], p.data()].concat();
            // A full disk ends the capture, not the port.
            let _ = file.write_all(&record);
        }
    }
}

fn create(path: &str) -> std::io::Result<File> {
    let mut file = File::create(path)?;
    let mut head = Vec::new();
    for word in [0xa1b2_c3d4u32, 2 | 4 << 16, 0, 0, 65535, 1] {
        head.extend(word.to_ne_bytes());
    }
    file.write_all(&head)?;
    Ok(file)
}
