//! What `tap`, `internal` and `system` ports share: the interface's address, MTU, flags and counters through ioctl and netlink,
//! and the queue by which PMD threads hand packets to the main worker, which alone makes system calls per packet.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;

use crossbeam::queue::ArrayQueue;

use super::netlink::Link;
use crate::packet::{Batch, Packet};

/// Packets that wait for the main worker, per port.
const EGRESS_MAX: usize = 4096;

/// A kernel interface by name.
pub struct Interface {
    name: String,
    socket: OwnedFd,
}

fn check(status: libc::c_int) -> io::Result<()> {
    if status < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The system's words alone, as Open vSwitch has them.
pub fn reason(e: &io::Error) -> String {
    let text = e.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

impl Interface {
    pub fn new(name: &str) -> io::Result<Interface> {
        if name.is_empty() || name.len() >= libc::IFNAMSIZ {
            return Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
        }
        // SAFETY: plain call; the descriptor is owned from here on.
        let socket = unsafe {
            let fd = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
            check(fd)?;
            OwnedFd::from_raw_fd(fd)
        };
        Ok(Interface { name: name.to_owned(), socket })
    }

    /// An `ifreq` of this interface.
    pub fn request(&self) -> libc::ifreq {
        // SAFETY: all-zero is a valid ifreq.
        let mut req: libc::ifreq = unsafe { std::mem::zeroed() };
        for (to, from) in req.ifr_name.iter_mut().zip(self.name.bytes()) {
            *to = from as libc::c_char;
        }
        req
    }

    fn ioctl(&self, request: libc::c_ulong, req: &mut libc::ifreq) -> io::Result<()> {
        // SAFETY: all requests made here read or write one ifreq.
        check(unsafe { libc::ioctl(self.socket.as_raw_fd(), request, req) })
    }

    pub fn index(&self) -> io::Result<u32> {
        let mut req = self.request();
        self.ioctl(libc::SIOCGIFINDEX, &mut req)?;
        // SAFETY: the kernel filled in this member.
        Ok(unsafe { req.ifr_ifru.ifru_ifindex } as u32)
    }

    pub fn mtu(&self) -> io::Result<u32> {
        let mut req = self.request();
        self.ioctl(libc::SIOCGIFMTU, &mut req)?;
        // SAFETY: the kernel filled in this member.
        Ok(unsafe { req.ifr_ifru.ifru_mtu } as u32)
    }

    pub fn set_mtu(&self, mtu: u32) -> io::Result<()> {
        let mut req = self.request();
        req.ifr_ifru.ifru_mtu = mtu as i32;
        self.ioctl(libc::SIOCSIFMTU, &mut req)
    }

    pub fn mac(&self) -> io::Result<[u8; 6]> {
        let mut req = self.request();
        self.ioctl(libc::SIOCGIFHWADDR, &mut req)?;
        // SAFETY: the kernel filled in this member.
        let data = unsafe { req.ifr_ifru.ifru_hwaddr.sa_data };
        Ok(std::array::from_fn(|n| data[n] as u8))
    }

    pub fn set_mac(&self, mac: [u8; 6]) -> io::Result<()> {
        if self.mac()? == mac {
            return Ok(());
        }
        let mut req = self.request();
        // SAFETY: zeroed memory of plain integers.
        let address = unsafe { &mut req.ifr_ifru.ifru_hwaddr };
        address.sa_family = libc::ARPHRD_ETHER;
        for (to, from) in address.sa_data.iter_mut().zip(mac) {
            *to = from as libc::c_char;
        }
        self.ioctl(libc::SIOCSIFHWADDR, &mut req)
    }

    fn flags(&self) -> io::Result<i32> {
        let mut req = self.request();
        self.ioctl(libc::SIOCGIFFLAGS, &mut req)?;
        // SAFETY: the kernel filled in this member.
        Ok(i32::from(unsafe { req.ifr_ifru.ifru_flags }))
    }

    pub fn is_up(&self) -> bool {
        self.flags().is_ok_and(|f| f & libc::IFF_UP != 0)
    }

    pub fn set_up(&self, up: bool) -> io::Result<()> {
        let flags = self.flags()?;
        let wanted = if up { flags | libc::IFF_UP } else { flags & !libc::IFF_UP };
        if wanted == flags {
            return Ok(());
        }
        let mut req = self.request();
        req.ifr_ifru.ifru_flags = wanted as i16;
        self.ioctl(libc::SIOCSIFFLAGS, &mut req)
    }

    pub fn carrier(&self) -> bool {
        self.flags().is_ok_and(|f| f & libc::IFF_RUNNING != 0)
    }

    /// Speed in bits per second and duplex, as far as the driver tells.
    fn speed(&self) -> (Option<u64>, Option<bool>) {
        /// `struct ethtool_cmd`.
        #[repr(C)]
        #[derive(Default)]
        struct Settings {
            cmd: u32,
            supported: u32,
            advertising: u32,
            speed: u16,
            duplex: u8,
            ports_and_modes: [u8; 5],
            limits: [u32; 2],
            speed_hi: u16,
            crossing: [u8; 2],
            rest: [u32; 3],
        }
        const ETHTOOL_GSET: u32 = 1;
        const SPEED_UNKNOWN: u32 = u32::MAX;
        let mut settings = Settings { cmd: ETHTOOL_GSET, ..Settings::default() };
        let mut req = self.request();
        req.ifr_ifru.ifru_data = (&raw mut settings).cast();
        if self.ioctl(libc::SIOCETHTOOL as _, &mut req).is_err() {
            return (None, None);
        }
        let mbps = u32::from(settings.speed_hi) << 16 | u32::from(settings.speed);
        let speed =
            (mbps != 0 && mbps != SPEED_UNKNOWN && mbps != 0xffff).then(|| u64::from(mbps) * 1_000_000);
        let full = match settings.duplex {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        };
        (speed, full)
    }

    /// driver_name, driver_version, firmware_version of the driver, as ethtool -i shows them.
    pub fn driver(&self) -> Vec<(String, String)> {
        #[repr(C)]
        struct DriverInfo {
            cmd: u32,
            driver: [u8; 32],
            version: [u8; 32],
            fw_version: [u8; 32],
            bus_info: [u8; 32],
            rest: [u8; 64],
        }
        const ETHTOOL_GDRVINFO: u32 = 3;
        let mut info = DriverInfo {
            cmd: ETHTOOL_GDRVINFO,
            driver: [0; 32],
            version: [0; 32],
            fw_version: [0; 32],
            bus_info: [0; 32],
            rest: [0; 64],
        };
        let mut req = self.request();
        req.ifr_ifru.ifru_data = (&raw mut info).cast();
        if self.ioctl(libc::SIOCETHTOOL as _, &mut req).is_err() {
            return Vec::new();
        }
        let text =
            |b: &[u8]| String::from_utf8_lossy(b.split(|&c| c == 0).next().unwrap_or(&[])).into_owned();
        vec![
            ("driver_name".to_owned(), text(&info.driver)),
            ("driver_version".to_owned(), text(&info.version)),
            ("firmware_version".to_owned(), text(&info.fw_version)),
        ]
    }

    fn link(&self) -> io::Result<Link> {
        Link::read(self.index()?)
    }

    /// The port's state.
    pub fn status(&self, shown_kind: &str) -> dpif::PortStatus {
        let (link_speed_bps, full_duplex) = self.speed();
        dpif::PortStatus {
            mac: self.mac().unwrap_or_default(),
            mtu: self.mtu().unwrap_or(0),
            ifindex: self.index().ok(),
            admin_up: self.is_up(),
            link_up: self.carrier(),
            link_resets: self.link().map_or(0, |l| l.carrier_changes),
            link_speed_bps,
            full_duplex,
            status: self.driver().into_iter().collect(),
            config: Vec::new(),
            shown_kind: shown_kind.to_owned(),
        }
    }

    /// The kernel's counters; nothing of an interface that has gone.
    pub fn stats(&self) -> dpif::PortStats {
        self.link().unwrap_or_default().stats()
    }
}

/// Wakes the main worker when it sleeps.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Packets on their way to the main worker.
pub struct Egress {
    queue: ArrayQueue<Packet>,
    wake: Wake,
}

impl Egress {
    pub fn new(wake: Wake) -> Egress {
        Egress { queue: ArrayQueue::new(EGRESS_MAX), wake }
    }

    /// Queues from the front; what does not fit stays in the batch.
    pub fn push(&self, batch: &mut Batch) {
        let mut left = Batch::new();
        for packet in batch.drain(..) {
            if let Err(packet) = self.queue.push(packet) {
                left.push(packet);
            }
        }
        *batch = left;
        (self.wake)();
    }

    /// Takes up to a burst.
    pub fn pop(&self, batch: &mut Batch) {
        while !batch.is_full() {
            match self.queue.pop() {
                Some(packet) => batch.push(packet),
                None => break,
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}
