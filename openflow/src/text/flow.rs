//! A flow as ovs-ofctl takes it: `key=value,... actions=...`.

use super::actions::Parser;
use super::number::{parse_u8, parse_u16, parse_u64};
use super::{Parse, Protocols, bad};
use crate::action::Action;
use crate::matching::Match;
use crate::msg::{FlowMod, FlowModCommand, FlowModFlags, FlowStatsRequest};
use crate::types::{Cookie, GroupId, TableId};
use flow::field::PortNames;
use flow::matching::KeyValues;

/// A flow mod and the protocols that can carry it.
#[derive(Clone, Debug)]
pub struct ParsedFlow {
    pub flow: FlowMod,
    pub usable: Protocols,
}

/// The command in front of a flow in a file for a bundle or add-flows.
pub fn split_command(line: &str) -> (Option<FlowModCommand>, &str) {
    let line = line.trim_start();
    let (word, rest) = line.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((line, ""));
    let command = match word {
        "add" => FlowModCommand::Add,
        "modify" => FlowModCommand::Modify,
        "modify_strict" => FlowModCommand::ModifyStrict,
        "delete" => FlowModCommand::Delete,
        "delete_strict" => FlowModCommand::DeleteStrict,
        _ => return (None, line),
    };
    (Some(command), rest)
}

/// Parses a flow for `command`.
pub fn parse(text: &str, command: FlowModCommand, ports: Option<&dyn PortNames>) -> Parse<ParsedFlow> {
    use FlowModCommand::*;
    let with_actions = matches!(command, Add | Modify | ModifyStrict);
    let (match_text, actions_text) = split_actions(text);
    if with_actions && actions_text.is_none() {
        return Err(bad!("must specify an action"));
    }
    let mut f = FlowMod::new(command);
    let mut usable = Protocols::ANY;
    for (key, value) in KeyValues::new(match_text) {
        pair(&mut f, key, value, command, ports, &mut usable)?;
        usable &= for_key(key, value, &f.matching);
    }
    // What the match cannot mean without its prerequisites is dropped, as OVS does.
    f.matching.normalize();
    if f.table != TableId::ALL {
        usable &= Protocols::OF10_STD_TID | Protocols::OF10_NXM_TID | Protocols::OF11_UP;
    }
    if f.cookie_mask == 0 || f.new_cookie.0 != u64::MAX {
        finish_cookie(&mut f, &mut usable);
    }
    let mut plain = f.matching;
    // Which words were used decided about these already.
    (plain.mask.0.vlan, plain.mask.0.packet_type) = Default::default();
    usable &= Protocols::for_match(&plain);
    if with_actions {
        let mut p = Parser::new(ports);
        p.usable = usable;
        f.actions = super::actions::parse_instructions(actions_text.unwrap_or(""), &mut p)?;
        usable = p.usable;
        check(&mut f, &mut usable)?;
    }
    Ok(ParsedFlow { flow: f, usable })
}

/// The protocols that have a match field of that name: some say the same as another, which more protocols have.
fn for_key(key: &str, value: &str, m: &Match) -> Protocols {
    match key {
        "vlan_tci" if m.mask.0.vlan.tci != flow::Be16::MAX => Protocols::NXM_OXM,
        "vlan_vid" if value.contains('/') => Protocols::NXM_OXM,
        "in_port_oxm" | "sctp_src" | "sctp_dst" => Protocols::NXM_OF11_UP,
        "packet_type" => Protocols::NXM_OXM,
        _ => Protocols::ANY,
    }
}

/// The text before `actions=`, and what is after it.
fn split_actions(text: &str) -> (&str, Option<&str>) {
    // The word must stand at the start or after a separator.
    let mut from = 0;
    while let Some(at) = text[from..].find("action").map(|at| at + from) {
        let after = &text[at + 6..];
        let after = after.strip_prefix('s').unwrap_or(after);
        let starts = at == 0 || text[..at].ends_with([',', ' ', '\t', '\r', '\n']);
        if starts && let Some(value) = after.trim_start().strip_prefix('=') {
            return (&text[..at], Some(value));
        }
        from = at + 6;
    }
    (text, None)
}

