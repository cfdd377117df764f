//! bundle and bundle_load: one of several ports, the first that is up or by a hash.

use flow::hash::visible;
use openflow::OfPort;
use openflow::action::{Bundle, BundleAlgorithm};

use super::ctx::{Ctx, narrow};
use super::multipath::{hash_fields, hrw};

impl Ctx<'_, '_> {
    pub(super) fn bundle(&mut self, b: &Bundle) {
        let chosen = match b.algorithm {
            BundleAlgorithm::ActiveBackup => b.members.iter().copied().find(|p| self.is_usable(*p)),
            BundleAlgorithm::Hrw => {
                self.look_hashed(b.fields);
                let hash = visible::fields(&self.flow, hash_fields(b.fields), b.basis.into());
                // A member keeps its place, and so its flows, while others are down.
                let up = (0..b.members.len() as u32).filter(|n| self.is_usable(b.members[*n as usize]));
                hrw(up, |n| visible::two_words(n, hash)).map(|n| b.members[n as usize])
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
