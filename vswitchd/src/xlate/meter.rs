//! meter: the datapath polices.

use dpif::Action as DpAction;
use openflow::MeterId;

use super::ctx::Ctx;

impl Ctx<'_, '_> {
    pub(super) fn meter(&mut self, id: MeterId) {
        if let Some(meter) = self.bridge.meters.get(&id) {
            self.commit();
            self.out.actions.push(DpAction::Meter(meter.dp_meter));
        }
    }
}
