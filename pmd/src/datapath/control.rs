//! `dpif::Control`: settings of the whole datapath, DPDK's start, meters.

use std::sync::atomic::Ordering::Relaxed;

use dpif::flows::{MeterConfig, MeterStats};
use dpif::{Control, DatapathConfig};

use super::Datapath;
use crate::dpdk::eal::{self, Wish};
use crate::worker::plan::Settings;

/// Meter numbers are below this.
const METERS_MAX: u32 = 1 << 18;

impl Control for Datapath {
    fn configure(&self, config: &DatapathConfig) -> Result<(), String> {
        let inner = &self.0;
        let mut result = Ok(());
        if !eal::is_initialized() && eal::wish(&config.other_config) != Wish::No {
            result = inner.start_dpdk(&config.other_config);
        }
        if config.flow_limit != 0 {
            inner.common.flow_limit.store(config.flow_limit, Relaxed);
        }
        if let Some(mask) = config.other_config.get("pmd-cpu-mask")
            && crate::cpumask::parse(mask).is_none()
        {
            result = result.and(Err(format!(
                "other_config:pmd-cpu-mask={mask} is not a hexadecimal CPU mask (0x6 = CPUs 1 and 2); the default is used"
            )));
        }
        let mut state = inner.state();
        if state.other_config != config.other_config {
            if state.is_reported {
                super::report::settings(Some(&state.other_config), &config.other_config);
            }
            state.other_config.clone_from(&config.other_config);
            state.settings = Settings::from_config(&config.other_config);
            inner.publish(&mut state);
        }
        result
    }

    fn set_flow_limit(&self, flows_max: usize) {
        self.0.common.flow_limit.store(flows_max, Relaxed);
    }

    fn type_and_name(&self) -> (&'static str, &'static str) {
        ("netdev", "ovs-netdev")
    }

    fn meter_set(&self, id: u32, config: Option<MeterConfig>) -> Result<(), String> {
        if id >= METERS_MAX {
            return Err(format!("meter {id}: numbers go up to {}", METERS_MAX - 1));
        }
        self.0.common.meters.set(id, config);
        Ok(())
    }

    fn meter_stats(&self, id: u32) -> Option<MeterStats> {
        self.0.common.meters.get(id).map(|m| m.stats())
    }

    fn dpdk(&self) -> dpif::flows::DpdkState {
        let initialized = eal::is_initialized();
        dpif::flows::DpdkState { initialized, version: Some(eal::version()) }
    }
}

impl super::Inner {
    fn start_dpdk(&self, config: &std::collections::BTreeMap<String, String>) -> Result<(), String> {
        let log = self.options.dpdk_log;
        let cpu = core_affinity::get_core_ids().and_then(|ids| ids.first().map(|c| c.id)).unwrap_or(0);
        let args = eal::arguments(config, cpu).map_err(|e| e.to_string())?;
        log(7, &format!("Using {}", eal::version()));
        log(7, "DPDK Enabled - initializing...");
        log(7, &format!("EAL ARGS: ovs-vswitchd {}.", args.join(" ")));
        eal::init(&args, log).map_err(|e| e.to_string())?;
        log(7, "DPDK Enabled - initialized");
        Ok(())
    }
}
