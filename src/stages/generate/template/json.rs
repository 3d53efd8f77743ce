//! A JSON document as a foldable tree.
//!
//! The text is checked by `serde_json` and then walked again here, token by token: so numbers stay as they were
//! written, keys keep their order, and a document of any size costs no more memory than what is shown of it.
//!
//! Deliberately absent: tolerance. What is not JSON is shown as text by the caller.

use std::fmt::Write as _;
use std::mem;

use serde::de::IgnoredAny;

use super::text;
use crate::text::head;

/// How many values are shown.
const NODES: usize = 5_000;
/// How deep containers are unfolded; below that only their size is told.
const DEPTH: usize = 24;
/// Containers above this depth start open.
const OPEN: usize = 2;
/// How much of one string or number is shown, in bytes.
const SCALAR: usize = 2_000;

/// The tree, in about `limit` bytes.
///
/// # Errors
///
/// Says in words where the text stops being JSON .
pub(super) fn render(source: &str, limit: usize) -> Result<String, String> {
    serde_json::from_str::<IgnoredAny>(source).map_err(|error| error.to_string())?;
    let mut walk = Walk {
        source,
        at: 0,
        nodes: 0,
        bytes: 0,
        limit,
        out: String::new(),
        cut: false,
    };
    walk.value(None, 0, true);
    let note = if walk.cut {
        "<p class=\"note\">Only a part is shown. Download the file to see all of it.</p>\n"
    } else {
        ""
    };
    Ok(format!("<ul class=\"tree\">\n{}</ul>\n{note}", walk.out))
}

struct Walk<'a> {
    source: &'a str,
    at: usize,
    nodes: usize,
    bytes: usize,
    limit: usize,
    out: String,
    cut: bool,
}

impl<'a> Walk<'a> {
    /// Walks one value and, if `show`, writes it as a list item. Only what is shown is walked by recursion, no deeper than [`DEPTH`].
    fn value(&mut self, key: Option<&str>, depth: usize, show: bool) {
        if !show || self.nodes >= NODES || self.bytes >= self.limit {
            self.cut = true;
            self.skip();
            return;
        }
        self.nodes += 1;
        match self.peek() {
            Some(b'{') => self.container(key, depth, b'}', "key"),
            Some(b'[') => self.container(key, depth, b']', "item"),
            _ => {
                let token = self.scalar();
                self.leaf(key, token);
            }
        }
    }

    /// Goes past one value, however deep it is.
    fn skip(&mut self) {
        let mut open = 0_usize;
        while let Some(next) = self.peek() {
            match next {
                b'{' | b'[' => open += 1,
                b'}' | b']' => open = open.saturating_sub(1),
                b',' | b':' => {}
                _ => {
                    self.scalar();
                    self.at -= 1;
                }
            }
            self.at += 1;
            if open == 0 {
                return;
            }
        }
    }

    /// A container: its entries are written apart first, since its summary tells their number.
    fn container(&mut self, key: Option<&str>, depth: usize, close: u8, noun: &str) {
        let outer = mem::take(&mut self.out);
        let inside = depth < DEPTH;
        let mut count = 0;
        self.at += 1;
        while let Some(next) = self.peek() {
            if next == close {
                self.at += 1;
                break;
            }
            if next == b',' {
                self.at += 1;
                continue;
            }
            if close == b'}' {
                let key = self.scalar();
                // Over the colon.
                self.peek();
                self.at += 1;
                self.value(Some(key), depth + 1, inside);
            } else {
                let key = inside.then(|| count.to_string());
                self.value(key.as_deref(), depth + 1, inside);
            }
            count += 1;
        }
        let inner = mem::replace(&mut self.out, outer);
        let before = self.out.len();
        let key = label(key);
        let size = text::count(count, noun);
        let _ = if inner.is_empty() {
            writeln!(self.out, "<li>{key}<span class=\"size\">{size}</span></li>")
        } else {
            let open = if depth < OPEN { " open" } else { "" };
            let summary = format!("<summary>{key}<span class=\"size\">{size}</span></summary>");
            writeln!(
                self.out,
                "<li><details{open}>{summary}\n<ul>\n{inner}</ul></details></li>"
            )
        };
        // What is inside was booked when it was written.
        self.bytes += self.out.len() - before - inner.len();
    }

    fn leaf(&mut self, key: Option<&str>, token: &str) {
        let before = self.out.len();
        let (class, shown) = match token.as_bytes().first() {
            Some(b'"') => ("str", format!("\"{}\"", string(token))),
            Some(b't' | b'f' | b'n') => ("lit", token.to_owned()),
            _ => ("num", token.to_owned()),
        };
        let shown = if shown.len() > SCALAR {
            format!("{}…", head(&shown, SCALAR))
        } else {
            shown
        };
        let _ = writeln!(
            self.out,
            "<li>{}<span class=\"{class}\">{}</span></li>",
            label(key),
            text::escape(&shown)
        );
        self.bytes += self.out.len() - before;
    }

