//! What NXT_PACKET_IN2 carries of a paused translation and NXT_RESUME brings back: private properties, opaque to
//! controllers. The layout is OVS's, so that its tools print what ours sends.
//!
//! ```text
//!  bridge | stack* | mirrors | conntracked | (table, cookie, actions)* | action set | datapath port
//! ```

use crate::action::list::{self, DecodeCtx, EncodeCtx};
use crate::action::{Action, Resubmit, instruction};
use crate::error::OfpError;
use crate::types::{Cookie, OfPort, TableId, Version};
use crate::wire::{Decode, Put, Reader, property, put_property};

const BRIDGE: u16 = 0x8000;
const STACK: u16 = 0x8001;
const MIRRORS: u16 = 0x8002;
const CONNTRACKED: u16 = 0x8003;
const TABLE_ID: u16 = 0x8004;
const COOKIE: u16 = 0x8005;
const ACTIONS: u16 = 0x8006;
const ACTION_SET: u16 = 0x8007;
const DP_PORT: u16 = 0x8008;
/// Ours: instructions that an action list cannot hold (write_actions, clear_actions, meter before 1.5).
const INSTRUCTIONS: u16 = 0x9000;

/// Values on the stack at most.
const STACK_LEN_MAX: usize = 4096;

/// A paused translation.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Continuation {
    /// UUID of the bridge that paused.
    pub bridge: [u8; 16],
    /// Bottom first; big-endian, without leading zeros.
    pub stack: Vec<Vec<u8>>,
    pub mirrors: u32,
    pub conntracked: bool,
    /// What remains of each list that was running, innermost first.
    pub lists: Vec<RemainingList>,
    pub action_set: Vec<Action>,
    pub dp_port: Option<u32>,
}

/// The rest of one action list, and the flow it is of.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RemainingList {
    pub table: TableId,
    pub cookie: Cookie,
    pub actions: Vec<Action>,
}

impl Continuation {
    /// The properties as bytes.
    pub fn encode(&self, version: Version) -> Vec<u8> {
        let mut w = Vec::new();
        w.zeros(4);
        put_property(&mut w, BRIDGE, 8, |w| w.bytes(&self.bridge));
        for value in &self.stack {
            put_property(&mut w, STACK, 8, |w| w.bytes(value));
        }
        if self.mirrors != 0 {
            put_property(&mut w, MIRRORS, 8, |w| w.u32(self.mirrors));
        }
        if self.conntracked {
            put_property(&mut w, CONNTRACKED, 8, |_| ());
        }
        let ctx = EncodeCtx::new(version);
        // A reader starts with table 0 and cookie 0 and keeps both from list to list.
        let mut before = (TableId(0), Cookie(0));
        for list in &self.lists {
            put_list(&mut w, list, before, ctx);
            before = (list.table, list.cookie);
        }
        if !self.action_set.is_empty() {
            put_property(&mut w, ACTION_SET, 8, |w| {
                w.zeros(4);
                list::encode(&self.action_set, ctx, w);
            });
        }
        if let Some(port) = self.dp_port {
            put_property(&mut w, DP_PORT, 8, |w| w.u32(port));
        }
        w
    }

    /// Reads what `encode` wrote. Properties of nobody's are refused: nothing may be lost.
    pub fn decode(bytes: &[u8], version: Version) -> Decode<Self> {
        let mut r = Reader::with(bytes, OfpError::OFPBPC_BAD_LEN);
        r.skip(4)?;
        let mut c = Continuation::default();
        let ctx = DecodeCtx::new(version);
        let mut at = (TableId(0), Cookie(0));
        while !r.is_empty() {
            let (kind, mut body) = property(&mut r, 8)?;
            match kind {
                BRIDGE => c.bridge = body.array()?,
                STACK if c.stack.len() >= STACK_LEN_MAX => return Err(OfpError::OFPBPC_TOO_MANY),
                STACK => c.stack.push(body.rest().to_vec()),
                MIRRORS => c.mirrors = body.u32()?,
                CONNTRACKED => c.conntracked = true,
                TABLE_ID => at.0 = TableId(body.u8()?),
                COOKIE => {
                    body.skip(4)?;
                    at.1 = Cookie(body.u64()?);
                }
                ACTIONS | INSTRUCTIONS => {
                    body.skip(4)?;
                    let actions = match kind {
                        ACTIONS => list::decode(body.rest(), ctx)?,
                        _ => instruction::decode(&mut body, ctx)?,
                    };
                    c.lists.push(RemainingList { table: at.0, cookie: at.1, actions });
                }
                ACTION_SET => {
                    body.skip(4)?;
                    c.action_set = list::decode(body.rest(), ctx)?;
                }
                DP_PORT => c.dp_port = Some(body.u32()?),
                _ => return Err(OfpError::OFPBPC_BAD_TYPE),
            }
        }
        Ok(c)
    }
}

