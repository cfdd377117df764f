//! Texts that Debian's `ovs-ofctl parse-flow` was given and printed (golden.txt: input, tab, output).
use super::*;

#[test]
fn prints_what_ovs_prints() {
    let mut failures = Vec::new();
    for line in include_str!("golden.txt").lines() {
        let (input, expected) = line.split_once('\t').unwrap();
        let got = match Match::parse(input, None) {
            Ok(mut m) => {
                m.normalize();
                m.to_string()
            }
            Err(e) => format!("! {e}"),
        };
        if got != expected {
            failures.push(format!("{input}: expected {expected}, got {got}"));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

/// What is printed parses to the same match.
#[test]
fn text_round_trip() {
    for line in include_str!("golden.txt").lines() {
        let Some((_, text)) = line.split_once('\t').filter(|(_, t)| !t.starts_with('!')) else { continue };
        // These names are printed but are not field names, in OVS neither.
        if text.contains("gtpu_") {
            continue;
        }
        let parsed = Match::parse(text, None).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(parsed.to_string(), text);
    }
}

#[test]
fn key_values() {
    let pairs: Vec<_> = KeyValues::new("tcp, a=1,b(c(d),e),f:(1,2) g").collect();
    assert_eq!(pairs, [("tcp", ""), ("a", "1"), ("b", "c(d),e"), ("f", "(1,2)"), ("g", "")]);
    assert_eq!(KeyValues::new("a(b").collect::<Vec<_>>(), [("a", "b")]);
    assert_eq!(KeyValues::new(")=(,é").count(), 1);
}

#[test]
fn prerequisites_of_a_match() {
    let tcp = Match::parse("tcp", None).unwrap();
    assert!(tcp.has_prerequisites(Field::TcpDst) && tcp.has_prerequisites(Field::NwTtl));
    assert!(!tcp.has_prerequisites(Field::UdpDst) && !tcp.has_prerequisites(Field::Ipv6Src));
    assert!(!tcp.has_prerequisites(Field::VlanPcp) && tcp.has_prerequisites(Field::EthSrc));
    let tagged = Match::parse("dl_vlan=3", None).unwrap();
    assert!(tagged.has_prerequisites(Field::VlanPcp));
}
