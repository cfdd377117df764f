//! Meters: modification, configuration, statistics, features.

use crate::codec::{Body, Encoder};
use crate::error::OfpError;
use crate::raw::Kind;
use crate::wire::{Decode, Put, Reader};

use crate::types::MeterId;

bitflags::bitflags! {
    /// Units and options of a meter.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct MeterFlags: u16 {
        const KBPS = 1;
        const PKTPS = 2;
        const BURST = 4;
        const STATS = 8;
    }
}

/// What a meter mod asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum MeterModCommand {
    Add = 0,
    Modify = 1,
    Delete = 2,
}

/// What a band does with packets above its rate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BandKind {
    Drop,
    /// Raises the drop precedence by so many levels.
    DscpRemark(u8),
}

/// One band; the rate is in kbit/s or packets/s, the burst in kbit or packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MeterBand {
    pub kind: BandKind,
    pub rate: u32,
    pub burst_size: u32,
}

/// A meter as configured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MeterConfig {
    pub meter_id: MeterId,
    pub flags: MeterFlags,
    pub bands: Vec<MeterBand>,
}

/// OFPT_METER_MOD.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MeterMod {
    pub command: MeterModCommand,
    pub config: MeterConfig,
}

/// One meter of a statistics reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MeterStats {
    pub meter_id: MeterId,
    pub flow_count: u32,
    pub packet_in_count: u64,
    pub byte_in_count: u64,
    pub duration_s: u32,
    pub duration_ns: u32,
    /// Packets and bytes of each band.
    pub bands: Vec<(u64, u64)>,
}

/// Meter features.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MeterFeatures {
    pub max_meters: u32,
    /// Bit n: band type n.
    pub band_types: u32,
    pub capabilities: u32,
    pub max_bands: u8,
    pub max_color: u8,
}

const BAND_DROP: u16 = 1;
const BAND_DSCP_REMARK: u16 = 2;
const BAND_LEN: u16 = 16;

fn decode_bands(r: &mut Reader<'_>) -> Decode<Vec<MeterBand>> {
    let bad = OfpError::OFPBRC_BAD_LEN;
    let mut bands = Vec::new();
    while !r.is_empty() {
        let kind = r.u16()?;
        let len = r.u16()?;
        if len != BAND_LEN {
            return Err(bad);
        }
        let (rate, burst_size) = (r.u32()?, r.u32()?);
        let prec_level = r.u8()?;
        r.skip(3)?;
        let kind = match kind {
            BAND_DROP => BandKind::Drop,
            BAND_DSCP_REMARK => BandKind::DscpRemark(prec_level),
            _ => return Err(OfpError::OFPMMFC_BAD_BAND),
        };
        bands.push(MeterBand { kind, rate, burst_size });
    }
    Ok(bands)
}

fn put_bands(w: &mut Vec<u8>, bands: &[MeterBand]) {
    for band in bands {
        let (kind, level) = match band.kind {
            BandKind::Drop => (BAND_DROP, 0),
            BandKind::DscpRemark(level) => (BAND_DSCP_REMARK, level),
        };
        w.u16(kind);
        w.u16(BAND_LEN);
        w.u32(band.rate);
        w.u32(band.burst_size);
        w.u8(level);
        w.zeros(3);
    }
}

pub(crate) fn decode_mod(b: &mut Body<'_>) -> Decode<MeterMod> {
    let command = match b.r.u16()? {
        0 => MeterModCommand::Add,
        1 => MeterModCommand::Modify,
        2 => MeterModCommand::Delete,
        _ => return Err(OfpError::OFPMMFC_BAD_COMMAND),
    };
    let flags = b.r.u16()?;
    let meter_id = MeterId(b.r.u32()?);
    if command == MeterModCommand::Delete {
        let config = MeterConfig { meter_id, flags: MeterFlags::empty(), bands: Vec::new() };
        return Ok(MeterMod { command, config });
    }
    let flags = MeterFlags::from_bits(flags).ok_or(OfpError::OFPMMFC_BAD_FLAGS)?;
    if flags.contains(MeterFlags::KBPS | MeterFlags::PKTPS) {
        return Err(OfpError::OFPMMFC_BAD_FLAGS);
    }
    let bands = decode_bands(&mut b.r)?;
    Ok(MeterMod { command, config: MeterConfig { meter_id, flags, bands } })
}

