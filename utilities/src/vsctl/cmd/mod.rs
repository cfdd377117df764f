//! The commands of the Open_vSwitch schema, one file per family. Each is
//! `fn(&mut Context, &Command) -> Result<(), Fail>`, named in [`super::syntax::COMMANDS`].

pub(super) mod aa;
pub(super) mod bond;
pub(super) mod bridge;
pub(super) mod controller;
pub(super) mod misc;
pub(super) mod port;
pub(super) mod ssl;
pub(super) mod zone;
