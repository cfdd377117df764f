//! Action lists as text: `print` writes, `parse` reads; one file each for the big actions.

mod ct;
mod learn;
mod parse;
mod print;
mod split;

pub(crate) use parse::port;
pub use parse::{Parser, parse, parse_instructions};
pub use print::{Style, format};

/// Lists nested deeper than this are refused.
pub const DEPTH_MAX: u8 = 16;
pub use split::key_values;
