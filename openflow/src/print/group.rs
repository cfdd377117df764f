//! Groups and meters.

use super::{Printer, duration};
use crate::msg::group::{BUCKET_ALL, BUCKET_FIRST, BUCKET_LAST, BUCKET_MAX};
use crate::msg::meter::{BandKind, MeterFlags};
use crate::msg::*;
use crate::text::actions::Style;
use crate::types::{GroupId, OfPort, Version};

/// `group_id=1,type=select,...,bucket=...` of a description.
pub fn group_desc(g: &GroupDesc, style: Style<'_>) -> String {
    body(g.group_id, Some(g.kind), &g.buckets, &g.selection, None, style)
}

/// The same of a modification.
pub fn group_mod(g: &GroupMod, style: Style<'_>) -> String {
    let bucket_command = matches!(g.command, GroupModCommand::InsertBucket | GroupModCommand::RemoveBucket);
    let kind = (!bucket_command).then_some(g.kind);
    body(g.group_id, kind, &g.buckets, &g.selection, bucket_command.then_some(g.command_bucket_id), style)
}

fn body(
    id: GroupId,
    kind: Option<GroupType>,
    buckets: &[Bucket],
    selection: &Selection,
    command_bucket: Option<u32>,
    style: Style<'_>,
) -> String {
    let mut parts = Vec::new();
    parts.extend(command_bucket.map(|b| format!("command_bucket_id:{}", bucket_name(b))));
    parts.push(format!("group_id={}", group_id(id)));
    parts.extend(kind.map(|k| format!("type={}", k.name())));
    if !selection.method.is_empty() {
        parts.push(format!("selection_method={}", selection.method));
    }
    if selection.param != 0 {
        parts.push(format!("selection_method_param={}", selection.param));
    }
    let fields: Vec<String> = selection.fields.iter().map(|&(f, m)| field_mask(f, m)).collect();
    match &fields[..] {
        [] => {}
        [one] if !one.contains('=') => parts.push(format!("fields={one}")),
        many => parts.push(format!("fields({})", many.join(","))),
    }
    parts.extend(buckets.iter().map(|b| format!("bucket={}", bucket(b, kind, style))));
    parts.join(",")
}

fn bucket_name(id: u32) -> String {
    match id {
        BUCKET_ALL => "all".to_owned(),
        BUCKET_FIRST => "first".to_owned(),
        BUCKET_LAST => "last".to_owned(),
        id => id.to_string(),
    }
}

fn group_id(id: GroupId) -> String {
    match id {
        GroupId::ANY => "ANY".to_owned(),
        GroupId(n) => n.to_string(),
    }
}

fn field_mask(field: crate::matching::Field, mask: u128) -> String {
    if mask == field.value_mask() {
        return field.name().to_owned();
    }
    let mut text = format!("{}=", field.name());
    field.format(mask, field.value_mask(), None, &mut text);
    text
}

fn bucket(b: &Bucket, kind: Option<GroupType>, style: Style<'_>) -> String {
    let v = style.version.unwrap_or(Version::V1_5);
    let mut parts = Vec::new();
    if b.bucket_id <= BUCKET_MAX && (v == Version::V1_0 || v >= Version::V1_5) {
        parts.push(format!("bucket_id:{}", b.bucket_id));
    }
    let default_weight = u16::from(kind == Some(GroupType::Select));
    if b.weight != default_weight {
        parts.push(format!("weight:{}", b.weight));
    }
    if b.watch_port != OfPort::ANY {
        parts.push(format!("watch_port:{}", style.port(b.watch_port)));
    }
    if b.watch_group != GroupId::ANY {
        parts.push(format!("watch_group:{}", b.watch_group.0));
    }
    let mut actions = "actions=".to_owned();
    crate::text::actions::format(&b.actions, style, &mut actions);
    parts.push(actions);
    parts.join(",")
}

pub(super) fn print_mod(p: &mut Printer<'_>, g: &GroupMod) {
    let command = match g.command {
        GroupModCommand::Add => "ADD",
        GroupModCommand::Modify => "MOD",
        GroupModCommand::AddOrMod => "ADD_OR_MOD",
        GroupModCommand::Delete => "DEL",
        GroupModCommand::InsertBucket => "INSERT_BUCKET",
        GroupModCommand::RemoveBucket => "REMOVE_BUCKET",
    };
    let text = group_mod(g, p.style());
    p.put(format_args!("\n {command} {text}"));
}

pub(super) fn print_desc(p: &mut Printer<'_>, groups: &[GroupDesc]) {
    for g in groups {
        let text = group_desc(g, p.style());
        p.put(format_args!("\n {text}"));
    }
}

