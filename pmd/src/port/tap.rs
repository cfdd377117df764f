//! `tap` and `internal` ports: a tap interface named as the port. Served by the main worker.
//!
//! The interface is persistent: it goes with the port, not with the daemon, so that its addresses and routes outlast a
//! restart. A persistent tap of this name that nobody serves is therefore taken over, whoever made it.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Mutex;

use dpif::{PortError, PortSpec, PortStats, PortStatus};

use super::kernel::{Egress, Interface, Wake, reason};
use super::{Device, Traffic, TxId};
use crate::counter::SharedCounter;
use crate::packet::{BURST, Batch, Packet};

/// The longest frame read from a tap: its MTU can be 65521 at most.
const FRAME_MAX: usize = 65_536 - 256;

pub struct Tap {
    fd: OwnedFd,
    interface: Interface,
    egress: Egress,
    buffer: Mutex<Box<[u8]>>,
    /// Counted here: the interface may live in another network namespace, where we cannot ask for its counters.
    rx: Traffic,
    tx: Traffic,
    tx_dropped: SharedCounter,
}

/// Turns an error about making or changing an interface into words with advice.
fn explain(name: &str, step: &str, e: &io::Error) -> PortError {
    let advice = match e.raw_os_error() {
        Some(libc::EBUSY) => {
            "another process serves the interface of this name; end it (fuser -v /dev/net/tun) or rename the port"
                .to_owned()
        }
        Some(libc::EINVAL) => format!(
            "an interface of this name exists that is no tap; remove it (ip link del {name}), \
             rename the port, or add it with type=system"
        ),
        Some(libc::EPERM | libc::EACCES) => {
            "ovs-vswitchd needs CAP_NET_ADMIN and access to /dev/net/tun".to_owned()
        }
        Some(libc::ENOENT | libc::ENODEV) => {
            "the tun driver is not there; load it (modprobe tun)".to_owned()
        }
        Some(libc::ENAMETOOLONG) => "interface names have 1 to 15 characters".to_owned(),
        _ => "see the log".to_owned(),
    };
    let reason = reason(e);
    PortError::Device(format!("could not open network device {name} ({reason}): {step} failed; {advice}"))
}

impl Tap {
    pub fn open(spec: &PortSpec, wake: Wake) -> Result<Tap, PortError> {
        let name = &spec.name;
        let interface = Interface::new(name).map_err(|e| explain(name, "naming the interface", &e))?;
        let fd = open_tun(&interface).map_err(|e| explain(name, "making the tap interface", &e))?;
        let tap = Tap {
            fd,
            interface,
            egress: Egress::new(wake),
            buffer: Mutex::new(vec![0; FRAME_MAX].into_boxed_slice()),
            rx: Traffic::default(),
            tx: Traffic::default(),
            tx_dropped: SharedCounter::default(),
        };
        tap.reconfigure(spec, 0)?;
        tap.set_persistent(true).map_err(|e| explain(name, "keeping the tap interface", &e))?;
        Ok(tap)
    }

