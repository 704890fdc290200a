//! Standard input and named pipes: the next byte may be long in coming, and a person who presses Ctrl-C must not wait for it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use super::StopFlag;

/// Bytes that are read at once at most.
const CHUNK_BYTES: usize = 1 << 18;

/// Chunks that wait to be taken at most.
const CHUNKS: usize = 4;

/// How long a request to stop may go unnoticed while no byte comes.
const LOOK_UP: Duration = Duration::from_millis(100);

/// Reads on a thread of its own, because a blocking read can't be called off: that thread is left behind when the run is told to stop.
#[derive(Debug)]
pub(super) struct Pipe {
    chunks: Receiver<io::Result<Vec<u8>>>,
    /// The rest of the last chunk.
    rest: io::Cursor<Vec<u8>>,
    stop: StopFlag,
}

impl Pipe {
    /// Reads standard input.
    pub(super) fn standard_input(stop: &StopFlag) -> io::Result<Self> {
        Self::start(|| Ok(io::stdin()), stop)
    }

    /// Opens and reads a path that is no plain file. Opening a named pipe waits until something writes to it, and doing so twice
    /// would cut that writer off: this is the only time.
    pub(super) fn open(path: &Path, stop: &StopFlag) -> io::Result<Self> {
        let path = path.to_owned();
        Self::start(move || File::open(path), stop)
    }

    fn start<R: Read>(open: impl FnOnce() -> io::Result<R> + Send + 'static, stop: &StopFlag) -> io::Result<Self> {
        let (send, chunks) = sync_channel(CHUNKS);
        thread::Builder::new()
            .name("pipe".to_owned())
            .spawn(move || match open() {
                Ok(reader) => pass_on(reader, &send),
                Err(error) => drop(send.send(Err(error))),
            })?;
        Ok(Self {
            chunks,
            rest: io::Cursor::default(),
            stop: stop.clone(),
        })
    }
}

/// Sends what is read until there is no more, or nobody takes it.
fn pass_on(mut reader: impl Read, send: &SyncSender<io::Result<Vec<u8>>>) {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let chunk = match reader.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => Ok(buffer[..read].to_vec()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let last = chunk.is_err();
        if send.send(chunk).is_err() || last {
            return;
        }
    }
}

impl Read for Pipe {
    /// # Errors
    /// What the pipe says, or that the run was told to stop.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.rest.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            match self.chunks.recv_timeout(LOOK_UP) {
                Ok(chunk) => self.rest = io::Cursor::new(chunk?),
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
                Err(RecvTimeoutError::Timeout) if self.stop.is_set() => {
                    return Err(io::Error::other("stopped by a signal"));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_gives_what_was_written_and_then_its_end() {
        let stop = StopFlag::new();
        let bytes: Vec<u8> = (0..=255).cycle().take(3 * CHUNK_BYTES + 7).collect();
        let expected = bytes.clone();
        let mut pipe = Pipe::start(move || Ok(io::Cursor::new(bytes)), &stop).unwrap();
        let mut got = Vec::new();
        pipe.read_to_end(&mut got).unwrap();
        assert!(got == expected);
        assert_eq!(pipe.read(&mut [0]).unwrap(), 0, "the end stays the end");
    }

    #[test]
    fn a_pipe_that_stays_silent_is_left_when_the_run_is_told_to_stop() {
        struct Silent;
        impl Read for Silent {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                loop {
                    thread::park();
                }
            }
        }
        let stop = StopFlag::new();
        let mut pipe = Pipe::start(|| Ok(Silent), &stop).unwrap();
        stop.set();
        assert!(pipe.read_to_end(&mut Vec::new()).is_err());
    }

    #[test]
    fn a_pipe_that_cannot_be_opened_says_so() {
        let mut pipe = Pipe::open(Path::new("/no/such/pipe"), &StopFlag::new()).unwrap();
        let error = pipe.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
