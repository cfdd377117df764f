//! OpenFlow bundles of the connections: opened, filled, closed, committed or discarded. Bounded in number, in size and
//! in age.

use std::collections::BTreeMap;
use std::sync::Mutex;

use openflow::msg::{BundleAdd, BundleControl, BundleControlKind, BundleFlags, ErrorMsg};
use openflow::{Message, OfpError, Xid};

use super::{BridgeService, lock};
use crate::connmgr::{Answer, ConnId, Requester};
use crate::ofproto::BundleItem;

/// Open bundles of one connection.
const BUNDLES_MAX: usize = 64;
/// Messages in one bundle.
const ITEMS_MAX: usize = 4_000_000;
/// Bytes on the wire of all messages that wait in bundles of one connection.
const SIZE_MAX: usize = 512 << 20;
/// An open bundle that nobody touches is dropped.
const IDLE_MS_MAX: i64 = 10_000;

struct Bundle {
    flags: BundleFlags,
    closed: bool,
    used_ms: i64,
    items: Vec<(Xid, BundleItem)>,
    /// Bytes of its messages, about.
    size: usize,
}

impl Bundle {
    fn new(flags: BundleFlags, now_ms: i64) -> Self {
        Bundle { flags, closed: false, used_ms: now_ms, items: Vec::new(), size: 0 }
    }
}

/// All open bundles of a bridge.
#[derive(Default)]
pub(super) struct Bundles(Mutex<BTreeMap<(ConnId, u32), Bundle>>);

impl Bundles {
    pub fn forget(&self, conn: ConnId) {
        lock(&self.0).retain(|(c, _), _| *c != conn);
    }

    /// Takes the bundle out, if it may be committed.
    fn take(&self, key: (ConnId, u32), flags: BundleFlags) -> Result<Bundle, OfpError> {
        let bundle = lock(&self.0).remove(&key).ok_or(OfpError::OFPBFC_BAD_ID)?;
        if bundle.flags == flags { Ok(bundle) } else { Err(OfpError::OFPBFC_BAD_FLAGS) }
    }

    fn open(&self, key: (ConnId, u32), flags: BundleFlags, now_ms: i64) -> Result<(), OfpError> {
        let mut bundles = lock(&self.0);
        bundles.retain(|_, b| now_ms - b.used_ms < IDLE_MS_MAX);
        if bundles.remove(&key).is_some() {
            return Err(OfpError::OFPBFC_BAD_ID);
        }
        if n_of(&bundles, key.0) >= BUNDLES_MAX {
            return Err(OfpError::OFPBFC_OUT_OF_BUNDLES);
        }
        bundles.insert(key, Bundle::new(flags, now_ms));
        Ok(())
    }

    fn close(&self, key: (ConnId, u32), flags: BundleFlags, now_ms: i64) -> Result<(), OfpError> {
        let mut bundles = lock(&self.0);
        let bundle = bundles.get_mut(&key).ok_or(OfpError::OFPBFC_BAD_ID)?;
        let error = if bundle.closed {
            OfpError::OFPBFC_BUNDLE_CLOSED
        } else if bundle.flags != flags {
            OfpError::OFPBFC_BAD_FLAGS
        } else {
            bundle.closed = true;
            bundle.used_ms = now_ms;
            return Ok(());
        };
        bundles.remove(&key);
        Err(error)
    }

    /// OFPT_BUNDLE_ADD_MESSAGE. An error ends the bundle.
    pub fn add(&self, now_ms: i64, from: Requester, add: BundleAdd, size: usize) -> Result<(), OfpError> {
        let key = (from.conn, add.bundle_id);
        let item = match add.message {
            Message::FlowMod(fm) => BundleItem::Flow(fm),
            Message::GroupMod(gm) => BundleItem::Group(gm),
            Message::PortMod(pm) => BundleItem::Port(pm),
            Message::PacketOut(po) => BundleItem::Packet(po),
            _ => return Err(OfpError::OFPBFC_MSG_UNSUP),
        };
        let mut bundles = lock(&self.0);
        let waiting: usize = of_conn(&bundles, from.conn).map(|b| b.size).sum();
        // A message for a bundle that is not there opens it.
        if !bundles.contains_key(&key) && n_of(&bundles, from.conn) >= BUNDLES_MAX {
            return Err(OfpError::OFPBFC_OUT_OF_BUNDLES);
        }
        let bundle = bundles.entry(key).or_insert_with(|| Bundle::new(add.flags, now_ms));
        let error = if bundle.closed {
            OfpError::OFPBFC_BUNDLE_CLOSED
        } else if bundle.flags != add.flags {
            OfpError::OFPBFC_BAD_FLAGS
        } else if bundle.items.len() >= ITEMS_MAX || waiting + size > SIZE_MAX {
            OfpError::OFPBFC_MSG_TOO_MANY
        } else {
            bundle.items.push((add.inner_xid, item));
            bundle.size += size;
            bundle.used_ms = now_ms;
            return Ok(());
        };
        bundles.remove(&key);
        Err(error)
    }
}

