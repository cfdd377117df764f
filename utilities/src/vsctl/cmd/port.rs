//! add-port, del-port, list-ports, port-to-br, list-ifaces, iface-to-br.

use ovsdb::value::Uuid;

use super::super::cmdline::Command;
use super::super::context::{Context, Fail};
use super::super::db::edit;
use super::super::model::Bridge;

/// Inserts an interface row.
pub(super) fn insert_iface(ctx: &mut Context<'_>, name: &str) -> Uuid {
    let iface = ctx.txn.insert("Interface");
    ctx.txn.set("Interface", iface, "name", name);
    iface
}

/// Tells the model of a new port on the real bridge `bridge`.
pub(super) fn learn(ctx: &mut Context<'_>, bridge: &str, port: Uuid) {
    // The row borrows the transaction: take the model out of the context meanwhile.
    let mut model = std::mem::take(ctx.model());
    if let Some(row) = ctx.txn.row("Port", port) {
        model.add_port(&ctx.txn, bridge, &row);
    }
    *ctx.model() = model;
}

/// What is to be added.
pub(super) struct NewPort<'c> {
    pub bridge: &'c str,
    pub name: &'c str,
    pub ifaces: Vec<&'c str>,
    pub fake_iface: bool,
    /// `COLUMN[:KEY]=VALUE` for the row of Port.
    pub settings: &'c [String],
}

pub(in super::super) fn add_port(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let new = NewPort {
        bridge: command.arg(0),
        name: command.arg(1),
        ifaces: vec![command.arg(1)],
        fake_iface: false,
        settings: command.tail(2),
    };
    add(ctx, command, &new)
}

/// Adds a port with its interfaces, or checks one that exists.
pub(super) fn add(ctx: &mut Context<'_>, command: &Command, new: &NewPort<'_>) -> Result<(), Fail> {
    let bridge = ctx.model().bridge(new.bridge)?;
    if command.has("--may-exist")
        && let Some(port) = ctx.model().find_port(new.name)
    {
        check_existing(&port.bridge, &port.ifaces, new, command)?;
        return apply_settings(ctx, port.uuid, new.settings);
    }
    let doing = format!("cannot create a port named {}", new.name);
    ctx.model().check_conflicts(new.name, &doing)?;
    for iface in &new.ifaces {
        let doing = format!("cannot create an interface named {iface}");
        ctx.model().check_conflicts(iface, &doing)?;
    }
    let ifaces = new.ifaces.iter().map(|name| insert_iface(ctx, name)).collect();
    let port = ctx.txn.insert("Port");
    ctx.txn.set("Port", port, "name", new.name);
    ctx.set_references("Port", port, "interfaces", ifaces);
    ctx.txn.set("Port", port, "bond_fake_iface", new.fake_iface);
    if let Some(fake) = &bridge.fake {
        ctx.txn.set("Port", port, "tag", fake.vlan);
    }
    apply_settings(ctx, port, new.settings)?;
    ctx.txn.add_reference("Bridge", bridge.uuid, "ports", port);
    ctx.expected.extend(new.ifaces.iter().map(|name| (*name).to_owned()));
    let real = bridge.fake.map_or(bridge.name, |fake| fake.parent);
    learn(ctx, &real, port);
    Ok(())
}

fn check_existing(bridge: &str, ifaces: &[String], new: &NewPort<'_>, command: &Command) -> Result<(), Fail> {
    let (asked, name) = (command.text(), new.name);
    if bridge != new.bridge {
        return Err(format!("\"{asked}\" but {name} is actually attached to bridge {bridge}").into());
    }
    let mut want: Vec<&str> = new.ifaces.clone();
    want.sort_unstable();
    if want != ifaces {
        let have = ifaces.join(", ");
        return Err(format!("\"{asked}\" but {name} actually has interface(s) {have}").into());
    }
    Ok(())
}

fn apply_settings(ctx: &mut Context<'_>, port: Uuid, settings: &[String]) -> Result<(), Fail> {
    settings.iter().try_for_each(|setting| edit::set_column(ctx, "Port", port, setting))
}

