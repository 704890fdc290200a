//! What an input of the fuzzer means: some bytes that choose settings, then text.

use diurnal::lineproto::Precision;

/// Ends a message, so that one input can hold several.
pub const MESSAGE_END: u8 = 0x1e;

/// Ends what is settled in one commit.
pub const COMMIT_END: u8 = 0x1d;

/// The bytes at the start of an input that choose. A digit chooses its own number, so that seeds can be written by hand.
pub struct Choices<'a> {
    rest: &'a [u8],
}

impl<'a> Choices<'a> {
    pub fn new(input: &'a [u8]) -> Self {
        Self { rest: input }
    }

    /// A number below `below`; 0 where the input is over.
    pub fn below(&mut self, below: usize) -> usize {
        let Some((&byte, rest)) = self.rest.split_first() else {
            return 0;
        };
        self.rest = rest;
        usize::from(byte.wrapping_sub(b'0')) % below
    }

    /// One of `all`.
    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    pub fn precision(&mut self) -> Precision {
        self.one_of(&[Precision::Ns, Precision::Us, Precision::Ms, Precision::S])
    }

    /// Everything behind the choices.
    pub fn rest(self) -> &'a [u8] {
        self.rest
    }
}

/// One message of an input.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Where it starts in the input's text.
    pub start: usize,
    pub bytes: &'a [u8],
}

/// The commits of a text, each with its messages; `most` commits, the last one holds the rest.
pub fn commits(text: &[u8], most: usize) -> Vec<Vec<Message<'_>>> {
    let mut start = 0;
    let mut place = |bytes: &[u8]| {
        let here = start;
        start += bytes.len() + 1;
        here
    };
    text.splitn(most, |&byte| byte == COMMIT_END)
        .map(|commit| {
            let messages = commit.split(|&byte| byte == MESSAGE_END);
            messages
                .map(|bytes| Message {
                    start: place(bytes),
                    bytes,
                })
                .collect()
        })
        .collect()
}

/// Bytes as they can be written in a string.
pub fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
