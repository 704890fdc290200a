//! A page of the documentation, taken apart: the blocks that show commands, and what the comments before them ask for.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::root;

/// How a page says that its commands need something to be there.
const WORLD: &str = "world:";

/// A Markdown page.
pub struct Page {
    /// Its path in the repository.
    pub path: String,
    /// What has to be there before its first command: `<!-- world: demo, kafka -->`.
    pub worlds: Vec<String>,
    pub blocks: Vec<Block>,
    /// Lines that look like commands where none is run, with their numbers.
    pub strays: Vec<String>,
}

/// A fence that begins with ```` ```console ````.
pub struct Block {
    /// Its line in the page, from 1.
    pub line: usize,
    pub commands: Vec<Command>,
    /// Why none of it is run: `<!-- not run: REASON -->`.
    pub not_run: Option<String>,
    /// What a reader does or has by now, and the page does not show: `<!-- setup: COMMAND -->`.
    pub setup: String,
    /// The exit code of the last command: `<!-- exit: 3 -->`.
    pub exit: i32,
    /// Comments that are none of these.
    pub unknown: Vec<String>,
}

/// A command and what the page shows below it.
pub struct Command {
    pub line: usize,
    /// As it is typed, over several lines where quotes or a backslash carry it on.
    pub text: String,
    pub expected: Vec<String>,
}

/// Run by `tests/queries/page.rs`, which has Python and tables beside commands.
const PAGE_OF_QUERIES: &str = "docs/QUERIES.md";

/// `README.md` and every page below `docs/`, in order, but for the one that has a test of its own.
pub fn every_page() -> Vec<Page> {
    let mut paths = vec![PathBuf::from("README.md")];
    let mut folders = vec![PathBuf::from("docs")];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(root().join(&folder)).expect("the folder of the pages can be listed");
        for entry in entries {
            let path = folder.join(entry.expect("an entry").file_name());
            if root().join(&path).is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                paths.push(path);
            }
        }
    }
    paths.retain(|path| path != Path::new(PAGE_OF_QUERIES));
    paths.sort();
    let names = paths
        .iter()
        .map(|path| path.to_str().expect("names of pages are UTF-8"));
    names.map(Page::read).collect()
}

impl Page {
    pub fn read(path: &str) -> Self {
        let text = fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        Self::parse(path, &text)
    }

    pub fn parse(path: &str, text: &str) -> Self {
        let mut page = Self {
            path: path.to_owned(),
            worlds: Vec::new(),
            blocks: Vec::new(),
            strays: Vec::new(),
        };
        let mut comments: Vec<&str> = Vec::new();
        let mut lines = text.lines().enumerate();
        while let Some((number, line)) = lines.next() {
            let trimmed = line.trim();
            if let Some(comment) = trimmed.strip_prefix("<!--").and_then(|rest| rest.strip_suffix("-->")) {
                let comment = comment.trim();
                match comment.strip_prefix(WORLD) {
                    Some(worlds) => page
                        .worlds
                        .extend(worlds.split(',').map(|world| world.trim().to_owned())),
                    None => comments.push(comment),
                }
            } else if let Some(language) = trimmed.strip_prefix("```") {
                let indent = line.len() - line.trim_start().len();
                let inside: Vec<(usize, &str)> = lines
                    .by_ref()
                    .take_while(|(_, line)| line.trim() != "```")
                    .map(|(number, line)| (number + 1, line.get(indent..).unwrap_or_default()))
                    .collect();
                if language == "console" {
                    page.blocks.push(Block::parse(number + 1, &comments, &inside));
                } else {
                    let stray = |&&(_, line): &&(usize, &str)| line.starts_with("$ ");
                    page.strays
                        .extend(inside.iter().filter(stray).map(|(at, line)| format!("{at}: {line}")));
                }
                comments.clear();
            } else if !trimmed.is_empty() {
                page.strays
                    .extend(comments.drain(..).map(|comment| format!("before no block: {comment}")));
                if looks_like_a_command(line) {
                    page.strays.push(format!("{}: {line}", number + 1));
                }
            }
        }
        page
    }

    /// A recorded session, which `docs/record.py` wrote: each `<text>` of the picture is a line, in pieces where the terminal broke it.
    pub fn recorded(path: &str, picture: &str) -> Self {
        let mut session = "```console\n".to_owned();
        for line in picture.split("<text").skip(1) {
            let line = line.split("</text>").next().unwrap_or_default();
            // What stands between the tags, the rest of the first of them left out.
            let text: String = line
                .split('<')
                .filter_map(|piece| Some(piece.split_once('>')?.1))
                .collect();
            session += &text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
            session.push('\n');
        }
        Self::parse(path, &(session + "```\n"))
    }

