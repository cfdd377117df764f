//! Values: uuids, atoms, types, datums, symbols; their JSON form and their text form.
//!
//! Knows nothing of tables or rows. Plane: control; everything here is immutable and `Send + Sync`.

mod atom;
mod datum;
mod symbol;
mod text;
mod types;
mod uuid;

#[cfg(test)]
mod tests;

pub use self::atom::{Atom, AtomicType};
pub use self::datum::Datum;
pub use self::symbol::{Symbol, SymbolTable};
pub use self::text::{needs_quotes, unquote};
pub use self::types::{BaseType, ColumnType, Constraint, RefKind, Reference, UNLIMITED};
pub use self::uuid::{Uuid, generate, parse_uuid, write_uuid};
