//! The crate table of docs/ARCHITECTURE.md against the Cargo.toml files: who may import whom, who links DPDK.
//! Does not look at third-party crates, nor at dev-dependencies.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

type Graph = BTreeMap<String, BTreeSet<String>>;

/// Everything below the root: the crates a table row may say "anything" for.
const ANYTHING: &str = "anything";

fn repo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository").to_path_buf()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Workspace members by crate name, with their folder; the root package is "vswitch".
fn members() -> BTreeMap<String, PathBuf> {
    let text = read(&repo().join("Cargo.toml"));
    let list = text.split("members = [").nth(1).and_then(|t| t.split(']').next()).expect("a members list");
    let mut found: BTreeMap<_, _> = list
        .split(',')
        .map(|m| m.trim().trim_matches('"'))
        .filter(|m| !m.is_empty())
        .map(|m| (m.rsplit('/').next().unwrap_or(m).to_string(), repo().join(m)))
        .collect();
    found.insert("vswitch".into(), repo());
    found
}

/// Our crates among the `[dependencies]` of a Cargo.toml.
fn imports(folder: &Path, ours: &BTreeSet<String>) -> BTreeSet<String> {
    let mut inside = false;
    let mut found = BTreeSet::new();
    for line in read(&folder.join("Cargo.toml")).lines() {
        if line.starts_with('[') {
            inside = line.starts_with("[dependencies") || line.starts_with("[build-dependencies");
        } else if inside {
            let name = line.split(['=', '.', ' ']).next().unwrap_or("").trim().to_string();
            if ours.contains(&name) {
                found.insert(name);
            }
        }
    }
    found
}

/// The table: `| crate | may import | ...` rows; crates in backticks.
fn table() -> Graph {
    let names =
        |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_string).collect::<BTreeSet<String>>();
    read(&repo().join("docs/ARCHITECTURE.md"))
        .lines()
        .filter(|l| l.starts_with("| `"))
        .map(|l| {
            let cells: Vec<_> = l.split('|').collect();
            let who = names(cells[1]).into_iter().next().expect("a crate name");
            let whom =
                if cells[2].contains(ANYTHING) { BTreeSet::from([ANYTHING.into()]) } else { names(cells[2]) };
            (who, whom)
        })
        .collect()
}

fn graph() -> Graph {
    let members = members();
    let ours = members.keys().cloned().collect();
    members.iter().map(|(name, folder)| (name.clone(), imports(folder, &ours))).collect()
}

#[test]
fn the_table_lists_exactly_the_members() {
    let listed: BTreeSet<_> = table().into_keys().collect();
    let there: BTreeSet<_> = members().into_keys().collect();
    assert_eq!(listed, there, "docs/ARCHITECTURE.md (left) against Cargo.toml (right)");
}

#[test]
fn nobody_imports_beyond_the_table() {
    let table = table();
    for (who, whom) in graph() {
        let allowed = &table[&who];
        for one in whom {
            assert!(
                allowed.contains(ANYTHING) || allowed.contains(&one),
                "{who} imports {one}, which docs/ARCHITECTURE.md does not allow"
            );
        }
    }
}

#[test]
fn only_the_composition_root_links_dpdk() {
    let mut linking = BTreeSet::from(["dpdk-sys".to_string()]);
    let graph = graph();
    while let Some(next) = graph
        .iter()
        .find(|(who, whom)| !linking.contains(*who) && whom.intersection(&linking).next().is_some())
        .map(|(who, _)| who.clone())
    {
        linking.insert(next);
    }
    linking.retain(|c| !matches!(c.as_str(), "perf" | "tests"));
    assert_eq!(linking, ["dpdk-sys", "pmd", "vswitch"].map(String::from).into());
    for entry in fs::read_dir(repo().join("src/bin")).expect("src/bin") {
        let path = entry.expect("a directory entry").path();
        if path.is_file() && path.file_stem().is_some_and(|s| s != "ovs-vswitchd") {
            assert!(!read(&path).contains("pmd::"), "{} names pmd: it would link DPDK", path.display());
        }
    }
}

#[test]
fn nobody_imports_in_a_circle() {
    let mut left = graph();
    while let Some(leaf) =
        left.iter().find(|(_, whom)| whom.iter().all(|w| !left.contains_key(w))).map(|(w, _)| w.clone())
    {
        left.remove(&leaf);
    }
    assert!(left.is_empty(), "these import each other: {:?}", left.keys());
}

#[test]
fn every_crate_says_what_it_is() {
    for (name, folder) in members() {
        let lib = folder.join("src/lib.rs");
        if name == "vswitch" || !lib.exists() {
            continue;
        }
        let head: String = read(&lib)
            .lines()
            .take_while(|l| l.starts_with("//!"))
            .map(|l| l.to_lowercase() + "\n")
            .collect();
        assert!(
            head.lines().count() >= 2 && head.contains("plane") && head.contains("import"),
            "{}: the opening `//!` must give responsibility, plane and import rule",
            lib.display()
        );
    }
}

#[test]
fn no_grab_bag() {
    for name in members().keys() {
        assert!(
            !["common", "util", "utils", "misc", "helpers"].contains(&name.as_str()),
            "a crate called {name}"
        );
    }
}
