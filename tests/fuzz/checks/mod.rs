//! The checks of the fuzz targets, each a function of the bytes that the fuzzer makes up. They panic where diurnal is wrong.
//!
//! They stand on the reference parser and on nothing else that the tests have, because the crate in `fuzz/` includes this
//! file too.

pub mod columns;
pub mod import;
pub mod lineproto;

#[allow(clippy::duplicate_mod, reason = "see above")]
#[path = "../../lineproto/compare.rs"]
mod compare;
mod days;
mod input;
mod model;
#[allow(clippy::duplicate_mod, reason = "see above")]
#[path = "../../lineproto/reference.rs"]
mod reference;
mod rows;
