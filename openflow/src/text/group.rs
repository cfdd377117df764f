//! A group as ovs-ofctl takes it: `group_id=1,type=select,bucket=weight:5,actions=output:1,bucket=...`.

use super::actions::Parser;
use super::number::{parse_u16, parse_u32, parse_u64};
use super::{Parse, Protocols, bad};
use crate::matching::Field;
use crate::msg::group::{BUCKET_ALL, BUCKET_FIRST, BUCKET_LAST, BUCKET_MAX};
use crate::msg::{Bucket, GroupMod, GroupModCommand, GroupType, Selection};
use crate::types::{GroupId, OfPort};
use flow::field::PortNames;
use flow::matching::KeyValues;

/// The command in front of a group in a file.
pub fn split_command(line: &str) -> (Option<GroupModCommand>, &str) {
    let line = line.trim_start();
    let (word, rest) = line.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((line, ""));
    let command = match word {
        "add" => GroupModCommand::Add,
        "modify" => GroupModCommand::Modify,
        "add_or_mod" => GroupModCommand::AddOrMod,
        "delete" => GroupModCommand::Delete,
        "insert_bucket" => GroupModCommand::InsertBucket,
        "remove_bucket" => GroupModCommand::RemoveBucket,
        _ => return (None, line),
    };
    (Some(command), rest)
}

/// Parses a group for `command`.
pub fn parse(
    text: &str,
    command: GroupModCommand,
    ports: Option<&dyn PortNames>,
) -> Parse<(GroupMod, Protocols)> {
    use GroupModCommand as C;
    let mut usable = Protocols::OF11_UP | Protocols::OF10_ANY;
    if matches!(command, C::InsertBucket | C::RemoveBucket) {
        usable &= Protocols::OF15_UP | Protocols::OF10_ANY;
    }
    let (head, buckets) = split_buckets(text);
    let mut g = GroupMod {
        command,
        kind: GroupType::All,
        group_id: GroupId::ANY,
        command_bucket_id: BUCKET_ALL,
        buckets: Vec::new(),
        selection: Selection::default(),
    };
    let (mut has_type, mut has_id, mut has_bucket_id) = (false, false, false);
    let may_have_buckets = !matches!(command, C::Delete | C::RemoveBucket);
    for (key, value) in KeyValues::new(head) {
        match key {
            "command_bucket_id" => {
                if !matches!(command, C::InsertBucket | C::RemoveBucket) {
                    return Err(bad!("command bucket id is not needed"));
                }
                g.command_bucket_id = command_bucket(value, command)?;
                has_bucket_id = true;
            }
            "group_id" => {
                g.group_id = super::flow::group(value)?;
                let named = matches!(g.group_id, GroupId::ALL | GroupId::ANY);
                if named && command != C::Delete || !named && g.group_id > GroupId::MAX {
                    return Err(bad!("invalid group id {value}"));
                }
                has_id = true;
            }
            "type" => {
                if !may_have_buckets || command == C::InsertBucket {
                    return Err(bad!("type is not needed"));
                }
                g.kind = group_type(value)?;
                has_type = true;
            }
            "selection_method" => {
                if value.len() > 15 {
                    return Err(bad!("selection method is longer than 15 bytes long"));
                }
                if !matches!(value, "hash" | "dp_hash") {
                    return Err(bad!("unknown selection method {value}"));
                }
                g.selection.method = value.to_owned();
            }
            "selection_method_param" => {
                g.selection.param = parse_u64(value).ok_or_else(|| bad!("invalid numeric format {value}"))?;
            }
            "fields" => fields(value, &mut g.selection, ports)?,
            other => return Err(bad!("unknown keyword {other}")),
        }
    }
    if !has_id {
        return Err(bad!("must specify a group_id"));
    }
    if may_have_buckets && command != C::InsertBucket && !has_type {
        return Err(bad!("must specify a type"));
    }
    if matches!(command, C::InsertBucket | C::RemoveBucket) && !has_bucket_id {
        return Err(bad!("must specify a command bucket id"));
    }
    if !g.selection.fields.is_empty() && g.selection.method != "hash" {
        return Err(bad!("fields may only be specified with \"selection_method=hash\""));
    }
    if !g.selection.method.is_empty() && g.kind != GroupType::Select {
        return Err(bad!("selection method is only allowed for select groups"));
    }
    if !buckets.is_empty() && !may_have_buckets {
        return Err(bad!("bucket is not needed"));
    }
    let mut p = Parser::new(ports);
    p.usable = usable;
    for text in buckets {
        let b = bucket(text, g.kind, &mut p)?;
        g.buckets.push(b);
    }
    assign_ids(&mut g)?;
    if g.kind == GroupType::Indirect && may_have_buckets && has_type && g.buckets.len() != 1 {
        return Err(bad!("indirect groups must have exactly one bucket."));
    }
    Ok((g, p.usable))
}

/// Buckets without an id get the next free one.
fn assign_ids(g: &mut GroupMod) -> Parse<()> {
    let mut used: Vec<u32> = Vec::new();
    for b in g.buckets.iter().filter(|b| b.bucket_id <= BUCKET_MAX) {
        if used.contains(&b.bucket_id) {
            return Err(bad!("Duplicate bucket id {}", b.bucket_id));
        }
        used.push(b.bucket_id);
    }
    let mut next = 0;
    for b in g.buckets.iter_mut().filter(|b| b.bucket_id > BUCKET_MAX) {
        while used.contains(&next) {
            next += 1;
        }
        b.bucket_id = next;
        next += 1;
    }
    Ok(())
}

