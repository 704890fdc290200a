//! A bug ends the process with a message like any other error, not with a backtrace.

use std::panic::{self, PanicHookInfo};

use crate::console::Console;
use crate::error::Error;
use crate::version::VERSION;

/// Has the console tell of panics. With `-v`, who sets `RUST_BACKTRACE` gets Rust's own words as well.
pub fn are_told_by(console: Console) {
    let rusts_own = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        console.error(&bug(panic));
        if console.verbose && std::env::var_os("RUST_BACKTRACE").is_some() {
            rusts_own(panic);
        }
    }));
}

/// A bug that a test asks for with `DIURNAL_FAILPOINT=bug`.
pub fn on_demand() {
    #[cfg(debug_assertions)]
    if std::env::var("DIURNAL_FAILPOINT").is_ok_and(|name| name == "bug") {
        panic!("asked for by a test");
    }
}

fn bug(panic: &PanicHookInfo<'_>) -> Error {
    let payload = panic.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let said = text
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("of an unknown kind");
    let place = match panic.location() {
        Some(place) => format!(" ({}, line {})", place.file(), place.line()),
        None => String::new(),
    };
    Error::new(format_args!("diurnal {VERSION}"), format_args!("a bug: {said}{place}")).hint(
        "please report it with this message and what was done; what was committed is safe, and running again does no harm",
    )
}
