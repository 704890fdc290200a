//! A word about room on the disk before a commit is staged.

use crate::console::Console;
use crate::error::Error;
use crate::report::bytes;
use crate::store::Store;

/// Warns where a commit may need more than is free: the files of its days may all be written anew beside those that are there. It is no
/// error, as lines that were archived before change no file; what surely can't fit is refused when its turn comes.
pub fn warn_of_room(console: Console, store: &Store, on_record: u64) {
    let Some(free) = store.free_bytes().filter(|free| *free < on_record) else {
        return;
    };
    let cause = format_args!(
        "the files of the days that lines came for have {}, and as much is needed to write them anew; {} are free",
        bytes(on_record),
        bytes(free)
    );
    let warning = Error::new(store.dir().display(), cause);
    console.warning(&warning.hint("free some space; a commit that does not fit leaves the archive as it is"));
}
