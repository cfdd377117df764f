//! Flow tables: statistics, features, descriptions. What repeats the table before is said shortly.

use super::Printer;
use crate::matching::Field;
use crate::msg::table::{EvictionFlags, TableActions, TableInstructions, TableMiss, Vacancy};
use crate::msg::*;
use crate::types::{TableId, Version};

/// OpenFlow 1.1+ actions in the order in which they are printed: number, name, first version.
const ACTIONS_11: &[(u32, &str, u8)] = &[
    (0, "output", 2),
    (22, "group", 2),
    (25, "set_field", 3),
    (1, "set_vlan_vid", 2),
    (2, "set_vlan_pcp", 2),
    (18, "strip_vlan", 2),
    (17, "push_vlan", 2),
    (3, "mod_dl_src", 2),
    (4, "mod_dl_dst", 2),
    (5, "mod_nw_src", 2),
    (6, "mod_nw_dst", 2),
    (7, "mod_nw_tos", 2),
    (8, "mod_nw_ecn", 2),
    (23, "mod_nw_ttl", 2),
    (9, "mod_tp_src", 2),
    (10, "mod_tp_dst", 2),
    (24, "dec_ttl", 2),
    (13, "set_mpls_label", 2),
    (14, "set_mpls_tc", 2),
    (15, "set_mpls_ttl", 2),
    (16, "dec_mpls_ttl", 2),
    (19, "push_mpls", 2),
    (20, "pop_mpls", 2),
    (21, "set_queue", 2),
    (28, "reg_move", 6),
    (29, "meter", 6),
];

/// The names of a bitmap of action numbers.
pub(super) fn action_names(bits: u64, v: Version) -> String {
    let names: Vec<&str> = if v == Version::V1_0 {
        super::basic::ACTIONS_10.iter().filter(|(n, _)| bits >> n & 1 != 0).map(|(_, s)| *s).collect()
    } else {
        let known = |a: &&(u32, &str, u8)| bits >> a.0 & 1 != 0 && v.wire() >= a.2;
        ACTIONS_11.iter().filter(known).map(|a| a.1).collect()
    };
    if names.is_empty() { "none".to_owned() } else { names.join(" ") }
}

/// Fields as `eth_{src,dst} reg0...reg15`: names with the same first words are put together, numbered ones as runs.
fn field_names(fields: &[Field]) -> String {
    let mut sorted = fields.to_vec();
    sorted.sort_unstable_by_key(|f| printing_rank(*f));
    let names: Vec<&str> = sorted.iter().map(|f| f.name()).collect();
    grouped(&names).join(" ")
}

/// The order in which OVS lists fields: numbered families and the NSH TTL stand elsewhere than in our table.
fn printing_rank(f: Field) -> (Field, u8, Field) {
    match f {
        _ if f.option_index().is_some() => (Field::Metadata, 0, f),
        f if (Field::Reg0..=Field::Reg15).contains(&f) => (Field::EthSrc, 0, f),
        f if (Field::Xreg0..=Field::Xreg7).contains(&f) => (Field::EthSrc, 1, f),
        f if (Field::Xxreg0..=Field::Xxreg3).contains(&f) => (Field::EthSrc, 2, f),
        Field::NshTtl => (Field::NshC4, 9, f),
        f => (f, 5, f),
    }
}

/// One text for each run of names that begin with the same word and an underscore.
fn grouped(names: &[&str]) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = names;
    while let Some(first) = rest.first() {
        let Some((word, _)) = first.split_once('_') else {
            let n = run_len(rest);
            let last = rest[n - 1];
            out.push(if n > 1 { format!("{first}...{last}") } else { (*first).to_owned() });
            rest = &rest[n..];
            continue;
        };
        let prefix = &first[..word.len() + 1];
        let n = rest.iter().take_while(|name| name.starts_with(prefix)).count();
        let (same, tail) = rest.split_at(n);
        rest = tail;
        if let [one] = same {
            out.push((*one).to_owned());
            continue;
        }
        let inner: Vec<&str> = same.iter().map(|name| &name[prefix.len()..]).collect();
        out.push(format!("{prefix}{{{}}}", grouped(&inner).join(",")));
    }
    out
}

