//! add-bond, add-bond-iface, del-bond-iface.

use super::super::cmdline::Command;
use super::super::context::{Context, Fail};
use super::port::{self, NewPort};

pub(in super::super) fn add_bond(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let tail = command.tail(2);
    let n_ifaces = tail.iter().take_while(|arg| !arg.contains('=')).count();
    if n_ifaces < 2 {
        return Err(
            format!("add-bond requires at least 2 interfaces, but only {n_ifaces} were specified").into()
        );
    }
    let new = NewPort {
        bridge: command.arg(0),
        name: command.arg(1),
        ifaces: tail[..n_ifaces].iter().map(String::as_str).collect(),
        fake_iface: command.has("--fake-iface"),
        settings: &tail[n_ifaces..],
    };
    port::add(ctx, command, &new)
}

pub(in super::super) fn add_bond_iface(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let (port_name, name) = (command.arg(0), command.arg(1));
    let port = ctx.model().port(port_name)?;
    if command.has("--may-exist")
        && let Some(iface) = ctx.model().find_iface(name)
    {
        if iface.port == port_name {
            return Ok(());
        }
        let (asked, on) = (command.text(), iface.port);
        return Err(format!("\"{asked}\" but {name} is actually attached to port {on}").into());
    }
    let doing = format!("cannot create an interface named {name}");
    ctx.model().check_conflicts(name, &doing)?;
    let iface = port::insert_iface(ctx, name);
    ctx.txn.add_reference("Port", port.uuid, "interfaces", iface);
    ctx.expected.push(name.to_owned());
    ctx.invalidate();
    Ok(())
}

pub(in super::super) fn del_bond_iface(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let (port_name, name) = match command.args.as_slice() {
        [port, iface] => (Some(port.as_str()), iface.as_str()),
        _ => (None, command.arg(0)),
    };
    let iface = match ctx.model().iface(name) {
        Ok(iface) => iface,
        Err(_) if command.has("--if-exists") => return Ok(()),
        Err(fail) => return Err(fail),
    };
    if let Some(wanted) = port_name {
        ctx.model().port(wanted)?;
        if iface.port != wanted {
            return Err(format!("port {wanted} does not have an interface {name}").into());
        }
    }
    let port = ctx.model().ports.get(&iface.port).cloned();
    let Some(port) = port.filter(|port| port.ifaces.len() > 1) else {
        return Err(format!("cannot delete last interface from port {}", iface.port).into());
    };
    ctx.txn.remove_reference("Port", port.uuid, "interfaces", iface.uuid);
    ctx.txn.delete("Interface", iface.uuid);
    ctx.invalidate();
    Ok(())
}
