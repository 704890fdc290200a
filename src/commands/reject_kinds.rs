//! Kinds of rejects: what a person is told of when an archive first meets it, however many lines follow.

use std::collections::BTreeSet;

use crate::console::Console;
use crate::lineproto::Reason;
use crate::report::{counted, escaped};
use crate::store::record::RejectKind;
use crate::store::{Store, paths};
use crate::table::{RejectedLine, RejectedText};

/// Kinds that are told apart by measurement and column, in an archive; beyond that, by their reason alone. Producers choose the names, and
/// the ledger keeps them.
const MOST_KINDS: usize = 1_000;

/// Kinds that one commit tells of.
const SAID_KINDS: usize = 20;

/// What a rejected line has in common with others.
pub fn kind_of(reject: &RejectedLine) -> RejectKind {
    kind(reject.reason, reject.place.as_ref())
}

/// [`kind_of`] a stored one.
pub fn kind_of_stored(text: &RejectedText) -> RejectKind {
    kind(text.reason, text.place.as_ref())
}

fn kind(reason: Reason, place: Option<&(String, String)>) -> RejectKind {
    let (measurement, column) = place.cloned().unzip();
    RejectKind {
        reason: reason.as_str().to_owned(),
        measurement,
        column,
    }
}

/// Those that are new to an archive that has `seen` some.
pub fn unseen(kinds: impl IntoIterator<Item = RejectKind>, seen: &BTreeSet<RejectKind>) -> Vec<RejectKind> {
    let new = |kinds: BTreeSet<RejectKind>| kinds.difference(seen).cloned().collect::<Vec<_>>();
    let kinds = new(kinds.into_iter().collect());
    if seen.len() + kinds.len() <= MOST_KINDS {
        return kinds;
    }
    let bare = kinds.into_iter().map(|kind| RejectKind {
        measurement: None,
        column: None,
        ..kind
    });
    new(bare.collect())
}

/// A new kind is worth a word even with `-q`: cron then mails it, once.
pub fn say_kinds(console: Console, store: &Store, dry_run: bool, kinds: &[RejectKind]) {
    for kind in kinds.iter().take(SAID_KINDS) {
        let column = match (&kind.measurement, &kind.column) {
            (Some(measurement), Some(column)) => format!(" in {}", escaped(&format!("{measurement}.{column}"))),
            _ => String::new(),
        };
        let kept = match dry_run {
            true => "would be kept",
            false => "are kept",
        };
        console.remark(format_args!(
            "new kind of reject: {}{column}; such lines {kept} in {}",
            kind.reason,
            store.dir().join(paths::PRIVATE).join("rejects").display()
        ));
    }
    if let Some(more) = kinds.len().checked_sub(SAID_KINDS).filter(|more| *more > 0) {
        console.remark(format_args!("and {}", counted(more as u64, "other new kind")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(columns: std::ops::Range<usize>) -> BTreeSet<RejectKind> {
        let place = |column| ("m".to_owned(), format!("c{column}"));
        columns
            .map(|column| kind(Reason::TypeMismatch, Some(&place(column))))
            .collect()
    }

    #[test]
    fn a_kind_is_new_once() {
        let seen = kinds(0..3);
        assert_eq!(unseen(kinds(1..5), &seen), kinds(3..5).into_iter().collect::<Vec<_>>());
        assert_eq!(unseen(kinds(0..3), &seen), []);
    }

    #[test]
    fn beyond_the_most_columns_are_not_told_apart() {
        let mut seen = kinds(0..MOST_KINDS - 1);
        assert_eq!(unseen(kinds(MOST_KINDS..MOST_KINDS + 1), &seen).len(), 1);
        let bare = unseen(kinds(MOST_KINDS..MOST_KINDS + 2), &seen);
        assert_eq!(bare, [kind(Reason::TypeMismatch, None)]);
        seen.extend(bare);
        assert_eq!(unseen(kinds(MOST_KINDS..MOST_KINDS + 2), &seen), []);
    }
}
