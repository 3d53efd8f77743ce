//! Foreign text inside Markdown, so that it reads the same and cannot break the document around it.
//!
//! Deliberately absent: HTML. The result is for a renderer of GitHub's Markdown and for people who read the source.

use super::text;
use crate::text::head;

/// How much of a brief is quoted, in bytes; the whole of a very long one would bury the README.
const BRIEF: usize = 20_000;

/// A brief as a quote block, line by line, ending in a newline.
///
/// Nothing in it is Markdown any more: marks are escaped, indentation becomes no-break spaces (four plain ones would
/// make a code block), and every line stays a line.
pub(super) fn block(brief: &str) -> String {
    let head = head(brief, BRIEF);
    let lines: Vec<&str> = head
        .trim_end()
        .lines()
        .skip_while(|line| line.trim().is_empty())
        .collect();
    let mut out = String::with_capacity(head.len() * 2);
    for (at, line) in lines.iter().enumerate() {
        if line.trim().is_empty() {
            out.push_str(">\n");
            continue;
        }
        let more = lines
            .get(at + 1)
            .is_some_and(|next| !next.trim().is_empty());
        out.push_str("> ");
        out.push_str(&self::line(line));
        out.push_str(if more { "\\\n" } else { "\n" });
    }
    if lines.is_empty() {
        out.push_str("> (empty)\n");
    } else if head.len() < brief.len() {
        out.push_str(">\n> …\n");
    }
    out
}

/// One line of foreign text that stands at the start of a line.
fn line(line: &str) -> String {
    let content = line.trim();
    let indent = line.len() - line.trim_start().len();
    let mut out = "&nbsp;".repeat(indent.min(24));
    let mut rest = content;
    // Only at the start of a line are these marks of lists, headings, rules and of the trailer that ends a commit
    // message. What follows a list's number or mark is ordinary again.
    let digits = content.bytes().take_while(u8::is_ascii_digit).count();
    let trailer = content
        .get(..10)
        .filter(|start| start.eq_ignore_ascii_case("llmdeploy-"));
    if let Some(mark) = content.chars().next().filter(|c| "#+-=:".contains(*c)) {
        out.push('\\');
        out.push(mark);
        rest = &content[mark.len_utf8()..];
    } else if digits > 0 && content[digits..].starts_with(['.', ')']) {
        out.push_str(&content[..digits]);
        out.push('\\');
        out.push_str(&content[digits..=digits]);
        rest = &content[digits + 1..];
    } else if let Some(trailer) = trailer {
        out.push_str(&trailer[..9]);
        out.push_str("\\-");
        rest = &content[10..];
    }
    out.push_str(&inline(rest));
    out
}

/// Foreign text in the middle of a line, as text.
pub(super) fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let next = chars.peek().copied().unwrap_or(' ');
        let escaped = match c {
            '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '|' | '~' | '$' => true,
            // Inside a word it is a letter like any other, and so are names read without noise.
            '_' => !(before.is_alphanumeric() && next.is_alphanumeric()),
            '&' => next.is_alphanumeric() || next == '#',
            _ => false,
        };
        if escaped {
            out.push('\\');
        }
        out.push(if c.is_control() { ' ' } else { c });
        before = c;
    }
    out
}

/// Foreign text in monospace: a code span whose fence is longer than any run of backticks inside.
pub(super) fn code(text: &str) -> String {
    let text = text::one_line(text);
    let longest = text
        .split(|c| c != '`')
        .map(str::len)
        .max()
        .unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    let pad = if text.is_empty() || text.starts_with('`') || text.ends_with('`') {
        " "
    } else {
        ""
    };
    format!("{fence}{pad}{text}{pad}{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use pulldown_cmark::{Event, Options, Parser, Tag, html};

    /// All that the quoted text may be once it is rendered.
    fn only_text(markdown: &str) -> bool {
        Parser::new_ext(markdown, Options::all()).all(|event| match event {
            Event::Start(tag) => matches!(tag, Tag::BlockQuote(None) | Tag::Paragraph),
            Event::End(_) | Event::Text(_) | Event::SoftBreak | Event::HardBreak => true,
            _ => false,
        })
    }

    fn rendered(markdown: &str) -> String {
        let mut out = String::new();
        html::push_html(&mut out, Parser::new(markdown));
        out
    }

    #[test]
    fn no_line_breaks_the_document() {
        for hostile in [
            "# heading",
            "a\n===",
            "a\n---",
            "---",
            "***",
            "___",
            "```\ncode",
            "~~~",
            "> quote",
            "- item",
            "+ item",
            "1. item",
            "12) item",
            "    indented",
            "\tindented",
            "<script>alert(1)</script>",
            "<!-- x",
            "-->",
            "[a](javascript:x)",
            "![a](b)",
            "[a]: /b",
            "[^a]: note",
            "a | b\n--- | ---\n1 | 2",
            "a\n:-",
            "a\n-|-",
            "*b* _c_ **d** `e` ~~f~~",
            "&lt; &#60;",
            "$x$",
            "a\\\nb",
            "Llmdeploy-Run: 00",
            "[!NOTE]\nx",
            "&nbsp;# x",
            "<a@b.example>",
            "\u{b}# x",
            "a\r\n# b",
        ] {
            let block = block(&format!("x\n\n{hostile}\n\ny"));
            assert!(only_text(&block), "{hostile:?}: {block}");
            assert!(
                block.lines().all(|line| line.starts_with('>')),
                "{hostile:?}: {block}"
            );
        }
    }

    #[test]
    fn text_reads_the_same() {
        let html = rendered(&block("- a_b.txt: *x* <y> & `z`\n  2. next\n\nend"));
        assert!(
            html.contains("- a_b.txt: *x* &lt;y&gt; &amp; `z`<br />"),
            "{html}"
        );
        assert!(html.contains("\u{a0}\u{a0}2. next</p>"), "{html}");
        assert_eq!(
            block("plain words, and (more)."),
            "> plain words, and (more).\n"
        );
    }

    #[test]
    fn the_trailer_is_broken_up() {
        assert_eq!(block("llmdeploy-run: 1"), "> llmdeploy\\-run: 1\n");
    }

    #[test]
    fn empty_and_long_briefs_are_quotes_too() {
        assert_eq!(block(" \n"), "> (empty)\n");
        assert!(block(&"é".repeat(50_000)).ends_with(">\n> …\n"));
    }

    #[test]
    fn code_spans_hold_backticks() {
        assert_eq!(code("a.txt"), "`a.txt`");
        assert_eq!(code("a``b"), "```a``b```");
        assert_eq!(code("`"), "`` ` ``");
    }
}
