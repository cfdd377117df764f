//! Named uuids of one transaction (or one ovs-vsctl command line).

use std::collections::HashMap;

use super::uuid::{Uuid, generate};

/// What is known of a name so far.
#[derive(Clone, Copy, Debug)]
pub struct Symbol {
    pub uuid: Uuid,
    /// A row of this name was inserted.
    pub created: bool,
    /// Something refers to it strongly.
    pub strong_ref: bool,
    /// Something refers to it weakly.
    pub weak_ref: bool,
}

/// Names seen so far. A name gets its uuid when it is first mentioned.
#[derive(Debug, Default)]
pub struct SymbolTable {
    symbols: HashMap<String, Symbol>,
}

impl SymbolTable {
    /// The symbol of that name, made if it is new.
    pub fn entry(&mut self, name: &str) -> &mut Symbol {
        self.symbols.entry(name.to_owned()).or_insert_with(|| Symbol {
            uuid: generate(),
            created: false,
            strong_ref: false,
            weak_ref: false,
        })
    }

    pub fn lookup(&self, name: &str) -> Option<&Symbol> {
        self.symbols.get(name)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Symbol)> {
        self.symbols.iter().map(|(n, s)| (n.as_str(), s))
    }
}
