//! A meter as ovs-ofctl takes it: `meter=1,kbps,burst,stats,bands=type=drop,rate=5,burst_size=6`.

use super::number::{parse_u8, parse_u32};
use super::{Parse, bad};
use crate::msg::meter::{BandKind, MeterBand, MeterConfig, MeterFlags, MeterMod, MeterModCommand};
use crate::types::MeterId;
use flow::matching::KeyValues;

/// A meter number or `all`, `controller`, `slowpath`.
pub fn id(value: &str) -> Parse<MeterId> {
    Ok(match value {
        "all" => MeterId::ALL,
        "controller" => MeterId::CONTROLLER,
        "slowpath" => MeterId::SLOWPATH,
        v => {
            let n = parse_u32(v).ok_or_else(|| bad!("invalid numeric format {v}"))?;
            if n > MeterId::MAX.0 || n == 0 {
                return Err(bad!("invalid value for meter"));
            }
            MeterId(n)
        }
    })
}

/// Parses a meter for `command`; `None` = only which one (del-meter).
pub fn parse(text: &str, command: MeterModCommand) -> Parse<MeterMod> {
    let bands_wanted = command != MeterModCommand::Delete;
    let (head, bands) = match text.find("bands=").or_else(|| text.find("band=")) {
        Some(at) => (&text[..at], Some(text[at..].split_once('=').map_or("", |(_, b)| b))),
        None => (text, None),
    };
    let mut c = MeterConfig { meter_id: MeterId(0), flags: MeterFlags::empty(), bands: Vec::new() };
    for (key, value) in KeyValues::new(head) {
        match key {
            "kbps" => c.flags |= MeterFlags::KBPS,
            "pktps" => c.flags |= MeterFlags::PKTPS,
            "burst" => c.flags |= MeterFlags::BURST,
            "stats" => c.flags |= MeterFlags::STATS,
            _ if value.is_empty() => return Err(bad!("field {key} missing value")),
            "meter" => c.meter_id = id(value)?,
            other => return Err(bad!("unknown keyword {other}")),
        }
    }
    if bands_wanted {
        if c.meter_id.0 == 0 {
            return Err(bad!("must specify a meter"));
        }
        let bands = bands.ok_or_else(|| bad!("must specify bands"))?;
        if c.flags.contains(MeterFlags::KBPS | MeterFlags::PKTPS) {
            return Err(bad!("only one of kbps or pktps flags"));
        }
        if !c.flags.intersects(MeterFlags::KBPS | MeterFlags::PKTPS) {
            c.flags |= MeterFlags::KBPS;
        }
        parse_bands(bands, &mut c)?;
    } else if c.meter_id.0 == 0 {
        c.meter_id = MeterId::ALL;
    }
    Ok(MeterMod { command, config: c })
}

fn parse_bands(text: &str, c: &mut MeterConfig) -> Parse<()> {
    for (key, value) in KeyValues::new(text) {
        let n = || parse_u32(value).ok_or_else(|| bad!("invalid numeric format {value}"));
        if key == "type" {
            let kind = match value {
                "drop" => BandKind::Drop,
                "dscp_remark" => BandKind::DscpRemark(0),
                other => return Err(bad!("field type unknown value {other}")),
            };
            c.bands.push(MeterBand { kind, rate: 0, burst_size: 0 });
            continue;
        }
        let band = c.bands.last_mut().ok_or_else(|| bad!("missing band type"))?;
        match key {
            "rate" => band.rate = n()?,
            "burst_size" => {
                band.burst_size = n()?;
                c.flags |= MeterFlags::BURST;
            }
            "prec_level" => {
                band.kind = BandKind::DscpRemark(
                    parse_u8(value).ok_or_else(|| bad!("invalid prec_level \"{value}\""))?,
                );
            }
            other => return Err(bad!("unknown keyword {other}")),
        }
    }
    for band in &c.bands {
        if band.rate == 0 {
            return Err(bad!("band must have 'rate'"));
        }
    }
    Ok(())
}
