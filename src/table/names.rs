//! What a new column is called: unique in its measurement ignoring case, and never `time`.

use std::collections::HashSet;

use super::schema::ColumnKind;
use super::schema_file::folded;

/// The column that every day file starts with.
pub const TIME_COLUMN: &str = "time";

/// The names that a measurement's columns have taken, ignoring case as DuckDB and Spark do.
#[derive(Debug)]
pub struct TakenNames(HashSet<String>);

impl TakenNames {
    /// The names of the columns that are there already; `time` is always taken.
    pub fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut taken = HashSet::from([TIME_COLUMN.to_owned()]);
        taken.extend(names.map(folded));
        Self(taken)
    }

    /// Takes a name for a new column: its key, or where that clashes `key_tag` or `key_field`, then with a number.
    pub fn take(&mut self, key: &str, kind: ColumnKind) -> String {
        if self.0.insert(folded(key)) {
            return key.to_owned();
        }
        let suffix = match kind {
            ColumnKind::Tag => "tag",
            ColumnKind::Field => "field",
        };
        let plain = format!("{key}_{suffix}");
        if self.0.insert(folded(&plain)) {
            return plain;
        }
        (2u64..)
            .map(|number| format!("{plain}{number}"))
            .find(|name| self.0.insert(folded(name)))
            .expect("a finite set of names leaves a number free")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clash_ignoring_case_gets_the_kind_then_a_number() {
        let mut names = TakenNames::new(["host"].into_iter());
        assert_eq!(names.take("Foo", ColumnKind::Field), "Foo");
        assert_eq!(names.take("foo", ColumnKind::Field), "foo_field");
        assert_eq!(names.take("FOO", ColumnKind::Field), "FOO_field2");
        assert_eq!(names.take("HOST", ColumnKind::Tag), "HOST_tag");
        assert_eq!(names.take("time", ColumnKind::Field), "time_field");
        assert_eq!(names.take("Time", ColumnKind::Tag), "Time_tag");
        assert_eq!(names.take("ÄRGER", ColumnKind::Field), "ÄRGER");
        assert_eq!(names.take("ärger", ColumnKind::Field), "ärger_field");
    }
}
