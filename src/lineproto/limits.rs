//! How much one line may hold. Memory for a line is bounded by these, whatever is sent.

/// The longest line that is parsed: 16 MiB, well above what Kafka's default message size lets through.
pub const LINE_BYTES: usize = 16 << 20;

/// The most tags of one line.
pub const TAGS: usize = 1024;

/// The most fields of one line.
pub const FIELDS: usize = 16_384;

/// What is kept of a line of a file that is too long. The file has the rest; a message of Kafka's is kept as a whole.
pub const KEPT_OF_LONG_LINE: usize = 64 << 10;

/// Bounds for each line; a line past one of them is a reject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Limits {
    /// Bytes of a line without its line end. It is also how far an opening quote is followed to its closing one.
    pub line_bytes: usize,
    /// Tags of a line as written, repeated ones included.
    pub tags: usize,
    /// Fields of a line as written, repeated ones included.
    pub fields: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line_bytes: LINE_BYTES,
            tags: TAGS,
            fields: FIELDS,
        }
    }
}
