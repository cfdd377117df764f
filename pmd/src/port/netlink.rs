//! A kernel interface's counters, asked for by route netlink: unlike `/sys/class/net`, which shows the network namespace of
//! whoever mounted it, a netlink socket always speaks of the namespace that the daemon runs in. Control plane.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use dpif::PortStats;

/// `struct nlmsghdr` and `struct ifinfomsg`, both of this length.
const HEADER_LEN: usize = 16;
/// Longest answer: a link with many virtual functions describes each.
const ANSWER_MAX: usize = 64 << 10;
// <linux/if_link.h>
const IFLA_STATS64: u16 = 23;
const IFLA_CARRIER_CHANGES: u16 = 35;
/// The kernel marks nested attributes in their type.
const TYPE_MASK: u16 = 0x3fff;

/// What the kernel says of an interface.
#[derive(Default, Debug, PartialEq, Eq)]
pub struct Link {
    /// Words of `struct rtnl_link_stats64`.
    counters: Vec<u64>,
    pub carrier_changes: u64,
}

impl Link {
    /// Asks for the interface of this index.
    pub fn read(index: u32) -> io::Result<Link> {
        // SAFETY: plain call; the descriptor is owned from here on.
        let socket = unsafe {
            let fd = libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_ROUTE);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(fd)
        };
        let request = request(index);
        let mut answer = vec![0u8; ANSWER_MAX];
        // SAFETY: sends from and receives into live buffers of the lengths given. The kernel answers before `send` returns.
        let n = unsafe {
            let fd = socket.as_raw_fd();
            if libc::send(fd, request.as_ptr().cast(), request.len(), 0) < 0 {
                return Err(io::Error::last_os_error());
            }
            libc::recv(fd, answer.as_mut_ptr().cast(), answer.len(), libc::MSG_DONTWAIT)
        };
        if n < 0 {
            return Err(io::Error::last_os_error());
        }
        parse(&answer[..n as usize])
    }

    /// The counters as `Interface.statistics` has them.
    pub fn stats(&self) -> PortStats {
        let c = |at: usize| self.counters.get(at).copied().unwrap_or(0);
        PortStats {
            rx_packets: c(0),
            tx_packets: c(1),
            rx_bytes: c(2),
            tx_bytes: c(3),
            rx_errors: c(4),
            tx_errors: c(5),
            rx_dropped: c(6),
            tx_dropped: c(7),
            collisions: Some(c(9)),
            rx_over_err: Some(c(11)),
            rx_crc_err: Some(c(12)),
            rx_frame_err: Some(c(13)),
            rx_missed_errors: Some(c(15)),
            is_traffic_only: false,
            custom: Vec::new(),
        }
    }
}

/// RTM_GETLINK.
fn request(index: u32) -> [u8; 2 * HEADER_LEN] {
    let mut m = [0; 2 * HEADER_LEN];
    m[..4].copy_from_slice(&(2 * HEADER_LEN as u32).to_ne_bytes());
    m[4..6].copy_from_slice(&libc::RTM_GETLINK.to_ne_bytes());
    m[6..8].copy_from_slice(&(libc::NLM_F_REQUEST as u16).to_ne_bytes());
    m[20..24].copy_from_slice(&index.to_ne_bytes());
    m
}

fn u16_at(b: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(b.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(b: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(b.get(at..at + 4)?.try_into().ok()?))
}

/// RTM_NEWLINK, or NLMSG_ERROR with the negative error number.
fn parse(answer: &[u8]) -> io::Result<Link> {
    let short = || io::Error::from(io::ErrorKind::UnexpectedEof);
    match u16_at(answer, 4).ok_or_else(short)? {
        libc::RTM_NEWLINK => {}
        kind if i32::from(kind) == libc::NLMSG_ERROR => {
            let error = u32_at(answer, HEADER_LEN).ok_or_else(short)? as i32;
            return Err(io::Error::from_raw_os_error(error.wrapping_neg()));
        }
        _ => return Err(io::Error::from(io::ErrorKind::InvalidData)),
    }
    let len = u32_at(answer, 0).ok_or_else(short)? as usize;
    let mut rest = answer.get(2 * HEADER_LEN..len.min(answer.len())).ok_or_else(short)?;
    let mut link = Link::default();
    while let (Some(len), Some(kind)) = (u16_at(rest, 0), u16_at(rest, 2)) {
        let Some(value) = rest.get(4..usize::from(len)) else { break };
        match kind & TYPE_MASK {
            IFLA_STATS64 => {
                let (words, _) = value.as_chunks::<8>();
                link.counters = words.iter().map(|w| u64::from_ne_bytes(*w)).collect();
            }
            IFLA_CARRIER_CHANGES => link.carrier_changes = u32_at(value, 0).unwrap_or(0).into(),
            _ => {}
        }
        rest = rest.get(usize::from(len).next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(link)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut m = vec![0; HEADER_LEN];
        m[..4].copy_from_slice(&((HEADER_LEN + body.len()) as u32).to_ne_bytes());
        m[4..6].copy_from_slice(&kind.to_ne_bytes());
        m.extend(body);
        m
    }

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut a = [(4 + value.len() as u16).to_ne_bytes(), kind.to_ne_bytes()].concat();
        a.extend(value);
        a.resize(a.len().next_multiple_of(4), 0);
        a
    }

    #[test]
    fn counters_are_found_among_other_attributes() {
        let words: Vec<u8> = (100u64..124).flat_map(u64::to_ne_bytes).collect();
        let body = [
            vec![0; HEADER_LEN],
            attribute(3, b"eth0\0"),
            attribute(IFLA_STATS64, &words),
            attribute(IFLA_CARRIER_CHANGES, &7u32.to_ne_bytes()),
        ]
        .concat();
        let whole = answer(libc::RTM_NEWLINK, &body);
        let link = parse(&whole).unwrap();
        let stats = link.stats();
        assert_eq!((stats.rx_packets, stats.tx_dropped, link.carrier_changes), (100, 107, 7));
        assert_eq!((stats.collisions, stats.rx_missed_errors), (Some(109), Some(115)));
        for n in 0..whole.len() {
            let _ = parse(&whole[..n]);
        }
    }

    #[test]
    fn refusals_are_errors() {
        let refused = answer(libc::NLMSG_ERROR as u16, &(-libc::ENODEV).to_ne_bytes());
        assert_eq!(parse(&refused).unwrap_err().raw_os_error(), Some(libc::ENODEV));
        assert!(parse(&answer(libc::RTM_NEWLINK, &[])).is_err());
        assert!(parse(b"").is_err());
    }

    #[test]
    fn the_kernel_answers() {
        assert!(!Link::read(1).unwrap().counters.is_empty(), "lo is always there");
        assert_eq!(Link::read(0x7fff_fff0).unwrap_err().raw_os_error(), Some(libc::ENODEV));
    }
}
