//! The text language of OpenFlow, as ovs-ofctl reads and writes it: `actions` (both ways), `flow`, `group`, `meter`
//! (reading; writing is `print`'s). Control plane; recursion is bounded by `actions::DEPTH_MAX`.

pub mod actions;
pub mod flow;
pub mod group;
pub mod meter;
pub mod number;
pub mod packet_out;
pub mod protocols;

pub use protocols::Protocols;

/// Why a text is refused, in OVS's words.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct TextError(pub String);

/// Result of parsing text.
pub type Parse<T> = Result<T, TextError>;

macro_rules! bad {
    ($($arg:tt)*) => { $crate::text::TextError(format!($($arg)*)) };
}
pub(crate) use bad;
