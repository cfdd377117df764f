//! The commands of any schema: `get set list find add remove clear create destroy wait-until`,
//! and how they name tables, columns, records and values.

mod argument;
mod condition;
pub(super) mod edit;
mod names;
pub(super) mod query;
mod record;
