//! learn: the flow that the packet teaches, as an effect.

use flow::field::Value;
use flow::{Field, Match, Subfield};
use openflow::OfPort;
use openflow::action::{Action, Learn, LearnDst, LearnSpec, LearnSrc, SetField};
use openflow::msg::{FlowMod, FlowModCommand, FlowModFlags};

use super::Effect;
use super::ctx::Ctx;
use super::effect::LearnFlow;

impl Ctx<'_, '_> {
    pub(super) fn learn(&mut self, learn: &Learn) {
        self.look_sources(learn);
        if !self.input.may_learn {
            return self.warn(|| "suppressing side effects, so learn action ignored".into());
        }
        let flow_mod = self.learned(learn);
        self.detail(|| format!("table={} {}", flow_mod.table.0, crate::text::flow_mod(&flow_mod)));
        if let Some(dst) = learn.result_dst {
            self.set_subfield(dst, 1);
        }
        self.out.effects.push(Effect::LearnFlow(Box::new(LearnFlow {
            bridge: self.bridge.id,
            flow_mod,
            limit: learn.limit,
            fin_idle_s: learn.fin_idle_s,
            fin_hard_s: learn.fin_hard_s,
        })));
    }

    fn look_sources(&mut self, learn: &Learn) {
        for spec in &learn.specs {
            if let LearnSrc::Field(src) = spec.src {
                src.look(&mut self.out.mask);
            }
        }
    }

    fn learned(&self, learn: &Learn) -> FlowMod {
        let mut flow_mod = FlowMod::new(FlowModCommand::Add);
        let mut flags = FlowModFlags::empty();
        flags.set(FlowModFlags::SEND_FLOW_REM, learn.send_flow_rem);
        flow_mod.priority = learn.priority;
        flow_mod.table = learn.table;
        flow_mod.new_cookie = learn.cookie;
        flow_mod.modify_cookie = true;
        flow_mod.idle_s = learn.idle_s;
        flow_mod.hard_s = learn.hard_s;
        flow_mod.flags = flags;
        if learn.fin_idle_s != 0 || learn.fin_hard_s != 0 {
            let (idle_s, hard_s) = (learn.fin_idle_s, learn.fin_hard_s);
            flow_mod.actions.push(Action::FinTimeout { idle_s, hard_s });
        }
        for spec in &learn.specs {
            self.learn_spec(spec, &mut flow_mod);
        }
        flow_mod
    }

    fn learn_spec(&self, spec: &LearnSpec, flow_mod: &mut FlowMod) {
        let value = match &spec.src {
            LearnSrc::Field(src) => src.get(&self.flow),
            LearnSrc::Immediate(value) => *value,
        };
        match spec.dst {
            LearnDst::Match(dst) => add_match(&mut flow_mod.matching, dst, value),
            LearnDst::Load(dst) => flow_mod.actions.push(Action::SetField(Box::new(SetField {
                field: dst.field,
                value: value << dst.lsb,
                mask: flow::field::ones(dst.n_bits) << dst.lsb,
                load: true,
            }))),
            LearnDst::Output => {
                let port = OfPort::from_u16(value as u16);
                let may_output = port < OfPort::MAX
                    || matches!(port, OfPort::IN_PORT | OfPort::FLOOD | OfPort::LOCAL | OfPort::ALL);
                if may_output {
                    flow_mod.actions.push(Action::Output { port, max_len: 0 });
                }
            }
        }
    }
}

fn add_match(matching: &mut Match, dst: Subfield, value: Value) {
    let (old, old_mask) = matching.get(dst.field);
    let bits = flow::field::ones(dst.n_bits) << dst.lsb;
    let value = (old & !bits) | (value << dst.lsb & bits);
    matching.set_masked(dst.field, value, old_mask | bits);
    if dst.field == Field::VlanTci && old_mask | bits == dst.field.value_mask() {
        matching.set(dst.field, value);
    }
}
