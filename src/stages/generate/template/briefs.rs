//! The briefs that a README of ours tells, read back: for the time when nothing but the remote is left of earlier rounds.

use super::Round;

/// The rounds in ascending order. A README that somebody else wrote, or that was edited, tells fewer or none.
#[must_use]
pub fn briefs(readme: &str) -> Vec<Round> {
    let mut rounds: Vec<Round> = Vec::new();
    let (mut number, mut quote): (Option<u64>, Option<String>) = (None, None);
    for line in readme.lines().chain([""]) {
        let opened = line
            .strip_prefix("<!-- llmdeploy: round ")
            .and_then(|l| l.strip_suffix(" -->"))
            .and_then(|n| n.parse().ok());
        let headed = line
            .strip_prefix("### Round ")
            .and_then(|n| n.trim().parse().ok())
            .filter(|_| number.is_some());
        if let Some(round) = opened.or(headed) {
            number = Some(round);
        } else if line == "## Brief" {
            number = Some(1);
        } else if let Some(text) = line.strip_prefix('>').filter(|_| number.is_some()) {
            let brief = quote.get_or_insert_default();
            brief.push_str(&plain(text));
            brief.push('\n');
        } else if let (Some(brief), Some(round)) = (quote.take(), number) {
            let brief = brief.trim_end().to_owned();
            rounds.retain(|r| r.round != round);
            rounds.push(Round { round, brief });
        } else if line.starts_with("## ") {
            number = number.filter(|n| line == format!("## Round {n}"));
        }
    }
    rounds.sort_by_key(|r| r.round);
    rounds
}

/// A line of a quote block without what made it one.
fn plain(line: &str) -> String {
    let line = line.strip_prefix(' ').unwrap_or(line);
    let line = line
        .strip_suffix('\\')
        .filter(|l| !l.ends_with('\\'))
        .unwrap_or(line)
        .replace("&nbsp;", " ");
    let (mut out, mut chars) = (String::new(), line.chars().peekable());
    while let Some(c) = chars.next() {
        match chars.peek() {
            Some(next) if c == '\\' && next.is_ascii_punctuation() => out.extend(chars.next()),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::{Site, readme, readme_round};
    use super::*;

    #[test]
    fn read_back_as_they_were_told() {
        let one = Round {
            round: 1,
            brief: "- a_b.txt: *x* `y`\n  - [z](w) <b> 1. two\n\n# end\\".to_owned(),
        };
        let site = Site {
            task: "t",
            repo: "r",
            rounds: vec![one.clone()],
            assets: vec![],
        };
        let page = readme(&site, &[]);
        let two = Round {
            round: 2,
            brief: "Add a table.\nKeep #total.".to_owned(),
        };
        let page = readme_round(&page, &two, &["index.html".to_owned()]);
        assert_eq!(briefs(&page), [one, two]);
        assert_eq!(briefs("# A\n\n> quote\n"), []);
    }
}