fn pair(
    f: &mut FlowMod,
    key: &str,
    value: &str,
    command: FlowModCommand,
    ports: Option<&dyn PortNames>,
    usable: &mut Protocols,
) -> Parse<()> {
    let delete = command.is_delete();
    let flag = match key {
        "send_flow_rem" => Some(FlowModFlags::SEND_FLOW_REM),
        "check_overlap" => Some(FlowModFlags::CHECK_OVERLAP),
        "reset_counts" => {
            *usable &= Protocols::OXM_ANY;
            Some(FlowModFlags::RESET_COUNTS)
        }
        "no_packet_counts" => Some(FlowModFlags::NO_PKT_COUNTS),
        "no_byte_counts" => Some(FlowModFlags::NO_BYT_COUNTS),
        "allow_hidden_fields" => Some(FlowModFlags::HIDDEN_FIELDS),
        _ => None,
    };
    if let Some(flag) = flag.filter(|_| value.is_empty()) {
        if flag.intersects(FlowModFlags::NO_PKT_COUNTS | FlowModFlags::NO_BYT_COUNTS) {
            *usable &= Protocols::OF13_UP;
        }
        f.flags |= flag;
        return Ok(());
    }
    let n16 = |what: &str| parse_u16(value).ok_or_else(|| bad!("invalid {what} \"{value}\""));
    match key {
        "table" => f.table = table(value)?,
        "priority" => f.priority = n16("priority")?,
        "idle_timeout" => f.idle_s = n16("idle_timeout")?,
        "hard_timeout" => f.hard_s = n16("hard_timeout")?,
        "importance" => f.importance = n16("importance")?,
        "cookie" => cookie(f, value, command)?,
        "out_port" if delete => {
            f.out_port = super::actions::port(value, ports)
                .ok_or_else(|| bad!("{value} is not a valid OpenFlow port"))?;
        }
        "out_group" if delete => {
            *usable &= Protocols::OF11_UP;
            f.out_group = group(value)?;
        }
        "duration" | "n_packets" | "n_bytes" | "idle_age" | "hard_age" => {}
        _ => {
            if !f.matching.parse_pair(key, value, ports).map_err(|e| bad!("{e}"))? {
                return Err(match value {
                    "" => bad!("field {key} missing value"),
                    _ => bad!("unknown keyword {key}"),
                });
            }
        }
    }
    Ok(())
}

/// A table number.
pub fn table(value: &str) -> Parse<TableId> {
    match value.eq_ignore_ascii_case("all") {
        true => Ok(TableId::ALL),
        false => parse_u8(value).map(TableId).ok_or_else(|| bad!("unknown table \"{value}\"")),
    }
}

/// A group number, `any` or `all`.
pub fn group(value: &str) -> Parse<GroupId> {
    match value {
        v if v.eq_ignore_ascii_case("any") => Ok(GroupId::ANY),
        v if v.eq_ignore_ascii_case("all") => Ok(GroupId::ALL),
        v => super::number::parse_u32(v).map(GroupId).ok_or_else(|| bad!("invalid group id \"{v}\"")),
    }
}

fn cookie(f: &mut FlowMod, value: &str, command: FlowModCommand) -> Parse<()> {
    let n = |s: &str| parse_u64(s).ok_or_else(|| bad!("invalid numeric format {s}"));
    match value.split_once('/') {
        Some((cookie, mask)) => {
            if command == FlowModCommand::Add {
                return Err(bad!("flow additions cannot use a cookie mask"));
            }
            f.cookie = Cookie(if cookie == "-1" { u64::MAX } else { n(cookie)? });
            f.cookie_mask = if mask == "-1" { u64::MAX } else { n(mask)? };
        }
        None if command.is_delete() => {
            f.cookie = Cookie(n(value)?);
            f.cookie_mask = u64::MAX;
        }
        None => {
            f.new_cookie = Cookie(if value == "-1" { u64::MAX } else { n(value)? });
            f.modify_cookie = command != FlowModCommand::Add;
        }
    }
    Ok(())
}

/// Without a new cookie, what is modified keeps its own.
fn finish_cookie(f: &mut FlowMod, usable: &mut Protocols) {
    if f.command != FlowModCommand::Add && !f.modify_cookie {
        f.new_cookie = Cookie(u64::MAX);
    }
    if f.cookie_mask != 0 {
        *usable &= Protocols::NXM_OF11_UP;
    }
}

/// Actions must fit the match: OpenFlow 1.1+ demands it, OVS refuses the worst in every version.
fn check(f: &mut FlowMod, usable: &mut Protocols) -> Parse<()> {
    match crate::action::check::consistent(&f.actions, &f.matching) {
        Ok(true) => Ok(()),
        Ok(false) => {
            *usable &= !Protocols::OF11_UP;
            Ok(())
        }
        Err(error) => Err(bad!("actions are invalid with specified match ({error})")),
    }
}

/// Parses the filter of dump-flows and the like.
pub fn parse_request(text: &str, ports: Option<&dyn PortNames>) -> Parse<(FlowStatsRequest, Protocols)> {
    let parsed = parse(text, FlowModCommand::Delete, ports)?;
    let f = parsed.flow;
    let request = FlowStatsRequest {
        matching: f.matching,
        cookie: f.cookie,
        cookie_mask: f.cookie_mask,
        out_port: f.out_port,
        out_group: f.out_group,
        table: f.table,
        nxm: false,
    };
    Ok((request, parsed.usable))
}

/// The actions of a text like `actions=...` or bare.
pub fn bare_actions(text: &str, ports: Option<&dyn PortNames>) -> Parse<Vec<Action>> {
    super::actions::parse_instructions(text, &mut Parser::new(ports))
}

/// True when nothing is matched.
pub fn is_empty(m: &Match) -> bool {
    *m == Match::ANY
}
