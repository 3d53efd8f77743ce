//! Which files a text names: as words of their own, not as parts of longer paths or names.

/// For each of the names whether one of the texts names that file. The time grows with the length of the texts, and hardly with the
/// number of names: a task may have a hundred thousand attachments.
pub(super) fn named<'t>(texts: impl Iterator<Item = &'t str>, names: &[&str]) -> Vec<bool> {
    let mut order: Vec<usize> = (0..names.len()).filter(|n| !names[*n].is_empty()).collect();
    order.sort_unstable_by_key(|n| names[*n]);
    let sorted: Vec<&str> = order.iter().map(|n| names[*n]).collect();
    // For each name the longest other one that it begins with: `data.csv` for `data.csv.gz`.
    let mut shorter: Vec<Option<usize>> = Vec::with_capacity(sorted.len());
    let mut open: Vec<usize> = Vec::new();
    for (at, name) in sorted.iter().enumerate() {
        while open
            .pop_if(|outer| !name.starts_with(sorted[*outer]))
            .is_some()
        {}
        shorter.push(open.last().copied());
        open.push(at);
    }
    let mut first = [false; 256];
    for name in &sorted {
        first[usize::from(name.as_bytes()[0])] = true;
    }
    let mut found = vec![false; names.len()];
    for text in texts {
        for (at, byte) in text.bytes().enumerate() {
            if !first[usize::from(byte)] || !text.is_char_boundary(at) || !begins(&text[..at]) {
                continue;
            }
            let rest = &text[at..];
            // All that `rest` begins with is the name before it in the order, or what that one begins with.
            let mut next = sorted.partition_point(|name| *name <= rest).checked_sub(1);
            while let Some(place) = next {
                if let Some(after) = rest.strip_prefix(sorted[place])
                    && ends(after)
                {
                    found[order[place]] = true;
                }
                next = shorter[place];
            }
        }
    }
    found
}

/// Whether `text` names the file `name`. `mydata.csv`, `data.csv.gz`, `old/data.csv` and `https://x/data.csv` do not name
/// `data.csv`; `./data.csv`, `/data.csv` and `data.csv.` at the end of a sentence do.
pub(super) fn names_file(text: &str, name: &str) -> bool {
    text.match_indices(name)
        .any(|(at, _)| begins(&text[..at]) && ends(&text[at + name.len()..]))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-')
}

/// Whether a name may begin after this.
fn begins(before: &str) -> bool {
    let before = before
        .strip_suffix("./")
        .or_else(|| before.strip_suffix('/'))
        .map_or(before, |shorter| {
            // A slash that ends a longer path stays what it is; one that begins the path is left out.
            if shorter
                .ends_with(|c: char| is_word(c) || matches!(c, '.' | '/' | ':' | '~' | '}' | '>'))
            {
                before
            } else {
                shorter
            }
        });
    !before.ends_with(|c: char| is_word(c) || matches!(c, '.' | '/' | '\\'))
}

/// Whether a name may end before this.
fn ends(after: &str) -> bool {
    let mut next = after.chars();
    match next.next() {
        Some('.') => !next.next().is_some_and(is_word),
        Some(c) => !is_word(c) && c != '/',
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::growth;

    #[test]
    fn many_at_once_as_each_by_itself() {
        let names = [
            "a", "a.csv", "a.csv.gz", "b/a.csv", "a b.txt", "a b", "-x", ".env", "é.md", "é", "zz",
        ];
        for text in [
            "",
            "a",
            "see a.csv.",
            "see a.csv.gz and old/a.csv",
            "b/a.csv, ./a /a b.txt",
            "`a b`? (-x) x/.env ~/.env .env",
            "é.md é/é",
            "https://h/a.csv a.csvx \\a.csv \u{201c}a.csv\u{201d}",
        ] {
            let one_by_one: Vec<bool> = names.iter().map(|name| names_file(text, name)).collect();
            assert_eq!(named(std::iter::once(text), &names), one_by_one, "{text}");
        }
        assert_eq!(named(["x a", "zz"].into_iter(), &["zz", "a"]), [true, true]);
    }

    #[test]
    fn many_names_in_a_long_text() {
        let make = |count: usize| {
            let names: Vec<String> = (0..count).map(|n| format!("d{n}/f{n}.csv")).collect();
            (names.join(", "), names)
        };
        growth::is_linear("names", 5_000, make, |(text, names)| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            assert!(
                named(std::iter::once(text.as_str()), &names)
                    .iter()
                    .all(|named| *named)
            );
        });
    }
}
