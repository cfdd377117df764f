use super::*;

fn config(n: u8) -> Config {
    Config {
        port_name: format!("p{n}"),
        chassis_mac: [2, 0, 0, 0, 0, n],
        system_name: "lab".into(),
        system_description: "a bridge".into(),
        mappings: BTreeMap::new(),
    }
}

#[test]
fn neighbours_are_learned_refreshed_and_forgotten() {
    let (mut a, mut b) = (Lldp::new(config(1), 0), Lldp::new(config(2), 0));
    for now_ms in (0..100_000).step_by(500) {
        if let (Some(frame), _) = a.run(now_ms) {
            b.receive(&frame, now_ms);
        }
        b.run(now_ms);
    }
    assert_eq!((a.counters.tx, b.counters.rx, b.counters.inserted), (4, 4, 1));
    let n = b.neighbors().next().unwrap();
    assert_eq!(
        (n.chassis[1..].to_vec(), &n.port[1..], n.system_name.as_str()),
        (vec![2, 0, 0, 0, 0, 1], &b"p1"[..], "lab")
    );
    b.run(90_000 + 120_000);
    assert_eq!((b.neighbors().count(), b.counters.aged_out), (0, 1));
}

#[test]
fn hostile_bytes_are_discarded_and_crowds_are_bounded() {
    let mut a = Lldp::new(config(1), 0);
    let good = pdu::emit(&config(2), 120);
    for len in 0..good.len() {
        a.receive(&good[..len], 0);
    }
    a.receive(&[0xff; 600], 0);
    assert_eq!(a.counters.rx_discarded, good.len() as u64 + 1);
    for n in 0..100 {
        a.receive(&pdu::emit(&config(n), 120), 0);
    }
    assert_eq!((a.neighbors().count(), a.counters.dropped), (NEIGHBORS_MAX, 68));
    a.receive(&pdu::emit(&config(0), 0), 0);
    assert_eq!(a.counters.deleted, 1);
    assert!(
        a.show_isid().starts_with(
            "LLDP: p1\nI-SID    VLAN Source      Status  \n-------- ---- ----------- --------\n"
        )
    );
}