fn put_list(w: &mut Vec<u8>, l: &RemainingList, before: (TableId, Cookie), ctx: EncodeCtx) {
    if l.actions.is_empty() {
        return;
    }
    if l.table != before.0 {
        put_property(w, TABLE_ID, 8, |w| w.u8(l.table.0));
    }
    if l.cookie != before.1 {
        put_property(w, COOKIE, 8, |w| {
            w.zeros(4);
            w.u64(l.cookie.0);
        });
    }
    if l.actions.iter().any(only_instruction) {
        return put_property(w, INSTRUCTIONS, 8, |w| {
            w.zeros(4);
            instruction::encode(&l.actions, ctx, w);
        });
    }
    put_property(w, ACTIONS, 8, |w| {
        w.zeros(4);
        l.actions.iter().for_each(|a| list::encode(&[as_action(a)], ctx, w));
    });
}

fn only_instruction(action: &Action) -> bool {
    matches!(action, Action::WriteActions(_) | Action::ClearActions | Action::Meter(_))
}

/// goto_table as the action that does the same.
fn as_action(action: &Action) -> Action {
    match action {
        Action::GotoTable(table) => Action::Resubmit(Resubmit {
            in_port: OfPort::IN_PORT,
            table: *table,
            with_ct_orig: false,
            portonly: false,
        }),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::GroupId;

    fn list(table: u8, cookie: u64, actions: Vec<Action>) -> RemainingList {
        RemainingList { table: TableId(table), cookie: Cookie(cookie), actions }
    }

    fn example() -> Continuation {
        Continuation {
            bridge: [7; 16],
            stack: vec![vec![], vec![1, 2]],
            mirrors: 3,
            conntracked: true,
            lists: vec![
                list(5, 0x1234, vec![Action::Output { port: OfPort(2), max_len: 0 }, Action::Exit]),
                list(0, 0, vec![Action::Exit]),
            ],
            action_set: vec![Action::Group(GroupId(9))],
            dp_port: Some(4),
        }
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        for version in Version::ALL {
            let c = example();
            assert_eq!(Continuation::decode(&c.encode(version), version).as_ref(), Ok(&c), "{version:?}");
        }
        let lists =
            vec![list(1, 0, vec![Action::Exit, Action::WriteActions(vec![Action::Group(GroupId(3))])])];
        let with_set = Continuation { lists, ..example() };
        assert!(Continuation::decode(&with_set.encode(Version::V1_3), Version::V1_3).is_ok());
    }

    #[test]
    fn goto_table_goes_on_as_a_resubmit() {
        let c = Continuation { lists: vec![list(0, 0, vec![Action::GotoTable(TableId(7))])], ..example() };
        let back = Continuation::decode(&c.encode(Version::V1_3), Version::V1_3).unwrap();
        assert!(matches!(back.lists[0].actions[..], [Action::Resubmit(r)] if r.table == TableId(7)));
    }

    #[test]
    fn foreign_and_cut_properties_are_refused() {
        let mut bytes = example().encode(Version::V1_3);
        bytes[4] = 0x70;
        assert_eq!(Continuation::decode(&bytes, Version::V1_3), Err(OfpError::OFPBPC_BAD_TYPE));
        let bytes = example().encode(Version::V1_3);
        for len in 0..bytes.len() {
            let _ = Continuation::decode(&bytes[..len], Version::V1_3);
        }
    }
}
