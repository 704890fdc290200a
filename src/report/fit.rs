//! Tables that fit the terminal, and ages.

use std::time::Duration;

use super::text::table;

/// Characters of a name that stay, however narrow the terminal is.
const LEAST_NAME: usize = 12;

/// The columns of the terminal that standard output is; `None` where it is none: a program or a file gets names whole.
#[cfg(target_os = "linux")]
pub fn terminal_columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// The columns of the terminal; not known on this system.
#[cfg(not(target_os = "linux"))]
pub fn terminal_columns() -> Option<usize> {
    None
}

/// A [`table`] of so many columns at most, for which the first cells are shortened in their middle: names have no bound, numbers and
/// times do.
pub fn table_within(columns: Option<usize>, header: &[&str], right: &[bool], rows: &[Vec<String>]) -> String {
    let Some(columns) = columns else {
        return table(header, right, rows);
    };
    let width = |text: &str| text.chars().count();
    let widest = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell));
        cells
            .chain(header.get(column).map(|cell| width(cell)))
            .max()
            .unwrap_or(0)
    };
    let others: usize = (1..header.len()).map(|column| widest(column) + 2).sum();
    let room = columns.saturating_sub(others + 2).max(LEAST_NAME);
    if widest(0) <= room {
        return table(header, right, rows);
    }
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let mut row = row.clone();
            if let Some(name) = row.first_mut() {
                *name = shortened(name, room);
            }
            row
        })
        .collect();
    table(header, right, &rows)
}

/// A name of so many characters at most. Names often differ at their end: `telegraf.eu-central.cpu[17]`.
fn shortened(name: &str, most: usize) -> String {
    let length = name.chars().count();
    if length <= most {
        return name.to_owned();
    }
    let kept = most.saturating_sub(1);
    let end = kept / 2;
    let begin: String = name.chars().take(kept - end).collect();
    begin + "…" + &name.chars().skip(length - end).collect::<String>()
}

/// How long ago: `45 s`, `12 min`, `7 h`, `3 d`. Rounded down, in the largest unit of which there are two.
pub fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "min")];
    let fits = |(length, _): &&(u64, &str)| seconds >= 2 * length;
    match units.iter().find(fits) {
        Some((length, unit)) => format!("{} {unit}", super::text::grouped(seconds / length)),
        None => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_one_unit() {
        for (seconds, text) in [
            (0, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (7_199, "119 min"),
            (7_200, "2 h"),
            (172_799, "47 h"),
            (172_800, "2 d"),
            (400 * 86_400, "400 d"),
        ] {
            assert_eq!(age(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn a_table_is_as_wide_as_the_terminal_and_names_keep_both_ends() {
        let rows = vec![
            vec!["telegraf.eu-central.production.cpu[17]".to_owned(), "1".to_owned()],
            vec!["t[0]".to_owned(), "1,000,000".to_owned()],
        ];
        let header = ["partition", "lag"];
        let of = |columns| table_within(columns, &header, &[false, true], &rows);
        assert!(of(None).contains("telegraf.eu-central.production.cpu[17]"));
        assert_eq!(of(Some(200)), of(None));
        let expected = "  partition               lag\n  telegraf…cpu[17]          1\n  t[0]              1,000,000\n";
        assert_eq!(of(Some(29)), expected);
        assert!(of(Some(29)).lines().all(|line| line.chars().count() <= 29));
        // Nothing is left out that would be asked for: a very narrow terminal breaks the lines itself.
        assert!(of(Some(5)).contains("telegr…u[17]"));
    }

    #[test]
    fn a_name_of_many_bytes_is_cut_between_characters() {
        assert_eq!(shortened("größeßgrößeßgröße", 7), "grö…öße");
        assert_eq!(shortened("12345", 5), "12345");
    }
}
