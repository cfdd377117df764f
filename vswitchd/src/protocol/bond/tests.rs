use super::*;

fn bond(config: Config) -> Bond {
    let mut bond = Bond::new("bond0", config.clone(), 0);
    let members = (1..=3).map(|n| (OfPort(n), format!("p{n}"))).collect();
    bond.configure(config, &members, 0);
    for n in 1..=3u8 {
        bond.set_member(OfPort(n.into()), [2, 0, 0, 0, 0, n], true);
    }
    bond
}

fn link(bond: &mut Bond, port: u32, up: bool) {
    bond.set_member(OfPort(port), [2, 0, 0, 0, 0, port as u8], up);
}

#[test]
fn hashes_are_those_of_ovs() {
    let mac = [0, 0x11, 0x22, 0x33, 0x44, 0x55];
    assert_eq!(hash_mac(mac, 0, 0) & BUCKET_MASK, 226);
    assert_eq!(hash_mac(mac, 10, 0) & BUCKET_MASK, 69);
    assert_eq!(hash_mac(mac, 10, 5) & BUCKET_MASK, 224);
}

#[test]
fn the_active_member_changes_when_its_link_goes_and_stays_when_it_comes_back() {
    let mut b = bond(Config::default());
    assert!(b.run(Status::Off, 0).send_learning_packets);
    assert_eq!(b.active, Some(OfPort(1)));
    link(&mut b, 1, false);
    assert!(b.run(Status::Off, 1).send_learning_packets);
    assert_eq!(b.active, Some(OfPort(2)));
    link(&mut b, 1, true);
    assert!(!b.run(Status::Off, 2).send_learning_packets);
    assert_eq!(b.active, Some(OfPort(2)));
    for n in 1..=3 {
        link(&mut b, n, false);
    }
    b.run(Status::Off, 3);
    assert_eq!(b.active, None);
}

#[test]
fn the_primary_takes_over_when_it_comes_back() {
    let mut b = bond(Config { primary: Some("p2".into()), ..Config::default() });
    b.run(Status::Off, 0);
    assert_eq!(b.active, Some(OfPort(2)));
    link(&mut b, 2, false);
    b.run(Status::Off, 1);
    assert_eq!(b.active, Some(OfPort(1)));
    link(&mut b, 2, true);
    b.run(Status::Off, 2);
    assert_eq!(b.active, Some(OfPort(2)));
}

#[test]
fn delays_hold_and_are_skipped_when_nothing_else_works() {
    let mut b = bond(Config { up_delay_ms: 500, down_delay_ms: 200, ..Config::default() });
    b.run(Status::Off, 0);
    // Nothing was enabled, so one member skips its delay.
    assert_eq!(b.members.values().filter(|m| m.enabled).count(), 1);
    assert_eq!(b.run(Status::Off, 1).deadline_ms, 500);
    b.run(Status::Off, 500);
    assert!(b.members.values().all(|m| m.enabled));
    link(&mut b, 2, false);
    b.run(Status::Off, 600);
    assert!(b.show(None, 650).contains("downdelay expires in 150 ms"));
    link(&mut b, 2, true);
    b.run(Status::Off, 700);
    b.run(Status::Off, 900);
    assert!(b.members[&OfPort(2)].enabled);
}

#[test]
fn loads_become_alike_and_only_then() {
    let mut b = bond(Config { mode: Mode::BalanceSlb, rebalance_ms: 1000, ..Config::default() });
    b.run(Status::Off, 0);
    // Buckets 0, 3, 6 ... are the first member's.
    for n in (0..30).step_by(3) {
        b.buckets.credit(n, 1_000_000);
    }
    b.run(Status::Off, 1000);
    let load = |b: &Bond, port| {
        (0..N_BUCKETS)
            .filter(|n| b.buckets.member(*n) == Some(OfPort(port)))
            .map(|n| b.buckets.bytes(n))
            .sum::<u64>()
    };
    let loads = [1, 2, 3].map(|port| load(&b, port));
    assert_eq!(loads.iter().sum::<u64>(), 5_000_000);
    assert!(loads.iter().all(|l| (1_500_000..=2_000_000).contains(l)), "{loads:?}");
    let generation = b.view().generation;
    b.run(Status::Off, 2000);
    assert_eq!(b.view().generation, generation);
}

#[test]
fn admissions() {
    let flood = [0xff; 6];
    let host = [2, 0, 0, 0, 0, 9];
    let mut b = bond(Config { mode: Mode::BalanceSlb, ..Config::default() });
    b.run(Status::Off, 0);
    assert_eq!(b.view().admit(OfPort(1), flood), Admission::DropIfMoved);
    assert_eq!(b.view().admit(OfPort(2), flood), Admission::Drop);
    assert_eq!(b.view().admit(OfPort(2), host), Admission::DropIfMoved);
    b.config.mode = Mode::BalanceTcp;
    assert_eq!(b.view().admit(OfPort(1), host), Admission::Drop);
    b.run(Status::Negotiated, 1);
    assert_eq!(b.view().admit(OfPort(2), flood), Admission::Accept);
    b.run(Status::Configured, 2);
    assert_eq!(b.view().admit(OfPort(1), host), Admission::Drop);
    b.config.fallback_ab = true;
    assert_eq!(b.view().admit(OfPort(1), host), Admission::Accept);
    assert_eq!(b.view().admit(OfPort(2), host), Admission::Drop);
}

#[test]
fn commands() {
    let mut b = bond(Config { mode: Mode::BalanceSlb, ..Config::default() });
    b.run(Status::Off, 0);
    assert_eq!(b.set_active("p1"), Ok("no change"));
    assert_eq!(b.set_active("p2"), Ok("done"));
    assert_eq!(b.set_active("px"), Err("no such member"));
    assert_eq!(b.migrate(3, "p3"), Ok("migrated"));
    assert_eq!(b.buckets.member(3), Some(OfPort(3)));
    link(&mut b, 3, false);
    b.run(Status::Off, 1);
    assert_eq!(b.migrate(3, "p3"), Err("cannot migrate to disabled member"));
    assert_eq!(b.set_active("p3"), Err("cannot make disabled member active"));
    assert_eq!(b.set_enabled("p2", false), Ok("disabled"));
    b.config.mode = Mode::ActiveBackup;
    assert!(b.migrate(3, "p1").is_err());
}
