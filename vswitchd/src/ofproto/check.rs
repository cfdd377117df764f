//! Checks of action lists against the bridge's state, and questions about what a list refers to.

use flow::Flow;
use flow::Match;
use openflow::action::Action;
use openflow::{GroupId, MeterId, OfPort, OfpError, TableId};

use super::State;
use super::snapshot::N_TABLES;

type Result<T> = std::result::Result<T, OfpError>;

/// Lists inside lists at most.
const NESTING_MAX: usize = 64;

/// Refuses actions that name what the bridge does not have, or that the match does not allow.
pub(super) fn check_actions(
    state: &State,
    matching: &Match,
    table: TableId,
    actions: &[Action],
) -> Result<()> {
    openflow::action::check::consistent(actions, matching)?;
    check_list(state, &matching.flow, Some(table), actions, 0)
}

/// The same for a bucket or a packet-out, which have no table.
pub(super) fn check_bucket(state: &State, actions: &[Action]) -> Result<()> {
    check_list(state, &Flow::ZERO, None, actions, 0)
}

fn check_list(
    state: &State,
    flow: &Flow,
    table: Option<TableId>,
    actions: &[Action],
    nesting: usize,
) -> Result<()> {
    if nesting > NESTING_MAX {
        return Err(OfpError::OFPBAC_TOO_MANY);
    }
    for action in actions {
        check_one(state, flow, table, action, nesting)?;
    }
    Ok(())
}

fn check_one(
    state: &State,
    flow: &Flow,
    table: Option<TableId>,
    action: &Action,
    nesting: usize,
) -> Result<()> {
    match action {
        Action::Output { port, .. } | Action::OutputTrunc { port, .. } => check_port(*port),
        Action::Enqueue { port, .. } if *port != OfPort::IN_PORT && *port != OfPort::LOCAL => {
            check_ordinary(*port)
        }
        // OVS 3.1 lets flows name groups that do not exist only in bundles that add them first.
        Action::Group(id) if !state.groups.contains_key(id) => Err(OfpError::OFPBAC_BAD_OUT_GROUP),
        Action::Meter(id) if !state.meters.contains_key(id) => Err(OfpError::OFPMMFC_INVALID_METER),
        Action::GotoTable(next) => {
            let ascends = table.is_none_or(|t| next.0 > t.0);
            let exists = usize::from(next.0) < N_TABLES - 1;
            if ascends && exists { Ok(()) } else { Err(OfpError::OFPBIC_BAD_TABLE_ID) }
        }
        Action::Clone(list) | Action::WriteActions(list) => check_list(state, flow, None, list, nesting + 1),
        Action::Ct(ct) => check_list(state, flow, None, &ct.actions, nesting + 1),
        _ => Ok(()),
    }
}

fn check_port(port: OfPort) -> Result<()> {
    match port {
        OfPort::IN_PORT
        | OfPort::TABLE
        | OfPort::NORMAL
        | OfPort::FLOOD
        | OfPort::ALL
        | OfPort::CONTROLLER
        | OfPort::LOCAL => Ok(()),
        _ => check_ordinary(port),
    }
}

fn check_ordinary(port: OfPort) -> Result<()> {
    if port < OfPort::MAX && port.0 != 0 { Ok(()) } else { Err(OfpError::OFPBAC_BAD_OUT_PORT) }
}

/// True when some action sends to `port`.
pub fn outputs_to(actions: &[Action], port: OfPort) -> bool {
    any(actions, &|a| match a {
        Action::Output { port: p, .. }
        | Action::OutputTrunc { port: p, .. }
        | Action::Enqueue { port: p, .. } => *p == port,
        Action::Controller(_) => port == OfPort::CONTROLLER,
        _ => false,
    })
}

pub fn refers_to_group(actions: &[Action], group: GroupId) -> bool {
    any(actions, &|a| matches!(a, Action::Group(g) if *g == group))
}

pub fn refers_to_meter(actions: &[Action], meter: MeterId) -> bool {
    any(actions, &|a| matches!(a, Action::Meter(m) if *m == meter))
}

fn any(actions: &[Action], is: &dyn Fn(&Action) -> bool) -> bool {
    actions.iter().any(|a| {
        is(a)
            || match a {
                Action::Clone(list) | Action::WriteActions(list) => any(list, is),
                _ => false,
            }
    })
}
