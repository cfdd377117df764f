//! Measurements: micro and macro benches, traffic, comparison of revisions (perf/README.md).
//!
//! Responsibility: numbers, no product code. Plane: none. Imports anything; nobody imports it.
