//! diurnal: Kafka metrics in, one time-ordered file per measurement and day out.

pub mod batches;
pub mod calendar;
pub mod encode;
pub mod error;
pub mod format;
pub mod lineproto;
pub mod order;
pub mod source;
pub mod store;
pub mod table;
