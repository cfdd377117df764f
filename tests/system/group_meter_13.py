"""os-ken application: makes groups of every type and meters, modifies, asks, deletes, and says what came back.

Each step ends with a barrier; one line per finding, the last is `done`."""
from os_ken.base import app_manager
from os_ken.controller import ofp_event
from os_ken.controller.handler import CONFIG_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from os_ken.ofproto import ofproto_v1_3


def say(*words):
    print("FOUND", *words, flush=True)


class GroupMeter13(app_manager.OSKenApp):
    OFP_VERSIONS = [ofproto_v1_3.OFP_VERSION]

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def features(self, ev):
        dp, o, p = ev.msg.datapath, ev.msg.datapath.ofproto, ev.msg.datapath.ofproto_parser
        out = lambda n: [p.OFPActionOutput(n)]  # noqa: E731
        bucket = lambda acts, weight=0, watch=o.OFPP_ANY: p.OFPBucket(weight=weight, watch_port=watch, watch_group=o.OFPG_ANY, actions=acts)  # noqa: E731
        dp.send_msg(p.OFPGroupMod(dp, o.OFPGC_ADD, o.OFPGT_ALL, 1, [bucket(out(1)), bucket(out(2))]))
        dp.send_msg(p.OFPGroupMod(dp, o.OFPGC_ADD, o.OFPGT_SELECT, 2, [bucket(out(1), 10), bucket(out(2), 20)]))
        dp.send_msg(p.OFPGroupMod(dp, o.OFPGC_ADD, o.OFPGT_INDIRECT, 3, [bucket([p.OFPActionSetField(eth_dst="00:11:22:33:44:55")] + out(2))]))
        dp.send_msg(p.OFPGroupMod(dp, o.OFPGC_ADD, o.OFPGT_FF, 4, [bucket(out(1), watch=1), bucket(out(2), watch=2)]))
        dp.send_msg(p.OFPGroupMod(dp, o.OFPGC_MODIFY, o.OFPGT_ALL, 1, [bucket(out(2))]))
        dp.send_msg(p.OFPGroupMod(dp, o.OFPGC_ADD, o.OFPGT_ALL, 1, []))  # exists
        dp.send_msg(p.OFPMeterMod(dp, o.OFPMC_ADD, o.OFPMF_KBPS | o.OFPMF_STATS, 1, [p.OFPMeterBandDrop(rate=1000, burst_size=100)]))
        dp.send_msg(p.OFPMeterMod(dp, o.OFPMC_ADD, o.OFPMF_PKTPS | o.OFPMF_BURST, 2, [p.OFPMeterBandDrop(rate=10, burst_size=5)]))
        dp.send_msg(p.OFPMeterMod(dp, o.OFPMC_MODIFY, o.OFPMF_KBPS, 9, [p.OFPMeterBandDrop(rate=10)]))  # unknown
        inst = [p.OFPInstructionMeter(1), p.OFPInstructionActions(o.OFPIT_APPLY_ACTIONS, [p.OFPActionGroup(2)])]
        dp.send_msg(p.OFPFlowMod(dp, priority=5, match=p.OFPMatch(in_port=1, eth_type=0x800), instructions=inst))
        inst = [p.OFPInstructionActions(o.OFPIT_WRITE_ACTIONS, [p.OFPActionGroup(1)]), p.OFPInstructionGotoTable(1)]
        dp.send_msg(p.OFPFlowMod(dp, priority=6, match=p.OFPMatch(in_port=2), instructions=inst))
        for ask in (p.OFPGroupDescStatsRequest(dp, 0), p.OFPGroupStatsRequest(dp, 0, o.OFPG_ALL), p.OFPGroupFeaturesStatsRequest(dp, 0), p.OFPMeterConfigStatsRequest(dp, 0, o.OFPM_ALL), p.OFPMeterStatsRequest(dp, 0, o.OFPM_ALL),
                    p.OFPMeterFeaturesStatsRequest(dp, 0), p.OFPTableFeaturesStatsRequest(dp, 0), p.OFPFlowStatsRequest(dp), p.OFPAggregateStatsRequest(dp, 0, o.OFPTT_ALL, o.OFPP_ANY, o.OFPG_ANY, 0, 0, p.OFPMatch()), p.OFPPortDescStatsRequest(dp, 0),
                    p.OFPQueueGetConfigRequest(dp, o.OFPP_ANY), p.OFPRoleRequest(dp, o.OFPCR_ROLE_MASTER, 5), p.OFPGetAsyncRequest(dp)):
            dp.send_msg(ask)
        dp.send_msg(p.OFPMeterMod(dp, o.OFPMC_DELETE, 0, 1, []))  # takes its flow along
        dp.send_msg(p.OFPGroupMod(dp, o.OFPGC_DELETE, 0, o.OFPG_ALL, []))  # takes the other
        dp.send_msg(p.OFPFlowStatsRequest(dp))
        dp.send_msg(p.OFPBarrierRequest(dp))

    @set_ev_cls(ofp_event.EventOFPErrorMsg, [CONFIG_DISPATCHER, MAIN_DISPATCHER])
    def error(self, ev):
        say("error", ev.msg.type, ev.msg.code)

    @set_ev_cls(ofp_event.EventOFPGroupDescStatsReply, MAIN_DISPATCHER)
    def group_desc(self, ev):
        say("groups", sorted((g.group_id, g.type, len(g.buckets)) for g in ev.msg.body))

    @set_ev_cls(ofp_event.EventOFPGroupStatsReply, MAIN_DISPATCHER)
    def group_stats(self, ev):
        say("group-stats", sorted((g.group_id, g.ref_count, len(g.bucket_stats)) for g in ev.msg.body))

    @set_ev_cls(ofp_event.EventOFPGroupFeaturesStatsReply, MAIN_DISPATCHER)
    def group_features(self, ev):
        say("group-features", ev.msg.body.types)

    @set_ev_cls(ofp_event.EventOFPMeterConfigStatsReply, MAIN_DISPATCHER)
    def meter_config(self, ev):
        say("meters", sorted((m.meter_id, m.flags, [(b.rate, b.burst_size) for b in m.bands]) for m in ev.msg.body))

    @set_ev_cls(ofp_event.EventOFPMeterStatsReply, MAIN_DISPATCHER)
    def meter_stats(self, ev):
        say("meter-stats", sorted((m.meter_id, len(m.band_stats)) for m in ev.msg.body))

    @set_ev_cls(ofp_event.EventOFPMeterFeaturesStatsReply, MAIN_DISPATCHER)
    def meter_features(self, ev):
        say("meter-features", [(f.band_types, f.capabilities, f.max_bands) for f in ev.msg.body])

    @set_ev_cls(ofp_event.EventOFPTableFeaturesStatsReply, MAIN_DISPATCHER)
    def table_features(self, ev):
        say("tables", len(ev.msg.body))

    @set_ev_cls(ofp_event.EventOFPFlowStatsReply, MAIN_DISPATCHER)
    def flows(self, ev):
        say("flows", sorted((f.priority, len(f.instructions)) for f in ev.msg.body))

    @set_ev_cls(ofp_event.EventOFPAggregateStatsReply, MAIN_DISPATCHER)
    def aggregate(self, ev):
        say("aggregate", ev.msg.body.flow_count)

    @set_ev_cls(ofp_event.EventOFPPortDescStatsReply, MAIN_DISPATCHER)
    def ports(self, ev):
        say("ports", sorted(p.name.decode() for p in ev.msg.body))

    @set_ev_cls(ofp_event.EventOFPRoleReply, MAIN_DISPATCHER)
    def role(self, ev):
        say("role", ev.msg.role, ev.msg.generation_id)

    @set_ev_cls(ofp_event.EventOFPGetAsyncReply, MAIN_DISPATCHER)
    def get_async(self, ev):
        say("async", ev.msg.packet_in_mask, ev.msg.port_status_mask, ev.msg.flow_removed_mask)

    @set_ev_cls(ofp_event.EventOFPBarrierReply, MAIN_DISPATCHER)
    def barrier(self, _):
        say("done")