    fn set_persistent(&self, on: bool) -> io::Result<()> {
        const TUNSETPERSIST: libc::c_ulong = 0x4004_54cb;
        // SAFETY: TUNSETPERSIST takes an integer.
        let status = unsafe { libc::ioctl(self.fd.as_raw_fd(), TUNSETPERSIST, libc::c_ulong::from(on)) };
        if status < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// False when the interface's queue is full.
    fn send(&self, packet: &Packet) -> bool {
        let data = packet.data();
        loop {
            // SAFETY: writes from a live buffer.
            let n = unsafe { libc::write(self.fd.as_raw_fd(), data.as_ptr().cast(), data.len()) };
            match io::Error::last_os_error().raw_os_error() {
                _ if n >= 0 => {
                    self.tx.add(1, data.len());
                    return true;
                }
                Some(libc::EINTR) => continue,
                Some(libc::EAGAIN) => return false,
                // EIO: the interface is down, nobody listens.
                _ => {
                    self.tx_dropped.add(1);
                    return true;
                }
            }
        }
    }

    fn send_all(&self, batch: &mut Batch) {
        let n = batch.iter().take_while(|p| self.send(p)).count();
        batch.drain(..n);
    }
}

fn open_tun(interface: &Interface) -> io::Result<OwnedFd> {
    const TUNSETIFF: libc::c_ulong = 0x4004_54ca;
    const TUNSETOFFLOAD: libc::c_ulong = 0x4004_54d0;
    use std::os::unix::fs::OpenOptionsExt;
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open("/dev/net/tun")?;
    let mut req = interface.request();
    req.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI) as i16;
    // SAFETY: TUNSETIFF reads one ifreq; TUNSETOFFLOAD takes an integer: whoever served the interface before may have let
    // the kernel hand over unfinished frames.
    unsafe {
        if libc::ioctl(file.as_raw_fd(), TUNSETIFF, &mut req) < 0
            || libc::ioctl(file.as_raw_fd(), TUNSETOFFLOAD, 0 as libc::c_ulong) < 0
        {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(file.into())
}

impl Device for Tap {
    fn is_pmd(&self) -> bool {
        false
    }

    fn rx(&self, _queue: u16, batch: &mut Batch) {
        let Ok(mut buffer) = self.buffer.try_lock() else { return };
        while batch.len() < BURST {
            // SAFETY: reads into a live buffer of the length given.
            let n = unsafe { libc::read(self.fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) };
            if n <= 0 {
                break;
            }
            if let Some(packet) = Packet::from_bytes(&buffer[..n as usize]) {
                batch.push(packet);
            }
        }
        self.rx.count(batch);
    }

    fn tx(&self, _queue: u16, from: TxId, batch: &mut Batch) {
        if from == TxId::MAIN && self.egress.is_empty() {
            self.send_all(batch);
        } else {
            self.egress.push(batch);
        }
    }

    fn drain(&self) -> usize {
        let mut batch = Batch::new();
        self.egress.pop(&mut batch);
        let n = batch.len();
        self.send_all(&mut batch);
        n
    }

    fn checks_length(&self) -> bool {
        true
    }

    fn poll_fd(&self) -> Option<RawFd> {
        Some(self.fd.as_raw_fd())
    }

    fn reconfigure(&self, spec: &PortSpec, _n_txq: u16) -> Result<(), PortError> {
        if let Some(mtu) = spec.mtu_request {
            self.interface
                .set_mtu(mtu)
                .map_err(|e| explain(&spec.name, &format!("setting MTU {mtu}"), &e))?;
        }
        if let Some(mac) = spec.mac {
            self.interface.set_mac(mac).map_err(|e| explain(&spec.name, "setting the MAC address", &e))?;
        }
        Ok(())
    }

    fn needs_restart(&self, _spec: &PortSpec) -> bool {
        false
    }

    fn adjust(&self, spec: &PortSpec) {
        // Errors were reported when the port was made; a later failure shows in the status.
        let _ = self.reconfigure(spec, 0);
    }

    fn set_admin_up(&self, up: bool) -> Result<(), PortError> {
        self.interface.set_up(up).map_err(|e| PortError::Device(e.to_string()))
    }

    fn release(&self) {
        // It is closed next; without persistence it goes then. One that the kernel has removed already is gone.
        let _ = self.set_persistent(false);
    }

    fn status(&self) -> PortStatus {
        self.interface.status("tap")
    }

    fn stats(&self) -> PortStats {
        let (rx_packets, rx_bytes) = self.rx.get();
        let (tx_packets, tx_bytes) = self.tx.get();
        PortStats {
            rx_packets,
            rx_bytes,
            tx_packets,
            tx_bytes,
            tx_dropped: self.tx_dropped.get(),
            collisions: Some(0),
            rx_frame_err: Some(0),
            rx_over_err: Some(0),
            rx_crc_err: Some(0),
            rx_missed_errors: Some(0),
            ..PortStats::default()
        }
    }
}
