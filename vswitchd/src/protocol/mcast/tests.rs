use super::message::{igmp, mld};
use super::*;

const A: BundleId = BundleId(1);
const B: BundleId = BundleId(2);

fn group(last: u8) -> Ipv6Addr {
    std::net::Ipv4Addr::new(239, 1, 1, last).to_ipv6_mapped()
}

fn join(table: &Table, bundle: BundleId, last: u8, now_ms: i64) {
    let message = [0x16, 0, 0, 0, 239, 1, 1, last];
    table.learn(0, bundle, OfPort(bundle.0), &igmp(&message), now_ms);
}

#[test]
fn members_join_leave_and_age() {
    let t = Table::default();
    assert_eq!(t.ways(0, Some(group(1))).members, None);
    join(&t, A, 1, 0);
    join(&t, B, 1, 1000);
    let generation = t.generation();
    join(&t, B, 1, 2000);
    assert_eq!(t.generation(), generation);
    assert_eq!(t.ways(0, Some(group(1))).members, Some(vec![A, B]));
    assert_eq!(t.ways(7, Some(group(1))).members, None);
    t.learn(0, A, OfPort(1), &igmp(&[0x17, 0, 0, 0, 239, 1, 1, 1]), 3000);
    assert_eq!(t.ways(0, Some(group(1))).members, Some(vec![B]));
    t.expire(&[A, B].into(), 301_999);
    assert_eq!(t.rows(301_999)[0].age_s, 299);
    t.expire(&[A, B].into(), 302_000);
    assert_eq!(t.ways(0, Some(group(1))).members, None);
}

#[test]
fn queries_make_routers() {
    let t = Table::default();
    t.learn(5, A, OfPort(1), &igmp(&[0x11, 100, 0, 0, 0, 0, 0, 0]), 0);
    assert_eq!(t.ways(5, None).routers, [A]);
    assert_eq!(t.report_ways(5), [A]);
    assert_eq!(t.rows(0)[0].group, None);
    t.expire(&[A, B].into(), 180_000);
    assert_eq!(t.ways(5, None).routers, []);
}

#[test]
fn the_oldest_group_goes_when_full() {
    let t = Table::default();
    t.configure(Config { groups_max: 2, ..Config::default() }, vec![], vec![]);
    for (n, last) in [1, 2, 3].into_iter().enumerate() {
        join(&t, A, last, n as i64);
    }
    assert_eq!(t.ways(0, Some(group(1))).members, None);
    assert_eq!(t.ways(0, Some(group(3))).members, Some(vec![A]));
}

#[test]
fn reports_of_version_three() {
    // Include nothing (leave) of .1; exclude nothing (join) of .2; include one source of .3.
    let mut m = vec![0x22, 0, 0, 0, 0, 0, 0, 3];
    m.extend([3, 0, 0, 0, 239, 1, 1, 1]);
    m.extend([4, 0, 0, 0, 239, 1, 1, 2]);
    m.extend([1, 0, 0, 1, 239, 1, 1, 3, 10, 0, 0, 1]);
    let events = igmp(&m);
    assert_eq!(events, [Event::Leave(group(1)), Event::Join(group(2)), Event::Join(group(3))]);
    for len in 0..m.len() {
        assert!(igmp(&m[..len]).len() < 3);
    }
    let mut m = vec![143, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 0];
    let g: Ipv6Addr = "ff0e::77".parse().unwrap();
    m.extend(g.octets());
    assert_eq!(mld(&m), [Event::Join(g)]);
    assert_eq!(mld(&[131, 0]), []);
    // The link's own groups are not snooped.
    assert_eq!(igmp(&[0x16, 0, 0, 0, 224, 0, 0, 251]), []);
}
