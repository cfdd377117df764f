//! OpenFlow connections: framing for byte streams, and the session machine over it.

pub mod frame;
pub mod session;
#[cfg(test)]
mod tests;

pub use frame::{FrameCodec, FrameError};
pub use session::{Frame, Session, SessionError};
