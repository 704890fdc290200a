//! Numbers and tables for people.

use std::borrow::Cow;

use super::fit::{cut, table_within};
use super::run::RunReport;

/// Days that a summary lists; the rest is counted. All of it fits a screen of 24 rows.
const SHOWN_DAYS: usize = 8;

/// Partitions that it lists.
const SHOWN_PARTITIONS: usize = 6;

/// Rejects that it lists.
const FIRST_REJECTS: usize = 3;

/// `1234567` as `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things: `1 commit`, `2,000 commits`.
pub fn counted(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// A size in bytes as `1.5 MB` (powers of 1000).
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if number < 1_000 {
        return format!("{number} B");
    }
    let mut value = number as f64 / 1e3;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1e3;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A piece of somebody's text that can't move the cursor or colour the terminal: control and direction characters are escaped.
pub fn escaped(text: &str) -> String {
    text.escape_debug()
        .to_string()
        .replace("\\\"", "\"")
        .replace("\\'", "'")
}

/// Whether a character moves the cursor, colours the terminal, changes the direction of text, or shows nothing.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Lines of text for a terminal, whoever's words are in them: hidden characters but the ends of lines are escaped.
pub fn harmless(text: &str) -> Cow<'_, str> {
    let harms = |c: char| c != '\n' && is_hidden(c);
    if !text.contains(harms) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match harms(c) {
            true => shown.extend(c.escape_unicode()),
            false => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// A table with a header; columns are as wide as their widest cell, and right-aligned where `right` says so.
pub fn table(header: &[&str], right: &[bool], rows: &[Vec<String>]) -> String {
    let width = |text: &str| text.chars().count();
    let mut widths: Vec<usize> = header.iter().map(|cell| width(cell)).collect();
    for row in rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = width(cell).max(*widest);
        }
    }
    let mut text = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut out = String::new();
        for ((cell, widest), right) in cells.zip(&widths).zip(right) {
            let pad = " ".repeat(widest - width(cell));
            out.push_str("  ");
            out.push_str(&if *right { pad + cell } else { cell.to_owned() + &pad });
        }
        text.push_str(out.trim_end());
        text.push('\n');
    };
    line(&mut header.iter().copied());
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
    text
}

/// What a person wants to know at the end of a run; fits a screen, one of so many columns if that is known.
pub fn run_summary(report: &RunReport, width: Option<usize>) -> String {
    let mut text = match report.dry_run {
        true => "dry run, nothing was written; this is what a run would do:\n".to_owned(),
        false => String::new(),
    };
    text += &match report.lines {
        0 => format!("nothing new ({:.2} s)\n", report.elapsed_s),
        _ => totals(report),
    };
    if !report.days.is_empty() {
        let rows: Vec<Vec<String>> = report
            .days
            .iter()
            .take(SHOWN_DAYS)
            .map(|day| {
                let counts = [Some(day.rows), day.points, day.folded];
                [escaped(&day.measurement), day.day.clone()]
                    .into_iter()
                    .chain(counts.into_iter().flatten().map(grouped))
                    .collect()
            })
            .collect();
        let header = ["measurement", "day", "rows", "new points", "folded"];
        let shown = if report.dry_run { 5 } else { 3 };
        text += &table_within(width, &header[..shown], &[false, false, true, true, true], &rows);
        text += &more(report.days.len(), SHOWN_DAYS, "days");
    }
    if !report.partitions.is_empty() {
        // What was lost is worth a line before anything else.
        let mut partitions: Vec<_> = report.partitions.iter().collect();
        partitions.sort_by_key(|range| range.lost == 0);
        let rows: Vec<Vec<String>> = partitions
            .into_iter()
            .take(SHOWN_PARTITIONS)
            .map(|range| {
                vec![
                    format!("{}[{}]", range.topic, range.partition),
                    range.first.to_string(),
                    range.next.to_string(),
                    grouped(range.messages),
                    grouped(range.gaps),
                    grouped(range.lost),
                ]
            })
            .collect();
        let header = ["partition", "from", "to", "messages", "gaps", "lost"];
        text += &table_within(width, &header, &[false, true, true, true, true, true], &rows);
        text += &more(report.partitions.len(), SHOWN_PARTITIONS, "partitions");
    }
    for reject in report.rejects.iter().take(FIRST_REJECTS) {
        let line = reject
            .line
            .as_deref()
            .or(reject.line_base64.as_deref())
            .unwrap_or_default();
        let shown: String = line.chars().take(100).collect();
        let shown = format!(
            "rejected: {} offset {}: {}{}: {}",
            escaped(&reject.source),
            reject.offset,
            reject.reason,
            reject
                .detail
                .as_ref()
                .map(|detail| format!(" ({})", escaped(detail)))
                .unwrap_or_default(),
            escaped(&shown)
        );
        text += &(cut(&shown, width) + "\n");
    }
    if report.rejected > FIRST_REJECTS as u64 && !report.dry_run {
        text += "`diurnal rejects` lists them all\n";
    }
    text
}

