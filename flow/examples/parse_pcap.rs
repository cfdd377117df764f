//! Prints the flow of every packet of a little-endian pcap file, as `ovs-ofctl parse-pcap` does.
use flow::parse::{Meta, parse_whole};

fn main() {
    let path = std::env::args().nth(1).expect("usage: parse_pcap FILE");
    let data = std::fs::read(&path).expect("readable file");
    let mut rest = data.get(24..).unwrap_or(&[]);
    while let Some(header) = rest.first_chunk::<16>() {
        let len = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
        let Some(packet) = rest.get(16..16 + len) else { break };
        let meta = Meta { in_port: 0xffff, vlan_limit: 2, ..Meta::default() };
        println!("{}", flow::Match::of_packet(&parse_whole(packet, &meta).0));
        rest = &rest[16 + len..];
    }
}