    /// The next byte that is not white space; the walk stands on it then.
    fn peek(&mut self) -> Option<u8> {
        let rest = &self.source.as_bytes()[self.at..];
        self.at += rest.iter().position(|b| !b.is_ascii_whitespace())?;
        Some(self.source.as_bytes()[self.at])
    }

    /// Takes the string, number or literal that the walk stands on, as it is written.
    fn scalar(&mut self) -> &'a str {
        let rest = &self.source.as_bytes()[self.at..];
        let length = if rest.first() == Some(&b'"') {
            let mut escaped = false;
            let close = rest.iter().skip(1).position(|&b| {
                let ends = b == b'"' && !escaped;
                escaped = b == b'\\' && !escaped;
                ends
            });
            close.map_or(rest.len(), |at| at + 2)
        } else {
            rest.iter()
                .position(|b| b",:]} \t\r\n".contains(b))
                .unwrap_or(rest.len())
        };
        let token = &self.source[self.at..self.at + length];
        self.at += length;
        token
    }
}

/// The value of a string token; where it has none in Unicode (half a surrogate pair), the token itself.
fn string(token: &str) -> String {
    serde_json::from_str(token).unwrap_or_else(|_| token.trim_matches('"').to_owned())
}

/// A key, or an item's number, in front of its value.
fn label(key: Option<&str>) -> String {
    let Some(key) = key else { return String::new() };
    let key = if key.starts_with('"') {
        string(key)
    } else {
        key.to_owned()
    };
    let key = if key.len() > SCALAR {
        format!("{}…", head(&key, SCALAR))
    } else {
        key
    };
    format!("<span class=\"key\">{}</span> ", text::escape(&key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_order_stay_as_written() {
        let tree = render(
            "{\"z\": 12345678901234567890.10, \"a\": 1e5, \"z\": true}",
            10_000,
        )
        .unwrap();
        let at = |text: &str| tree.find(text).unwrap();
        assert!(at("12345678901234567890.10") < at("1e5") && at("1e5") < at("true"));
        assert!(tree.contains("3 keys"));
    }

    #[test]
    fn strings_are_decoded_and_escaped() {
        let tree = render(
            r#"{"<b>\"": "\u003cscript\u003e \\\" \u00e9", "x": "\ud800"}"#,
            10_000,
        )
        .unwrap();
        assert!(!tree.contains("<b>") && !tree.contains("<script"));
        assert!(
            tree.contains("&lt;b&gt;&quot;") && tree.contains("&lt;script&gt; \\&quot; é"),
            "{tree}"
        );
    }

    #[test]
    fn what_is_left_out_is_counted_all_the_same() {
        let items = vec!["[1,2]"; 6_000].join(", ");
        let tree = render(&format!("[{items}]"), 10_000_000).unwrap();
        assert!(tree.contains("6000 items") && tree.contains("Only a part"));
        assert_eq!(tree.matches("<li>").count(), NODES);
        assert!(render(&format!("[{items}]"), 5_000).unwrap().len() < 7_000);
    }

    #[test]
    fn depth_is_capped() {
        let tree = render(&format!("{}{}", "[".repeat(100), "]".repeat(100)), 100_000).unwrap();
        assert_eq!(tree.matches("<li>").count(), DEPTH + 1);
        assert!(render(&"[".repeat(100_000), 100_000).is_err());
        // A valid document, deeper than any stack: what is beside the depths is shown.
        let deep = |open: &str, close: &str| open.repeat(500_000) + "0" + &close.repeat(500_000);
        for deep in [
            deep("[", "]"),
            deep("{\"a\": ", "}"),
            deep("[[0, {\"\\\"]\":", "}, 1] , 2]"),
        ] {
            let tree = render(&format!("{{\"x\": {deep}, \"last\": 7}}"), 100_000).unwrap();
            assert!(
                tree.contains("2 keys") && tree.contains(">7<") && tree.contains("Only a part")
            );
        }
    }

    #[test]
    fn scalars_and_empty_containers_are_documents_too() {
        assert!(
            render(" 42 ", 1_000)
                .unwrap()
                .contains("<span class=\"num\">42</span>")
        );
        assert!(render("{}", 1_000).unwrap().contains("0 keys"));
        assert!(render("[1] x", 1_000).is_err());
        assert!(render("", 1_000).is_err());
    }
}
