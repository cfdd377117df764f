//! Why a packet was dropped: data, counted per port and per worker, never logged per packet.

macro_rules! drop_reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $coverage:literal;)*) => {
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
            /// OVS's coverage counter for this reason.
            pub const fn coverage(self) -> &'static str {
                match self { $(DropReason::$name => $coverage),* }
            }
        }
    };
}

drop_reasons! {
    /// The matching flow's actions are empty: the policy is to drop.
    FlowActions = "flow-actions", "drop_action_of_pipeline";
    /// Shorter than an Ethernet header.
    RxInvalid = "rx-invalid", "datapath_drop_rx_invalid_packet";
    /// The upcall handler failed or refused.
    UpcallError = "upcall-error", "datapath_drop_upcall_error";
    /// The upcall could not be made now (limit, switch starting).
    LockError = "upcall-limit", "datapath_drop_lock_error";
    /// An action's output port is not there any more.
    InvalidPort = "invalid-port", "datapath_drop_invalid_port";
    /// The transmit queue was full.
    TxQueueFull = "tx-queue-full", "datapath_drop_tx_queue_full";
    /// The port is down.
    TxPortDown = "tx-port-down", "datapath_drop_tx_port_down";
    /// The packet is longer than the port's MTU.
    TxMtuExceeded = "tx-mtu", "datapath_drop_tx_mtu_exceeded";
    /// An egress policer was out of tokens.
    TxQos = "tx-qos", "datapath_drop_tx_qos";
    /// The ingress policer was out of tokens.
    RxQos = "rx-policer", "datapath_drop_rx_qos";
    /// A meter's band.
    Meter = "meter", "datapath_drop_meter";
    /// Recirculation went deeper than the limit.
    Recirc = "recirc-limit", "datapath_drop_recirc_error";
    /// An action met a packet it cannot work on.
    ActionInvalid = "action-invalid", "drop_action_unsupported";
    /// No packet buffer could be allocated.
    NoBuffer = "no-buffer", "datapath_drop_no_mbuf";
    /// Tunnel encapsulation failed.
    TunnelPush = "tunnel-push", "datapath_drop_tunnel_push_error";
    /// Tunnel decapsulation failed.
    TunnelPop = "tunnel-pop", "datapath_drop_tunnel_pop_error";
    /// Conntrack is not available for this packet.
    Conntrack = "conntrack", "datapath_drop_ct_error";
    /// Too many resubmits, too deep recursion, or another translation limit.
    TranslationLimit = "translation-limit", "drop_action_too_many_resubmit";
    /// Sample, userspace or controller queue full.
    UserspaceQueue = "userspace-queue", "datapath_drop_userspace_action_error";
}
