//! `system` ports: an existing kernel interface through a packet socket. Served by the main worker.
//!
//! The kernel hands over frames as it handles them itself: the outer VLAN tag beside the frame, checksums not filled in
//! yet, and segments of up to 64 KiB (a virtio-net header says so). All of that is finished in `offload` before the packet
//! enters the switch, so that any other port can carry it.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Mutex;

use dpif::{PortError, PortSpec, PortStats, PortStatus};

use super::kernel::{Egress, Interface, Wake, reason};
use super::offload::{VNET_HDR_LEN, finish};
use super::{Device, TxId};
use crate::counter::SharedCounter;
use crate::packet::{Batch, Packet};

/// The longest frame that a packet socket hands over.
const FRAME_MAX: usize = 65_536 + 64;
/// Packets that did not fit into a burst (a segment of 64 KiB makes 45) wait here.
const WAITING_MAX: usize = 1024;

pub struct System {
    socket: OwnedFd,
    interface: Interface,
    egress: Egress,
    /// Frames that the interface refused (too long, down).
    refused: SharedCounter,
    inbox: Mutex<Inbox>,
}

struct Inbox {
    buffer: Box<[u8]>,
    waiting: std::collections::VecDeque<Packet>,
}

impl System {
    pub fn open(spec: &PortSpec, wake: Wake) -> Result<System, PortError> {
        let fail = |step: &str, e: io::Error| {
            let advice = match e.raw_os_error() {
                Some(libc::EPERM | libc::EACCES) => "; ovs-vswitchd needs CAP_NET_RAW and CAP_NET_ADMIN",
                Some(libc::ENAMETOOLONG) => "; interface names have 1 to 15 characters",
                _ => "",
            };
            let reason = reason(&e);
            PortError::Device(match e.raw_os_error() {
                Some(libc::ENODEV) => format!("could not open network device {} ({reason})", spec.name),
                _ => format!("could not open network device {} ({reason}): {step} failed{advice}", spec.name),
            })
        };
        let interface = Interface::new(&spec.name).map_err(|e| fail("naming the interface", e))?;
        let index = interface.index().map_err(|e| fail("finding the interface", e))?;
        let socket = open_socket(index).map_err(|e| fail("opening a packet socket", e))?;
        let system = System {
            socket,
            interface,
            egress: Egress::new(wake),
            refused: SharedCounter::default(),
            inbox: Mutex::new(Inbox {
                buffer: vec![0; FRAME_MAX].into_boxed_slice(),
                waiting: Default::default(),
            }),
        };
        system.reconfigure(spec, 0)?;
        Ok(system)
    }

    /// False when the interface's queue is full.
    fn send(&self, packet: &Packet) -> bool {
        let header = [0u8; VNET_HDR_LEN];
        let data = packet.data();
        let mut parts = [
            libc::iovec { iov_base: header.as_ptr().cast_mut().cast(), iov_len: header.len() },
            libc::iovec { iov_base: data.as_ptr().cast_mut().cast(), iov_len: data.len() },
        ];
        // SAFETY: all-zero is a valid msghdr; the parts live through the call and are only read.
        let n = unsafe {
            let mut message: libc::msghdr = std::mem::zeroed();
            message.msg_iov = parts.as_mut_ptr();
            message.msg_iovlen = parts.len();
            libc::sendmsg(self.socket.as_raw_fd(), &message, libc::MSG_DONTWAIT)
        };
        match io::Error::last_os_error().raw_os_error() {
            _ if n >= 0 => true,
            Some(libc::EAGAIN | libc::ENOBUFS | libc::EINTR) => false,
            _ => {
                self.refused.add(1);
                true
            }
        }
    }

    fn send_all(&self, batch: &mut Batch) {
        let n = batch.iter().take_while(|p| self.send(p)).count();
        batch.drain(..n);
    }

    /// One frame from the socket into `waiting`; false when there is none.
    fn receive(&self, inbox: &mut Inbox) -> bool {
        const CONTROL_LEN: usize = 64;
        let mut control = [0u64; CONTROL_LEN / 8];
        let mut part =
            libc::iovec { iov_base: inbox.buffer.as_mut_ptr().cast(), iov_len: inbox.buffer.len() };
        // SAFETY: all-zero is a valid msghdr; the kernel writes within the buffers given; the control messages are read
        // with the macros made for it.
        let (n, tag) = unsafe {
            let mut message: libc::msghdr = std::mem::zeroed();
            message.msg_iov = &mut part;
            message.msg_iovlen = 1;
            message.msg_control = control.as_mut_ptr().cast();
            message.msg_controllen = CONTROL_LEN;
            let n = libc::recvmsg(self.socket.as_raw_fd(), &mut message, libc::MSG_DONTWAIT);
            (n, if n > 0 { vlan_tag(&message) } else { None })
        };
        if n < 0 {
            return false;
        }
        let n = (n as usize).min(inbox.buffer.len());
        let (header, frame) = inbox.buffer[..n].split_at(n.min(VNET_HDR_LEN));
        let waiting = &mut inbox.waiting;
        if let Ok(header) = header.try_into() {
            finish(header, frame, tag, &mut |packet| {
                if waiting.len() < WAITING_MAX {
                    waiting.push_back(packet);
                }
            });
        }
        true
    }
}

