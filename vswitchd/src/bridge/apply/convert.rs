//! Desired values in the terms of `Ofproto`. Pure.

use openflow::OfPort;

use super::super::desire::{Bridge, FlowTable, Mirror, Port, Switch};
use super::super::switch::Backer;
use crate::ofproto::{BridgeConfig, BundleInput, MirrorInput, TableConfig};
use crate::upcall::Settings;

pub(super) fn bridge(wanted: &Bridge, backer: &Backer) -> BridgeConfig {
    BridgeConfig {
        fail_mode: wanted.fail_mode,
        datapath_type: backer.kind.into(),
        mac_age_s: wanted.mac_age_s,
        mac_table_len_max: wanted.mac_table_len_max,
        forward_bpdu: wanted.forward_bpdu,
        flood_vlans: wanted.flood_vlans.clone(),
        packet_in_on_miss: false,
        frag: openflow::msg::FragMode::Normal,
    }
}

pub(super) fn revalidation(switch: &Switch) -> Settings {
    Settings {
        flow_limit: switch.flow_limit,
        idle_ms_max: switch.idle_ms_max,
        round_ms_max: switch.revalidator_ms_max as u64,
        pps_min: switch.revalidate_pps_min,
    }
}

pub(super) fn bundle(port: &Port, members: Vec<OfPort>) -> BundleInput {
    BundleInput {
        name: port.name.clone(),
        vlan_mode: port.vlan.mode,
        tag: port.vlan.tag.unwrap_or(0),
        trunks: port.vlan.trunks.clone(),
        cvlans: port.vlan.cvlans.clone(),
        qinq_ethtype: port.vlan.qinq_ethtype,
        priority_tags: port.vlan.priority_tags,
        protected: port.protected,
        members,
    }
}

pub(super) fn mirror(mirror: &Mirror) -> MirrorInput {
    MirrorInput {
        name: mirror.name.clone(),
        select_all: mirror.select_all,
        src_bundles: mirror.src_ports.clone(),
        dst_bundles: mirror.dst_ports.clone(),
        vlans: mirror.vlans.clone(),
        out_bundle: mirror.output_port.clone(),
        out_vlan: mirror.output_vlan,
        snaplen: mirror.snaplen,
    }
}

pub(super) fn table(table: &FlowTable) -> TableConfig {
    TableConfig { name: table.name.clone(), flow_limit: table.flow_limit, evict: table.evict }
}
