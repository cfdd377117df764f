//! The host's files, made up in a directory.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::cpu::{ParseError, list, mask, parse_list, parse_mask};
use crate::{Host, ReserveError};

struct Machine(std::path::PathBuf);

impl Machine {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("hugepages-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn pool(&self, node: u32, page_kib: u64, total: u64, free: u64) {
        let dir = format!("sys/devices/system/node/node{node}/hugepages/hugepages-{page_kib}kB");
        self.put(&format!("{dir}/nr_hugepages"), &format!("{total}\n"));
        self.put(&format!("{dir}/free_hugepages"), &format!("{free}\n"));
    }

    fn host(&self) -> Host {
        Host::new(&self.0)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn set(cpus: &[u32]) -> BTreeSet<u32> {
    cpus.iter().copied().collect()
}

#[test]
fn lists() {
    assert_eq!(parse_list("0-3,8\n"), Ok(set(&[0, 1, 2, 3, 8])));
    assert_eq!(parse_list(""), Ok(set(&[])));
    assert_eq!(parse_list("5,5, 4"), Ok(set(&[4, 5])));
    assert_eq!(parse_list("3-1"), Err(ParseError::Backwards("3-1".into())));
    assert_eq!(parse_list("0-4294967295"), Err(ParseError::Beyond(4294967295)));
    for bad in ["x", "1,,2", "-1", "1-", "0x3", ","] {
        assert!(matches!(parse_list(bad), Err(ParseError::Number(_))), "{bad}");
    }
    assert_eq!(list(&set(&[0, 1, 2, 5, 7, 8])), "0-2,5,7-8");
    assert_eq!(list(&set(&[])), "");
}

#[test]
fn masks() {
    assert_eq!(parse_mask("0x6"), Ok(set(&[1, 2])));
    assert_eq!(parse_mask("F0"), Ok(set(&[4, 5, 6, 7])));
    assert_eq!(parse_mask("1,00000000"), Ok(set(&[32])));
    assert_eq!(parse_mask("0"), Ok(set(&[])));
    for bad in ["", "0x", "xyz", "0x1g"] {
        assert_eq!(parse_mask(bad), Err(ParseError::Mask(bad.into())), "{bad}");
    }
    assert!(matches!(parse_mask(&"f".repeat(5000)), Err(ParseError::Beyond(_))));
    for cpus in [&[0][..], &[1, 2], &[63], &[3, 4, 99]] {
        assert_eq!(parse_mask(&mask(&set(cpus))), Ok(set(cpus)));
    }
    assert_eq!(mask(&set(&[])), "0x0");
}

#[test]
fn pools_are_told_by_node() {
    let m = Machine::new("pools");
    m.pool(0, 2048, 512, 500);
    m.pool(0, 1048576, 4, 1);
    m.pool(1, 2048, 0, 0);
    m.put("sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "512");
    let pools = m.host().pools();
    assert_eq!(pools.len(), 3);
    assert_eq!(m.host().huge_free_mib(), 500 * 2 + 1024);
    let node1 = pools.iter().find(|p| p.node == Some(1)).unwrap();
    assert_eq!(
        node1.command(9),
        "echo 9 > /sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages"
    );
}

#[test]
fn reserving() {
    let m = Machine::new("reserve");
    assert!(matches!(m.host().reserve(64), Err(ReserveError::Unsupported)));
    m.pool(0, 2048, 100, 100);
    assert!(m.host().reserve(200).unwrap().is_none(), "enough is there");
    // a machine that accepts the number and finds no memory: put back, and told
    let e = m.host().reserve(300).unwrap_err();
    assert!(matches!(e, ReserveError::Short { got_mib: 200, want_mib: 300 }), "{e}");
    let control = "sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages";
    assert_eq!(fs::read_to_string(m.0.join(control)).unwrap(), "100");
}

#[test]
fn giving_back_only_what_nobody_changed() {
    let m = Machine::new("giveback");
    m.pool(0, 2048, 300, 300);
    let pool = m.host().pools().remove(0);
    m.host().give_back(&(pool.clone(), 7));
    assert_eq!(m.host().pools()[0].total, 7);
    m.host().give_back(&(pool, 1));
    assert_eq!(m.host().pools()[0].total, 7);
}

#[test]
fn mounts_by_size() {
    let m = Machine::new("mounts");
    m.put("proc/mounts", "proc /proc proc rw 0 0\nnodev /dev/hugepages hugetlbfs rw,pagesize=2M 0 0\nnone /mnt/1g hugetlbfs rw,pagesize=1024M 0 0\nbroken\n");
    let mounts = m.host().mounts();
    assert_eq!(mounts.len(), 2);
    assert_eq!((mounts[0].path.as_path(), mounts[0].page_kib), (Path::new("/dev/hugepages"), Some(2048)));
    assert_eq!(mounts[1].page_kib, Some(1 << 20));
}

#[test]
fn processors_nodes_and_memory() {
    let m = Machine::new("cpus");
    m.put("sys/devices/system/cpu/online", "0-3\n");
    m.put("sys/devices/system/cpu/isolated", "\n");
    m.put("sys/devices/system/node/node1/cpulist", "2-3\n");
    m.put("sys/devices/system/node/node0/cpulist", "0-1\n");
    m.put("sys/devices/system/node/online", "0-1\n");
    m.put("sys/devices/system/cpu/cpu2/topology/thread_siblings_list", "0,2\n");
    m.put("proc/meminfo", "MemTotal: 9 kB\nMemAvailable:    4096 kB\n");
    let h = m.host();
    assert_eq!((h.online(), h.isolated(), h.nodes()), (set(&[0, 1, 2, 3]), set(&[]), vec![0, 1]));
    assert_eq!((h.node_cpus(1), h.siblings(2), h.siblings(9)), (set(&[2, 3]), set(&[0, 2]), set(&[])));
    assert_eq!(h.memory_free_mib(), 4);
}

#[test]
fn cards_and_vfio() {
    let m = Machine::new("vfio");
    assert_eq!(m.host().vfio().n_groups, 0);
    m.put("dev/vfio/vfio", "");
    m.put("sys/kernel/iommu_groups/7/type", "DMA");
    m.put("sys/bus/pci/devices/0000:01:00.0/class", "0x020000\n");
    m.put("sys/bus/pci/devices/0000:01:00.0/vendor", "0x8086\n");
    m.put("sys/bus/pci/devices/0000:01:00.0/numa_node", "-1\n");
    m.put("sys/bus/pci/devices/0000:01:00.0/net/eth0/mtu", "1500\n");
    m.put("sys/bus/pci/devices/0000:02:00.0/class", "0x010000\n");
    std::os::unix::fs::symlink("../../drivers/e1000", m.0.join("sys/bus/pci/devices/0000:01:00.0/driver"))
        .unwrap();
    let nics = m.host().nics();
    assert!(m.host().vfio().loaded && m.host().vfio().n_groups == 1);
    assert_eq!(nics.len(), 1);
    assert_eq!((nics[0].driver.as_deref(), nics[0].node, nics[0].is_ready()), (Some("e1000"), None, false));
    assert_eq!(nics[0].interfaces, ["eth0"]);
}