pub(crate) fn encode_mod(e: &mut Encoder, m: &MeterMod) {
    if e.begin(Kind::MeterMod) {
        e.w.u16(m.command as u16);
        e.w.u16(m.config.flags.bits());
        e.w.u32(m.config.meter_id.0);
        put_bands(&mut e.w, &m.config.bands);
    }
}

pub(crate) fn decode_request(b: &mut Body<'_>) -> Decode<MeterId> {
    let id = MeterId(b.r.u32()?);
    b.r.skip(4)?;
    b.r.finish()?;
    Ok(id)
}

pub(crate) fn encode_request(e: &mut Encoder, kind: Kind, id: MeterId) {
    if e.begin(kind) {
        e.w.u32(id.0);
        e.w.zeros(4);
    }
}

pub(crate) fn decode_config(b: &mut Body<'_>) -> Decode<MeterConfig> {
    let len = usize::from(b.r.u16()?);
    let flags = MeterFlags::from_bits_truncate(b.r.u16()?);
    let meter_id = MeterId(b.r.u32()?);
    let mut bands = b.r.sub(len.checked_sub(8).ok_or(OfpError::OFPBRC_BAD_LEN)?)?;
    Ok(MeterConfig { meter_id, flags, bands: decode_bands(&mut bands)? })
}

pub(crate) fn encode_config(e: &mut Encoder, meters: &[MeterConfig]) {
    if e.begin(Kind::MeterConfigReply) {
        e.entries(meters, |e, m| {
            let start = e.w.len();
            e.w.u16(0);
            e.w.u16(m.flags.bits());
            e.w.u32(m.meter_id.0);
            put_bands(&mut e.w, &m.bands);
            let len = e.w.len() - start;
            e.w.patch_u16(start, len as u16);
        });
    }
}

pub(crate) fn decode_stats(b: &mut Body<'_>) -> Decode<MeterStats> {
    let meter_id = MeterId(b.r.u32()?);
    let len = usize::from(b.r.u16()?);
    b.r.skip(6)?;
    let mut r = b.r.sub(len.checked_sub(12).ok_or(OfpError::OFPBRC_BAD_LEN)?)?;
    let mut s = MeterStats {
        meter_id,
        flow_count: r.u32()?,
        packet_in_count: r.u64()?,
        byte_in_count: r.u64()?,
        duration_s: r.u32()?,
        duration_ns: r.u32()?,
        bands: Vec::new(),
    };
    while !r.is_empty() {
        s.bands.push((r.u64()?, r.u64()?));
    }
    Ok(s)
}

pub(crate) fn encode_stats(e: &mut Encoder, meters: &[MeterStats]) {
    if e.begin(Kind::MeterReply) {
        e.entries(meters, |e, m| {
            e.w.u32(m.meter_id.0);
            e.w.u16((40 + 16 * m.bands.len()) as u16);
            e.w.zeros(6);
            e.w.u32(m.flow_count);
            e.w.u64(m.packet_in_count);
            e.w.u64(m.byte_in_count);
            e.w.u32(m.duration_s);
            e.w.u32(m.duration_ns);
            for &(packets, bytes) in &m.bands {
                e.w.u64(packets);
                e.w.u64(bytes);
            }
        });
    }
}

pub(crate) fn decode_features(b: &mut Body<'_>) -> Decode<MeterFeatures> {
    let f = MeterFeatures {
        max_meters: b.r.u32()?,
        band_types: b.r.u32()?,
        capabilities: b.r.u32()?,
        max_bands: b.r.u8()?,
        max_color: b.r.u8()?,
    };
    b.r.skip(2)?;
    Ok(f)
}

pub(crate) fn encode_features(e: &mut Encoder, f: &MeterFeatures) {
    if e.begin(Kind::MeterFeaturesReply) {
        e.w.u32(f.max_meters);
        e.w.u32(f.band_types);
        e.w.u32(f.capabilities);
        e.w.u8(f.max_bands);
        e.w.u8(f.max_color);
        e.w.zeros(2);
    }
}
