"""OpenFlow against Debian's: the same command lines of both ovs-ofctl against both switches in every version."""
import re

from differential_test import normal
from harness import test

VERSIONS = ["OpenFlow1%d" % n for n in range(6)]

# What changes a switch is done by its own tool; what asks is asked by both tools of both switches.
CHANGES = """
add-group br0 group_id=1,type=all,bucket=output:1,bucket=output:2
add-group br0 group_id=2,type=select,bucket=weight:50,output:1,bucket=weight:100,set_field:5->reg1,output:2
add-group br0 group_id=3,type=ff,bucket=watch_port:1,output:1,bucket=watch_port:2,output:2
add-group br0 group_id=1,type=indirect,bucket=output:1
mod-group br0 group_id=9,type=all,bucket=output:1
insert-buckets br0 group_id=1,command_bucket_id=last,bucket=bucket_id:9,output:2
insert-buckets br0 group_id=1,command_bucket_id=first,bucket=bucket_id:9,output:2
remove-buckets br0 group_id=1,command_bucket_id=0
add-meter br0 meter=1,kbps,burst,stats,bands=type=drop,rate=100,burst_size=5
add-meter br0 meter=1,kbps,bands=type=drop,rate=100
mod-meter br0 meter=7,pktps,bands=type=drop,rate=100
add-flow br0 in_port=1,actions=2
add-flow br0 table=3,priority=7,tcp,nw_src=10.0.0.0/8,tp_dst=80,idle_timeout=60,hard_timeout=70,cookie=0x1234,send_flow_rem,actions=group:2,resubmit(,4)
add-flow br0 table=4,udp6,ipv6_dst=fe80::/64,actions=set_field:1->reg3,controller(userdata=01.02,id=3)
add-flow br0 table=5,arp,arp_tpa=1.2.3.4,actions=move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],learn(table=6,NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[]),in_port
add-flow br0 table=5,dl_vlan=9,actions=strip_vlan,ct(commit,zone=5,exec(set_field:1->ct_mark)),NORMAL
add-flow br0 table=3,actions=goto_table:1
add-flow br0 actions=group:77
add-flow br0 actions=meter:77,1
add-flow br0 check_overlap,priority=32768,in_port=1,tcp,actions=1
mod-flows br0 table=3,actions=1
--strict mod-flows br0 table=4,udp6,ipv6_dst=fe80::/64,actions=drop
--strict del-flows br0 priority=9,in_port=1
del-flows br0 table=5,out_port=in_port
mod-port br0 p1 no-flood
mod-port br0 p7 up
mod-table br0 2 evict
mod-table br0 2 vacancy:20,80
mod-table br0 2 controller
add-tlv-map br0 {class=0xffff,type=2,len=4}->tun_metadata0
add-tlv-map br0 {class=0xffff,type=3,len=4}->tun_metadata0
add-tlv-map br0 {class=0xffff,type=2,len=4}->tun_metadata1
ct-flush-zone br0 3
ct-flush br0 zone=3 ct_nw_src=10.0.0.1,ct_nw_proto=6
packet-out br0 in_port=9999 packet=505400000007505400000005080045000054 actions=9999999
packet-out br0 in_port=1 packet=5054000000075054 actions=2
set-frags br0 drop
set-frags br0 reassemble
--bundle add-flow br0 table=8,actions=1
--bundle add-flow br0 table=8,priority=1,actions=group:99
""".strip().splitlines()

QUESTIONS = """
show br0
dump-desc br0
dump-flows br0
--no-stats dump-flows br0
--names --sort=in_port dump-flows br0
dump-flows br0 table=3,tcp
dump-flows br0 cookie=0x1234/-1
dump-aggregate br0
dump-aggregate br0 table=3
dump-tables br0
dump-table-features br0
dump-table-desc br0
dump-ports br0
dump-ports br0 p1
dump-ports-desc br0
dump-ports-desc br0 2
dump-groups br0
dump-groups br0 2
dump-group-stats br0
dump-group-features br0
dump-meters br0
meter-stats br0
meter-features br0
queue-stats br0
queue-get-config br0 1
get-frags br0
dump-tlv-map br0
dump-ipfix-bridge br0
probe br0
diff-flows br0 br0
""".strip().splitlines()


def cleared(text, sw):
    text = normal(text, sw)
    for pattern, to in ((r"idle_age=\d+", "idle_age=N"), (r"duration:[\d.]+s", "duration=Ns"), (r"(?m)^\d{4}-\d\d-\d\dT.*\|\d+\|.*\n", ""), (r"TIME\|\d+\|.*\n", ""), (r"(?m)^(Software|DP Description): .*", r"\1"),
                        (r"addr:[0-9a-f:]{17}", "addr:MAC"), (r"(rx pkts|tx pkts)=.*", r"\1"), (r"lookup=\d+, matched=\d+", "lookup=N"), (r", (hard|idle)_age=N", "")):
        text = re.sub(pattern, to, text)
    return text


@test(limit_s=180)
def the_same_commands_against_both_switches(t):
    """Every version; the outputs must not depend on whose tool asks or whose switch answers."""
    sides = [t.switch(db=f, vswitchd=f, tools=f, dummy="override") for f in (t.debian, t.ours)]
    for sw in sides:
        sw.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "fail_mode=secure", *[w for n in (1, 2) for w in ("--", "add-port", "br0", "p%d" % n, "--", "set", "Interface", "p%d" % n, "type=dummy", "ofport_request=%d" % n)])
    differences = {}
    n = 0

    def note(version, line, whose, want, got):
        nonlocal n
        n += 1
        if want != got:
            differences.setdefault((line, whose), []).append((version, want, got))

    def ask(sw, tool, version, line):
        p = sw.ofctl(*line.split(), check=False, flavour=tool, version=version)
        return cleared(p.stdout + p.stderr, sw) + "status %d" % p.returncode

    for version in VERSIONS:
        for line in ("del-flows br0", "set-frags br0 normal", "mod-port br0 p1 flood", "del-tlv-map br0"):
            for sw in sides:
                ask(sw, sw.tools, "OpenFlow10", line)
        for sw in sides:
            for line in ("del-groups br0", "del-meters br0"):
                ask(sw, sw.tools, "OpenFlow13", line)
        for line in CHANGES:
            want, got = [ask(sw, sw.tools, version, line) for sw in sides]
            note(version, line, "change", want, got)
        for line in QUESTIONS:
            want = ask(sides[0], t.debian, version, line)
            for sw, tool in ((sides[0], t.ours), (sides[1], t.debian), (sides[1], t.ours)):
                note(version, line, "%s tool, %s switch" % (tool.name, sw.vs_f.name), want, ask(sw, tool, version, line))
    report = ["%s (%s) in %s:\n--- Debian\n%s\n+++ here\n%s" % (line, whose, ",".join(d[0][-2:] for d in ds), ds[0][1][:1500], ds[0][2][:1500]) for (line, whose), ds in differences.items()]
    assert not differences, "%d of %d answers differ:\n%s" % (sum(map(len, differences.values())), n, "\n".join(report))
