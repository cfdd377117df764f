//! Why a packet was dropped: data, counted per port and per worker, never logged per packet.

macro_rules! drop_reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $coverage:expr;)*) => {
        /// The reason a packet left the switch without being sent.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u8)]
        pub enum DropReason { $($(#[$doc])* $name),* }

        impl DropReason {
            /// All reasons, in the order of their numbers.
            pub const ALL: &'static [DropReason] = &[$(DropReason::$name),*];
            pub const N: usize = Self::ALL.len();

            /// A short name for tables (`vswitch drops`).
            pub const fn name(self) -> &'static str {
                match self { $(DropReason::$name => $text),* }
            }
            /// The coverage counter by which Open vSwitch counts this reason, if it does.
            pub const fn coverage(self) -> Option<&'static str> {
                match self { $(DropReason::$name => $coverage),* }
            }
        }
    };
}

drop_reasons! {
    /// The matching flow's actions are empty: the policy is to drop.
    FlowActions = "flow-actions", Some("drop_action_of_pipeline");
    /// Shorter than an Ethernet header.
    RxInvalid = "rx-invalid", Some("datapath_drop_rx_invalid_packet");
    /// The upcall handler failed or refused.
    UpcallError = "upcall-error", Some("datapath_drop_upcall_error");
    /// The upcall could not be made now (limit, switch starting).
    LockError = "upcall-limit", Some("datapath_drop_lock_error");
    /// An action's output port is not there any more.
    InvalidPort = "invalid-port", Some("datapath_drop_invalid_port");
    /// The transmit queue was full.
    TxQueueFull = "tx-queue-full", None;
    /// The port is down.
    TxPortDown = "tx-port-down", None;
    /// The packet is longer than the port's MTU.
    TxMtuExceeded = "tx-mtu", None;
    /// An egress policer was out of tokens.
    TxQos = "tx-qos", None;
    /// The ingress policer was out of tokens.
    RxQos = "rx-policer", None;
    /// A meter's band.
    Meter = "meter", Some("datapath_drop_meter");
    /// Recirculation went deeper than the limit.
    Recirc = "recirc-limit", Some("datapath_drop_recirc_error");
    /// An action met a packet it cannot work on.
    ActionInvalid = "action-invalid", None;
    /// No packet buffer could be allocated.
    NoBuffer = "no-buffer", None;
    /// Tunnel encapsulation failed.
    TunnelPush = "tunnel-push", Some("datapath_drop_tunnel_push_error");
    /// Tunnel decapsulation failed.
    TunnelPop = "tunnel-pop", Some("datapath_drop_tunnel_pop_error");
    /// Conntrack is not available for this packet.
    Conntrack = "conntrack", None;
    /// Too many resubmits, too deep recursion, or another translation limit.
    TranslationLimit = "translation-limit", Some("drop_action_too_many_resubmit");
    /// Sample, userspace or controller queue full.
    UserspaceQueue = "userspace-queue", Some("datapath_drop_userspace_action_error");
}

/// Every coverage counter of drops that Open vSwitch has: scripts read them by name, also while they stand at 0.
pub const COVERAGE: &[&str] = &[
    "datapath_drop_invalid_bond",
    "datapath_drop_invalid_port",
    "datapath_drop_invalid_tnl_port",
    "datapath_drop_lock_error",
    "datapath_drop_meter",
    "datapath_drop_nsh_decap_error",
    "datapath_drop_recirc_error",
    "datapath_drop_rx_invalid_packet",
    "datapath_drop_sample_error",
    "datapath_drop_tunnel_pop_error",
    "datapath_drop_tunnel_push_error",
    "datapath_drop_upcall_error",
    "datapath_drop_userspace_action_error",
    "drop_action_bridge_not_found",
    "drop_action_congestion",
    "drop_action_forwarding_disabled",
    "drop_action_invalid_tunnel_metadata",
    "drop_action_no_recirculation_context",
    "drop_action_of_pipeline",
    "drop_action_recirculation_conflict",
    "drop_action_recursion_too_deep",
    "drop_action_stack_too_deep",
    "drop_action_too_many_mpls_labels",
    "drop_action_too_many_resubmit",
    "drop_action_unsupported_packet_type",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coverage_names_are_those_of_open_vswitch() {
        for name in DropReason::ALL.iter().filter_map(|r| r.coverage()) {
            assert!(COVERAGE.contains(&name), "{name}");
        }
    }
}