pub(in super::super) fn del_port(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let must_exist = !command.has("--if-exists");
    let (bridge, target) = match command.args.as_slice() {
        [bridge, target] => (Some(bridge.as_str()), target.as_str()),
        _ => (None, command.arg(0)),
    };
    let bridge = bridge.map(|name| ctx.model().bridge(name)).transpose()?;
    let Some(name) = find_target(ctx, target, command.has("--with-iface"), must_exist)? else {
        return Ok(());
    };
    let on = ctx.model().port(&name)?.bridge;
    if let Some(bridge) = &bridge {
        check_bridge(ctx, bridge, &on, target)?;
    }
    let on = ctx.model().bridge(&on)?;
    delete(ctx, on.uuid, &name);
    Ok(())
}

/// The port's name, `None` if there is none and need not be.
fn find_target(
    ctx: &mut Context<'_>,
    target: &str,
    with_iface: bool,
    must_exist: bool,
) -> Result<Option<String>, Fail> {
    let model = ctx.model();
    if model.find_port(target).is_some() {
        return Ok(Some(target.to_owned()));
    }
    if with_iface && let Some(iface) = model.find_iface(target) {
        return Ok(Some(iface.port));
    }
    if !must_exist {
        return Ok(None);
    }
    if model.bridges.contains_key(target) {
        return Err(format!(
            "cannot delete port {target} because it is the local port for bridge {target} \
             (deleting this port requires deleting the entire bridge)"
        )
        .into());
    }
    Err(match with_iface {
        true => format!("no port or interface named {target}").into(),
        false => format!("no port named {target}").into(),
    })
}

fn check_bridge(ctx: &mut Context<'_>, bridge: &Bridge, on: &str, target: &str) -> Result<(), Fail> {
    if bridge.name == on {
        return Ok(());
    }
    let parent_of = |bridge: &Bridge| bridge.fake.as_ref().map(|fake| fake.parent.clone());
    let on_parent = parent_of(&ctx.model().bridge(on)?);
    let name = &bridge.name;
    let hint = if on_parent.as_ref() == Some(name) {
        format!(" (although its child bridge {on} does)")
    } else {
        String::new()
    };
    Err(format!("bridge {name} does not have a port {target}{hint}").into())
}

/// Deletes a port of the bridge row `bridge`, with its interfaces.
pub(super) fn delete(ctx: &mut Context<'_>, bridge: Uuid, name: &str) {
    let model = ctx.model();
    let Some(port) = model.ports.remove(name) else { return };
    let ifaces: Vec<Uuid> =
        port.ifaces.iter().filter_map(|name| model.ifaces.remove(name)).map(|i| i.uuid).collect();
    for iface in ifaces {
        ctx.txn.delete("Interface", iface);
    }
    ctx.txn.remove_reference("Bridge", bridge, "ports", port.uuid);
    ctx.txn.delete("Port", port.uuid);
}

pub(in super::super) fn list_ports(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let bridge = ctx.model().bridge(command.arg(0))?.name;
    let ports = &ctx.model().ports;
    let names: Vec<String> = ports
        .iter()
        .filter(|(name, port)| port.bridge == bridge && **name != bridge)
        .map(|(name, _)| name.clone())
        .collect();
    names.iter().for_each(|name| ctx.print(name));
    Ok(())
}

pub(in super::super) fn list_ifaces(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let bridge = ctx.model().bridge(command.arg(0))?.name;
    let mut names: Vec<String> = ctx
        .model()
        .ports
        .values()
        .filter(|port| port.bridge == bridge)
        .flat_map(|port| port.ifaces.iter().filter(|name| **name != bridge).cloned())
        .collect();
    names.sort();
    names.iter().for_each(|name| ctx.print(name));
    Ok(())
}

pub(in super::super) fn port_to_br(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let port = ctx.model().port(command.arg(0))?;
    ctx.print(port.bridge);
    Ok(())
}

pub(in super::super) fn iface_to_br(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let iface = ctx.model().iface(command.arg(0))?;
    let bridge = ctx.model().ports.get(&iface.port).map(|port| port.bridge.clone());
    ctx.print(bridge.unwrap_or_default());
    Ok(())
}
