//! The table's invariants, and value texts that Debian's ovs-ofctl was seen to take and print.
use super::*;
use crate::key::Be16;

#[test]
fn every_field_keeps_what_is_stored() {
    for &field in FIELDS {
        let info = field.info();
        assert_eq!(info.field, field);
        assert_eq!(Field::from_name(info.name), Some(field));
        let all = field.value_mask();
        assert!(info.n_bytes == 16 || all >> (info.n_bytes * 8) == 0, "{}", info.name);
        let pattern = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c834_u128 & all;
        let value = if info.text == Text::OfPortOxm { 0x1234 } else { pattern };
        let mut flow = Flow::ZERO;
        field.set(&mut flow, value);
        assert_eq!(field.get(&flow), value, "{}", info.name);
        let mut mask = Mask::NONE;
        field.look(&mut mask, all);
        assert_eq!(field.get_mask(&mask), all, "{}", info.name);
        if field.is_maskable() {
            let mut out = String::new();
            field.format(value, all, None, &mut out);
            let flags = matches!(info.text, Text::CtState);
            assert!(
                flags
                    || field
                        .parse(&out, None)
                        .is_ok_and(|(v, m)| v == value && m & all == all || info.text == Text::TunnelFlags),
                "{} {out}",
                info.name
            );
        }
    }
}

#[test]
fn names_and_headers_are_unique() {
    let mut seen = std::collections::HashSet::new();
    for field in FIELDS {
        for oxm in field.info().headers {
            assert!(seen.insert((oxm.0, oxm.1)), "{oxm:?}");
            assert_eq!(Field::from_oxm(oxm.0, oxm.1), Some(*field));
            assert_eq!(Field::from_oxm_name(oxm.name()), Some(*field));
        }
    }
    assert_eq!(Field::reg(15), Some(Field::Reg15));
    assert_eq!(Field::reg(16), None);
    assert_eq!(Field::tun_metadata(63), Some(Field::TunMetadata63));
    assert_eq!(Field::IpSrc.oxm_for(1).map(Oxm::name), Some("NXM_OF_IP_SRC"));
    assert_eq!(Field::IpSrc.oxm_for(4).map(Oxm::name), Some("OXM_OF_IPV4_SRC"));
}

#[test]
fn registers_overlap_most_significant_first() {
    let mut flow = Flow::ZERO;
    Field::Xxreg0.set(&mut flow, 0x11111111_22222222_33333333_44444444);
    assert_eq!(flow.regs[..4], [0x11111111, 0x22222222, 0x33333333, 0x44444444]);
    assert_eq!(Field::Xreg1.get(&flow), 0x33333333_44444444);
}

#[test]
fn ports_are_widened_for_openflow_1_1() {
    let mut flow = Flow::ZERO;
    Field::InPortOxm.set(&mut flow, 0xffff_fffe);
    assert_eq!((flow.in_port, Field::InPort.get(&flow)), (0xfffe, 0xfffe));
    assert_eq!(Field::InPortOxm.get(&flow), 0xffff_fffe);
    assert_eq!(Field::InPort.parse("local", None), Ok((0xfffe, 0xffff)));
}

#[test]
fn subfields() {
    let mut flow = Flow::ZERO;
    let (sub, rest) = Subfield::parse_prefix("NXM_NX_REG1[4..11]->x").unwrap();
    assert_eq!(rest, "->x");
    sub.set(&mut flow, 0x1ab);
    assert_eq!((flow.regs[1], sub.get(&flow)), (0xab0, 0xab));
    assert_eq!(sub.to_string(), "NXM_NX_REG1[4..11]");
    assert_eq!("reg2".parse::<Subfield>().unwrap().to_string(), "NXM_NX_REG2[]");
    assert_eq!("reg2[7]".parse::<Subfield>().unwrap().to_string(), "NXM_NX_REG2[7]");
    for (text, error) in [
        ("NXM_OF_FOO[]", "NXM_OF_FOO[]: unknown field `NXM_OF_FOO'"),
        ("reg1[3", "reg1[3: syntax error expecting [] or [<bit>] or [<start>..<end>]"),
        ("reg1[3..1]", "reg1[3..1]: starting bit 3 is after ending bit 1"),
        ("reg1[33]", "reg1[33]: starting bit 33 is not valid because field is only 32 bits wide"),
        ("reg1[3..40]", "reg1[3..40]: ending bit 40 is not valid because field is only 32 bits wide"),
    ] {
        assert_eq!(text.parse::<Subfield>().unwrap_err().to_string(), error);
    }
}

#[test]
fn value_errors_use_the_known_words() {
    for (field, text, error) in [
        (Field::TcpDst, "99999", "99999: value too large for 2-byte field tcp_dst"),
        (Field::Reg0, "abc", "abc: bad syntax for reg0 value"),
        (Field::Reg0, "-1", "-1: value too large for 4-byte field reg0"),
        (Field::EthSrc, "1:2", "1:2: invalid Ethernet address"),
        (Field::InPort, "foo", "foo: invalid or unknown port for in_port"),
        (Field::CtState, "+foo", "foo: unknown ct_state flag(s)"),
        (Field::CtState, "+trk+trk", "trk: Each ct_state flag can be specified only once"),
        (Field::TcpFlags, "+bar", "bar: unknown TCP flag(s)"),
        (Field::IpSrc, "1.2.3.4/33", "1.2.3.4/33: IPv4 network prefix bits not between 0 and 32, inclusive"),
        (Field::NwProto, "6/7", "6/7: invalid mask for field nw_proto"),
    ] {
        assert_eq!(field.parse(text, None).unwrap_err().to_string(), error);
    }
}

#[test]
fn prerequisites_record_what_they_look_at() {
    let mut flow = Flow::ZERO;
    let mut mask = Mask::NONE;
    assert!(!Field::TcpDst.look_present(&flow, &mut mask));
    assert_eq!((mask.0.dl_type, mask.0.nw_proto), (Be16::MAX, 0));
    flow.dl_type = Be16::new(0x0800);
    flow.nw_proto = 6;
    assert!(Field::TcpDst.look_present(&flow, &mut mask));
    assert_eq!(mask.0.nw_proto, 0xff);
    flow.nw_frag = 3;
    assert!(!Field::TcpDst.is_present(&flow));
}