type Open = BTreeMap<(ConnId, u32), Bundle>;

fn of_conn(bundles: &Open, conn: ConnId) -> impl Iterator<Item = &Bundle> {
    bundles.range((conn, 0)..=(conn, u32::MAX)).map(|(_, b)| b)
}

fn n_of(bundles: &Open, conn: ConnId) -> usize {
    of_conn(bundles, conn).count()
}

impl BridgeService {
    /// OFPT_BUNDLE_CONTROL.
    pub(super) fn bundle_control(&self, from: Requester, ask: BundleControl) -> Answer {
        use BundleControlKind as K;
        let key = (from.conn, ask.bundle_id);
        let now_ms = self.ofproto.now_ms();
        let done = match ask.kind {
            K::OpenRequest => self.bundles.open(key, ask.flags, now_ms).map(|()| K::OpenReply),
            K::CloseRequest => self.bundles.close(key, ask.flags, now_ms).map(|()| K::CloseReply),
            K::CommitRequest => match self.bundles.take(key, ask.flags) {
                Ok(bundle) => match self.commit(from, bundle) {
                    Ok(()) => Ok(K::CommitReply),
                    Err(answer) => return answer,
                },
                Err(error) => Err(error),
            },
            K::DiscardRequest => {
                lock(&self.bundles.0).remove(&key).map(|_| K::DiscardReply).ok_or(OfpError::OFPBFC_BAD_ID)
            }
            _ => Err(OfpError::OFPBFC_BAD_TYPE),
        };
        done.map(|kind| {
            let reply = BundleControl { bundle_id: ask.bundle_id, kind, flags: ask.flags };
            vec![Message::BundleControl(reply)]
        })
        .into()
    }

    /// All of a bundle, or an answer with what was wrong with one message and that the bundle failed.
    fn commit(&self, from: Requester, bundle: Bundle) -> Result<(), Answer> {
        let atomic = bundle.flags.contains(BundleFlags::ATOMIC);
        let (xids, items): (Vec<Xid>, Vec<BundleItem>) = bundle.items.into_iter().unzip();
        let port_mod = items.iter().position(|i| atomic && matches!(i, BundleItem::Port(_)));
        let refused = match port_mod {
            // A port cannot be changed back, so it cannot be part of all or nothing.
            Some(n) => Some((n, OfpError::OFPBFC_MSG_FAILED)),
            None => self.ofproto.bundle_commit(&items, Some(from.origin())).err(),
        };
        if let Some((n, error)) = refused {
            let (xid, item) = (xids.get(n).copied().unwrap_or(from.xid), items.into_iter().nth(n));
            let request = item.map(|i| openflow::codec::encode(from.version, xid, &message(i)));
            let member = Message::Error(ErrorMsg::reply(error, &request.unwrap_or_default()));
            return Err(Answer {
                replies: vec![(Some(xid), member)],
                error: Some(OfpError::OFPBFC_MSG_FAILED),
            });
        }
        for item in &items {
            match item {
                BundleItem::Packet(po) => self.ofproto.send_out(po),
                BundleItem::Port(pm) => {
                    if let Err(error) = self.port_mod(pm) {
                        tracing::warn!(target: "connmgr", rl = 5, "{}: port mod of a bundle: {error:?}", self.ofproto.name);
                    }
                }
                BundleItem::Flow(_) | BundleItem::Group(_) => {}
            }
        }
        Ok(())
    }
}

fn message(item: BundleItem) -> Message {
    match item {
        BundleItem::Flow(fm) => Message::FlowMod(fm),
        BundleItem::Group(gm) => Message::GroupMod(gm),
        BundleItem::Port(pm) => Message::PortMod(pm),
        BundleItem::Packet(po) => Message::PacketOut(po),
    }
}
