//! Packets as data: the flow key, its mask, the match fields, and the parser from bytes to key.
//!
//! Responsibility: one layout (`Flow`) that the poll-mode path, the classifiers, translation and the OpenFlow
//! codec share, so that nobody converts between keys. Plane: hot (parse, hash) and slow (fields, text).
//! Imports nothing of ours. Nothing here allocates on the packet path, reads a clock or panics on packet bytes.

pub mod checksum;
pub mod field;
pub mod hash;
pub mod key;
pub mod matching;
pub mod packet;
pub mod parse;
pub mod proto;

pub use field::{Field, Subfield};
pub use key::{Be16, Be32, Be64, Flow, LineMap, Mask, N_LINES};
pub use matching::Match;
