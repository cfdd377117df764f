//! Controllers and fail mode of a bridge, managers of the switch.

use ovsdb::value::{Atom, Datum, Uuid};

use super::super::cmdline::Command;
use super::super::context::{Context, Fail};

/// Connection methods that a target may have.
const METHODS: [&str; 6] = ["tcp", "ssl", "unix", "ptcp", "pssl", "punix"];

/// Warns of a target that looks wrong, but takes it, as a newer switch may know it.
fn check_target(target: &str) {
    let method = target.split_once(':').map(|(method, _)| method);
    if !method.is_some_and(|method| METHODS.contains(&method)) {
        tracing::warn!(target: "vsctl", "target type \"{target}\" is possibly erroneous");
    }
}

/// Inserts rows of `table` (Controller, Manager) with these targets.
fn insert_targets(ctx: &mut Context<'_>, table: &str, command: &Command, at: usize) -> Vec<Uuid> {
    let probe = command.value("--inactivity-probe");
    let mut targets: Vec<&String> = command.tail(at).iter().collect();
    targets.sort();
    targets
        .into_iter()
        .map(|target| {
            check_target(target);
            let row = ctx.txn.insert(table);
            ctx.txn.set(table, row, "target", target.as_str());
            if let Some(probe) = probe {
                // As C's atoi: what is no number is 0.
                let ms: i64 = probe.trim().parse().unwrap_or(0);
                ctx.txn.set(table, row, "inactivity_probe", ms);
            }
            row
        })
        .collect()
}

/// Prints the targets of the rows that `column` refers to, sorted.
fn print_targets(
    ctx: &mut Context<'_>,
    (table, uuid, column): (&str, Uuid, &str),
    of: &str,
) -> Result<(), Fail> {
    let mut targets: Vec<String> = ctx
        .row(table, uuid)?
        .references(column)
        .filter_map(|uuid| ctx.txn.row(of, uuid)?.str("target").map(str::to_owned))
        .collect();
    targets.sort();
    targets.iter().for_each(|target| ctx.print(target));
    Ok(())
}

fn bridge(ctx: &mut Context<'_>, command: &Command) -> Result<Uuid, Fail> {
    Ok(ctx.model().bridge(command.arg(0))?.uuid)
}

/// The bridge to change: not a fake one, whose parent has the controllers.
fn real_bridge(ctx: &mut Context<'_>, command: &Command) -> Result<Uuid, Fail> {
    let name = command.arg(0);
    let bridge = ctx.model().bridge(name)?;
    if bridge.fake.is_some() {
        return Err(format!("{name} is a fake bridge").into());
    }
    Ok(bridge.uuid)
}

/// Deletes the rows that `column` refers to; of tables that are no root, by forgetting them.
fn clear(ctx: &mut Context<'_>, (table, uuid, column): (&str, Uuid, &str), of: &str) {
    let rows: Vec<Uuid> =
        ctx.txn.row(table, uuid).map(|row| row.references(column).collect()).unwrap_or_default();
    for row in rows {
        ctx.txn.delete(of, row);
    }
    ctx.txn.set(table, uuid, column, Datum::Empty);
}

pub(in super::super) fn get_controller(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let bridge = bridge(ctx, command)?;
    print_targets(ctx, ("Bridge", bridge, "controller"), "Controller")
}

pub(in super::super) fn del_controller(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let bridge = real_bridge(ctx, command)?;
    clear(ctx, ("Bridge", bridge, "controller"), "Controller");
    Ok(())
}

pub(in super::super) fn set_controller(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let bridge = real_bridge(ctx, command)?;
    clear(ctx, ("Bridge", bridge, "controller"), "Controller");
    let rows = insert_targets(ctx, "Controller", command, 1);
    ctx.set_references("Bridge", bridge, "controller", rows);
    Ok(())
}

pub(in super::super) fn get_fail_mode(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let bridge = bridge(ctx, command)?;
    let mode = ctx.row("Bridge", bridge)?.str("fail_mode").map(str::to_owned);
    if let Some(mode) = mode.filter(|mode| !mode.is_empty()) {
        ctx.print(mode);
    }
    Ok(())
}

pub(in super::super) fn del_fail_mode(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let bridge = real_bridge(ctx, command)?;
    ctx.txn.set("Bridge", bridge, "fail_mode", Datum::Empty);
    Ok(())
}

pub(in super::super) fn set_fail_mode(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let bridge = real_bridge(ctx, command)?;
    let mode = command.arg(1);
    if !matches!(mode, "standalone" | "secure") {
        return Err("fail-mode must be \"standalone\" or \"secure\"".into());
    }
    ctx.txn.set("Bridge", bridge, "fail_mode", Datum::One(Atom::from(mode)));
    Ok(())
}

pub(in super::super) fn get_manager(ctx: &mut Context<'_>, _: &Command) -> Result<(), Fail> {
    print_targets(ctx, ("Open_vSwitch", ctx.root, "manager_options"), "Manager")
}

pub(in super::super) fn del_manager(ctx: &mut Context<'_>, _: &Command) -> Result<(), Fail> {
    clear(ctx, ("Open_vSwitch", ctx.root, "manager_options"), "Manager");
    Ok(())
}

pub(in super::super) fn set_manager(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    clear(ctx, ("Open_vSwitch", ctx.root, "manager_options"), "Manager");
    let rows = insert_targets(ctx, "Manager", command, 0);
    ctx.set_references("Open_vSwitch", ctx.root, "manager_options", rows);
    Ok(())
}
