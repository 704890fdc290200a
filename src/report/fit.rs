//! Tables and lines that fit the terminal, where there is one: names are shortened, numbers never. And ages.

use std::os::fd::AsFd;
use std::time::Duration;

use super::text::table;

/// Characters of a name that stay, however narrow the terminal is.
const LEAST_NAME: usize = 12;

/// Space before each column of a table.
const SPACE: usize = 2;

/// The columns of the terminal that standard output is; `None` where it is none: a program or a file gets names whole.
pub fn terminal_columns() -> Option<usize> {
    columns_of(std::io::stdout())
}

/// The columns of the terminal that a stream goes to.
#[cfg(target_os = "linux")]
pub fn columns_of(stream: impl AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// The columns of the terminal; not known on this system.
#[cfg(not(target_os = "linux"))]
pub fn columns_of(_: impl AsFd) -> Option<usize> {
    None
}

/// A [`table`] of so many columns at most, for which the first cells are shortened in their middle: names have no bound, numbers and
/// times do.
pub fn table_within(columns: Option<usize>, header: &[&str], right: &[bool], rows: &[Vec<String>]) -> String {
    table(header, right, &fit(header, rows.to_vec(), &[0], columns))
}

/// The rows of a table, with the names in these columns shortened as far as `width` asks for it, the longest first.
pub fn fit(header: &[&str], mut rows: Vec<Vec<String>>, names: &[usize], width: Option<usize>) -> Vec<Vec<String>> {
    let Some(width) = width else { return rows };
    let cells = |column: usize| rows.iter().filter_map(move |row| row.get(column));
    let widest = |(column, header): (usize, &&str)| {
        let cells = cells(column).map(|cell| cell.chars().count());
        cells.chain([header.chars().count()]).max().unwrap_or(0)
    };
    let mut widths: Vec<usize> = header.iter().enumerate().map(widest).collect();
    while widths.iter().map(|width| width + SPACE).sum::<usize>() > width {
        let may_shrink = |column: &&usize| widths[**column] > LEAST_NAME.max(header[**column].chars().count());
        match names.iter().filter(may_shrink).max_by_key(|column| widths[**column]) {
            Some(&column) => widths[column] -= 1,
            None => break,
        }
    }
    for row in &mut rows {
        for &column in names {
            if let Some(cell) = row.get_mut(column) {
                *cell = without_middle(cell, widths[column]);
            }
        }
    }
    rows
}

/// A name of at most so many characters: what differs mostly stands at the beginning and at the end.
fn without_middle(name: &str, most: usize) -> String {
    let long = name.chars().count();
    if long <= most {
        return name.to_owned();
    }
    let kept = most.saturating_sub(1);
    let end = kept / 2;
    let begin: String = name.chars().take(kept - end).collect();
    begin + "…" + &name.chars().skip(long - end).collect::<String>()
}

/// A line of at most so many characters.
pub fn cut(line: &str, width: Option<usize>) -> String {
    match width {
        Some(width) if line.chars().count() > width => {
            line.chars().take(width.saturating_sub(1)).collect::<String>() + "…"
        }
        _ => line.to_owned(),
    }
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
        assert_eq!(without_middle("größeßgrößeßgröße", 7), "grö…öße");
        assert_eq!(without_middle("12345", 5), "12345");
    }

    fn rows(name: &str) -> Vec<Vec<String>> {
        vec![
            vec!["cpu".to_owned(), "12".to_owned()],
            vec![name.to_owned(), "1,234,567".to_owned()],
        ]
    }

    #[test]
    fn a_long_name_loses_its_middle_on_a_terminal_and_nothing_in_a_pipe() {
        let long = format!("{}[17]", "telegraf-".repeat(20));
        let header = ["partition", "messages"];
        assert_eq!(fit(&header, rows(&long), &[0], None), rows(&long));
        let fitted = table(&header, &[false, true], &fit(&header, rows(&long), &[0], Some(40)));
        assert!(fitted.lines().all(|line| line.chars().count() <= 40), "{fitted}");
        let expected = [
            "  partition                     messages",
            "  cpu                                 12",
            "  telegraf-tele…telegraf-[17]  1,234,567",
        ];
        assert_eq!(fitted.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn numbers_stay_whole_and_a_name_keeps_its_least_however_narrow_it_is() {
        let fitted = fit(&["partition", "messages"], rows(&"n".repeat(50)), &[0], Some(5));
        assert_eq!(fitted[1][0].chars().count(), LEAST_NAME);
        assert_eq!(fitted[1][1], "1,234,567");
    }

    #[test]
    fn a_line_is_cut_at_its_end() {
        assert_eq!(cut("abcdef", Some(4)), "abc…");
        assert_eq!(cut("abcd", Some(4)), "abcd");
        assert_eq!(cut("abcdef", None), "abcdef");
    }
}