/// The VLAN tag (tpid, tci) that the kernel took off the frame.
///
/// # Safety
/// `message` was filled in by a successful `recvmsg` and its control buffer still lives.
unsafe fn vlan_tag(message: &libc::msghdr) -> Option<(u16, u16)> {
    #[repr(C)]
    struct Auxdata {
        status: u32,
        len: u32,
        snaplen: u32,
        mac: u16,
        net: u16,
        vlan_tci: u16,
        vlan_tpid: u16,
    }
    const TP_STATUS_VLAN_VALID: u32 = 1 << 4;
    const TP_STATUS_VLAN_TPID_VALID: u32 = 1 << 6;
    // SAFETY: per the contract.
    unsafe {
        let mut cmsg = libc::CMSG_FIRSTHDR(message);
        while !cmsg.is_null() {
            if (*cmsg).cmsg_level == libc::SOL_PACKET && (*cmsg).cmsg_type == libc::PACKET_AUXDATA {
                let aux = libc::CMSG_DATA(cmsg).cast::<Auxdata>().read_unaligned();
                if aux.status & TP_STATUS_VLAN_VALID == 0 {
                    return None;
                }
                let known = aux.status & TP_STATUS_VLAN_TPID_VALID != 0;
                return Some((if known { aux.vlan_tpid } else { 0x8100 }, aux.vlan_tci));
            }
            cmsg = libc::CMSG_NXTHDR(message, cmsg);
        }
    }
    None
}

fn open_socket(index: u32) -> io::Result<OwnedFd> {
    const PACKET_VNET_HDR: i32 = 15;
    const PACKET_IGNORE_OUTGOING: i32 = 23;
    const SOCKET_BUFFER_LEN: i32 = 8 << 20;
    let all = (libc::ETH_P_ALL as u16).to_be();
    // SAFETY: plain socket calls with live arguments of the sizes given; the descriptor is owned from the start.
    unsafe {
        // Protocol 0: nothing arrives before the socket is bound to its interface.
        let fd = libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let fd = OwnedFd::from_raw_fd(fd);
        let set = |level, option, value: i32| {
            let p = (&raw const value).cast();
            libc::setsockopt(fd.as_raw_fd(), level, option, p, size_of::<i32>() as u32)
        };
        if set(libc::SOL_PACKET, PACKET_VNET_HDR, 1) < 0 || set(libc::SOL_PACKET, libc::PACKET_AUXDATA, 1) < 0
        {
            return Err(io::Error::last_os_error());
        }
        set(libc::SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
        set(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, SOCKET_BUFFER_LEN);
        set(libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, SOCKET_BUFFER_LEN);
        let mut mreq: libc::packet_mreq = std::mem::zeroed();
        mreq.mr_ifindex = index as i32;
        mreq.mr_type = libc::PACKET_MR_PROMISC as u16;
        let p = (&raw const mreq).cast();
        let len = size_of::<libc::packet_mreq>() as u32;
        libc::setsockopt(fd.as_raw_fd(), libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, p, len);
        let mut address: libc::sockaddr_ll = std::mem::zeroed();
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = all;
        address.sll_ifindex = index as i32;
        let len = size_of::<libc::sockaddr_ll>() as u32;
        if libc::bind(fd.as_raw_fd(), (&raw const address).cast(), len) < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(fd)
    }
}

impl Device for System {
    fn is_pmd(&self) -> bool {
        false
    }

    fn rx(&self, _queue: u16, batch: &mut Batch) {
        let Ok(mut inbox) = self.inbox.try_lock() else { return };
        let inbox = &mut *inbox;
        while !batch.is_full() {
            match inbox.waiting.pop_front() {
                Some(packet) => batch.push(packet),
                None if !self.receive(inbox) => break,
                None => {}
            }
        }
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
        Some(self.socket.as_raw_fd())
    }

    fn reconfigure(&self, spec: &PortSpec, _n_txq: u16) -> Result<(), PortError> {
        let fail = |what: &str, e: io::Error| {
            PortError::Device(format!("{}: setting {what} failed: {e}", spec.name))
        };
        if let Some(mtu) = spec.mtu_request {
            self.interface.set_mtu(mtu).map_err(|e| fail("the MTU", e))?;
        }
        if let Some(mac) = spec.mac {
            self.interface.set_mac(mac).map_err(|e| fail("the MAC address", e))?;
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

    fn status(&self) -> PortStatus {
        self.interface.status("system")
    }

    fn stats(&self) -> PortStats {
        let mut stats = self.interface.stats();
        stats.tx_dropped += self.refused.get();
        stats
    }
}
