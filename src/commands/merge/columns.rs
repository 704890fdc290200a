//! The columns of a measurement in two archives, put together. Columns are matched by kind and key. Names and types were given when each
//! archive saw a column first and never change, so where the two differ in one, there are no files that both could have made.

use crate::error::{Error, Result};
use crate::report::escaped;
use crate::table::schema::{Column, ColumnKind, ColumnOrigin, MeasurementSchema};
use crate::table::schema_file::folded;

/// What to do about columns that do not go together.
const SAME_SCHEMA: &str = "nothing was merged. A type is changed by `diurnal schema set`; for names, export the columns of one \
                           (`diurnal schema export`), archive the lines of the other once more into a new archive with these as \
                           --schemas, and merge that one";

/// The columns that a measurement has here with those that `other` (an archive that messages call `name`) has in addition.
///
/// A column that is new here counts as learned, even if it was declared there: the days that this archive has of the measurement keep
/// their columns. Where only origin, unit or description differ, those of this archive hold.
///
/// # Errors
/// A column of another type or another name; a name that two columns would share.
pub fn united(here: Option<&MeasurementSchema>, other: &MeasurementSchema, name: &str) -> Result<MeasurementSchema> {
    let Some(here) = here else {
        return Ok(other.clone());
    };
    let mut united = here.clone();
    for column in &other.columns {
        match here.column_of(&column.key, column.kind) {
            Some(place) => agree(&here.measurement, &here.columns[place], column, name)?,
            None => {
                has_its_name_alone(here, column, name)?;
                united.columns.push(Column {
                    origin: ColumnOrigin::Learned,
                    ..column.clone()
                });
            }
        }
    }
    united.sort_columns();
    Ok(united)
}

fn agree(measurement: &str, here: &Column, there: &Column, name: &str) -> Result<()> {
    let cause = if here.name != there.name {
        format!("is called {} in {name}", escaped(&there.name))
    } else if here.ty != there.ty {
        format!("is {} here and {} in {name}", here.ty, there.ty)
    } else {
        return Ok(());
    };
    Err(Error::new(escaped(&format!("{measurement}.{}", here.name)), cause).hint(SAME_SCHEMA))
}

/// Refuses a name that another column has here; upper and lower case are the same.
fn has_its_name_alone(here: &MeasurementSchema, column: &Column, name: &str) -> Result<()> {
    let taken = here
        .columns
        .iter()
        .find(|taken| folded(&taken.name) == folded(&column.name));
    let Some(taken) = taken else {
        return Ok(());
    };
    let cause = format!(
        "is the {} here, but {} is the {} in {name}",
        key_of(taken),
        escaped(&column.name),
        key_of(column)
    );
    Err(Error::new(escaped(&format!("{}.{}", here.measurement, taken.name)), cause).hint(SAME_SCHEMA))
}

fn key_of(column: &Column) -> String {
    let kind = match column.kind {
        ColumnKind::Tag => "tag",
        ColumnKind::Field => "field",
    };
    format!("{kind} {}", escaped(&column.key))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::table::schema_file::{parse, render};

    fn schema(columns: &str) -> MeasurementSchema {
        let text = format!("measurement = \"m\"\n{columns}");
        parse(&text, Path::new("m.toml")).expect("a schema")
    }

    fn tag(name: &str) -> String {
        format!("[[tag]]\nname = \"{name}\"\norigin = \"learned\"\n")
    }

    fn field(name: &str, rest: &str) -> String {
        format!("[[field]]\nname = \"{name}\"\n{rest}\n")
    }

    fn refused(here: &str, there: &str) -> String {
        let error = united(Some(&schema(here)), &schema(there), "there").expect_err("they do not go together");
        error.to_string()
    }

    const INT: &str = "type = \"int\"\norigin = \"learned\"";
    const FLOAT: &str = "type = \"float\"\norigin = \"learned\"";
    const DECLARED: &str = "type = \"float\"\nunit = \"percent\"";

    #[test]
    fn columns_of_either_are_there_in_the_order_of_the_schema_whichever_comes_first() {
        let one = schema(&(tag("rack") + &field("b", INT) + &field("d", INT)));
        let other = schema(&(tag("host") + &tag("rack") + &field("a", FLOAT) + &field("c", INT)));
        let both = united(Some(&one), &other, "there").unwrap();
        let names: Vec<&str> = both.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["host", "rack", "a", "b", "c", "d"]);
        assert_eq!(united(Some(&other), &one, "there").unwrap(), both);
        assert_eq!(united(Some(&both), &other, "there").unwrap(), both);
        assert_eq!(united(None, &other, "there").unwrap(), other);
    }

    #[test]
    fn what_was_declared_here_holds_and_what_is_new_is_learned() {
        let here = schema(&field("v", DECLARED));
        let there = schema(&(field("x", DECLARED) + &field("v", FLOAT)));
        let both = united(Some(&here), &there, "there").unwrap();
        assert_eq!(both.columns[0], here.columns[0]);
        let new = &both.columns[1];
        assert_eq!(
            (new.name.as_str(), new.origin, new.unit.as_deref()),
            ("x", ColumnOrigin::Learned, Some("percent"))
        );
        assert_eq!(parse(&render(&both), Path::new("m.toml")).unwrap(), both);
    }

    #[test]
    fn another_type_or_name_is_refused_naming_the_column() {
        assert_eq!(
            refused(&field("v", FLOAT), &field("v", INT)),
            "m.v: is float here and int in there"
        );
        let renamed = format!("key = \"v\"\n{FLOAT}");
        assert_eq!(
            refused(&field("v", FLOAT), &field("v_field", &renamed)),
            "m.v: is called v_field in there"
        );
        assert_eq!(
            refused(&field("Foo", FLOAT), &field("foo", FLOAT)),
            "m.Foo: is the field Foo here, but foo is the field foo in there"
        );
        assert_eq!(
            refused(&tag("host"), &field("host", FLOAT)),
            "m.host: is the tag host here, but host is the field host in there"
        );
    }
}
