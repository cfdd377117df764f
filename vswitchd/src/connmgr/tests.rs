use openflow::msg::role::Role;
use openflow::msg::{AsyncConfig, FlowMod, FlowModCommand, Hello, PacketInReason, SwitchConfig};
use openflow::{Message, OfpError, Version, VersionSet};

use super::async_msg::AsyncKind;
use super::session::{Preferences, Verdict, negotiate, on_message};
use super::wire::{Frame, Input, encode_reply};

fn prefs(service: bool, version: Version) -> Preferences {
    Preferences { version: Some(version), ..Preferences::new(service) }
}

#[test]
fn the_newest_common_version_is_spoken() {
    let mut ours = VersionSet::NONE;
    ours.insert(Version::V1_0);
    ours.insert(Version::V1_3);
    let peer = |v| Hello { versions: v };
    assert_eq!(negotiate(ours, peer(VersionSet::ALL)), Ok(Version::V1_3));
    assert_eq!(negotiate(ours, peer(VersionSet::up_to(Version::V1_2))), Ok(Version::V1_0));
    let error = negotiate(ours, peer(VersionSet::of(Version::V1_5))).unwrap_err();
    assert_eq!(error, "we support versions OpenFlow10, OpenFlow13 but the peer supports OpenFlow15");
}

#[test]
fn a_secondary_reads_but_does_not_write() {
    let mut p = prefs(false, Version::V1_3);
    let flow_mod = Message::FlowMod(Box::new(FlowMod::new(FlowModCommand::Add)));
    let refused = Verdict::Refuse(OfpError::OFPBRC_IS_SECONDARY);
    assert_eq!(on_message(&mut p, Role::Secondary, flow_mod.clone()), refused);
    assert_eq!(on_message(&mut p, Role::Equal, flow_mod.clone()), Verdict::Pass(flow_mod));
    assert_eq!(
        on_message(&mut p, Role::Secondary, Message::DescRequest),
        Verdict::Pass(Message::DescRequest)
    );
    assert_eq!(
        on_message(&mut p, Role::Equal, Message::BarrierReply),
        Verdict::Refuse(OfpError::OFPBRC_BAD_TYPE)
    );
}

#[test]
fn the_management_socket_gets_packets_only_when_it_asks() {
    let mut p = prefs(true, Version::V1_0);
    let wants = |p: &Preferences| p.receives_packet(Role::Equal, 0, PacketInReason::Action);
    assert!(!wants(&p));
    let config = SwitchConfig { miss_send_len: 65535, ..Default::default() };
    assert_eq!(on_message(&mut p, Role::Equal, Message::SetConfig(config)), Verdict::SetConfig(config));
    assert!(wants(&p));
    assert!(!p.receives_packet(Role::Equal, 7, PacketInReason::Action), "another controller id");
    on_message(&mut p, Role::Equal, Message::SetControllerId(7));
    assert!(!wants(&p) && p.receives_packet(Role::Equal, 7, PacketInReason::Action));
}

#[test]
fn misses_go_to_old_versions_and_roles_choose_the_masks() {
    for (version, wants_misses) in [(Version::V1_0, true), (Version::V1_2, true), (Version::V1_3, false)] {
        let p = prefs(false, version);
        assert_eq!(
            p.receives_packet(Role::Equal, 0, PacketInReason::ImplicitMiss),
            wants_misses,
            "{version:?}"
        );
        assert!(p.receives_packet(Role::Primary, 0, PacketInReason::NoMatch));
        assert!(!p.receives_packet(Role::Secondary, 0, PacketInReason::NoMatch));
        assert!(p.receives(Role::Secondary, AsyncKind::PortStatus(0)));
    }
    let mut p = prefs(false, Version::V1_3);
    on_message(&mut p, Role::Equal, Message::SetAsync(AsyncConfig::default()));
    assert!(!p.receives_packet(Role::Equal, 0, PacketInReason::Action));
}

#[test]
fn frames_are_cut_whole_and_impossible_lengths_end_the_stream() {
    let input = |bytes: &[u8]| {
        let mut input = Input::default();
        input.space().extend_from_slice(bytes);
        input
    };
    let mut two = input(&[4, 2, 0, 8, 0, 0, 0, 9, 4, 2, 0, 12, 1]);
    assert!(two.has_frame());
    let frame = two.next_frame().unwrap().unwrap();
    assert_eq!((frame.version, frame.xid, frame.bytes.len()), (4, 9, 8));
    assert!(!two.has_frame() && two.next_frame().unwrap().is_none());
    two.space().extend_from_slice(&[0; 7]);
    assert_eq!(two.next_frame().unwrap().map(|f| f.bytes.len()), Some(12), "the rest came later");
    assert!(input(&[4, 2, 0, 7, 0, 0, 0, 0]).next_frame().is_err());
}

#[test]
fn statistics_are_answered_as_they_were_asked() {
    let ask = |kind: u16| {
        let mut bytes = vec![1, 16, 0, 12, 0, 0, 0, 3];
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 0]);
        Frame { version: 1, xid: 3, bytes }
    };
    for kind in [0xffff, 1] {
        let mut out = Vec::new();
        encode_reply(Version::V1_0, &ask(kind), &Message::FlowStatsReply(Vec::new()), &mut out);
        assert_eq!(out[8..10], kind.to_be_bytes());
    }
}
