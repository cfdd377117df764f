//! add-br, del-br, list-br, br-exists, br-to-vlan, br-to-parent, br-set-external-id,
//! br-get-external-id; real and fake bridges.

use super::super::cmdline::Command;
use super::super::context::{Context, Fail};
use super::super::model::{Bridge, Fake};
use super::port;

/// How the keys of a fake bridge's external ids are marked in its port's.
const FAKE_PREFIX: &str = "fake-bridge-";

pub(in super::super) fn add_br(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let name = command.arg(0);
    let parent = match command.args.len() {
        1 => None,
        3 => Some((command.arg(1), parse_vlan(command)?)),
        _ => {
            let name = command.syntax.name;
            return Err(format!("'{name}' command takes exactly 1 or 3 arguments").into());
        }
    };
    if name.is_empty() {
        return Err("bridge name must not be empty string".into());
    }
    if command.has("--may-exist")
        && let Some(existing) = ctx.model().bridges.get(name)
    {
        return check_existing(existing, parent);
    }
    let doing = format!("cannot create a bridge named {name}");
    ctx.model().check_conflicts(name, &doing)?;
    match parent {
        None => add_real(ctx, name),
        Some((parent, vlan)) => add_fake(ctx, name, parent, vlan)?,
    }
    ctx.expected.push(name.to_owned());
    Ok(())
}

fn parse_vlan(command: &Command) -> Result<i64, Fail> {
    // As C's atoi: what is no number is 0.
    let vlan = command.arg(2).trim().parse().unwrap_or(0);
    if (0..=4095).contains(&vlan) {
        return Ok(vlan);
    }
    Err(format!("{}: vlan must be between 0 and 4095", command.syntax.name).into())
}

/// `--may-exist`: the bridge must be what would have been created.
fn check_existing(bridge: &Bridge, wanted: Option<(&str, i64)>) -> Result<(), Fail> {
    let name = &bridge.name;
    let problem = match (wanted, &bridge.fake) {
        (None, None) => return Ok(()),
        (None, Some(fake)) => {
            format!("\"--may-exist add-br {name}\" but {name} is a VLAN bridge for VLAN {}", fake.vlan)
        }
        (Some((parent, vlan)), fake) => {
            let asked = format!("\"--may-exist add-br {name} {parent} {vlan}\" but {name}");
            match fake {
                None => format!("{asked} is not a VLAN bridge"),
                Some(fake) if fake.parent != parent => {
                    format!("{asked} has the wrong parent {}", fake.parent)
                }
                Some(fake) if fake.vlan != vlan => {
                    format!("{asked} is a VLAN bridge for the wrong VLAN {}", fake.vlan)
                }
                Some(_) => return Ok(()),
            }
        }
    };
    Err(problem.into())
}

fn add_real(ctx: &mut Context<'_>, name: &str) {
    let iface = port::insert_iface(ctx, name);
    ctx.txn.set("Interface", iface, "type", "internal");
    let port = ctx.txn.insert("Port");
    ctx.txn.set("Port", port, "name", name);
    ctx.set_references("Port", port, "interfaces", vec![iface]);
    let bridge = ctx.txn.insert("Bridge");
    ctx.txn.set("Bridge", bridge, "name", name);
    ctx.set_references("Bridge", bridge, "ports", vec![port]);
    ctx.txn.add_reference("Open_vSwitch", ctx.root, "bridges", bridge);
    ctx.model().add_bridge(name, bridge, None);
    port::learn(ctx, name, port);
}

fn add_fake(ctx: &mut Context<'_>, name: &str, parent: &str, vlan: i64) -> Result<(), Fail> {
    let Some(found) = ctx.model().bridges.get(parent).cloned() else {
        return Err(format!("parent bridge {parent} does not exist").into());
    };
    if found.fake.is_some() {
        return Err("cannot create bridge with fake bridge as parent".into());
    }
    if let Some(child) = ctx.model().vlan_bridge(parent, vlan) {
        let child = &child.name;
        return Err(format!("bridge {parent} already has a child VLAN bridge {child} on VLAN {vlan}").into());
    }
    let iface = port::insert_iface(ctx, name);
    ctx.txn.set("Interface", iface, "type", "internal");
    let port = ctx.txn.insert("Port");
    ctx.txn.set("Port", port, "name", name);
    ctx.set_references("Port", port, "interfaces", vec![iface]);
    ctx.txn.set("Port", port, "fake_bridge", true);
    ctx.txn.set("Port", port, "tag", vlan);
    ctx.txn.add_reference("Bridge", found.uuid, "ports", port);
    let fake = Fake { parent: parent.to_owned(), vlan, port };
    ctx.model().add_bridge(name, found.uuid, Some(fake));
    port::learn(ctx, parent, port);
    Ok(())
}

