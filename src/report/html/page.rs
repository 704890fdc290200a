//! The page around its data: style, library and script stand in the file, and nothing else may run or be fetched.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// What is put into [`TEMPLATE`]: where, and what.
const TEMPLATE: &str = include_str!("page/page.html");
const PLOT_STYLE: &str = include_str!("vendor/uplot/uPlot.min.css");
const STYLE: &str = include_str!("page/page.css");
/// The library for time series; its licence asks for its notice.
const PLOT_LIBRARY: &str = include_str!("vendor/uplot/uPlot.iife.min.js");
const PLOT_LICENCE: &str = include_str!("vendor/uplot/LICENSE");

/// The page's own script, in parts that each define what the later ones use.
const SCRIPT: [&str; 8] = [
    include_str!("page/text.js"),
    include_str!("page/theme.js"),
    include_str!("page/state.js"),
    include_str!("page/plots.js"),
    include_str!("page/heat.js"),
    include_str!("page/controls.js"),
    include_str!("page/tables.js"),
    include_str!("page/main.js"),
];

/// The whole file. `data` is JSON.
pub fn page(title: &str, data: &[u8]) -> Vec<u8> {
    let style = format!("{PLOT_STYLE}\n{STYLE}");
    let library = format!("/*\n{PLOT_LICENCE}*/\n{PLOT_LIBRARY}");
    // Strict, and with nothing global but what the library is called.
    let script = format!("\"use strict\";\n(() => {{\n{}}})();\n", SCRIPT.concat());
    let policy = format!(
        "default-src 'none'; img-src data:; style-src '{}'; script-src '{}' '{}'; base-uri 'none'; form-action 'none'",
        hash(&style),
        hash(&library),
        hash(&script)
    );
    let pieces = [
        ("{{policy}}", policy),
        ("{{title}}", escaped(title)),
        ("{{style}}", style),
        ("{{data}}", for_script(data)),
        ("{{library}}", library),
        ("{{script}}", script),
    ];
    let mut page = String::new();
    let mut rest = TEMPLATE;
    // In the order of the template, so that nothing in one piece is taken for the place of another.
    for (place, piece) in &pieces {
        let (before, behind) = rest.split_once(place).expect("the template has a place for each piece");
        page.push_str(before);
        page.push_str(piece);
        rest = behind;
    }
    page.push_str(rest);
    page.into_bytes()
}

/// A source of the Content Security Policy (level 3, section 2.3.1): the only text that may stand there.
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

/// JSON that can stand in a script element: nothing in it ends the element or begins a comment (HTML, section 4.12.1.3). It reads back
/// as the same, for these characters occur in strings only.
fn for_script(json: &[u8]) -> String {
    String::from_utf8_lossy(json)
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
}

/// Text that can stand in an element.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_somebody_ends_the_script_or_begins_markup() {
        let hostile = "</script><img src=x onerror=alert(1)><!-- {{script}} & \u{2028}";
        let json = crate::report::to_json(&[hostile]);
        let page = String::from_utf8(page(hostile, &json)).unwrap();
        assert_eq!(page.matches("</script>").count(), 3, "library, data and script");
        assert!(!page.contains("<img") && !page.contains("<!--"));
        let data = page.split_once("type=\"application/json\">").unwrap().1;
        let data = data.split_once("</script>").unwrap().0;
        assert_eq!(serde_json::from_str::<Vec<String>>(data).unwrap(), [hostile]);
    }

    #[test]
    fn the_policy_allows_exactly_what_stands_in_the_page() {
        let page = String::from_utf8(page("t", b"{}")).unwrap();
        let between = |from: &str, to: &str| {
            let (_, behind) = page.split_once(from).expect(from);
            behind.split_once(to).expect(to).0.to_owned()
        };
        let policy = between("http-equiv=\"Content-Security-Policy\" content=\"", "\"");
        let scripts: Vec<&str> = page.split("<script>").skip(1).collect();
        assert_eq!(scripts.len(), 2);
        for script in scripts {
            let script = script.split_once("</script>").expect("it ends").0;
            assert!(policy.contains(&hash(script)), "{policy}");
        }
        assert!(policy.contains(&hash(&between("<style>", "</style>"))), "{policy}");
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
    }

    #[test]
    fn the_library_is_the_one_on_record() {
        let record = include_str!("vendor/uplot/VENDORED.toml");
        let files: [(&str, &str); 3] = [
            ("uPlot.iife.min.js", PLOT_LIBRARY),
            ("uPlot.min.css", PLOT_STYLE),
            ("LICENSE", PLOT_LICENCE),
        ];
        for (name, content) in files {
            let sum = hex(&Sha256::digest(content));
            assert!(record.contains(&format!("\"{name}\" = \"{sum}\"")), "{name}: {sum}");
        }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
