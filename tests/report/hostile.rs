//! Names of producers that mean harm are text, and nothing else.

use super::{data_in, import, report};
use crate::support::folder::Folder;

/// A measurement, a tag and a field whose names end the script, begin markup, and turn the text around.
pub const MEASUREMENT: &str = "m</script><script>alert(1)</script>";
pub const HOST: &str = "</script\\ x><img\\ src\\=x\\ onerror\\=alert(2)>\u{202e}drow<!--";
pub const FIELD: &str = "v&lt;{{script}}\u{85}\u{1b}[31m</style>";

/// Some minutes of such a series.
pub fn lines() -> String {
    (0..30)
        .map(|at| {
            format!(
                "{MEASUREMENT},host={HOST} {FIELD}={at} {}000000000\n",
                1_592_568_000 + at * 60
            )
        })
        .collect()
}

/// What `--field` takes for it.
pub fn field() -> String {
    format!("{MEASUREMENT}.{FIELD}")
}

#[test]
fn names_can_not_leave_the_data() {
    let folder = Folder::new();
    import(&folder, lines());
    let (_, page) = report(&folder, &["--field", &field()]);
    // The script of the data, the library and the page's own.
    assert_eq!(page.matches("<script").count(), 3);
    assert_eq!(page.matches("</script").count(), 3);
    assert_eq!(page.matches("</style").count(), 1);
    assert!(!page.contains("<img") && !page.contains("<!--"));
    let data = data_in(&page);
    let plot = &data["plots"][0];
    assert_eq!(
        plot["name"],
        format!("{MEASUREMENT}.v&lt;{{{{script}}}}\\u{{85}}\\u{{1b}}[31m</style>")
    );
    let host = plot["series"][0]["host"].as_str().expect("a host");
    assert_eq!(host, "</script x><img src=x onerror=alert(2)>\\u{202e}drow<!--");
    assert_eq!(plot["series"][0]["samples"], 30);
}

#[test]
fn the_longest_names_are_cut_in_the_page() {
    let folder = Folder::new();
    let lines: String = (0..50)
        .map(|at| format!("m,host=h{at:02}{} v=1 1592568000000000000\n", "x".repeat(60_000)))
        .collect();
    import(&folder, lines);
    let (_, page) = report(&folder, &["--field", "m.v"]);
    assert!(page.len() < 200_000, "{} bytes", page.len());
    assert_eq!(data_in(&page)["plots"][0]["series"].as_array().map(Vec::len), Some(50));
}
