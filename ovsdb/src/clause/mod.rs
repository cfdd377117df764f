//! Conditions and mutations: the two small languages inside operations (RFC 7047 section 5.1).

mod condition;
mod mutation;

pub use self::condition::{Clause, Condition, Function};
pub use self::mutation::{Mutation, Mutator, parse_mutations};
