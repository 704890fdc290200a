//! Tables and lines that fit a terminal: names are shortened, numbers never, and in a pipe or file nothing is.

/// Characters that a shortened name keeps at least.
const LEAST_NAME: usize = 12;

/// Space between two columns of a table.
const SPACE: usize = 2;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::table;

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
            "  partition                   messages",
            "  cpu                               12",
            "  telegraf-teleg…legraf-[17]  1,234,567",
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