/// How many of the first names are one word with numbers that count up; at least one.
fn run_len(names: &[&str]) -> usize {
    let split = |name: &str| {
        let digits = name.len() - name.bytes().rev().take_while(u8::is_ascii_digit).count();
        name[digits..].parse::<u32>().ok().map(|n| (name[..digits].to_owned(), n))
    };
    let Some((stem, start)) = names.first().and_then(|n| split(n)) else { return 1 };
    let follows = |(i, name): &(usize, &&str)| split(name) == Some((stem.clone(), start + *i as u32));
    names.iter().enumerate().take_while(follows).count().max(1)
}

/// The fields that OpenFlow 1.0 and 1.1 always match on.
fn standard_fields(v: Version) -> &'static str {
    if v == Version::V1_0 {
        "in_port eth_{src,dst,type} vlan_{vid,pcp} ip_{src,dst} nw_{proto,tos} tcp_{src,dst}"
    } else {
        "metadata in_port eth_{src,dst,type} vlan_{vid,pcp} mpls_{label,tc} ip_{src,dst} nw_{proto,tos} tcp_{src,dst}"
    }
}

fn miss_name(m: TableMiss) -> &'static str {
    ["controller", "continue", "drop"][m as usize]
}

fn same_features(a: &TableStats, b: &TableStats) -> bool {
    a.max_entries == b.max_entries && features_equal(a.features.as_deref(), b.features.as_deref())
}

/// Equal but for number and name.
fn features_equal(a: Option<&TableFeatures>, b: Option<&TableFeatures>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => TableFeatures { table: a.table, name: a.name.clone(), ..b.clone() } == *a,
        (None, None) => true,
        _ => false,
    }
}

/// Tables that repeat the one before.
#[derive(Default)]
struct Ditto(Option<(TableId, TableId)>);

impl Ditto {
    fn add(&mut self, t: TableId) {
        self.0 = Some((self.0.map_or(t, |(first, _)| first), t));
    }
    fn flush(&mut self, p: &mut Printer<'_>) {
        match self.0.take() {
            None => {}
            Some((a, b)) if a == b => p.put(format_args!("\n  table {}: ditto\n", a.0)),
            Some((a, b)) => p.put(format_args!("\n  tables {}...{}: ditto\n", a.0, b.0)),
        }
    }
}

pub(super) fn stats(p: &mut Printer<'_>, tables: &[TableStats]) {
    let counters = |t: &TableStats| (t.active_count, t.lookup_count, t.matched_count);
    let mut ditto = Ditto::default();
    for (n, t) in tables.iter().enumerate() {
        let previous = n.checked_sub(1).and_then(|n| tables.get(n));
        if previous.is_some_and(|q| same_features(q, t) && counters(q) == counters(t)) {
            ditto.add(t.table);
            continue;
        }
        ditto.flush(p);
        table_title(p, t.table, &t.name);
        let (active, lookup, matched) = counters(t);
        p.put(format_args!("    active={active}, lookup={lookup}, matched={matched}\n"));
        if p.version < Version::V1_3 {
            match previous {
                Some(q) if same_features(q, t) => p.put("    (same features)\n"),
                q => table_features(p, t, q),
            }
        }
    }
    ditto.flush(p);
}

fn table_title(p: &mut Printer<'_>, table: TableId, name: &str) {
    p.put(format_args!("\n  table {}", table.0));
    if !name.is_empty() && name != format!("table{}", table.0) {
        p.put(format_args!(" (\"{name}\")"));
    }
    p.put(":\n");
}

/// What OpenFlow 1.0-1.2 tell of a table beside its statistics.
fn table_features(p: &mut Printer<'_>, t: &TableStats, previous: Option<&TableStats>) {
    let v = p.version;
    let f = t.features.as_deref();
    let old = previous.and_then(|q| q.features.as_deref());
    if let Some(f) = f {
        if v == Version::V1_2 {
            p.put(format_args!(
                "    metadata: match={:#x} write={:#x}\n",
                f.metadata_match, f.metadata_write
            ));
        }
        if let Some(miss) = f.miss {
            p.put(format_args!("    config={}\n", miss_name(miss)));
        }
    }
    p.put(format_args!("    max_entries={}\n", t.max_entries));
    if let Some(f) = f {
        instructions(p, "(table miss and others)", &f.nonmiss, old.map(|o| &o.nonmiss), false);
    }
    if previous.is_some() && (v < Version::V1_2 || f.zip(old).is_some_and(|(f, o)| f.matches == o.matches)) {
        return p.put("    (same matching)\n");
    }
    p.put("    matching:\n");
    match f.filter(|_| v >= Version::V1_2) {
        Some(f) => matching(p, f),
        None => p.put(format_args!("      exact match or wildcard: {}\n", standard_fields(v))),
    }
}

