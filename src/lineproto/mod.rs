//! Bytes -> lines: InfluxDB line protocol as Telegraf writes it, borrowed and without allocation.
//!
//! A line that is as lines almost always are is read the straight way (`fast`): vector instructions find the bytes that mean
//! something (`simd`), and the line is walked from one of them to the next. Every other line, and every mistake, is left to the
//! thorough way, which alone knows all rules: it is cut out first, which needs no more than to follow quoted strings (`split`),
//! and then parsed by itself (`head`, `fields`, `number`). So a bad line can't harm its neighbours, and where it ends is a
//! function of its bytes. Both ways give the same, on every processor; the tests and fuzz targets hold them to that.
//!
//! ```
//! use diurnal::lineproto::{FieldValue, Limits, Parser, Precision};
//!
//! let mut parser = Parser::new(Precision::Ns, Limits::default());
//! let mut lines = parser.lines(b"cpu,host=web-01 usage_idle=98.5,cores=4i 1592568000000000000\n");
//! while let Some(line) = lines.next() {
//!     let line = line.expect("a good line");
//!     assert_eq!(line.head().measurement.unescape(), "cpu");
//!     assert_eq!(line.time(), Some(1_592_568_000_000_000_000));
//!     let cores = line.fields().find(|field| field.key.raw() == b"cores");
//!     assert_eq!(cores.map(|field| field.value), Some(FieldValue::Int(4)));
//! }
//! ```

mod bytes;
mod decimal;
mod duplicates;
mod fast;
mod fields;
mod head;
mod instructions;
mod limits;
mod number;
mod parse;
mod reason;
mod simd;
mod split;
mod text;

pub use fields::{Field, FieldValue, Fields};
pub(crate) use fields::{Kind, Slot};
pub use head::Head;
pub use instructions::Instructions;
pub use limits::{FIELDS, KEPT_OF_LONG_LINE, LINE_BYTES, Limits, TAGS};
pub use parse::{Line, Lines, Parser};
pub use reason::{Reason, Reject};
pub use split::whole_lines;
pub use text::Text;

/// The unit of the times in lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Nanoseconds, what Telegraf sends.
    #[default]
    Ns,
    /// Microseconds.
    Us,
    /// Milliseconds.
    Ms,
    /// Seconds.
    S,
}

impl Precision {
    /// Nanoseconds in one unit.
    pub const fn nanoseconds(self) -> i64 {
        match self {
            Self::Ns => 1,
            Self::Us => 1_000,
            Self::Ms => 1_000_000,
            Self::S => 1_000_000_000,
        }
    }
}