/// The text before the first `bucket`, and the text of each.
fn split_buckets(text: &str) -> (&str, Vec<&str>) {
    let mut starts = Vec::new();
    let mut from = 0;
    while let Some(at) = text[from..].find("bucket").map(|at| at + from) {
        let word = at == 0 || text[..at].ends_with([',', ' ', '\t']);
        let after = &text[at + 6..];
        let after = after.strip_prefix('s').unwrap_or(after);
        if word && after.starts_with(['=', ':', '(']) {
            starts.push((at, text.len() - after.len() + 1));
        }
        from = at + 6;
    }
    let Some(&(first, _)) = starts.first() else { return (text, Vec::new()) };
    let ends = starts.iter().skip(1).map(|s| s.0).chain([text.len()]);
    let parts = starts
        .iter()
        .zip(ends)
        .map(|(&(_, body), end)| text[body..end].trim_end_matches([',', ' ']))
        .collect();
    (&text[..first], parts)
}

fn group_type(value: &str) -> Parse<GroupType> {
    Ok(match value {
        "all" => GroupType::All,
        "select" => GroupType::Select,
        "indirect" => GroupType::Indirect,
        "ff" | "fast_failover" => GroupType::FastFailover,
        other => return Err(bad!("invalid group type {other}")),
    })
}

fn command_bucket(value: &str, command: GroupModCommand) -> Parse<u32> {
    Ok(match value {
        "all" if command == GroupModCommand::RemoveBucket => BUCKET_ALL,
        "first" => BUCKET_FIRST,
        "last" => BUCKET_LAST,
        v => parse_u32(v)
            .filter(|&id| id <= BUCKET_MAX)
            .ok_or_else(|| bad!("invalid command bucket id {v}"))?,
    })
}

/// `fields(eth_src,ip_dst=255.255.0.0)`: fields to hash, masks as values.
fn fields(value: &str, s: &mut Selection, ports: Option<&dyn PortNames>) -> Parse<()> {
    for (key, value) in KeyValues::new(value) {
        let field = Field::from_name(key).ok_or_else(|| bad!("unknown field {key}"))?;
        if s.fields.iter().any(|&(f, _)| f == field) {
            return Err(bad!("{key}: duplicate field"));
        }
        let mask = if value.is_empty() {
            field.value_mask()
        } else {
            field.parse(value, ports).map_err(|e| bad!("{key}: {e}"))?.0
        };
        if mask == 0 {
            return Err(bad!("{key}: values are wildcards here and must not be all-zeros"));
        }
        s.fields.push((field, mask));
    }
    Ok(())
}

fn bucket(text: &str, kind: GroupType, p: &mut Parser<'_>) -> Parse<Bucket> {
    let mut b = Bucket::new(Vec::new());
    b.weight = u16::from(kind == GroupType::Select);
    let text =
        text.strip_suffix(')').filter(|t| t.matches('(').count() == t.matches(')').count()).unwrap_or(text);
    let mut actions = String::new();
    let mut rest = text;
    loop {
        let t = rest.trim_start_matches([',', ' ', '\t']);
        if t.is_empty() {
            break;
        }
        let key_len = t.find([',', '=', ':', '(', ' ']).unwrap_or(t.len());
        let key = &t[..key_len];
        if matches!(key, "actions" | "action") {
            actions = t[key_len..].trim_start_matches(['=', ':']).to_owned();
            break;
        }
        let known = matches!(key, "weight" | "watch_port" | "watch_group" | "bucket_id");
        if !known {
            actions = t.to_owned();
            break;
        }
        let after = t[key_len..].trim_start_matches(['=', ':']);
        let len = after.find([',', ' ']).unwrap_or(after.len());
        setting(&mut b, key, &after[..len], kind, p)?;
        rest = &after[len..];
    }
    if actions.is_empty() && text.is_empty() {
        return Err(bad!("bucket must specify actions"));
    }
    b.actions = super::actions::parse(&actions, p)?;
    Ok(b)
}

fn setting(b: &mut Bucket, key: &str, value: &str, kind: GroupType, p: &Parser<'_>) -> Parse<()> {
    match key {
        "weight" => {
            if kind != GroupType::Select {
                return Err(bad!("Only select groups can have bucket weights."));
            }
            b.weight = parse_u16(value).ok_or_else(|| bad!("invalid weight \"{value}\""))?;
        }
        "bucket_id" => {
            b.bucket_id = parse_u32(value).ok_or_else(|| bad!("invalid numeric format {value}"))?;
            if b.bucket_id > BUCKET_MAX {
                return Err(bad!("invalid bucket_id id {}", b.bucket_id));
            }
        }
        "watch_port" => {
            b.watch_port = super::actions::port(value, p.ports)
                .filter(|q| q.0 < OfPort::MAX.0 || matches!(*q, OfPort::LOCAL | OfPort::ANY))
                .ok_or_else(|| bad!("{value}: invalid watch_port"))?;
        }
        _ => b.watch_group = super::flow::group(value).map_err(|_| bad!("{value}: invalid watch_group"))?,
    }
    Ok(())
}
