//! A conversation made shorter for a model that cannot hold it: of quoted files (attachments, what is deployed, what was fetched) head and
//! tail stay. The brief, the checks, the rules and the model's own files are never cut.

use std::fmt::Write as _;

use crate::ports::llm::Message;
use crate::text::head;
use crate::values::boundary;

/// Bytes that stay of each quoted file, step by step; after that the pictures go.
const STEPS: [usize; 3] = [8_000, 2_000, 400];

/// The conversation made shorter for the `n`th time, from 1; `None`: there is nothing more to leave out.
pub fn shorter(messages: &[Message], n: u32) -> Option<Vec<Message>> {
    let mut all: Vec<Vec<Message>> = Vec::new();
    for most in STEPS {
        all.push(messages.iter().map(|m| with_less(m, most)).collect());
    }
    all.extend(all.last().map(|last| {
        let blind = |m: &Message| Message {
            images: vec![],
            ..m.clone()
        };
        last.iter().map(blind).collect()
    }));
    let size = |messages: &[Message]| {
        messages
            .iter()
            .map(|m| (m.text.len(), m.images.len()))
            .collect::<Vec<_>>()
    };
    let mut before = size(messages);
    all.retain(|step| {
        let now = size(step);
        std::mem::replace(&mut before, now.clone()) != now
    });
    all.into_iter().nth(n.checked_sub(1)? as usize)
}

/// With at most `most` bytes of every quoted file: `material` puts them between lines that name them.
fn with_less(message: &Message, most: usize) -> Message {
    let (mut out, mut rest) = (String::new(), message.text.as_str());
    while let Some((before, quoted, behind)) = quote(rest) {
        out.push_str(before);
        out.push_str(&middle_cut(quoted, most));
        rest = behind;
    }
    out.push_str(rest);
    Message {
        text: out,
        ..message.clone()
    }
}

/// What stands before a quoted file, its lines, and what stands behind them.
fn quote(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let at = from + text[from..].find("----- begin ")?;
        let line = text[at..].lines().next().unwrap_or_default();
        let start = at + line.len() + 1;
        let name = line
            .strip_prefix("----- begin ")
            .and_then(|l| l.strip_suffix(" -----"));
        let first = at == 0 || text[..at].ends_with('\n');
        if let Some(name) = name.filter(|_| first && start <= text.len())
            && let Some(length) = text[start..].find(&format!("----- end {name} -----"))
        {
            return Some((
                &text[..start],
                &text[start..start + length],
                &text[start + length..],
            ));
        }
        from = at + 1;
    }
}

fn middle_cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let first = head(text, most * 3 / 4);
    let tail = &text[boundary(text, text.len() - most / 4)..];
    // Whole lines, where there are lines.
    let first = first
        .rfind('\n')
        .filter(|n| *n > 0)
        .map_or(first, |n| &first[..n]);
    let tail = tail
        .find('\n')
        .filter(|n| n + 1 < tail.len())
        .map_or(tail, |n| &tail[n + 1..]);
    let mut out = first.to_owned();
    let _ = writeln!(
        out,
        "\n[cut here: {} of {} bytes are left out]",
        text.len() - first.len() - tail.len(),
        text.len()
    );
    out.push_str(tail);
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::material::{Shown, attachments, deployed};
    use super::*;
    use crate::ports::llm::{Image, Role};
    use crate::values::RelPath;

    #[test]
    fn only_quoted_files_get_shorter_and_that_is_said() {
        let rows: String = (0..20_000).map(|n| format!("{n},x\n")).collect();
        let path = RelPath::parse("data.csv").unwrap();
        let shown = Shown {
            path: &path,
            media_type: "text/csv",
            bytes: rows.as_bytes(),
            to_change: true,
        };
        let page = format!("<!DOCTYPE html>\n{}</html>\n", "<p>ü</p>\n".repeat(3000));
        let old = deployed(
            &[("index.html".to_owned(), page.into_bytes())],
            &std::collections::BTreeSet::new(),
        );
        let brief = "Brief\n".repeat(500);
        let text = format!("{brief}{}{old}End", attachments(&[shown]));
        let image = Image {
            media_type: "image/png".to_owned(),
            bytes: vec![1],
        };
        let message = Message {
            images: vec![image],
            ..Message::new(Role::User, text)
        };
        let mut before = message.text.len();
        for n in 1..=3 {
            let made = shorter(std::slice::from_ref(&message), n).unwrap();
            let text = &made[0].text;
            assert!(text.len() < before && made[0].images.len() == 1, "{n}");
            assert!(text.starts_with(&brief) && text.ends_with("End"));
            assert!(
                text.contains("bytes are left out]")
                    && text.contains("\n</html>\n----- end index.html")
            );
            before = text.len();
        }
        assert!(
            shorter(std::slice::from_ref(&message), 4).unwrap()[0]
                .images
                .is_empty()
        );
        assert!(shorter(std::slice::from_ref(&message), 5).is_none());
        assert!(shorter(&[Message::new(Role::User, brief)], 1).is_none());
    }
}
