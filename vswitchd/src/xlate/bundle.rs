//! bundle and bundle_load: one of several ports, the first that is up or by a hash.

use openflow::OfPort;
use openflow::action::{Bundle, BundleAlgorithm};

use super::ctx::{Ctx, narrow};
use super::multipath::{hash_fields, hrw};

impl Ctx<'_, '_> {
    pub(super) fn bundle(&mut self, b: &Bundle) {
        let is_up = |p: &OfPort| self.is_usable(*p);
        let chosen = match b.algorithm {
            BundleAlgorithm::ActiveBackup => b.members.iter().copied().find(is_up),
            BundleAlgorithm::Hrw => {
                let up: Vec<OfPort> = b.members.iter().copied().filter(is_up).collect();
                self.look_hashed(b.fields);
                let hash = flow::hash::visible::fields(&self.flow, hash_fields(b.fields), b.basis.into());
                hrw(hash, 0..up.len() as u32).map(|n| up[n as usize])
            }
        };
        let port = chosen.unwrap_or(OfPort::NONE);
        match b.dst {
            Some(dst) => {
                self.set_subfield(dst, narrow(port).into());
                self.report_subfield(dst);
            }
            None => self.output(port, 0, false),
        }
    }
}