pub(super) fn print_request(p: &mut Printer<'_>, id: GroupId) {
    let name = if id == GroupId::ALL { "ALL".to_owned() } else { group_id(id) };
    p.put(format_args!(" group_id={name}"));
}

pub(super) fn print_stats(p: &mut Printer<'_>, groups: &[GroupStats]) {
    for g in groups {
        p.put(format_args!("\n group_id={},", g.group_id.0));
        if g.duration_s != u32::MAX {
            p.put(format_args!("duration={},", duration(g.duration_s, g.duration_ns)));
        }
        let (refs, packets, bytes) = (g.ref_count, g.packet_count, g.byte_count);
        p.put(format_args!("ref_count={refs},packet_count={packets},byte_count={bytes}"));
        for (n, (packets, bytes)) in g.buckets.iter().enumerate() {
            p.put(format_args!(",bucket{n}:packet_count={packets},byte_count={bytes}"));
        }
    }
}

pub(super) fn print_features(p: &mut Printer<'_>, f: &GroupFeatures) {
    p.put(format_args!(
        "\n Group table:\n    Types:  {:#x}\n    Capabilities:  {:#x}\n",
        f.types, f.capabilities
    ));
    for (n, name) in ["all", "select", "indirect", "fast failover"].into_iter().enumerate() {
        if f.types >> n & 1 != 0 {
            let actions = super::tables::action_names(f.actions[n], p.version);
            p.put(format_args!("    {name} group:\n       max_groups={:#x}\n", f.max_groups[n]));
            p.put(format_args!("       actions: {actions}\n"));
        }
    }
}

fn meter_flags(f: MeterFlags) -> String {
    let names = [
        (MeterFlags::KBPS, "kbps "),
        (MeterFlags::PKTPS, "pktps "),
        (MeterFlags::BURST, "burst "),
        (MeterFlags::STATS, "stats "),
    ];
    names.iter().filter(|(b, _)| f.contains(*b)).map(|(_, n)| *n).collect()
}

fn one_meter(p: &mut Printer<'_>, m: &MeterConfig) {
    p.put(format_args!("meter={} {}bands=", m.meter_id, meter_flags(m.flags)));
    for band in &m.bands {
        let (kind, level) = match band.kind {
            BandKind::Drop => ("drop", None),
            BandKind::DscpRemark(level) => ("dscp_remark", Some(level)),
        };
        p.put(format_args!("\ntype={kind} rate={}", band.rate));
        if m.flags.contains(MeterFlags::BURST) {
            p.put(format_args!(" burst_size={}", band.burst_size));
        }
        if let Some(level) = level {
            p.put(format_args!(" prec_level={level}"));
        }
    }
    p.put("\n");
}

pub(super) fn meter_mod(p: &mut Printer<'_>, m: &MeterMod) {
    p.put(match m.command {
        MeterModCommand::Add => " ADD ",
        MeterModCommand::Modify => " MOD ",
        MeterModCommand::Delete => " DEL ",
    });
    one_meter(p, &m.config);
}

pub(super) fn meter_config(p: &mut Printer<'_>, meters: &[MeterConfig]) {
    for m in meters {
        p.put("\n");
        one_meter(p, m);
    }
}

pub(super) fn meter_stats(p: &mut Printer<'_>, meters: &[MeterStats]) {
    for m in meters {
        p.put(format_args!("\nmeter:{} flow_count:{} ", m.meter_id, m.flow_count));
        p.put(format_args!("packet_in_count:{} byte_in_count:{} ", m.packet_in_count, m.byte_in_count));
        p.put(format_args!("duration:{} bands:\n", duration(m.duration_s, m.duration_ns)));
        for (n, (packets, bytes)) in m.bands.iter().enumerate() {
            p.put(format_args!("{n}: packet_count:{packets} byte_count:{bytes}\n"));
        }
    }
}

pub(super) fn meter_features(p: &mut Printer<'_>, f: &MeterFeatures) {
    p.put(format_args!("\nmax_meter:{} max_bands:{} max_color:{}\n", f.max_meters, f.max_bands, f.max_color));
    let names = [(1, "drop"), (2, "dscp_remark")];
    let types: Vec<&str> =
        names.iter().filter(|(n, _)| f.band_types >> n & 1 != 0).map(|(_, s)| *s).collect();
    p.put(format_args!("band_types: {}\n", types.join(" ")));
    let caps = meter_flags(MeterFlags::from_bits_truncate(f.capabilities as u16));
    p.put(format_args!("capabilities: {}\n", caps.trim_end()));
}
