//! Which instructions of the processor the parser uses. The results are the same with any.

/// A set of instructions that the parser is compiled for. By default it takes the best that the processor has; the others are
/// for tests that hold them equal and for benchmarks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Instructions {
    /// No instructions beyond those of the target that the crate was compiled for.
    Portable,
}

impl Instructions {
    /// Every set, the slowest first.
    pub const ALL: &[Self] = &[Self::Portable];

    /// The best that this processor has.
    pub fn best() -> Self {
        Self::available().last().unwrap_or(Self::Portable)
    }

    /// Those that this processor has, the slowest first.
    pub fn available() -> impl DoubleEndedIterator<Item = Self> {
        Self::ALL.iter().copied().filter(|set| set.is_available())
    }

    /// Whether this processor has them.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
        }
    }

    /// A short name: `avx2`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Portable => "portable",
        }
    }
}