    /// Has the page show this below a command, in place of what it shows.
    pub fn show(&self, command: &Command, printed: &str) {
        let path = root().join(&self.path);
        let text = fs::read_to_string(&path).expect("the page can be read");
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let first = command.line - 1 + command.text.lines().count();
        let indent: String = lines[command.line - 1].chars().take_while(|c| *c == ' ').collect();
        let shown = printed
            .lines()
            .map(|line| format!("{indent}{line}").trim_end().to_owned());
        lines.splice(first..first + command.expected.len(), shown);
        fs::write(&path, lines.join("\n") + "\n").expect("the page can be written");
    }

    /// Whether there is something to run.
    pub fn runs(&self) -> bool {
        self.blocks.iter().any(|block| block.not_run.is_none())
    }
}

/// Whether a line outside of all fences shows a command to type: as code that is indented, or with a prompt.
fn looks_like_a_command(line: &str) -> bool {
    let first = line.split_whitespace().next().unwrap_or_default();
    let programs = [
        "diurnal",
        "cargo",
        "duckdb",
        "telegraf",
        "sudo",
        "zcat",
        "examples/release.sh",
    ];
    let is_code = line.starts_with("    ");
    first == "$" || is_code && (programs.contains(&first) || first.starts_with("kafka-"))
}

impl Block {
    fn parse(line: usize, comments: &[&str], inside: &[(usize, &str)]) -> Self {
        let mut block = Self {
            line,
            commands: Vec::new(),
            not_run: None,
            setup: String::new(),
            exit: 0,
            unknown: Vec::new(),
        };
        for comment in comments {
            match comment.split_once(':') {
                Some(("not run", reason)) => block.not_run = Some(reason.trim().to_owned()),
                Some(("setup", command)) => block.setup += &format!("{}\n", command.trim()),
                Some(("exit", code)) => block.exit = code.trim().parse().expect("an exit code is a number"),
                _ => block.unknown.push((*comment).to_owned()),
            }
        }
        let mut open = false;
        for (number, line) in inside {
            if open {
                let command = block.commands.last_mut().expect("one is open");
                command.text += &format!("\n{line}");
                open = goes_on(&command.text);
            } else if let Some(text) = line.strip_prefix("$ ") {
                open = goes_on(text);
                block.commands.push(Command {
                    line: *number,
                    text: text.to_owned(),
                    expected: Vec::new(),
                });
            } else if let Some(command) = block.commands.last_mut() {
                command.expected.push((*line).to_owned());
            } else {
                block.unknown.push(format!("output before the first command: {line}"));
            }
        }
        block
    }
}

/// Whether a shell would ask for more: a quote is open, or the line ends in a backslash.
fn goes_on(text: &str) -> bool {
    let mut quote = None;
    let mut before = ' ';
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None | Some('"'), '\\') => match chars.next() {
                None | Some('\n') if chars.as_str().is_empty() => return true,
                _ => {}
            },
            (None, '#') if before.is_whitespace() => {
                // A comment, in which quotes mean nothing.
                for c in chars.by_ref() {
                    if c == '\n' {
                        break;
                    }
                }
            }
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            _ => {}
        }
        before = c;
    }
    quote.is_some()
}

#[test]
fn a_command_goes_on_while_a_quote_is_open_or_a_backslash_ends_the_line() {
    let text = "<!-- world: demo -->\n\n1. So:\n\n   <!-- exit: 3 -->\n   ```console\n   $ duckdb -c \"select 'it'\n   from t\" # don't\n   shown\n   $ a \\\n     b\n   ```\n";
    let page = Page::parse("page.md", text);
    assert_eq!((&page.worlds[..], page.strays.len()), (&["demo".to_owned()][..], 0));
    let [block] = &page.blocks[..] else { panic!("one block") };
    assert_eq!((block.exit, block.line, block.unknown.len()), (3, 6, 0));
    let commands: Vec<_> = block
        .commands
        .iter()
        .map(|c| (c.text.as_str(), c.expected.len()))
        .collect();
    assert_eq!(
        commands,
        [("duckdb -c \"select 'it'\nfrom t\" # don't", 1), ("a \\\n  b", 0)]
    );
}

#[test]
fn a_command_in_another_fence_or_without_one_is_a_stray() {
    let page = Page::parse(
        "page.md",
        "```text\n$ ls\n```\n\n    diurnal verify\n\n    archive/cpu\n",
    );
    assert_eq!(page.strays, ["2: $ ls", "5:     diurnal verify"]);
}
