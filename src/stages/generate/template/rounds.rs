//! A section about one round in a README that may be anyone's.
//!
//! Deliberately absent: changes to any other line. What stands around the section stays as it was.

use std::fmt::Write as _;
use std::ops::Range;

use super::Round;
use super::outline::Outline;
use super::quote;

/// How many paths are listed before the rest is only counted.
const LISTED: usize = 30;

/// `old` with a section about this round: what was asked for, and which files came or changed.
///
/// The section replaces the one that an earlier call wrote for the same round (it is known by its marker comments).
/// A new one goes before the next later round's, else before the licence section if there is a recognisable one,
/// else to the end. Line ends stay as they are. Calling it again with the same arguments changes nothing.
#[must_use]
pub fn readme_round(old: &str, round: &Round, paths: &[String]) -> String {
    let outline = Outline::of(old);
    let section = section(round, paths);
    let section: Vec<&str> = section.lines().collect();
    let own = own(&outline, round.round);
    let mut lines: Vec<&str> = Vec::with_capacity(outline.lines.len() + section.len() + 4);
    if let Some(own) = own {
        lines.extend(&outline.lines[..own.start]);
        lines.extend(section);
        lines.extend(&outline.lines[own.end..]);
    } else {
        let later = outline.position(|line| number(line).is_some_and(|other| other > round.round));
        let place = later.or_else(|| outline.licence());
        let (above, below) = outline.lines.split_at(place.unwrap_or(outline.lines.len()));
        lines.extend(above);
        if place.is_none() {
            lines.extend(outline.open_fence.as_deref());
        }
        if lines.last().is_some_and(|line| !line.trim().is_empty()) {
            lines.push("");
        }
        lines.extend(section);
        if !below.is_empty() {
            lines.push("");
        }
        lines.extend(below);
    }
    let end = if old.contains("\r\n") { "\r\n" } else { "\n" };
    lines.join(end) + end
}

/// The lines of this round's section: from the nearest opening mark above the first closing one that has any.
///
/// A mark that lost its partner must not make what stands between it and the next one part of the section.
fn own(outline: &Outline<'_>, round: u64) -> Option<Range<usize>> {
    let mut start = outline.find(&opening(round), 0)?;
    let end = outline.find(&closing(round), start)?;
    while let Some(next) = outline
        .find(&opening(round), start + 1)
        .filter(|&next| next < end)
    {
        start = next;
    }
    Some(start..end + 1)
}

/// The section, marks included.
fn section(round: &Round, paths: &[String]) -> String {
    let mut out = format!(
        "{}\n## Round {}\n\nThis round was made from the following brief.\n\n{}",
        opening(round.round),
        round.round,
        quote::block(&round.brief)
    );
    if !paths.is_empty() {
        out.push_str("\nFiles added or changed:\n\n");
        for path in paths.iter().take(LISTED) {
            let _ = writeln!(out, "- {}", quote::code(path));
        }
        if paths.len() > LISTED {
            let _ = writeln!(out, "- and {} more", paths.len() - LISTED);
        }
    }
    out.push('\n');
    out.push_str(&closing(round.round));
    out
}

fn opening(round: u64) -> String {
    format!("<!-- llmdeploy: round {round} -->")
}

fn closing(round: u64) -> String {
    format!("<!-- llmdeploy: end of round {round} -->")
}

/// The round whose section this line opens.
fn number(line: &str) -> Option<u64> {
    line.strip_prefix("<!-- llmdeploy: round ")?
        .strip_suffix(" -->")?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(round: u64, brief: &str) -> Round {
        Round {
            round,
            brief: brief.to_owned(),
        }
    }

    fn paths() -> Vec<String> {
        vec!["index.html".to_owned(), "a`b.csv".to_owned()]
    }

    #[test]
    fn stands_before_the_licence_or_at_the_end() {
        let page = readme_round(
            "# A\n\ntext\n\n## License\n\nMIT\n",
            &round(2, "Add b"),
            &paths(),
        );
        let at = |text: &str| page.find(text).unwrap();
        assert!(at("text") < at("## Round 2") && at("end of round 2") < at("## License"));
        assert!(
            page.contains("> Add b\n")
                && page.contains("- ``a`b.csv``\n")
                && page.ends_with("MIT\n")
        );
        assert!(readme_round("# A", &round(2, "b"), &[]).ends_with("end of round 2 -->\n"));
        assert!(readme_round("", &round(2, "b"), &[]).starts_with("<!-- llmdeploy: round 2 -->\n"));
    }

    #[test]
    fn saying_it_twice_changes_nothing() {
        let nested =
            "<!-- llmdeploy: round 2 -->\n<!-- llmdeploy: end of round 2 -->\n## License\n```\n---";
        for old in [
            "",
            "# A",
            "# A\n\n## License\nMIT",
            "# A\r\n\r\nx\r\n",
            "```\nopen",
            "a\n\n\n",
            "\n",
            "x\n## License",
        ] {
            for brief in ["Add b", nested, ""] {
                let once = readme_round(old, &round(2, brief), &paths());
                assert_eq!(
                    readme_round(&once, &round(2, brief), &paths()),
                    once,
                    "{old:?} {brief:?}"
                );
                let other = readme_round(&once, &round(2, "other"), &[]);
                assert_eq!(other.matches("## Round 2").count(), 1, "{old:?} {brief:?}");
                assert!(other.contains("> other") && !other.contains("a`b"));
            }
        }
    }

    #[test]
    fn rounds_stand_in_order() {
        let mut page = "# A\n\n## License\n".to_owned();
        for number in [2, 4, 3] {
            page = readme_round(&page, &round(number, "x"), &[]);
        }
        let at = |text: &str| page.find(text).unwrap();
        assert!(at("## Round 2") < at("## Round 3") && at("## Round 3") < at("## Round 4"));
        assert!(at("## Round 4") < at("## License"));
    }

    #[test]
    fn other_lines_stay() {
        let old = "# A\r\n\r\n  odd\t\r\n## License\r\nMIT\r\n";
        let page = readme_round(old, &round(2, "x"), &[]);
        assert!(
            page.starts_with("# A\r\n\r\n  odd\t\r\n") && page.ends_with("## License\r\nMIT\r\n")
        );
        assert_eq!(page.matches('\n').count(), page.matches("\r\n").count());
    }

    #[test]
    fn a_mark_without_its_partner_costs_no_text() {
        let old = "<!-- llmdeploy: round 2 -->\nkeep\n<!-- llmdeploy: end of round 3 -->\n";
        let once = readme_round(old, &round(2, "x"), &[]);
        assert_eq!(readme_round(&once, &round(2, "x"), &[]), once);
        assert!(once.starts_with(old));
    }

    #[test]
    fn an_open_code_fence_does_not_swallow_it() {
        let page = readme_round("# A\n~~~~sh\nls", &round(2, "x"), &[]);
        assert!(
            page.contains("ls\n~~~~\n\n<!-- llmdeploy: round 2 -->"),
            "{page}"
        );
    }
}
