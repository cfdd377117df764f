//! Actions on any field: set_field, load, move, the stack, write_metadata.

use flow::field::ones;
use flow::key::VLAN_CFI;
use flow::proto::eth;
use flow::{Be16, Field, Subfield};
use openflow::action::{RegMove, SetField};

use super::ctx::Ctx;
use super::{STACK_MAX, XlateError};

impl Ctx<'_, '_> {
    /// True when the packet has `field`; notes what decided it.
    pub(super) fn look_present(&mut self, field: Field) -> bool {
        field.look_present(&self.flow, &mut self.out.mask)
    }

    pub(super) fn set_field(&mut self, set: &SetField) {
        let field = set.field;
        if !self.look_present(field) {
            return self.warn(|| format!("unmet prerequisites for {}, set_field ignored", field.name()));
        }
        if !self.has_header_of(field) {
            return;
        }
        field.look(&mut self.out.mask, set.mask);
        let rest = field.get(&self.flow) & !set.mask;
        field.set(&mut self.flow, rest | (set.value & set.mask));
    }

    /// Setting a field of a tag or label changes one that is there and adds none.
    fn has_header_of(&mut self, field: Field) -> bool {
        match field {
            Field::VlanVid => {
                let tci = &mut self.out.mask.0.vlan.tci;
                *tci = Be16::new(tci.get() | VLAN_CFI);
                self.flow.vlan.tci.get() & VLAN_CFI != 0
            }
            Field::MplsLabel | Field::MplsTc => eth::is_mpls(self.flow.dl_type.get()),
            _ => true,
        }
    }

    pub(super) fn reg_move(&mut self, m: &RegMove) {
        if !self.look_present(m.dst.field) || !self.look_present(m.src.field) {
            return self.warn(|| "unmet prerequisites, move ignored".into());
        }
        m.dst.look(&mut self.out.mask);
        m.src.look(&mut self.out.mask);
        let value = m.src.get(&self.flow);
        m.dst.set(&mut self.flow, value);
        self.report_subfield(m.dst);
    }

    /// Puts `value` into `dst`, if the packet has it.
    pub(super) fn set_subfield(&mut self, dst: Subfield, value: u128) {
        if self.look_present(dst.field) {
            dst.look(&mut self.out.mask);
            dst.set(&mut self.flow, value);
        }
    }

    pub(super) fn report_subfield(&mut self, s: Subfield) {
        let value = s.get(&self.flow);
        self.detail(|| {
            let mut text = String::new();
            if s.n_bits == s.field.info().n_bits {
                s.field.format(value, s.field.value_mask(), None, &mut text);
            } else if value == 0 {
                text.push('0');
            } else {
                text = format!("{value:#x}");
            }
            format!("{s} is now {text}")
        });
    }

    pub(super) fn stack_push(&mut self, src: Subfield) {
        if self.stack.len() >= STACK_MAX {
            return self.fail(XlateError::StackTooDeep, || {
                format!("resubmits yielded over {STACK_MAX} stack entries")
            });
        }
        src.look(&mut self.out.mask);
        self.stack.push((src.get(&self.flow), src.n_bits));
    }

    pub(super) fn stack_pop(&mut self, dst: Subfield) {
        let Some((value, _)) = self.stack.pop() else {
            return self.report(super::TraceKind::Error, || "stack underflow".into());
        };
        dst.look(&mut self.out.mask);
        dst.set(&mut self.flow, value & ones(dst.n_bits));
        self.report_subfield(dst);
    }

    pub(super) fn write_metadata(&mut self, value: u64, mask: u64) {
        let old = self.flow.metadata.get();
        self.flow.metadata = flow::Be64::new((old & !mask) | (value & mask));
    }

    pub(super) fn delete_field(&mut self, field: Field) {
        if let Some(n) = field.option_index() {
            field.set(&mut self.flow, 0);
            self.flow.tun_md_present &= !(1 << n);
        }
    }
}
