//! The codec against itself: what is encoded decodes to the same, in every version; rubbish never panics.

use crate::codec::{decode, encode};
use crate::msg::{FlowMod, FlowModCommand, Message};
use crate::text::flow;
use crate::types::Version;

const FLOWS: &[&str] = &[
    "actions=output:1,NORMAL,CONTROLLER:128,group:5",
    "table=3,priority=5,idle_timeout=5,hard_timeout=6,cookie=0x5,tcp,tp_dst=80,in_port=1,actions=resubmit(,4),output:LOCAL",
    "ip,nw_src=10.0.0.0/8,actions=set_field:1.2.3.4->ip_dst,mod_dl_src:00:11:22:33:44:55",
    "udp6,ipv6_src=fe80::/64,actions=drop",
    "reg0=1/0xf,metadata=5,tun_id=7,actions=load:5->NXM_NX_REG1[0..3],move:NXM_NX_REG1[]->NXM_NX_REG2[]",
    "ct_state=+trk+new,tcp,actions=ct(commit,zone=NXM_NX_REG1[0..15],table=3,exec(set_field:1->ct_mark),nat(src=1.2.3.4-1.2.3.9:50-60))",
    "actions=learn(table=1,hard_timeout=300,NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])",
    "actions=conjunction(5,1/2)",
    "icmp6,icmp_type=135,nd_target=fe80::1,actions=controller(id=5,userdata=01.02)",
    "dl_vlan=5,dl_vlan_pcp=3,actions=strip_vlan,output:1",
    "actions=clone(clone(output:1)),multipath(eth_src,50,modulo_n,4,0,NXM_NX_REG0[0..15])",
    "arp,arp_op=1,arp_spa=1.2.3.4,arp_sha=00:11:22:33:44:55,actions=in_port",
    "actions=meter:5,clear_actions,write_actions(output:1),write_metadata:0x5/0xff,goto_table:7",
];

fn messages() -> Vec<(Version, Vec<u8>)> {
    let mut out = Vec::new();
    for text in FLOWS {
        let parsed = flow::parse(text, FlowModCommand::Add, None).expect(text);
        for version in Version::ALL {
            let message =
                Message::FlowMod(Box::new(FlowMod { table: crate::TableId(3), ..parsed.flow.clone() }));
            out.push((version, encode(version, 7, &message)));
        }
    }
    for version in Version::ALL {
        for message in [
            Message::EchoRequest(vec![1, 2, 3]),
            Message::PortDescReply(vec![Default::default(); 3]),
            Message::TableFeaturesReply(vec![crate::msg::TableFeatures::new(crate::TableId(1))]),
            Message::BarrierRequest,
        ] {
            out.push((version, encode(version, 9, &message)));
        }
    }
    out.retain(|(_, bytes)| !bytes.is_empty());
    out
}

/// Encoding is a normal form: encoding what was decoded gives the bytes again.
#[test]
fn encode_of_decode_is_the_identity() {
    for (version, bytes) in messages() {
        let (xid, message) = decode(&bytes).unwrap_or_else(|e| panic!("{version:?} {e}: {bytes:02x?}"));
        let again = encode(version, xid, &message);
        assert_eq!(bytes, again, "{version:?} {message:?}");
    }
}

/// Bytes changed, cut and made up: an error or a message, and printing works too.
#[test]
fn hostile_bytes_never_panic() {
    let seed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_nanos();
    eprintln!("seed {seed}");
    let mut state = u64::from(seed) | 1;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for (_, bytes) in messages() {
        for _ in 0..200 {
            let mut bad = bytes.clone();
            for _ in 0..1 + random() % 4 {
                let at = random() as usize % bad.len();
                bad[at] = random() as u8;
            }
            if random() % 4 == 0 {
                bad.truncate(random() as usize % bad.len());
            }
            if bad.len() >= 4 && random() % 2 == 0 {
                let len = (bad.len() as u16).to_be_bytes();
                bad[2..4].copy_from_slice(&len);
            }
            let _ = decode(&bad);
            let _ = crate::print::message(&bad, Default::default());
        }
    }
    for _ in 0..20_000 {
        let mut bad: Vec<u8> = (0..8 + random() % 120).map(|_| random() as u8).collect();
        bad[0] = 1 + (random() % 6) as u8;
        bad[1] = (random() % 36) as u8;
        let len = (bad.len() as u16).to_be_bytes();
        bad[2..4].copy_from_slice(&len);
        let _ = decode(&bad);
        let _ = crate::print::message(&bad, Default::default());
    }
}

#[test]
fn nesting_is_bounded() {
    let deep = format!("actions={}output:1{}", "clone(".repeat(100), ")".repeat(100));
    assert!(flow::parse(&deep, FlowModCommand::Add, None).is_err());
}
