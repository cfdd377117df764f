//! Meters: the table that meter mods change. The datapath does the metering, under the same id.

use std::collections::BTreeMap;
use std::sync::Arc;

use openflow::msg::meter::{BandKind, MeterFlags};
use openflow::msg::{MeterConfig, MeterFeatures, MeterMod, MeterModCommand, MeterStats};
use openflow::{MeterId, OfpError};

/// Meters per bridge and bands per meter.
pub const METERS_MAX: u32 = 262_144;
pub const BANDS_MAX: usize = 8;

pub type Meters = BTreeMap<MeterId, Arc<Meter>>;

#[derive(Clone, PartialEq, Debug)]
pub struct Meter {
    pub config: MeterConfig,
    /// Id in the datapath, unique over bridges.
    pub dp_meter: u32,
    pub created_ms: i64,
}

/// What became of a meter mod: the ids to set in or take from the datapath.
#[derive(Default, Debug)]
pub struct Change {
    pub set: Option<Arc<Meter>>,
    pub deleted: Vec<Arc<Meter>>,
}

/// Checks `mm` and makes the meter table that it asks for.
pub fn plan(
    meters: &Meters,
    mm: &MeterMod,
    now_ms: i64,
    new_dp_meter: impl FnOnce() -> u32,
) -> Result<(Meters, Change), OfpError> {
    let id = mm.config.meter_id;
    let mut next = meters.clone();
    let mut change = Change::default();
    match (mm.command, meters.get(&id)) {
        (MeterModCommand::Delete, _) if id == MeterId::ALL => {
            change.deleted.extend(std::mem::take(&mut next).into_values());
        }
        (MeterModCommand::Delete, _) => change.deleted.extend(next.remove(&id)),
        (MeterModCommand::Add, Some(_)) => return Err(OfpError::OFPMMFC_METER_EXISTS),
        (MeterModCommand::Modify, None) => return Err(OfpError::OFPMMFC_UNKNOWN_METER),
        (_, old) => {
            check(&mm.config)?;
            if old.is_none() && meters.len() >= METERS_MAX as usize {
                return Err(OfpError::OFPMMFC_OUT_OF_METERS);
            }
            let meter = Arc::new(Meter {
                config: mm.config.clone(),
                dp_meter: old.map_or_else(new_dp_meter, |m| m.dp_meter),
                created_ms: old.map_or(now_ms, |m| m.created_ms),
            });
            next.insert(id, meter.clone());
            change.set = Some(meter);
        }
    }
    Ok((next, change))
}

fn check(config: &MeterConfig) -> Result<(), OfpError> {
    let id = config.meter_id;
    if id.0 == 0 || (id > MeterId::MAX && id != MeterId::SLOWPATH && id != MeterId::CONTROLLER) {
        return Err(OfpError::OFPMMFC_INVALID_METER);
    }
    if config.bands.len() > BANDS_MAX {
        return Err(OfpError::OFPMMFC_OUT_OF_BANDS);
    }
    if config.bands.iter().any(|b| b.kind != BandKind::Drop) {
        return Err(OfpError::OFPMMFC_BAD_BAND);
    }
    if config.flags.contains(MeterFlags::KBPS) == config.flags.contains(MeterFlags::PKTPS) {
        return Err(OfpError::OFPMMFC_BAD_FLAGS);
    }
    Ok(())
}

impl Meter {
    /// For the datapath.
    pub fn to_dp(&self) -> dpif::flows::MeterConfig {
        dpif::flows::MeterConfig {
            pktps: self.config.flags.contains(MeterFlags::PKTPS),
            bands: self.config.bands.iter().map(|b| (b.rate, b.burst_size)).collect(),
        }
    }

    pub fn stats(&self, dp: dpif::flows::MeterStats, now_ms: i64) -> MeterStats {
        let age_ms = (now_ms - self.created_ms).max(0);
        let mut bands = dp.bands;
        bands.resize(self.config.bands.len(), (0, 0));
        MeterStats {
            meter_id: self.config.meter_id,
            flow_count: 0,
            packet_in_count: dp.packets_in,
            byte_in_count: dp.bytes_in,
            duration_s: (age_ms / 1000) as u32,
            duration_ns: (age_ms % 1000) as u32 * 1_000_000,
            bands,
        }
    }
}

pub fn features() -> MeterFeatures {
    const KBPS_PKTPS_BURST_STATS: u32 = 0b1111;
    MeterFeatures {
        max_meters: METERS_MAX,
        band_types: 1 << 1,
        capabilities: KBPS_PKTPS_BURST_STATS,
        max_bands: BANDS_MAX as u8,
        max_color: 0,
    }
}
