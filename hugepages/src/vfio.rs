//! VFIO and the network cards behind PCI: what could be given to DPDK, and what stands in the way.

use std::fs;

use crate::Host;

/// The class of Ethernet controllers in a PCI class code.
const CLASS_ETHERNET: &str = "0x0200";
/// Cards of this vendor stay with their kernel driver (mlx4, mlx5).
const VENDOR_BIFURCATED: &str = "0x15b3";

/// Whether VFIO can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vfio {
    /// `/dev/vfio/vfio` is there: the module is loaded.
    pub loaded: bool,
    /// Number of IOMMU groups; 0 means the IOMMU is off.
    pub n_groups: usize,
    /// The kernel allows VFIO without an IOMMU.
    pub unsafe_noiommu: bool,
}

/// A network card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nic {
    /// `0000:3b:00.0`
    pub address: String,
    /// The bound driver, if any.
    pub driver: Option<String>,
    /// Its NUMA node, if the machine tells.
    pub node: Option<u32>,
    /// The IOMMU group, if any.
    pub group: Option<u32>,
    /// Kernel interfaces on top of it.
    pub interfaces: Vec<String>,
    /// Works with DPDK under its kernel driver.
    pub bifurcated: bool,
}

impl Nic {
    /// Ready for `dpdk-devargs`.
    pub fn is_ready(&self) -> bool {
        self.bifurcated
            || self.driver.as_deref().is_some_and(|d| matches!(d, "vfio-pci" | "uio_pci_generic" | "igb_uio"))
    }
}

impl Host {
    /// The state of VFIO.
    pub fn vfio(&self) -> Vfio {
        Vfio {
            loaded: self.path("dev/vfio/vfio").exists(),
            n_groups: self.names("sys/kernel/iommu_groups").len(),
            unsafe_noiommu: self.read("sys/module/vfio/parameters/enable_unsafe_noiommu_mode") == "Y",
        }
    }

    /// The PCI network cards.
    pub fn nics(&self) -> Vec<Nic> {
        const DEVICES: &str = "sys/bus/pci/devices";
        let link = |address: &str, what: &str| {
            let target = fs::read_link(self.path(format!("{DEVICES}/{address}/{what}"))).ok()?;
            Some(target.file_name()?.to_str()?.to_string())
        };
        self.names(DEVICES)
            .into_iter()
            .filter(|a| self.read(format!("{DEVICES}/{a}/class")).starts_with(CLASS_ETHERNET))
            .map(|address| Nic {
                driver: link(&address, "driver"),
                node: self.read(format!("{DEVICES}/{address}/numa_node")).parse().ok(),
                group: link(&address, "iommu_group").and_then(|g| g.parse().ok()),
                interfaces: self.names(format!("{DEVICES}/{address}/net")),
                bifurcated: self.read(format!("{DEVICES}/{address}/vendor")) == VENDOR_BIFURCATED,
                address,
            })
            .collect()
    }
}
