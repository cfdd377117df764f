//! Groups: what a group mod makes of the group table, and the group as translation sees it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use openflow::action::Action;
use openflow::msg::{
    Bucket, GroupDesc, GroupFeatures, GroupMod, GroupModCommand, GroupStats, GroupType, Selection,
};
use openflow::{GroupId, OfpError};

/// Groups per bridge.
pub const GROUPS_MAX: usize = 1 << 20;
/// Buckets per group.
pub const BUCKETS_MAX: usize = 4096;

const BUCKET_FIRST: u32 = 0xffff_fffd;
const BUCKET_LAST: u32 = 0xffff_fffe;
const BUCKET_ALL: u32 = 0xffff_ffff;

type Result<T> = std::result::Result<T, OfpError>;
/// The groups of a bridge.
pub type Groups = BTreeMap<GroupId, Arc<Group>>;

#[derive(Default, Debug)]
pub struct Counters {
    packets: AtomicU64,
    bytes: AtomicU64,
}

impl Counters {
    pub fn credit(&self, packets: u64, bytes: u64) {
        self.packets.fetch_add(packets, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
    }
    pub fn read(&self) -> (u64, u64) {
        (self.packets.load(Relaxed), self.bytes.load(Relaxed))
    }
}

#[derive(Debug)]
pub struct GroupBucket {
    pub bucket: Bucket,
    pub counters: Arc<Counters>,
}

#[derive(Debug)]
pub struct Group {
    pub id: GroupId,
    pub kind: GroupType,
    pub buckets: Vec<GroupBucket>,
    pub selection: Selection,
    pub created_ms: i64,
    pub counters: Arc<Counters>,
}

impl Group {
    fn new(gm: &GroupMod, buckets: Vec<Bucket>, now_ms: i64) -> Self {
        let fresh = |bucket| GroupBucket { bucket, counters: Arc::default() };
        Self {
            id: gm.group_id,
            kind: gm.kind,
            buckets: buckets.into_iter().map(fresh).collect(),
            selection: gm.selection.clone(),
            created_ms: now_ms,
            counters: Arc::default(),
        }
    }

    /// The same group with other buckets; buckets that stay keep their counters.
    fn with_buckets(&self, kind: GroupType, selection: Selection, buckets: Vec<Bucket>) -> Self {
        let counters = |b: &Bucket| {
            let same = self.buckets.iter().find(|old| old.bucket == *b);
            same.map_or_else(Arc::default, |old| old.counters.clone())
        };
        let buckets =
            buckets.into_iter().map(|b| GroupBucket { counters: counters(&b), bucket: b }).collect();
        Self {
            id: self.id,
            kind,
            buckets,
            selection,
            created_ms: self.created_ms,
            counters: self.counters.clone(),
        }
    }

    fn plain_buckets(&self) -> Vec<Bucket> {
        self.buckets.iter().map(|b| b.bucket.clone()).collect()
    }

    pub fn desc(&self) -> GroupDesc {
        GroupDesc {
            group_id: self.id,
            kind: self.kind,
            buckets: self.plain_buckets(),
            selection: self.selection.clone(),
        }
    }

