//! OpenFlow bundles of the connections: opened, filled, closed, committed or discarded. Bounded in number, in size and
//! in age.

use std::collections::BTreeMap;
use std::sync::Mutex;

use openflow::msg::{BundleAdd, BundleControl, BundleControlKind, BundleFlags, ErrorMsg};
use openflow::{Message, OfpError};

use super::lock;
use crate::connmgr::{ConnId, Requester};
use crate::ofproto::{BundleItem, Ofproto};

/// Open bundles of one connection.
const BUNDLES_MAX: usize = 64;
/// Messages in one bundle.
const ITEMS_MAX: usize = 4_000_000;
/// An open bundle that nobody touches is dropped.
const IDLE_MS_MAX: i64 = 10_000;

struct Bundle {
    flags: BundleFlags,
    closed: bool,
    used_ms: i64,
    items: Vec<BundleItem>,
}

/// All open bundles of a bridge.
#[derive(Default)]
pub(super) struct Bundles(Mutex<BTreeMap<(ConnId, u32), Bundle>>);

impl Bundles {
    pub fn forget(&self, conn: ConnId) {
        lock(&self.0).retain(|(c, _), _| *c != conn);
    }

    pub fn control(
        &self,
        of: &Ofproto,
        from: Requester,
        ask: BundleControl,
    ) -> Result<Vec<Message>, OfpError> {
        use BundleControlKind as K;
        let key = (from.conn, ask.bundle_id);
        let now_ms = of.now_ms();
        let mut bundles = lock(&self.0);
        bundles.retain(|_, b| now_ms - b.used_ms < IDLE_MS_MAX);
        let kind = match ask.kind {
            K::OpenRequest => {
                if bundles.contains_key(&key) {
                    bundles.remove(&key);
                    return Err(OfpError::OFPBFC_BAD_ID);
                }
                if bundles.range((from.conn, 0)..=(from.conn, u32::MAX)).count() >= BUNDLES_MAX {
                    return Err(OfpError::OFPBFC_OUT_OF_BUNDLES);
                }
                let bundle = Bundle { flags: ask.flags, closed: false, used_ms: now_ms, items: Vec::new() };
                bundles.insert(key, bundle);
                K::OpenReply
            }
            K::CloseRequest => {
                let bundle = bundles.get_mut(&key).ok_or(OfpError::OFPBFC_BAD_ID)?;
                let (closed, flags) = (bundle.closed, bundle.flags);
                bundle.closed = true;
                bundle.used_ms = now_ms;
                if closed || flags != ask.flags {
                    bundles.remove(&key);
                    return Err(if closed {
                        OfpError::OFPBFC_BUNDLE_CLOSED
                    } else {
                        OfpError::OFPBFC_BAD_FLAGS
                    });
                }
                K::CloseReply
            }
            K::CommitRequest => {
                let bundle = bundles.remove(&key).ok_or(OfpError::OFPBFC_BAD_ID)?;
                drop(bundles);
                if bundle.flags != ask.flags {
                    return Err(OfpError::OFPBFC_BAD_FLAGS);
                }
                if let Err((_, error)) = of.bundle_commit(&bundle.items) {
                    // First what was wrong with the member, then that the bundle failed.
                    let member = ErrorMsg { error: Ok(error), data: Vec::new() };
                    let whole = ErrorMsg { error: Ok(OfpError::OFPBFC_MSG_FAILED), data: Vec::new() };
                    return Ok(vec![Message::Error(member), Message::Error(whole)]);
                }
                K::CommitReply
            }
            K::DiscardRequest => {
                bundles.remove(&key).ok_or(OfpError::OFPBFC_BAD_ID)?;
                K::DiscardReply
            }
            _ => return Err(OfpError::OFPBFC_BAD_TYPE),
        };
        Ok(vec![Message::BundleControl(BundleControl { bundle_id: ask.bundle_id, kind, flags: ask.flags })])
    }

    pub fn add(&self, now_ms: i64, from: Requester, add: BundleAdd) -> Result<(), OfpError> {
        let key = (from.conn, add.bundle_id);
        let item = match add.message {
            Message::FlowMod(fm) => BundleItem::Flow(fm),
            Message::GroupMod(gm) => BundleItem::Group(gm),
            _ => return Err(OfpError::OFPBFC_MSG_UNSUP),
        };
        if add.inner_xid != from.xid {
            return Err(OfpError::OFPBFC_MSG_BAD_XID);
        }
        let mut bundles = lock(&self.0);
        // A message for a bundle that is not there opens it.
        if !bundles.contains_key(&key)
            && bundles.range((from.conn, 0)..=(from.conn, u32::MAX)).count() >= BUNDLES_MAX
        {
            return Err(OfpError::OFPBFC_OUT_OF_BUNDLES);
        }
        let bundle = bundles.entry(key).or_insert_with(|| Bundle {
            flags: add.flags,
            closed: false,
            used_ms: now_ms,
            items: Vec::new(),
        });
        let error = if bundle.closed {
            OfpError::OFPBFC_BUNDLE_CLOSED
        } else if bundle.flags != add.flags {
            OfpError::OFPBFC_BAD_FLAGS
        } else if bundle.items.len() >= ITEMS_MAX {
            OfpError::OFPBFC_MSG_TOO_MANY
        } else {
            bundle.items.push(item);
            bundle.used_ms = now_ms;
            return Ok(());
        };
        bundles.remove(&key);
        Err(error)
    }
}
