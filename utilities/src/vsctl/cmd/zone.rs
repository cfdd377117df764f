//! Connection tracking zones of a datapath and its capabilities: add-zone-tp, del-zone-tp,
//! list-zone-tp, list-dp-cap.

use ovsdb::value::{Atom, Datum, Uuid};

use super::super::cmdline::Command;
use super::super::context::{Context, Fail};

fn datapath(ctx: &Context<'_>, name: &str) -> Option<Uuid> {
    ctx.ovs().ok()?.get("datapaths").lookup(&Atom::from(name))?.as_uuid()
}

fn existing_datapath(ctx: &Context<'_>, name: &str) -> Result<Uuid, Fail> {
    datapath(ctx, name).ok_or_else(|| format!("datapath {name} does not exist").into())
}

fn zone_row(ctx: &Context<'_>, datapath: Uuid, zone: i64) -> Option<Uuid> {
    let row = ctx.txn.row("Datapath", datapath)?;
    row.get("ct_zones").lookup(&Atom::Integer(zone))?.as_uuid()
}

/// The number in `zone=N`; what is no number is 0.
fn parse_zone(text: &str) -> i64 {
    text.strip_prefix("zone=").and_then(|zone| zone.parse().ok()).unwrap_or(0)
}

/// `POLICY=TIMEOUT` pairs.
fn parse_timeouts(args: &[String]) -> Result<Vec<(Atom, Atom)>, Fail> {
    args.iter()
        .map(|arg| {
            let (policy, timeout) =
                arg.split_once('=').ok_or_else(|| Fail::Fatal("invalid timeout policy".to_owned()))?;
            let timeout: i64 = timeout.parse().unwrap_or(0);
            Ok((Atom::from(policy), Atom::Integer(timeout)))
        })
        .collect()
}

pub(in super::super) fn add_zone_tp(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let zone = parse_zone(command.arg(1));
    let datapath = existing_datapath(ctx, command.arg(0))?;
    let existing = zone_row(ctx, datapath, zone);
    if existing.is_some() && !command.has("--may-exist") {
        return Err(format!("zone id {zone} already exists").into());
    }
    let timeouts = Datum::map(parse_timeouts(command.tail(2))?);
    let policy = ctx.txn.insert("CT_Timeout_Policy");
    ctx.txn.set("CT_Timeout_Policy", policy, "timeouts", timeouts);
    let row = match existing {
        Some(row) => row,
        None => {
            let row = ctx.txn.insert("CT_Zone");
            let pair = Datum::map(vec![(Atom::Integer(zone), Atom::Uuid(row))]);
            ctx.txn.insert_values("Datapath", datapath, "ct_zones", &pair);
            row
        }
    };
    ctx.set_references("CT_Zone", row, "timeout_policy", vec![policy]);
    Ok(())
}

pub(in super::super) fn del_zone_tp(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let zone = parse_zone(command.arg(1));
    let datapath = existing_datapath(ctx, command.arg(0))?;
    match zone_row(ctx, datapath, zone) {
        Some(row) => {
            let key = Datum::One(Atom::Integer(zone));
            ctx.txn.delete_values("Datapath", datapath, "ct_zones", &key);
            ctx.txn.delete("CT_Zone", row);
            Ok(())
        }
        None if command.has("--if-exists") => Ok(()),
        None => Err(format!("zone id {zone} does not exist").into()),
    }
}

fn pairs(datum: &Datum) -> String {
    let words: Vec<String> = datum
        .pairs()
        .iter()
        .map(|(k, v)| {
            let bare = |atom: &Atom| {
                let mut out = String::new();
                atom.write_bare(&mut out);
                out
            };
            format!("{}={}", bare(k), bare(v))
        })
        .collect();
    words.join(" ")
}

pub(in super::super) fn list_zone_tp(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let name = command.arg(0);
    let Some(datapath) = datapath(ctx, name) else {
        return Err(format!("datapath: {name} record not found").into());
    };
    let mut lines = Vec::new();
    for (zone, row) in ctx.row("Datapath", datapath)?.get("ct_zones").pairs() {
        let policy = row
            .as_uuid()
            .and_then(|uuid| ctx.txn.row("CT_Zone", uuid)?.reference("timeout_policy"))
            .and_then(|uuid| ctx.txn.row("CT_Timeout_Policy", uuid));
        lines.push(match policy {
            Some(policy) => {
                let timeouts = pairs(policy.get("timeouts"));
                format!("Zone:{}, Timeout Policies: {timeouts}", zone.to_text())
            }
            None => format!("Zone:{}, Timeout Policies: system default", zone.to_text()),
        });
    }
    lines.iter().for_each(|line| ctx.print(line));
    Ok(())
}

pub(in super::super) fn list_dp_cap(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let name = command.arg(0);
    let Some(datapath) = datapath(ctx, name) else {
        return Err(format!("datapath \"{name}\" record not found").into());
    };
    let line = pairs(ctx.row("Datapath", datapath)?.get("capabilities"));
    ctx.print(line);
    Ok(())
}
