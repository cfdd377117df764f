//! get-ssl, del-ssl, set-ssl.

use ovsdb::value::{Datum, Uuid};

use super::super::cmdline::Command;
use super::super::context::{Context, Fail};

fn current(ctx: &Context<'_>) -> Result<Option<Uuid>, Fail> {
    Ok(ctx.ovs()?.reference("ssl"))
}

pub(in super::super) fn get_ssl(ctx: &mut Context<'_>, _: &Command) -> Result<(), Fail> {
    let Some(uuid) = current(ctx)? else { return Ok(()) };
    let text = {
        let ssl = ctx.row("SSL", uuid)?;
        let str = |column| ssl.str(column).unwrap_or_default();
        format!(
            "Private key: {}\nCertificate: {}\nCA Certificate: {}\nBootstrap: {}",
            str("private_key"),
            str("certificate"),
            str("ca_cert"),
            ssl.bool("bootstrap_ca_cert").unwrap_or(false),
        )
    };
    ctx.print(text);
    Ok(())
}

pub(in super::super) fn del_ssl(ctx: &mut Context<'_>, _: &Command) -> Result<(), Fail> {
    if let Some(uuid) = current(ctx)? {
        ctx.txn.delete("SSL", uuid);
    }
    ctx.txn.set("Open_vSwitch", ctx.root, "ssl", Datum::Empty);
    Ok(())
}

pub(in super::super) fn set_ssl(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    del_ssl(ctx, command)?;
    let ssl = ctx.txn.insert("SSL");
    ctx.txn.set("SSL", ssl, "private_key", command.arg(0));
    ctx.txn.set("SSL", ssl, "certificate", command.arg(1));
    ctx.txn.set("SSL", ssl, "ca_cert", command.arg(2));
    ctx.txn.set("SSL", ssl, "bootstrap_ca_cert", command.has("--bootstrap"));
    ctx.set_references("Open_vSwitch", ctx.root, "ssl", vec![ssl]);
    Ok(())
}
