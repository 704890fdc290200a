//! The checks live with the integration tests, which run every seed through them on the stable toolchain.

#[path = "../../tests/fuzz/checks/mod.rs"]
mod checks;

pub use checks::{columns, import, lineproto};
