//! multipath: a hash of the packet picks a link number. Also the fields that hashes look at.

use flow::hash::visible::{self, HashFields};
use flow::proto::{eth, ip};
use flow::{Be16, Be32};
use openflow::action::{HashFields as OfHashFields, Multipath, MultipathAlgorithm};

use super::ctx::Ctx;

pub(super) fn hash_fields(fields: OfHashFields) -> HashFields {
    match fields {
        OfHashFields::EthSrc => HashFields::EthSrc,
        OfHashFields::SymmetricL4 => HashFields::SymmetricL4,
        OfHashFields::SymmetricL3L4 => HashFields::SymmetricL3L4,
        OfHashFields::SymmetricL3L4Udp => HashFields::SymmetricL3L4Udp,
        OfHashFields::NwSrc => HashFields::NwSrc,
        OfHashFields::NwDst => HashFields::NwDst,
        OfHashFields::SymmetricL3 => HashFields::SymmetricL3,
    }
}

impl Ctx<'_, '_> {
    pub(super) fn multipath(&mut self, mp: &Multipath) {
        self.look_hashed(mp.fields);
        let hash = visible::fields(&self.flow, hash_fields(mp.fields), mp.basis.into());
        let n_links = u32::from(mp.max_link) + 1;
        let link = link_of(mp.algorithm, hash, n_links, mp.arg);
        self.set_subfield(mp.dst, link.into());
        self.report_subfield(mp.dst);
    }

    /// Un-wildcards what a hash over `fields` reads.
    pub(super) fn look_hashed(&mut self, fields: OfHashFields) {
        match fields {
            OfHashFields::EthSrc => self.out.mask.0.dl_src = [0xff; 6],
            OfHashFields::SymmetricL4 => self.look_symmetric_l4(),
            OfHashFields::SymmetricL3L4 => self.look_l3l4(true, false),
            OfHashFields::SymmetricL3L4Udp => self.look_l3l4(true, true),
            OfHashFields::SymmetricL3 => self.look_l3l4(false, false),
            OfHashFields::NwSrc | OfHashFields::NwDst => self.look_one_address(fields),
        }
    }

    fn look_one_address(&mut self, fields: OfHashFields) {
        let is_src = fields == OfHashFields::NwSrc;
        let m = &mut self.out.mask.0;
        match (self.flow.dl_type.get(), is_src) {
            (eth::IP, true) => m.nw_src = Be32::MAX,
            (eth::IP, false) => m.nw_dst = Be32::MAX,
            (eth::IPV6, true) => m.ipv6_src = [0xff; 16],
            (eth::IPV6, false) => m.ipv6_dst = [0xff; 16],
            _ => {}
        }
    }

    fn look_ports_if(&mut self, has: bool) {
        if has {
            (self.out.mask.0.tp_src, self.out.mask.0.tp_dst) = (Be16::MAX, Be16::MAX);
        }
    }

    pub(super) fn look_symmetric_l4(&mut self) {
        let m = &mut self.out.mask.0;
        (m.dl_src, m.dl_dst) = ([0xff; 6], [0xff; 6]);
        m.vlan.tci = Be16::new(m.vlan.tci.get() | 0x0fff | flow::key::VLAN_CFI);
        if self.look_addresses() {
            self.look_ports_if(matches!(self.flow.nw_proto, ip::TCP | ip::SCTP));
        }
    }

    fn look_l3l4(&mut self, ports: bool, with_udp: bool) {
        if self.look_addresses() {
            let proto = self.flow.nw_proto;
            let hashed = matches!(proto, ip::TCP | ip::SCTP) || (with_udp && proto == ip::UDP);
            self.look_ports_if(ports && hashed);
        } else {
            let m = &mut self.out.mask.0;
            (m.dl_src, m.dl_dst) = ([0xff; 6], [0xff; 6]);
        }
    }

    /// True for IP, whose addresses and protocol are then looked at.
    fn look_addresses(&mut self) -> bool {
        let m = &mut self.out.mask.0;
        match self.flow.dl_type.get() {
            eth::IP => (m.nw_src, m.nw_dst) = (Be32::MAX, Be32::MAX),
            eth::IPV6 => (m.ipv6_src, m.ipv6_dst) = ([0xff; 16], [0xff; 16]),
            _ => return false,
        }
        m.nw_proto = 0xff;
        true
    }
}

/// Highest random weight: the one of `links` whose `weight` is highest, of equals the first.
pub(super) fn hrw(links: impl Iterator<Item = u32>, weight: impl Fn(u32) -> u32) -> Option<u32> {
    links.max_by_key(|link| (weight(*link), std::cmp::Reverse(*link)))
}

fn link_of(algorithm: MultipathAlgorithm, hash: u32, n_links: u32, arg: u32) -> u32 {
    match algorithm {
        MultipathAlgorithm::ModuloN => hash % n_links,
        MultipathAlgorithm::HashThreshold if n_links == 1 => 0,
        MultipathAlgorithm::HashThreshold => hash / (u32::MAX / n_links + 1),
        MultipathAlgorithm::Hrw => hrw(0..n_links, |link| visible::two_words(hash, link)).unwrap_or(0),
        MultipathAlgorithm::IterHash => iter_hash(hash, n_links, arg),
    }
}

/// Hashes again and again, modulo `modulo` or, when that is out of proportion, the next power of two, until a link below
/// `n_links` comes out.
fn iter_hash(hash: u32, n_links: u32, modulo: u32) -> u32 {
    const TRIES_MAX: u32 = 256;
    let modulo = if modulo < n_links || modulo / 2 > n_links { n_links.next_power_of_two() } else { modulo };
    let mut links = (0..TRIES_MAX).map(|n| visible::two_words(hash, n) % modulo);
    links.find(|link| *link < n_links).unwrap_or(hash % n_links)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Debian's ofproto/trace chose for packets without the hashed field, whose hash is the basis.
    #[test]
    fn links_as_debian_chooses_them() {
        let observed =
            [(4, 3, 50, 2), (4, 4, 51, 3), (5, 4, 52, 2), (6, 4, 52, 3), (7, 4, 50, 2), (16, 2, 51, 1)];
        for (arg, n_links, hash, link) in observed {
            assert_eq!(
                link_of(MultipathAlgorithm::IterHash, hash, n_links, arg),
                link,
                "{arg} {n_links} {hash}"
            );
        }
        for (hash, link) in [(0, 2), (1, 1), (2, 2), (3, 2)] {
            assert_eq!(link_of(MultipathAlgorithm::Hrw, hash, 4, 0), link, "hrw {hash}");
        }
    }
}
