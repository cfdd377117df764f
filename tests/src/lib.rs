//! Tests that span crates: the crate graph (tests/), system and differential tests with real binaries (system/).
//!
//! Responsibility: proof, no product code. Plane: none. Imports anything; nobody imports it.
