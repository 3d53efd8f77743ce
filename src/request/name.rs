//! What a repository is called, and how it is described.

use crate::error::{Code, Error, Result};
use crate::text::{head, plain};
use crate::values::sha256_hex;

/// GitHub's limits.
const MAX_NAME: usize = 100;
const MAX_DESCRIPTION: usize = 350;

/// The task id where GitHub accepts it as it is, otherwise a slug with 8 hex digits of its SHA-256.
#[must_use]
pub fn repository(task: &str) -> String {
    if is_accepted(task) && !is_special(task) {
        task.to_owned()
    } else {
        slug(task)
    }
}

/// A name made from the task id and its digest.
#[must_use]
pub fn slug(task: &str) -> String {
    let digest = sha256_hex(task.as_bytes());
    with_ending(task, &digest[..8])
}

/// The name for a sender whose task id another sender's runs have used before.
#[must_use]
pub fn of_sender(task: &str, email: &str) -> String {
    let digest = sha256_hex(format!("{email}\0{task}\0").as_bytes());
    with_ending(task, &digest[..8])
}

/// As much of the text as a name may hold, and the ending.
#[must_use]
pub fn with_ending(text: &str, ending: &str) -> String {
    let mut slug = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(MAX_NAME - 1 - ending.len());
    let slug = Some(slug.trim_matches(['-', '.']))
        .filter(|s| !s.is_empty())
        .unwrap_or("task");
    format!("{slug}-{ending}")
}

/// Names by which GitHub does more than keep a repository: a user's own site, the defaults of an account. A repository named as
/// its owner is another one, which shows on the owner's profile; that takes knowing the owner.
fn is_special(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with(".github.io") || matches!(name.as_str(), ".github" | ".github-private")
}

/// Checks a name given by the user: GitHub would silently make another one of it.
///
/// # Errors
/// `usage`.
pub fn check_repository(name: &str) -> Result<()> {
    if is_accepted(name) {
        return Ok(());
    }
    let message = format!("--repo {name:?}: GitHub does not take this name");
    Err(Error::new(Code::Usage, message)
        .hint("use at most 100 of A-Z a-z 0-9 . _ - and not .git at the end"))
}

fn is_accepted(name: &str) -> bool {
    let plain = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    plain
        && (1..=MAX_NAME).contains(&name.len())
        && !matches!(name, "." | "..")
        && !name.to_ascii_lowercase().ends_with(".git")
}

/// The brief in one line, without control characters, cut at 350 characters.
#[must_use]
pub fn description(brief: &str) -> String {
    // The beginning is all that can be in it, however long the brief is.
    let spaced = plain(head(brief.trim_start(), 400 * MAX_DESCRIPTION));
    let line = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= MAX_DESCRIPTION {
        return line;
    }
    let cut: String = line.chars().take(MAX_DESCRIPTION - 1).collect();
    format!("{}…", cut.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in [
            "LLMPages",
            "sum-of-sales-766cc",
            "a.b_c-d",
            &"x".repeat(100),
        ] {
            assert_eq!(repository(good), good);
        }
        for odd in [
            "",
            ".",
            "..",
            "a b",
            "Größe",
            "a/b",
            "../x",
            "x.git",
            "X.GIT",
            "日本",
            &"x".repeat(101),
            "---\n",
            "me.github.io",
            "Me.GitHub.IO",
            ".github",
            ".GitHub-private",
        ] {
            let name = repository(odd);
            assert!(is_accepted(&name) && name != odd, "{odd:?} → {name}");
            assert!(name.ends_with(&sha256_hex(odd.as_bytes())[..8]));
        }
        assert_ne!(repository("a b"), repository("a/b"));
        let mine = of_sender("demo", "a@example.com");
        assert!(is_accepted(&mine) && mine.starts_with("demo-"));
        assert_ne!(mine, of_sender("demo", "b@example.com"));
        assert_eq!(with_ending(&"x".repeat(100), "01234567").len(), 100);
    }

    #[test]
    fn descriptions() {
        assert_eq!(description(" a\n\tb\u{0} \u{85}c "), "a b c");
        let long = description(&"wörd ".repeat(200));
        assert!(long.chars().count() <= 350 && long.ends_with('…'));
    }
}
