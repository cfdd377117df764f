//! `sample(...)`: a share of the packets goes to an IPFIX collector set.

use super::raw::{self, Code};
use super::{Action, Sample, SampleDirection};
use crate::error::OfpError;
use crate::types::OfPort;
use crate::wire::{Decode, Put, Reader};

/// NXAST_SAMPLE (29), SAMPLE2 (38) and SAMPLE3 (41).
pub(super) fn decode(r: &mut Reader<'_>, sub: u16) -> Decode<Action> {
    let probability = r.u16()?;
    let (collector_set_id, obs_domain_id, obs_point_id) = (r.u32()?, r.u32()?, r.u32()?);
    if probability == 0 {
        return Err(OfpError::OFPBAC_BAD_ARGUMENT);
    }
    let (mut sampling_port, mut direction) = (OfPort::NONE, SampleDirection::Default);
    if sub != 29 {
        sampling_port = OfPort::from_u16(r.u16()?);
        direction = match r.u8()? {
            _ if sub == 38 => SampleDirection::Default,
            0 => SampleDirection::Default,
            1 => SampleDirection::Ingress,
            2 => SampleDirection::Egress,
            _ => return Err(OfpError::OFPBAC_BAD_ARGUMENT),
        };
        if r.rest().iter().any(|&b| b != 0) {
            return Err(OfpError::NXBRC_MUST_BE_ZERO);
        }
    }
    Ok(Action::Sample(Box::new(Sample {
        probability,
        collector_set_id,
        obs_domain_id,
        obs_point_id,
        sampling_port,
        direction,
    })))
}

pub(super) fn encode(w: &mut Vec<u8>, s: &Sample) {
    let code = match (s.direction, s.sampling_port) {
        (SampleDirection::Default, OfPort::NONE) => 29,
        (SampleDirection::Default, _) => 38,
        _ => 41,
    };
    raw::put(w, Code::Nx(code), |w| {
        w.u16(s.probability);
        w.u32(s.collector_set_id);
        w.u32(s.obs_domain_id);
        w.u32(s.obs_point_id);
        if code != 29 {
            w.u16(s.sampling_port.low16());
            w.u8(s.direction as u8);
        }
    });
}
