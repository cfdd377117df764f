//! Auto-attach mappings of a bridge: I-SID to VLAN.

use ovsdb::value::{Atom, Datum};

use super::super::cmdline::Command;
use super::super::context::{Context, Fail};

/// Largest I-SID (24 bits).
const ISID_MAX: i64 = 0xff_ffff;

/// The I-SID and the VLAN of the command.
fn mapping(command: &Command) -> Result<(Atom, Atom), Fail> {
    let number = |at: usize, max: i64| {
        let text = command.arg(at);
        let number: Option<i64> = text.parse().ok();
        number
            .filter(|n| (0..=max).contains(n))
            .map(Atom::Integer)
            .ok_or_else(|| Fail::Fatal(format!("Invalid argument {text}")))
    };
    Ok((number(1, ISID_MAX)?, number(2, 4095)?))
}

pub(in super::super) fn add_aa_mapping(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let bridge = ctx.model().bridge(command.arg(0))?.uuid;
    let pair = mapping(command)?;
    let attach = match ctx.row("Bridge", bridge)?.reference("auto_attach") {
        Some(attach) => attach,
        None => {
            let attach = ctx.txn.insert("AutoAttach");
            ctx.set_references("Bridge", bridge, "auto_attach", vec![attach]);
            attach
        }
    };
    ctx.txn.insert_values("AutoAttach", attach, "mappings", &Datum::map(vec![pair]));
    Ok(())
}

pub(in super::super) fn del_aa_mapping(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let bridge = ctx.model().bridge(command.arg(0))?.uuid;
    let (isid, vlan) = mapping(command)?;
    let Some(attach) = ctx.row("Bridge", bridge)?.reference("auto_attach") else {
        return Ok(());
    };
    let found = ctx.row("AutoAttach", attach)?.get("mappings").lookup(&isid) == Some(&vlan);
    if found {
        ctx.txn.delete_values("AutoAttach", attach, "mappings", &Datum::One(isid));
    }
    Ok(())
}

pub(in super::super) fn get_aa_mapping(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let bridge = ctx.model().bridge(command.arg(0))?.uuid;
    let Some(attach) = ctx.row("Bridge", bridge)?.reference("auto_attach") else {
        return Ok(());
    };
    let lines: Vec<String> = ctx
        .row("AutoAttach", attach)?
        .get("mappings")
        .pairs()
        .iter()
        .map(|(isid, vlan)| format!("{} {}", isid.to_text(), vlan.to_text()))
        .collect();
    lines.iter().for_each(|line| ctx.print(line));
    Ok(())
}