fn matching(p: &mut Printer<'_>, f: &TableFeatures) {
    let pick = |want: &str| -> Vec<Field> {
        let kind = |x: Field| match (f.masks.contains(&x), f.wildcards.contains(&x)) {
            (true, _) => "arbitrary mask",
            (false, true) => "exact match or wildcard",
            _ => "must exact match",
        };
        f.matches.iter().copied().filter(|&x| kind(x) == want).collect()
    };
    for name in ["arbitrary mask", "exact match or wildcard", "must exact match"] {
        let set = pick(name);
        if !set.is_empty() {
            p.put(format_args!("      {name}: {}\n", field_names(&set)));
        }
    }
}

const INSTRUCTIONS: &[(u32, &str)] = &[
    (6, "meter"),
    (4, "apply_actions"),
    (5, "clear_actions"),
    (3, "write_actions"),
    (2, "write_metadata"),
    (1, "goto_table"),
];

/// The names of a bitmap of `1 << type`.
fn instruction_names(bits: u32) -> String {
    let names: Vec<&str> = INSTRUCTIONS.iter().filter(|(n, _)| bits >> n & 1 != 0).map(|(_, s)| *s).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(" ") }
}

fn actions_text(p: &mut Printer<'_>, a: &TableActions) {
    let names = action_names(a.actions, p.version);
    p.put(format_args!("        actions: {names}\n"));
    if !a.set_fields.is_empty() {
        p.put(format_args!("        supported on Set-Field: {}\n", field_names(&a.set_fields)));
    }
}

fn instructions(
    p: &mut Printer<'_>,
    title: &str,
    i: &TableInstructions,
    old: Option<&TableInstructions>,
    next_tables: bool,
) {
    let same = |o: &TableInstructions| {
        let next = !next_tables || o.next == i.next;
        next && o.instructions == i.instructions && o.write == i.write && o.apply == i.apply
    };
    if old.is_some_and(same) {
        return p.put("    (same instructions)\n");
    }
    p.put(format_args!("    instructions {title}:\n"));
    if next_tables && !i.next.is_empty() {
        p.put(format_args!("      next tables: {}\n", next_text(&i.next)));
    }
    p.put(format_args!("      instructions: {}\n", instruction_names(i.instructions)));
    if old.is_some_and(|o| o.write == i.write && o.apply == i.apply) && p.version != Version::V1_1 {
        return p.put("      (same actions)\n");
    }
    if i.write == i.apply {
        p.put("      Write-Actions and Apply-Actions features:\n");
        return actions_text(p, &i.write);
    }
    for (name, a) in [("Write-Actions", &i.write), ("Apply-Actions", &i.apply)] {
        p.put(format_args!("      {name} features:\n"));
        actions_text(p, a);
    }
}

/// Runs of tables: `1-253`.
fn next_text(next: &[TableId]) -> String {
    let mut runs: Vec<(u8, u8)> = Vec::new();
    for t in next {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(t.0) => *last = t.0,
            _ => runs.push((t.0, t.0)),
        }
    }
    let one = |&(a, b): &(u8, u8)| if a == b { a.to_string() } else { format!("{a}-{b}") };
    runs.iter().map(one).collect::<Vec<_>>().join(",")
}

pub(super) fn features(p: &mut Printer<'_>, tables: &[TableFeatures]) {
    let mut ditto = Ditto::default();
    for (n, f) in tables.iter().enumerate() {
        let previous = n.checked_sub(1).and_then(|n| tables.get(n));
        if previous.is_some_and(|q| repeats(q, f)) {
            ditto.add(f.table);
            continue;
        }
        ditto.flush(p);
        one_features(p, f, previous);
    }
    ditto.flush(p);
}

/// The features of many tables, from all parts of a reply, without a message's head line.
pub fn all_features(tables: &[TableFeatures], version: Version) -> String {
    let mut p = Printer { out: String::new(), version, options: super::Options::default() };
    features(&mut p, tables);
    p.out.split_off(usize::from(p.out.starts_with('\n')))
}

