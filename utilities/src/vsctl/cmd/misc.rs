//! init, show, comment, emer-reset.

use ovsdb::value::{Atom, Datum, Uuid};

use super::super::cmdline::Command;
use super::super::context::{Context, Fail};
use super::super::show::show as show_text;

pub(in super::super) fn init(_: &mut Context<'_>, _: &Command) -> Result<(), Fail> {
    // The context has inserted the row of Open_vSwitch if it was missing.
    Ok(())
}

pub(in super::super) fn comment(_: &mut Context<'_>, _: &Command) -> Result<(), Fail> {
    // The command line is in every transaction's comment.
    Ok(())
}

pub(in super::super) fn show(ctx: &mut Context<'_>, _: &Command) -> Result<(), Fail> {
    let text = show_text(&ctx.txn);
    ctx.output.text.push_str(&text);
    Ok(())
}

/// Puts the switch into a state in which it forwards as a plain switch, keeping its ports.
pub(in super::super) fn emer_reset(ctx: &mut Context<'_>, _: &Command) -> Result<(), Fail> {
    let uuids = |ctx: &Context<'_>, table: &str| -> Vec<Uuid> {
        ctx.txn.rows(table).iter().map(|row| row.uuid()).collect()
    };
    for table in ["Manager", "SSL", "Controller", "Mirror", "NetFlow", "sFlow", "IPFIX"] {
        for row in uuids(ctx, table) {
            ctx.txn.delete(table, row);
        }
    }
    for column in ["manager_options", "ssl"] {
        ctx.txn.set("Open_vSwitch", ctx.root, column, Datum::Empty);
    }
    for bridge in uuids(ctx, "Bridge") {
        for column in ["controller", "fail_mode", "mirrors", "netflow", "sflow", "ipfix", "flood_vlans"] {
            ctx.txn.set("Bridge", bridge, column, Datum::Empty);
        }
        let hwaddr = ctx.row("Bridge", bridge)?.map_str("other_config", "hwaddr");
        let kept = hwaddr.map(|mac| (Atom::from("hwaddr"), Atom::from(mac)));
        ctx.txn.set("Bridge", bridge, "other_config", Datum::map(kept.into_iter().collect()));
    }
    for port in uuids(ctx, "Port") {
        ctx.txn.set("Port", port, "other_config", Datum::Empty);
    }
    for iface in uuids(ctx, "Interface") {
        ctx.txn.set("Interface", iface, "ingress_policing_rate", 0i64);
        ctx.txn.set("Interface", iface, "ingress_policing_burst", 0i64);
    }
    Ok(())
}