fn totals(report: &RunReport) -> String {
    let conflicts = match report.conflicts {
        0 => String::new(),
        points => format!("; {} with more than one value for a field", counted(points, "point")),
    };
    let again = match report.rejected_again {
        0 => String::new(),
        lines if lines == report.rejected => " (on record already)".to_owned(),
        lines => format!(" ({} of them on record already)", grouped(lines)),
    };
    let per_second = report.lines as f64 / report.elapsed_s.max(1e-3);
    format!(
        "{}: {}, {} folded, {} rejected{again}{conflicts}\n{} in {:.2} s, {} lines/s\n",
        counted(report.lines, "line"),
        counted(report.points, "new point"),
        grouped(report.folded),
        grouped(report.rejected),
        bytes(report.bytes_in),
        report.elapsed_s,
        grouped(per_second as u64)
    )
}

fn more(all: usize, shown: usize, what: &str) -> String {
    match all.checked_sub(shown) {
        Some(rest) if rest > 0 => format!("  ... and {rest} more {what}\n"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{DayReport, PartitionReport, RejectReport};

    #[test]
    fn numbers_are_grouped_and_sizes_human() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_500_000), "1.5 MB");
        assert_eq!(bytes(999_999), "1.0 MB");
    }

    #[test]
    fn a_hostile_line_cannot_drive_the_terminal() {
        assert_eq!(escaped("a\u{1b}[31m\"b\"\u{202e}"), "a\\u{1b}[31m\"b\"\\u{202e}");
    }

    #[test]
    fn lines_keep_their_ends_and_lose_what_can_not_be_seen() {
        assert_eq!(harmless("plain\nlines ä→\n"), "plain\nlines ä→\n");
        assert_eq!(
            harmless("a\u{1b}[2J\r\u{9b}m\u{202e}\nb\t\u{7f}"),
            "a\\u{1b}[2J\\u{d}\\u{9b}m\\u{202e}\nb\\u{9}\\u{7f}"
        );
    }

    #[test]
    fn a_summary_says_what_was_archived_and_what_was_strange() {
        let report = RunReport {
            lines: 1_004,
            points: 1_000,
            folded: 1,
            rejected: 3,
            rejected_again: 2,
            conflicts: 1,
            bytes_in: 250_000,
            elapsed_s: 0.5,
            days: vec![DayReport {
                measurement: "cpu".to_owned(),
                day: "2020-06-19".to_owned(),
                rows: 1_001,
                parquet: None,
                csv: None,
                points: None,
                folded: None,
            }],
            partitions: vec![PartitionReport {
                topic: "t".to_owned(),
                partition: 0,
                first: 0,
                next: 1_010,
                messages: 1_002,
                gaps: 8,
                lost: 0,
                end: Some(1_010),
            }],
            rejects: vec![RejectReport {
                source: "t[0]".to_owned(),
                offset: 7,
                reason: "empty_value",
                detail: Some("at byte 9".to_owned()),
                line: Some("cpu usage=\u{7} 1".to_owned()),
                line_base64: None,
                cut_from: None,
            }],
            ..RunReport::new("archive")
        };
        let expected = "\
1,004 lines: 1,000 new points, 1 folded, 3 rejected (2 of them on record already); 1 point with more than one value for a field
250.0 kB in 0.50 s, 2,008 lines/s
  measurement  day          rows
  cpu          2020-06-19  1,001
  partition  from    to  messages  gaps  lost
  t[0]          0  1010     1,002     8     0
rejected: t[0] offset 7: empty_value (at byte 9): cpu usage=\\u{7} 1
";
        assert_eq!(run_summary(&report, None), expected);
        assert_eq!(
            run_summary(
                &RunReport {
                    elapsed_s: 0.1,
                    ..RunReport::default()
                },
                None
            ),
            "nothing new (0.10 s)\n"
        );
    }

    #[test]
    fn a_dry_run_says_so_first_and_counts_by_day() {
        let report = RunReport {
            dry_run: true,
            lines: 1_003,
            points: 1_001,
            folded: 2,
            bytes_in: 250_000,
            elapsed_s: 0.5,
            days: vec![DayReport {
                measurement: "cpu".to_owned(),
                day: "2020-06-19".to_owned(),
                rows: 5_000,
                parquet: None,
                csv: None,
                points: Some(1_001),
                folded: Some(2),
            }],
            ..RunReport::new("import")
        };
        let expected = "\
dry run, nothing was written; this is what a run would do:
1,003 lines: 1,001 new points, 2 folded, 0 rejected
250.0 kB in 0.50 s, 2,006 lines/s
  measurement  day          rows  new points  folded
  cpu          2020-06-19  5,000       1,001       2
";
        assert_eq!(run_summary(&report, None), expected);
    }

    #[test]
    fn a_table_is_aligned() {
        let rows = vec![
            vec!["cpu".to_owned(), "1,000".to_owned()],
            vec!["m".to_owned(), "1".to_owned()],
        ];
        assert_eq!(
            table(&["name", "rows"], &[false, true], &rows),
            "  name   rows\n  cpu   1,000\n  m         1\n"
        );
    }
}
