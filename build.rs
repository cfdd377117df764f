//! Build script of `pmd/dpdk-sys` (its Cargo.toml points here): finds DPDK with pkg-config, generates the bindings from the
//! installed headers, compiles the C shim with the very same flags, and links DPDK's shared libraries (EAL opens the drivers
//! itself). The rest of the workspace builds without DPDK; only this script needs it.

use std::path::{Path, PathBuf};

/// What to install when something is missing (Debian 12 and Ubuntu 24.04 names).
const APT: &str = "apt-get install -y libdpdk-dev libclang-dev clang pkg-config";
/// The oldest release whose API the shim and the wrappers use; 22.11, 23.11 and 24.11 are the releases aimed at.
const DPDK_MIN: &str = "22.11";

/// Exactly the names that `pmd::dpdk` uses: the bindings stay small, and a removed name fails here and not at run time.
const FUNCTIONS: &[&str] = &[
    "rte_eal_init",
    "rte_eal_cleanup",
    "rte_strerror",
    "rte_version",
    "rte_log_(set|get)_global_level",
    "rte_log_set_level_pattern",
    "rte_log_dump",
    "rte_lcore_dump",
    "rte_thread_(un)?register",
    "rte_socket_count",
    "rte_socket_id_by_idx",
    "rte_pktmbuf_pool_create(_by_ops)?",
    "rte_mempool_(free|avail_count|in_use_count|dump|list_dump|lookup)",
    "rte_malloc_dump_stats",
    "rte_dev_(probe|remove|is_probed|hotplug_handle_enable)",
    "rte_(dev_bus|bus_name)",
    "rte_dev_(name|numa_node|bus_info|driver)",
    "rte_eth_.*",
    "rte_vhost_.*",
    "vs_.*",
];
const TYPES: &[&str] = &["rte_mbuf", "rte_mempool", "rte_eth_.*", "rte_vhost_.*", "vs_.*", "rte_ether_addr"];
const VARS: &[&str] = &[
    "RTE_(MAX_ETHPORTS|VHOST_.*|PKTMBUF_HEADROOM|MBUF_.*|VER_.*|ETH_.*|ETHER_.*|LOG_.*|MAX_LCORE)",
    "VS_.*",
];

fn main() {
    let shim = Path::new(&var("CARGO_MANIFEST_DIR")).join("shim.c");
    let header = shim.with_extension("h");
    for path in [&shim, &header] {
        println!("cargo:rerun-if-changed={}", path.display());
    }
    println!("cargo:rerun-if-changed=../../build.rs");
    println!("cargo:rerun-if-env-changed=PKG_CONFIG_PATH");

    let cflags = dpdk_cflags();
    link_dpdk();
    bindings(&header, &cflags);
    compile_shim(&shim, &cflags);
}

fn var(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| fail(&format!("cargo did not set {name}")))
}

fn fail(what: &str) -> ! {
    println!("cargo:warning=dpdk-sys: {what}. To install what is needed: {APT}");
    eprintln!("dpdk-sys: {what}\n  install what is needed with:  {APT}");
    std::process::exit(1)
}

/// `pkg-config --cflags libdpdk` word by word: `-include rte_config.h` and `-march` matter as much as the directories.
fn dpdk_cflags() -> Vec<String> {
    let run = |args: &[&str]| std::process::Command::new("pkg-config").args(args).output();
    let out = match run(&["--cflags", "libdpdk"]) {
        Err(_) => fail("pkg-config is not installed"),
        Ok(out) if !out.status.success() => {
            fail("DPDK's development files are not installed (pkg-config knows no libdpdk)")
        }
        Ok(out) => String::from_utf8_lossy(&out.stdout).into_owned(),
    };
    if !run(&[&format!("--atleast-version={DPDK_MIN}"), "libdpdk"]).is_ok_and(|out| out.status.success()) {
        fail(&format!("DPDK is older than {DPDK_MIN}"));
    }
    out.split_whitespace().map(str::to_owned).collect()
}

fn link_dpdk() {
    if let Err(e) = pkg_config::Config::new().atleast_version(DPDK_MIN).probe("libdpdk") {
        fail(&format!("pkg-config gives no link flags for libdpdk: {e}"));
    }
}

fn bindings(header: &Path, cflags: &[String]) {
    let mut builder = bindgen::Builder::default()
        .header(header.to_string_lossy())
        .clang_args(cflags)
        .use_core()
        .derive_default(false)
        .layout_tests(true)
        .generate_comments(false)
        .prepend_enum_name(false)
        // `pmd::packet::mbuf` has the layout; shim.c asserts it field by field when it is compiled.
        .opaque_type("rte_mbuf")
        // Packed and aligned at once: Rust has no such representation, and nothing here looks inside.
        .opaque_type("rte_arp_ipv4")
        .opaque_type("rte_arp_hdr")
        .opaque_type("rte_ether_(addr|hdr)_?.*aligned")
        .opaque_type("rte_(l2tpv2|gtp|ipv6|ipv4|vxlan|geneve|gre|mpls|ecpri|higig2|ib|macsec|ppp).*");
    for f in FUNCTIONS {
        builder = builder.allowlist_function(f);
    }
    for t in TYPES {
        builder = builder.allowlist_type(t);
    }
    for v in VARS {
        builder = builder.allowlist_var(v);
    }
    let generated = match builder.generate() {
        Ok(b) => b,
        Err(e) => fail(&format!("bindgen failed ({e}); it needs libclang")),
    };
    let out = PathBuf::from(var("OUT_DIR")).join("bindings.rs");
    if let Err(e) = generated.write_to_file(&out) {
        fail(&format!("cannot write {}: {e}", out.display()));
    }
}

fn compile_shim(shim: &Path, cflags: &[String]) {
    let mut build = cc::Build::new();
    build.file(shim).opt_level(3).warnings(true).flag("-Wno-deprecated-declarations");
    for flag in cflags {
        build.flag(flag);
    }
    if let Err(e) = build.try_compile("dpdk_shim") {
        fail(&format!("the C shim does not compile: {e}"));
    }
}
