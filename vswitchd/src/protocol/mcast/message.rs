//! IGMP (RFC 1112, 2236, 3376) and MLD (RFC 2710, 3810) messages, as far as snooping is concerned. Hostile bytes give fewer
//! events, never a panic.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::super::frame::Reader;

/// A group's address; IPv4 groups are mapped.
pub type Group = Ipv6Addr;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    Join(Group),
    Leave(Group),
    /// Somebody asks: a router.
    Query,
}

pub const IGMP_QUERY: u8 = 0x11;
pub const IGMP_V1_REPORT: u8 = 0x12;
pub const IGMP_V2_REPORT: u8 = 0x16;
pub const IGMP_LEAVE: u8 = 0x17;
pub const IGMP_V3_REPORT: u8 = 0x22;
pub const MLD_QUERY: u8 = 130;
pub const MLD_REPORT: u8 = 131;
pub const MLD_DONE: u8 = 132;
pub const MLD2_REPORT: u8 = 143;

const MODE_IS_INCLUDE: u8 = 1;
const CHANGE_TO_INCLUDE: u8 = 3;
const BLOCK_OLD_SOURCES: u8 = 6;
/// Records of one report that are looked at.
const RECORDS_MAX: u16 = 512;

pub fn is_report(kind: u8, v6: bool) -> bool {
    match v6 {
        false => matches!(kind, IGMP_V1_REPORT | IGMP_V2_REPORT | IGMP_LEAVE | IGMP_V3_REPORT),
        true => matches!(kind, MLD_REPORT | MLD_DONE | MLD2_REPORT),
    }
}

/// Groups of the local link (224.0.0.0/24, ff02::1 and solicited nodes) are not snooped.
pub fn is_local(group: &Group) -> bool {
    match group.to_ipv4_mapped() {
        Some(v4) => v4.octets()[..3] == [224, 0, 0],
        None => *group == Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1),
    }
}

fn v4(bytes: [u8; 4]) -> Group {
    Ipv4Addr::from(bytes).to_ipv6_mapped()
}

/// The events of an IGMP message.
pub fn igmp(payload: &[u8]) -> Vec<Event> {
    let mut r = Reader(payload);
    let mut parse = || {
        let kind = r.u8()?;
        // Code and checksum.
        r.bytes(3)?;
        Some(match kind {
            IGMP_V3_REPORT => records(&mut r, |r| Some(v4(r.array()?))),
            IGMP_QUERY => vec![Event::Query],
            IGMP_V1_REPORT | IGMP_V2_REPORT => vec![Event::Join(v4(r.array()?))],
            IGMP_LEAVE => vec![Event::Leave(v4(r.array()?))],
            _ => Vec::new(),
        })
    };
    wanted(parse())
}

/// The events of an MLD message (the ICMPv6 part).
pub fn mld(payload: &[u8]) -> Vec<Event> {
    let mut r = Reader(payload);
    let mut parse = || {
        let kind = r.u8()?;
        r.bytes(3)?;
        Some(match kind {
            MLD2_REPORT => records(&mut r, |r| Some(Ipv6Addr::from(r.array::<16>()?))),
            MLD_QUERY => vec![Event::Query],
            MLD_REPORT | MLD_DONE => {
                // Maximum delay and reserved.
                r.bytes(4)?;
                let group = Ipv6Addr::from(r.array::<16>()?);
                vec![if kind == MLD_REPORT { Event::Join(group) } else { Event::Leave(group) }]
            }
            _ => Vec::new(),
        })
    };
    wanted(parse())
}

/// Group records of IGMPv3 and MLDv2 reports: the same shape with different addresses.
fn records(r: &mut Reader<'_>, group: fn(&mut Reader<'_>) -> Option<Group>) -> Vec<Event> {
    let mut events = Vec::new();
    let mut parse = || {
        r.u16()?;
        let n = r.u16()?.min(RECORDS_MAX);
        for _ in 0..n {
            let (kind, auxiliary_words, n_sources) = (r.u8()?, r.u8()?, r.u16()?);
            let group = group(r)?;
            let address_len = if group.to_ipv4_mapped().is_some() { 4 } else { 16 };
            r.bytes(usize::from(n_sources) * address_len + usize::from(auxiliary_words) * 4)?;
            if kind == 0 || kind > BLOCK_OLD_SOURCES {
                continue;
            }
            let nobody = n_sources == 0 && matches!(kind, MODE_IS_INCLUDE | CHANGE_TO_INCLUDE);
            events.push(if nobody { Event::Leave(group) } else { Event::Join(group) });
        }
        Some(())
    };
    let _ = parse();
    events
}

fn wanted(events: Option<Vec<Event>>) -> Vec<Event> {
    let mut events = events.unwrap_or_default();
    events.retain(|e| match e {
        Event::Join(group) | Event::Leave(group) => group.is_multicast_group() && !is_local(group),
        Event::Query => true,
    });
    events
}

trait MulticastGroup {
    fn is_multicast_group(&self) -> bool;
}

impl MulticastGroup for Group {
    fn is_multicast_group(&self) -> bool {
        self.to_ipv4_mapped().map_or(self.is_multicast(), |v4| v4.is_multicast())
    }
}
