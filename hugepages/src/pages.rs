//! Huge pages: what is reserved on which node, where it is mounted, and reserving more.
//! Does not map memory; DPDK does.

use std::fs;
use std::path::PathBuf;

use crate::Host;

/// Huge pages of one size on one NUMA node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Size of a page.
    pub page_kib: u64,
    /// The node; None on a machine that does not tell nodes apart.
    pub node: Option<u32>,
    /// Pages reserved.
    pub total: u64,
    /// Pages that nobody uses.
    pub free: u64,
}

impl Pool {
    /// Memory nobody uses, in MiB.
    pub fn free_mib(&self) -> u64 {
        self.free * self.page_kib / 1024
    }

    /// Memory reserved, in MiB.
    pub fn total_mib(&self) -> u64 {
        self.total * self.page_kib / 1024
    }

    /// The file below the root that sets how many pages are reserved.
    fn control(&self) -> String {
        let pages = format!("hugepages-{}kB/nr_hugepages", self.page_kib);
        match self.node {
            Some(n) => format!("sys/devices/system/node/node{n}/hugepages/{pages}"),
            None => format!("sys/kernel/mm/hugepages/{pages}"),
        }
    }

    /// The command that reserves `pages` of this pool.
    pub fn command(&self, pages: u64) -> String {
        format!("echo {pages} > /{}", self.control())
    }
}

/// A mounted hugetlbfs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where it is mounted.
    pub path: PathBuf,
    /// Its page size, if the options tell.
    pub page_kib: Option<u64>,
}

/// Why memory could not be reserved.
#[derive(Debug, thiserror::Error)]
pub enum ReserveError {
    /// The kernel has no huge pages at all.
    #[error("this kernel offers no huge pages")]
    Unsupported,
    /// Not permitted, or the file is not there.
    #[error("cannot reserve huge pages ({cause}); as root: {command}")]
    Denied {
        /// What the system said.
        cause: std::io::Error,
        /// What would do it.
        command: String,
    },
    /// The kernel found fewer than asked for, mostly because memory is fragmented.
    #[error(
        "got {got_mib} MiB of huge pages, wanted {want_mib}: memory is short or fragmented; reserve at boot with hugepages=N"
    )]
    Short {
        /// Free now.
        got_mib: u64,
        /// Asked for.
        want_mib: u64,
    },
}

impl Host {
    /// Every pool, by node and page size; pools without a node only where no node has any.
    pub fn pools(&self) -> Vec<Pool> {
        let mut pools = Vec::new();
        for node in self.nodes() {
            pools.extend(
                self.pools_below(&format!("sys/devices/system/node/node{node}/hugepages"), Some(node)),
            );
        }
        if pools.is_empty() {
            pools = self.pools_below("sys/kernel/mm/hugepages", None);
        }
        pools
    }

    fn pools_below(&self, folder: &str, node: Option<u32>) -> Vec<Pool> {
        self.names(folder)
            .iter()
            .filter_map(|name| {
                let page_kib = name.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?;
                let total = self.read_u64(format!("{folder}/{name}/nr_hugepages"))?;
                let free = self.read_u64(format!("{folder}/{name}/free_hugepages"))?;
                Some(Pool { page_kib, node, total, free })
            })
            .collect()
    }

    /// Free huge pages of all sizes and nodes, in MiB.
    pub fn huge_free_mib(&self) -> u64 {
        self.pools().iter().map(Pool::free_mib).sum()
    }

    /// Where hugetlbfs is mounted.
    pub fn mounts(&self) -> Vec<Mount> {
        self.read("proc/mounts")
            .lines()
            .filter_map(|l| {
                let mut f = l.split_whitespace();
                let (path, kind, options) = (f.nth(1)?, f.next()?, f.next().unwrap_or(""));
                let page_kib = options.split(',').find_map(|o| {
                    let size = o.strip_prefix("pagesize=")?;
                    let n: u64 = size.trim_end_matches(char::is_alphabetic).parse().ok()?;
                    Some(
                        n * if size.ends_with('G') {
                            1 << 20
                        } else if size.ends_with('M') {
                            1 << 10
                        } else {
                            1
                        },
                    )
                });
                (kind == "hugetlbfs").then(|| Mount { path: path.into(), page_kib })
            })
            .collect()
    }

    /// Makes sure that `want_mib` of the smallest huge pages are free on the first node, raising the reservation if
    /// need be. Gives the number of pages reserved before, when it was raised, to be put back by [`Host::give_back`].
    pub fn reserve(&self, want_mib: u64) -> Result<Option<(Pool, u64)>, ReserveError> {
        let pool =
            self.pools().into_iter().min_by_key(|p| (p.page_kib, p.node)).ok_or(ReserveError::Unsupported)?;
        if pool.free_mib() >= want_mib {
            return Ok(None);
        }
        let before = pool.total;
        let pages = before + (want_mib - pool.free_mib()).div_ceil((pool.page_kib / 1024).max(1));
        self.write(pool.control(), &pages.to_string())
            .map_err(|cause| ReserveError::Denied { cause, command: pool.command(pages) })?;
        let now = self.pools().into_iter().find(|p| (p.page_kib, p.node) == (pool.page_kib, pool.node));
        match now {
            Some(p) if p.free_mib() >= want_mib => Ok(Some((p, before))),
            now => {
                let _ = self.write(pool.control(), &before.to_string());
                Err(ReserveError::Short { got_mib: now.map_or(0, |p| p.free_mib()), want_mib })
            }
        }
    }

    /// Puts a reservation back to what it was, unless somebody changed it meanwhile.
    pub fn give_back(&self, raised: &(Pool, u64)) {
        if self.read_u64(raised.0.control()) == Some(raised.0.total) {
            let _ = self.write(raised.0.control(), &raised.1.to_string());
        }
    }

    /// Makes sure that a hugetlbfs is mounted; gives its path.
    pub fn mount(&self) -> Result<PathBuf, std::io::Error> {
        if let Some(m) = self.mounts().into_iter().next() {
            return Ok(m.path);
        }
        let path = self.path("dev/hugepages");
        fs::create_dir_all(&path)?;
        nix::mount::mount(
            Some("nodev"),
            &path,
            Some("hugetlbfs"),
            nix::mount::MsFlags::empty(),
            None::<&str>,
        )?;
        Ok(path)
    }
}
