use super::*;

/// Keys as Debian's switch prints them.
const KEYS: &[&str] = &[
    "recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(frag=first)",
    "recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth_type(0x8100),vlan(vid=9),encap(eth_type(0x0800),ipv4(frag=no))",
    "recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth_type(0x88cc)",
    "recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(proto=6,frag=no),tcp_flags(+syn)",
    "recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth(src=50:54:00:00:00:01),eth_type(0x0800),\
     ipv4(src=10.0.0.0/255.255.255.0,proto=6,ttl=64,frag=no),tcp(dst=80),tcp_flags(-syn)",
    "recirc_id(0x2),in_port(1),packet_type(ns=0,id=0),eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02),\
     eth_type(0x0800),ipv4(tos=0/0x3,frag=no)",
    "recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth_type(0x86dd),ipv6(proto=17,tclass=0/0xfc,frag=no)",
    "ct_state(+est+trk),ct_zone(0x3),recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth_type(0x0806),arp(sip=1.2.3.4,op=1)",
];

#[test]
fn keys_go_both_ways() {
    for text in KEYS {
        let (key, mask) = parse_key(text, &Numbers).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(format_key(&key, &mask, false, &Numbers), *text);
    }
}

#[test]
fn verbose_shows_what_is_wildcarded() {
    let (key, mask) = parse_key(KEYS[2], &Numbers).unwrap();
    assert_eq!(
        format_key(&key, &mask, true, &Numbers),
        "skb_priority(0/0),skb_mark(0/0),ct_state(0/0),ct_zone(0/0),ct_mark(0/0),ct_label(0/0),recirc_id(0),dp_hash(0/0),\
         in_port(1),packet_type(ns=0,id=0),eth(src=00:00:00:00:00:00/00:00:00:00:00:00,\
         dst=00:00:00:00:00:00/00:00:00:00:00:00),eth_type(0x88cc)"
    );
}

#[test]
fn actions_go_both_ways() {
    for text in [
        "2",
        "drop",
        "push_vlan(vid=5,pcp=1),2",
        "set(eth(src=00:00:00:00:00:77)),set(ipv4(ttl=63)),2",
        "hash(l4(0)),recirc(0x1)",
        "clone(2),3",
        "trunc(100),2",
        "meter(3),pop_vlan,2",
        "set(udp(src=5)),set(skb_mark(0x3))",
    ] {
        let list = parse_actions(text, &Numbers).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(format_actions(&list, &Numbers), text);
    }
}

#[test]
fn rubbish_is_an_error() {
    for text in [
        "zork",
        "in_port(1",
        "in_port(x)",
        "eth(src=1)",
        "ipv4(frag=maybe)",
        "vlan(vid=4096)",
        ")",
        "tcp_flags(+zork)",
    ] {
        assert!(parse_key(text, &Numbers).is_err(), "{text}");
    }
    assert_eq!(parse_key("zork", &Numbers), Err(ParseError("syntax error at zork".into())));
    for text in ["zork", "clone(2", "set(zork(1))", "recirc()", "push_vlan(vid=4096)"] {
        assert!(parse_actions(text, &Numbers).is_err(), "{text}");
    }
    let deep = "clone(".repeat(1000) + &")".repeat(1000);
    assert!(parse_actions(&deep, &Numbers).is_err());
}

#[test]
fn ufids_go_both_ways() {
    let text = "1df1c56d-c1a5-4227-8179-1b1c4c3858c6";
    let ufid = parse_ufid(&format!("ufid:{text}")).unwrap();
    assert_eq!(format_ufid(ufid), text);
    assert_eq!(parse_ufid("ufid:123"), None);
}
