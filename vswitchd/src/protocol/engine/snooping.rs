//! Multicast snooping of a bridge: the table's settings and its ageing.

use std::collections::BTreeSet;

use super::super::mcast::Table;
use super::super::view::Snooping;
use super::{Machines, Round};
use crate::ofproto::config::BundleId;

/// How often old entries are looked for.
const AGE_INTERVAL_MS: i64 = 1000;

impl Machines {
    pub(super) fn configure_snooping(&mut self) {
        match self.config.mcast {
            None => self.snooping = None,
            Some(_) if self.snooping.is_some() => {}
            Some(_) => self.snooping = Some(Snooping(std::sync::Arc::new(Table::default()))),
        }
    }

    pub(super) fn run_snooping(&mut self, round: &mut Round<'_>) {
        let (Some(Snooping(table)), Some(config)) = (&self.snooping, self.config.mcast) else { return };
        let of_bundles = |wanted: fn(&super::super::config::BundleConfig) -> bool| {
            let bundles = round.ports.bundles.values();
            let wants = |name: &str| self.config.bundles.get(name).is_some_and(wanted);
            bundles.filter(|b| wants(&b.name)).map(|b| b.id).collect::<Vec<BundleId>>()
        };
        table.configure(config, of_bundles(|b| b.mcast_flood), of_bundles(|b| b.mcast_flood_reports));
        let known: BTreeSet<BundleId> = round.ports.bundles.keys().copied().collect();
        table.expire(&known, round.now_ms);
        round.until(round.now_ms + AGE_INTERVAL_MS);
    }
}
