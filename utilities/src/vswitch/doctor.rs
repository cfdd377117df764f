//! `vswitch doctor`: what this machine lacks for a polling switch, and the exact command that mends it.
//! Looks only; changes nothing.

use std::collections::BTreeSet;
use std::path::Path;

use hugepages::{Host, cpu};

/// Huge memory that a switch with one shared pool of 262,144 buffers needs.
const HUGE_WANTED_MIB: u64 = 1024;
/// Permission to read and write.
const READ_WRITE: nix::unistd::AccessFlags =
    nix::unistd::AccessFlags::R_OK.union(nix::unistd::AccessFlags::W_OK);

/// A title and what to look at.
type Check = (&'static str, fn(&Host) -> Vec<Finding>);

enum Verdict {
    Good,
    Hint,
    Bad,
}

struct Finding {
    verdict: Verdict,
    text: String,
    remedy: Option<String>,
}

impl Finding {
    fn good(text: String) -> Self {
        Self { verdict: Verdict::Good, text, remedy: None }
    }

    fn hint(text: String, remedy: impl Into<String>) -> Self {
        Self { verdict: Verdict::Hint, text, remedy: Some(remedy.into()) }
    }

    fn bad(text: String, remedy: impl Into<String>) -> Self {
        Self { verdict: Verdict::Bad, text, remedy: Some(remedy.into()) }
    }
}

/// Prints every finding; fails when one of them stops the switch from running well.
pub fn run() -> Result<(), String> {
    let host = Host::default();
    let checks: &[Check] = &[
        ("huge pages", huge),
        ("processors", processors),
        ("network cards", cards),
        ("vhost sockets", run_directory),
    ];
    let mut n_bad = 0;
    for (title, check) in checks {
        println!("{title}");
        for f in check(&host) {
            let mark = match f.verdict {
                Verdict::Good => "ok  ",
                Verdict::Hint => "hint",
                Verdict::Bad => "BAD ",
            };
            n_bad += usize::from(matches!(f.verdict, Verdict::Bad));
            println!("  {mark} {}", f.text);
            for line in f.remedy.iter().flat_map(|r| r.lines()) {
                println!("         {line}");
            }
        }
    }
    if n_bad > 0 { Err(format!("{n_bad} things to mend; the commands stand above")) } else { Ok(()) }
}

fn huge(host: &Host) -> Vec<Finding> {
    let pools = host.pools();
    let Some(smallest) = pools.iter().min_by_key(|p| (p.page_kib, p.node)) else {
        return vec![Finding::bad(
            "this kernel offers no huge pages".into(),
            "use a kernel with CONFIG_HUGETLBFS, or dpdk-extra=\"--no-huge -m 1024\" (slow)",
        )];
    };
    let mut found: Vec<_> = pools
        .iter()
        .filter(|p| p.total > 0)
        .map(|p| {
            let node = p.node.map_or("the machine".into(), |n| format!("node {n}"));
            Finding::good(format!(
                "{node}: {} of {} MiB free in pages of {} KiB",
                p.free_mib(),
                p.total_mib(),
                p.page_kib
            ))
        })
        .collect();
    if host.huge_free_mib() < HUGE_WANTED_MIB {
        let pages = smallest.total
            + (HUGE_WANTED_MIB - smallest.free_mib()).div_ceil((smallest.page_kib / 1024).max(1));
        found.push(Finding::bad(
            format!("{} MiB of huge pages are free, a switch wants {HUGE_WANTED_MIB}", host.huge_free_mib()),
            format!("{}\nfor good: hugepages={pages} on the kernel's command line", smallest.command(pages)),
        ));
    }
    if host.mounts().is_empty() {
        found.push(Finding::bad(
            "no hugetlbfs is mounted".into(),
            "mkdir -p /dev/hugepages && mount -t hugetlbfs nodev /dev/hugepages",
        ));
    }
    for m in host.mounts() {
        found.push(match nix::unistd::access(&m.path, READ_WRITE) {
            Ok(()) => Finding::good(format!("{} is mounted and writable", m.path.display())),
            Err(e) => Finding::bad(
                format!("{}: {}", m.path.display(), e.desc()),
                format!("chmod a+rwx {}", m.path.display()),
            ),
        });
    }
    found
}

fn processors(host: &Host) -> Vec<Finding> {
    let (online, isolated) = (host.online(), host.isolated());
    let mut found = vec![Finding::good(format!("processors {} run", cpu::list(&online)))];
    for node in host.nodes() {
        found.push(Finding::good(format!("node {node}: {}", cpu::list(&host.node_cpus(node)))));
    }
    let shared: BTreeSet<u32> = online.iter().copied().filter(|c| host.siblings(*c).len() > 1).collect();
    if !shared.is_empty() {
        found.push(Finding::hint(
            format!("processors {} share their core with another", cpu::list(&shared)),
            "give a polling thread both or leave its sibling idle: two on one core slow each other",
        ));
    }
    // processor 0 keeps the kernel's own work; one thread is enough to begin with
    let proposal: BTreeSet<u32> = if isolated.is_empty() {
        online.iter().copied().filter(|c| *c != 0).take(1).collect()
    } else {
        isolated.clone()
    };
    if proposal.is_empty() {
        found.push(Finding::bad(
            "only one processor: a polling thread takes all of it".into(),
            "add a processor to this machine",
        ));
        return found;
    }
    let set = format!("ovs-vsctl set Open_vSwitch . other_config:pmd-cpu-mask={}", cpu::mask(&proposal));
    found.push(if isolated.is_empty() {
        Finding::hint(
            "no processor is kept from the scheduler: other work will interrupt the polling threads".into(),
            format!("isolcpus={} on the kernel's command line, then\n{set}", cpu::list(&proposal)),
        )
    } else {
        Finding::hint(format!("processors {} are kept for polling threads", cpu::list(&isolated)), set)
    });
    found
}

fn cards(host: &Host) -> Vec<Finding> {
    let (nics, vfio) = (host.nics(), host.vfio());
    if nics.is_empty() {
        return vec![Finding::good(
            "no PCI network card: vhost-user, veth, tap and virtual devices only".into(),
        )];
    }
    let mut found: Vec<_> = nics
        .iter()
        .map(|n| {
            let driver = n.driver.as_deref().unwrap_or("none");
            let text = format!(
                "{} driver {driver}, node {}, IOMMU group {}, interfaces {}",
                n.address,
                n.node.map_or("-".into(), |n| n.to_string()),
                n.group.map_or("-".into(), |g| g.to_string()),
                if n.interfaces.is_empty() { "none".into() } else { n.interfaces.join(" ") },
            );
            match (n.is_ready(), n.group) {
                (true, Some(g)) if driver == "vfio-pci" => match nix::unistd::access(Path::new(&format!("/dev/vfio/{g}")), READ_WRITE) {
                    Ok(()) => Finding::good(text),
                    Err(e) => Finding::bad(format!("{text}: /dev/vfio/{g}: {}", e.desc()), format!("chown $USER /dev/vfio/{g}")),
                },
                (true, _) => Finding::good(text),
                (false, _) => Finding::hint(
                    text,
                    format!("to give it to DPDK (its interfaces disappear from the kernel): driverctl set-override {} vfio-pci", n.address),
                ),
            }
        })
        .collect();
    if !vfio.loaded {
        found.push(Finding::hint("vfio-pci is not loaded".into(), "modprobe vfio-pci"));
    }
    if vfio.n_groups == 0 && !vfio.unsafe_noiommu {
        found.push(Finding::hint(
            "the IOMMU is off: vfio-pci will refuse to bind".into(),
            "intel_iommu=on iommu=pt (or amd_iommu=on) on the kernel's command line, or in a virtual machine:\necho Y > /sys/module/vfio/parameters/enable_unsafe_noiommu_mode",
        ));
    }
    found
}

fn run_directory(_: &Host) -> Vec<Finding> {
    let dir = transport::rundir::rundir();
    vec![match nix::unistd::access(&dir, READ_WRITE) {
        Ok(()) => Finding::good(format!("{} is writable", dir.display())),
        Err(e) => Finding::hint(
            format!("{}: {}", dir.display(), e.desc()),
            format!("mkdir -p {0} && chown $USER {0}      # or set OVS_RUNDIR", dir.display()),
        ),
    }]
}