    pub fn stats(&self, ref_count: u32, now_ms: i64) -> GroupStats {
        let (packet_count, byte_count) = self.counters.read();
        let age_ms = (now_ms - self.created_ms).max(0);
        GroupStats {
            group_id: self.id,
            ref_count,
            packet_count,
            byte_count,
            duration_s: (age_ms / 1000) as u32,
            duration_ns: (age_ms % 1000) as u32 * 1_000_000,
            buckets: self.buckets.iter().map(|b| b.counters.read()).collect(),
        }
    }
}

/// Checks `gm` and makes the group table that it asks for. The second value lists the groups that it deletes.
pub fn plan(groups: &Groups, gm: &GroupMod, now_ms: i64) -> Result<(Groups, Vec<GroupId>)> {
    let mut next = groups.clone();
    let mut deleted = Vec::new();
    let old = groups.get(&gm.group_id);
    match gm.command {
        GroupModCommand::Add if old.is_some() => return Err(OfpError::OFPGMFC_GROUP_EXISTS),
        GroupModCommand::Modify if old.is_none() => return Err(OfpError::OFPGMFC_UNKNOWN_GROUP),
        GroupModCommand::Add | GroupModCommand::Modify | GroupModCommand::AddOrMod => {
            check(groups, gm, &gm.buckets)?;
            let group = match old {
                None if groups.len() >= GROUPS_MAX => return Err(OfpError::OFPGMFC_OUT_OF_GROUPS),
                None => Group::new(gm, gm.buckets.clone(), now_ms),
                Some(old) => old.with_buckets(gm.kind, gm.selection.clone(), gm.buckets.clone()),
            };
            next.insert(gm.group_id, Arc::new(group));
        }
        GroupModCommand::Delete if gm.group_id == GroupId::ALL => {
            deleted.extend(next.keys().copied());
            next.clear();
        }
        GroupModCommand::Delete => deleted.extend(next.remove(&gm.group_id).map(|g| g.id)),
        GroupModCommand::InsertBucket | GroupModCommand::RemoveBucket => {
            let old = old.ok_or(OfpError::OFPGMFC_UNKNOWN_GROUP)?;
            let buckets = match gm.command {
                GroupModCommand::InsertBucket => insert_buckets(old, gm)?,
                _ => remove_buckets(old, gm)?,
            };
            check(groups, &GroupMod { kind: old.kind, ..gm.clone() }, &buckets)?;
            next.insert(old.id, Arc::new(old.with_buckets(old.kind, old.selection.clone(), buckets)));
        }
    }
    Ok((next, deleted))
}

fn insert_buckets(old: &Group, gm: &GroupMod) -> Result<Vec<Bucket>> {
    let mut buckets = old.plain_buckets();
    if gm.buckets.iter().any(|new| buckets.iter().any(|b| b.bucket_id == new.bucket_id)) {
        return Err(OfpError::OFPGMFC_BUCKET_EXISTS);
    }
    let at = match gm.command_bucket_id {
        BUCKET_FIRST => 0,
        BUCKET_LAST | BUCKET_ALL => buckets.len(),
        id => 1 + position(&buckets, id)?,
    };
    buckets.splice(at..at, gm.buckets.iter().cloned());
    Ok(buckets)
}

fn remove_buckets(old: &Group, gm: &GroupMod) -> Result<Vec<Bucket>> {
    let mut buckets = old.plain_buckets();
    match gm.command_bucket_id {
        BUCKET_ALL => buckets.clear(),
        BUCKET_FIRST if !buckets.is_empty() => drop(buckets.remove(0)),
        BUCKET_FIRST | BUCKET_LAST => drop(buckets.pop()),
        id => drop(buckets.remove(position(&buckets, id)?)),
    }
    Ok(buckets)
}

fn position(buckets: &[Bucket], id: u32) -> Result<usize> {
    buckets.iter().position(|b| b.bucket_id == id).ok_or(OfpError::OFPGMFC_UNKNOWN_BUCKET)
}

fn check(groups: &Groups, gm: &GroupMod, buckets: &[Bucket]) -> Result<()> {
    if gm.group_id > GroupId::MAX {
        return Err(OfpError::OFPGMFC_INVALID_GROUP);
    }
    if buckets.len() > BUCKETS_MAX {
        return Err(OfpError::OFPGMFC_OUT_OF_BUCKETS);
    }
    if gm.kind == GroupType::Indirect && buckets.len() != 1 {
        return Err(OfpError::OFPGMFC_INVALID_GROUP);
    }
    let known = |id| groups.contains_key(&id);
    for action in buckets.iter().flat_map(|b| &b.actions) {
        match *action {
            Action::Group(id) if id == gm.group_id => return Err(OfpError::OFPGMFC_LOOP),
            Action::Group(id) if !known(id) => return Err(OfpError::OFPBAC_BAD_OUT_GROUP),
            Action::Group(id) if reaches(groups, id, gm.group_id) => return Err(OfpError::OFPGMFC_LOOP),
            _ => {}
        }
    }
    Ok(())
}

/// True when a chain of groups leads from `from` to `to`.
fn reaches(groups: &Groups, from: GroupId, to: GroupId) -> bool {
    let (mut todo, mut seen) = (vec![from], std::collections::BTreeSet::new());
    while let Some(id) = todo.pop() {
        if id == to {
            return true;
        }
        if !seen.insert(id) {
            continue;
        }
        let buckets = groups.get(&id).into_iter().flat_map(|g| &g.buckets);
        todo.extend(buckets.flat_map(|b| &b.bucket.actions).filter_map(|a| match a {
            Action::Group(next) => Some(*next),
            _ => None,
        }));
    }
    false
}

/// What group features replies say.
pub fn features() -> GroupFeatures {
    // Weights, liveness, chaining.
    const CAPABILITIES: u32 = 0b111;
    // Output, and set_mpls_ttl (15) to set_field (25).
    const ACTIONS: u64 = 1 | 0x7ff << 15;
    GroupFeatures {
        types: 0b1111,
        capabilities: CAPABILITIES,
        max_groups: [GroupId::MAX.0; 4],
        actions: [ACTIONS; 4],
    }
}