pub(in super::super) fn del_br(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let name = command.arg(0);
    let bridge = match ctx.model().bridge(name) {
        Ok(bridge) => bridge,
        Err(_) if command.has("--if-exists") => return Ok(()),
        Err(fail) => return Err(fail),
    };
    delete(ctx, &bridge);
    Ok(())
}

/// Deletes a bridge with its ports, a real one with its fake ones.
fn delete(ctx: &mut Context<'_>, bridge: &Bridge) {
    let model = ctx.model();
    let children: Vec<String> = match bridge.fake {
        Some(_) => Vec::new(),
        None => model
            .bridges
            .values()
            .filter(|child| child.fake.as_ref().is_some_and(|f| f.parent == bridge.name))
            .map(|child| child.name.clone())
            .collect(),
    };
    let on = |at: &String| *at == bridge.name || children.contains(at);
    let ports: Vec<String> =
        model.ports.iter().filter(|(_, p)| on(&p.bridge)).map(|(name, _)| name.clone()).collect();
    for child in &children {
        model.bridges.remove(child);
    }
    model.bridges.remove(&bridge.name);
    for port in ports {
        port::delete(ctx, bridge.uuid, &port);
    }
    if bridge.fake.is_none() {
        ctx.txn.delete("Bridge", bridge.uuid);
        ctx.txn.remove_reference("Open_vSwitch", ctx.root, "bridges", bridge.uuid);
    }
}

pub(in super::super) fn list_br(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let (real, fake) = (command.has("--real"), command.has("--fake"));
    let wanted = |bridge: &Bridge| match bridge.fake {
        Some(_) => fake || !real,
        None => real || !fake,
    };
    let names: Vec<String> =
        ctx.model().bridges.values().filter(|b| wanted(b)).map(|b| b.name.clone()).collect();
    names.iter().for_each(|name| ctx.print(name));
    Ok(())
}

pub(in super::super) fn br_exists(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    match ctx.model().bridges.contains_key(command.arg(0)) {
        true => Ok(()),
        false => Err(Fail::Exit(2)),
    }
}

pub(in super::super) fn br_to_vlan(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let bridge = ctx.model().bridge(command.arg(0))?;
    ctx.print(bridge.fake.map_or(0, |fake| fake.vlan).to_string());
    Ok(())
}

pub(in super::super) fn br_to_parent(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let bridge = ctx.model().bridge(command.arg(0))?;
    ctx.print(bridge.fake.map_or(bridge.name, |fake| fake.parent));
    Ok(())
}

pub(in super::super) fn br_set_external_id(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let bridge = ctx.model().bridge(command.arg(0))?;
    let (table, uuid, key) = match &bridge.fake {
        None => ("Bridge", bridge.uuid, command.arg(1).to_owned()),
        Some(fake) => ("Port", fake.port, format!("{FAKE_PREFIX}{}", command.arg(1))),
    };
    match command.optional(2) {
        Some(value) => ctx.txn.map_put(table, uuid, "external_ids", &key, value),
        None => ctx.txn.map_remove(table, uuid, "external_ids", &key),
    }
    Ok(())
}

pub(in super::super) fn br_get_external_id(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let bridge = ctx.model().bridge(command.arg(0))?;
    let (table, uuid, prefix) = match &bridge.fake {
        None => ("Bridge", bridge.uuid, ""),
        Some(fake) => ("Port", fake.port, FAKE_PREFIX),
    };
    let lines: Vec<String> = {
        let row = ctx.row(table, uuid)?;
        let ids = row.map("external_ids").filter_map(|(k, v)| Some((k.strip_prefix(prefix)?, v)));
        match command.optional(1) {
            Some(key) => ids.filter(|(k, _)| *k == key).map(|(_, v)| v.to_owned()).collect(),
            None => ids.map(|(k, v)| format!("{k}={v}")).collect(),
        }
    };
    lines.iter().for_each(|line| ctx.print(line));
    Ok(())
}