/// Equal but for the tables that may follow, which are fewer for a later table.
fn repeats(a: &TableFeatures, b: &TableFeatures) -> bool {
    let mut a = a.clone();
    a.nonmiss.next.retain(|t| *t > b.table);
    a.miss_flow.next.retain(|t| *t > b.table);
    features_equal(Some(&a), Some(b))
}

fn one_features(p: &mut Printer<'_>, f: &TableFeatures, previous: Option<&TableFeatures>) {
    table_title(p, f.table, &f.name);
    p.put(format_args!("    metadata: match={:#x} write={:#x}\n", f.metadata_match, f.metadata_write));
    if p.version >= Version::V1_4 {
        let supported = |on: Option<bool>| if on == Some(true) { "supported" } else { "not supported" };
        p.put(format_args!("    eviction: {}\n", supported(f.eviction)));
        p.put(format_args!("    vacancy events: {}\n", supported(f.vacancy)));
    }
    p.put(format_args!("    max_entries={}\n", f.max_entries));
    if f.nonmiss == f.miss_flow {
        instructions(p, "(table miss and others)", &f.nonmiss, previous.map(|q| &q.nonmiss), true);
    } else {
        instructions(p, "(other than table miss)", &f.nonmiss, previous.map(|q| &q.nonmiss), true);
        instructions(p, "(table miss)", &f.miss_flow, previous.map(|q| &q.miss_flow), true);
    }
    if previous.is_some_and(|q| q.matches == f.matches && q.masks == f.masks && q.wildcards == f.wildcards) {
        return p.put("    (same matching)\n");
    }
    p.put("    matching:\n");
    matching(p, f);
}

fn eviction_flags(f: EvictionFlags) -> String {
    let names = [
        (EvictionFlags::OTHER, "OTHER"),
        (EvictionFlags::IMPORTANCE, "IMPORTANCE"),
        (EvictionFlags::LIFETIME, "LIFETIME"),
    ];
    let set: Vec<&str> = names.iter().filter(|(b, _)| f.contains(*b)).map(|(_, n)| *n).collect();
    if set.is_empty() { "0".to_owned() } else { set.join("|") }
}

fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

fn desc(p: &mut Printer<'_>, t: &TableDesc) {
    p.put(format_args!("\n  table {}:\n", t.table.0));
    p.put(format_args!("   eviction={}", on_off(t.eviction == Some(true))));
    p.put(format_args!(" eviction_flags={}\n", eviction_flags(t.eviction_flags.unwrap_or_default())));
    match t.vacancy {
        Some(Some(Vacancy { down, up, vacancy })) => {
            p.put(format_args!("   vacancy=on vacancy_down={down}% vacancy_up={up}% vacancy={vacancy}%\n"));
        }
        _ => p.put("   vacancy=off\n"),
    }
}

pub(super) fn descs(p: &mut Printer<'_>, tables: &[TableDesc]) {
    tables.iter().for_each(|t| desc(p, t));
}

pub(super) fn status(p: &mut Printer<'_>, reason: u8, t: &TableDesc) {
    p.put(format_args!(" reason={}\ntable_desc:-", if reason == 3 { "VACANCY_DOWN" } else { "VACANCY_UP" }));
    desc(p, t);
}

pub(super) fn table_mod(p: &mut Printer<'_>, t: &TableMod) {
    match t.table {
        TableId::ALL => p.put(" table_id: ALL_TABLES"),
        TableId(n) => p.put(format_args!(" table_id={n}")),
    }
    if let Some(miss) = t.miss {
        p.put(format_args!(", flow_miss_config={}", miss_name(miss)));
    }
    match (t.eviction, t.eviction_flags) {
        (Some(_), Some(flags)) if !flags.is_empty() => {
            // OVS takes flags beside the switch for a contradiction.
            p.put(", eviction=***error***");
        }
        (Some(on), _) => p.put(format_args!(", eviction={}", on_off(on))),
        (None, _) => {}
    }
    match t.vacancy {
        Some(Some(v)) => p.put(format_args!(", vacancy=on vacancy:{},{}", v.down, v.up)),
        Some(None) => p.put(", vacancy=off"),
        None => {}
    }
}
