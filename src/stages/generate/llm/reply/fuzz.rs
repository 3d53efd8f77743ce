//! Fuzzing of the reader: no panic, no path outside, no file that was cut off. A million cases: `PROPTEST_CASES=1000000`.

use proptest::prelude::*;

use super::*;

const WORD: &str = "K3F9";

/// Pieces that mean something to one of the shapes, and pieces that look like it.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => proptest::sample::select(vec![
            "<<<FILE a.txt K3F9>>>\n", "<<<FILE ../x K3F9>>>\n", "<<<FILE .git/config K3F9>>>\n", "<<<END K3F9>>>\n", "<<<END K3F9>>>", "<<<END>>>\n", "<<<FILE b.js>>>\n",
            "<<<DELETE a.txt K3F9>>>\n", "<<<CONVERT a.xlsx ../b.csv K3F9>>>\n", "<<<FETCH https://x.example K3F9>>>\n", "<<<", ">>>", "K3F9", "```html\n", "```\n", "````",
            "**index.html**\n", "// app.js\n", "<file path=\"/etc/x\">", "<file path='a.css'>\n", "</file>", "{\"files\":[", "{\"path\":\"a\",\"content\":\"", "\"}]}",
            "{\"index.html\":\"x\"}", "<!DOCTYPE html>", "<html", "</html>", "<think>", "</think>", "\r\n", "\n", "`", "ü", "\u{0}", "\u{2028}", "<![CDATA[", "]]>",
        ]).prop_map(str::to_owned),
        1 => "[ -~\\n]{0,12}",
        1 => any::<char>().prop_map(String::from),
    ]
}

fn is_inside(path: &RelPath) -> bool {
    RelPath::parse(path.as_str()).is_ok()
        && !path
            .as_str()
            .split('/')
            .any(|p| p == ".." || p.eq_ignore_ascii_case(".git"))
}

/// A file's content: lines that no shape takes for the end of a file.
fn lines() -> impl Strategy<Value = String> {
    proptest::collection::vec("[a-zA-Z<>/=;(){}\"', .ü-]{0,24}", 1..6)
        .prop_map(|lines| lines.iter().map(|l| format!("x{l}.\n")).collect())
}

fn render(shape: usize, files: &[(String, String)]) -> String {
    let one = |(path, content): &(String, String)| match shape {
        0 => format!("<<<FILE {path} {WORD}>>>\n{content}<<<END {WORD}>>>\n"),
        1 => format!("<file path=\"{path}\">\n{content}</file>\n"),
        2 => format!("**{path}**\n```\n{content}```\n\n"),
        _ => format!("<<<FILE {path}>>>\n{content}<<<END>>>\n"),
    };
    match shape {
        4 => {
            let list: Vec<_> = files
                .iter()
                .map(|(path, content)| serde_json::json!({"path": path, "content": content}))
                .collect();
            serde_json::json!({"files": list}).to_string()
        }
        _ => files.iter().map(one).collect(),
    }
}

proptest! {
    #[test]
    fn whatever_comes(pieces in proptest::collection::vec(piece(), 0..24)) {
        let text = pieces.concat();
        let reply = read(&text, &[WORD]);
        let all = reply.files.keys().chain(&reply.deletes).chain(reply.converts.iter().flat_map(|(a, b)| [a, b]));
        for path in all {
            prop_assert!(is_inside(path), "{path}");
        }
        // Where there are blocks, there are at most as many files as ends.
        if text.contains("<<<FILE") && !reply.files.is_empty() && !text.contains("```") && !text.contains("<file") && !text.contains('{') && !text.contains("<html") && !text.contains("<!DOCTYPE") {
            prop_assert!(reply.files.len() <= text.matches("<<<END").count());
        }
    }

    #[test]
    fn cut_off_anywhere_only_whole_files_come_out(
        shape in 0_usize..5,
        contents in proptest::collection::vec(lines(), 1..4),
        cut in 0.0_f64..1.0,
    ) {
        let files: Vec<(String, String)> = contents.into_iter().enumerate().map(|(n, c)| (format!("dir/f{n}.txt"), c)).collect();
        let whole = render(shape, &files);
        #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss, reason = "a place in a short text")]
        let at = crate::values::boundary(&whole, (whole.len() as f64 * cut) as usize);
        let (all, some) = (read(&whole, &[WORD]), read(&whole[..at], &[WORD]));
        prop_assert_eq!(all.files.len(), files.len());
        for (path, content) in &files {
            let get = |reply: &Reply| reply.files.iter().find(|(p, _)| p.as_str() == path).map(|(_, c)| c.clone());
            prop_assert_eq!(get(&all), Some(content.clone()));
            prop_assert!(get(&some).is_none_or(|c| c == *content), "{} was accepted in part", path);
        }
    }
}
