//! Counts of words, as people write them: "exactly three words", "300–400 words", "no more than 50 words".

use std::ops::RangeInclusive;

const NUMBERS: [&str; 13] = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve",
];

/// A whole number in digits or, up to twelve, in letters.
#[must_use]
pub fn number(word: &str) -> Option<usize> {
    NUMBERS
        .iter()
        .position(|n| *n == word)
        .or_else(|| word.replace(',', "").parse().ok())
}

/// Words as a person counts them: lone punctuation is none, nor the number of an item of a list, a comment, or what stands between two
/// lines of dashes at the beginning for a program to read. A dash or a comma between two letters parts words.
#[must_use]
pub fn words(text: &str) -> usize {
    let text = text
        .strip_prefix('\u{feff}')
        .unwrap_or(text)
        .replace("\r\n", "\n");
    let front = text
        .strip_prefix("---\n")
        .and_then(|rest| rest.split_once("\n---\n"))
        .filter(|(front, _)| front.contains(':'));
    let mut rest = front.map_or(text.as_str(), |(_, body)| body);
    let mut shown = String::new();
    while let Some((before, comment)) = rest.split_once("<!--") {
        shown.push_str(before);
        rest = comment.split_once("-->").map_or("", |(_, after)| after);
    }
    shown.push_str(rest);
    let unnumbered = |line: &str| -> usize {
        let line = line.trim_start();
        let digits = line.bytes().take_while(u8::is_ascii_digit).count();
        let item = line[digits..]
            .strip_prefix(['.', ')'])
            .filter(|after| (1..=3).contains(&digits) && after.starts_with(' '));
        item.unwrap_or(line).split_whitespace().map(parts).sum()
    };
    shown.lines().map(unnumbered).sum()
}

/// How many words one word without blanks is: `Curious—Careful` is two.
fn parts(word: &str) -> usize {
    let has = |part: &&str| part.chars().any(char::is_alphanumeric);
    let letters = |part: &str| part.chars().all(|c| !c.is_numeric());
    let split: Vec<&str> = word.split(['—', '–', ',', ';']).filter(has).collect();
    if split.iter().all(|p| letters(p)) && !word.contains("://") {
        split.len()
    } else {
        usize::from(has(&word))
    }
}

/// How a range reads.
#[must_use]
pub fn told(range: &RangeInclusive<usize>) -> String {
    match (range.start(), range.end()) {
        (low, high) if low == high => format!("exactly {low}"),
        (low, &usize::MAX) => format!("at least {low}"),
        (0, high) => format!("at most {high}"),
        (low, high) => format!("{low} to {high}"),
    }
}

/// The range at the end of these words, in lower case and without dashes but `-`, and how many of them it takes: `["at", "least",
/// "5"]`. `None` where there is none, or one that nobody could hold anybody to ("about 5", "9 to 5").
#[must_use]
pub fn range(all: &[&str]) -> Option<(RangeInclusive<usize>, usize)> {
    let end = all.len();
    let before = |n: usize| {
        end.checked_sub(n)
            .and_then(|at| all.get(at))
            .copied()
            .unwrap_or_default()
    };
    // "5 or more"
    if let Some(n) = number(before(3)).filter(|_| before(2) == "or") {
        return match before(1) {
            "more" => Some((n..=usize::MAX, 3)),
            "fewer" | "less" => Some((0..=n, 3)),
            _ => None,
        };
    }
    let vague = |n: usize| {
        matches!(
            before(n),
            "about" | "around" | "approximately" | "roughly" | "approx" | "~" | "nearly"
        )
    };
    if let Some((low, high)) = before(1)
        .split_once('-')
        .and_then(|(a, b)| number(a).zip(number(b)))
    {
        let more = usize::from(matches!(before(2), "between" | "exactly"));
        return (!vague(2) && low <= high).then_some((low..=high, 1 + more));
    }
    if let Some(n) = before(1).strip_suffix('+').and_then(number) {
        return Some((n..=usize::MAX, 1));
    }
    let n = number(before(1))?;
    if let Some(low) =
        number(before(3)).filter(|_| matches!(before(2), "to" | "and" | "-" | "through"))
    {
        let opened = matches!(before(4), "between" | "from");
        // "2 files and 5 words" is no range, "between 2 and 5" is.
        let fits = (opened || before(2) != "and") && !vague(4) && low <= n;
        return fits.then_some((low..=n, 3 + usize::from(opened)));
    }
    let (range, taken) = match (before(4), before(3), before(2)) {
        ("no", "more" | "greater", "than") => (0..=n, 4),
        ("no", "fewer" | "less", "than") => (n..=usize::MAX, 4),
        (_, "at", "least") | (_, "minimum", "of") => (n..=usize::MAX, 3),
        (_, "at", "most") | (_, "maximum", "of") | (_, "up", "to") => (0..=n, 3),
        (_, "more" | "greater", "than") => (n.checked_add(1)?..=usize::MAX, 3),
        (_, "fewer" | "less", "than") => (0..=n.checked_sub(1)?, 3),
        (_, _, "minimum" | "min") => (n..=usize::MAX, 2),
        (_, _, "maximum" | "max") => (0..=n, 2),
        (_, _, "over" | "above") => (n.checked_add(1)?..=usize::MAX, 2),
        (_, _, "under" | "below") => (0..=n.checked_sub(1)?, 2),
        (_, _, "exactly" | "just" | "only" | "precisely") => (n..=n, 2),
        _ if vague(2) => return None,
        _ => (n..=n, 1),
    };
    Some((range, taken))
}

/// Every count of words that a sentence states.
#[must_use]
pub fn in_sentence(sentence: &str) -> Vec<RangeInclusive<usize>> {
    let low = plain(sentence);
    let punctuation = |c: char| {
        matches!(
            c,
            ',' | ':' | ';' | '(' | ')' | '.' | '!' | '?' | '"' | '\'' | '`' | '*'
        )
    };
    let all: Vec<&str> = low
        .split_whitespace()
        .map(|w| w.trim_matches(punctuation))
        .filter(|w| !w.is_empty())
        .collect();
    let mut found = Vec::new();
    for (at, word) in all.iter().enumerate() {
        // "a 300-word story"
        let compound = word
            .strip_suffix("-word")
            .or_else(|| word.strip_suffix("-words"));
        match compound {
            Some(n) => found.extend(range(&[n]).map(|(range, _)| range)),
            None if matches!(*word, "word" | "words") => {
                let after = (all.get(at + 1), all.get(at + 2));
                let before = range(all.get(..at).unwrap_or_default());
                found.extend(before.map(|(range, _)| match after {
                    (Some(&"or"), Some(&"more")) => *range.start()..=usize::MAX,
                    (Some(&"or"), Some(&("fewer" | "less"))) => 0..=*range.end(),
                    _ => range,
                }));
            }
            None => {}
        }
    }
    found
}

/// In lower case, with one kind of dash, tight between figures.
#[must_use]
pub fn plain(text: &str) -> String {
    text.to_lowercase()
        .replace(['–', '—', '‑', '−'], "-")
        .replace(" - ", "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_people_write_them() {
        const ALL: usize = usize::MAX;
        for (text, expected) in [
            ("contains exactly three words", vec![3..=3]),
            ("Write a 300-400 word story", vec![300..=400]),
            ("a 300–400-word story", vec![300..=400]),
            ("Write 300 – 400 words", vec![300..=400]),
            ("has between 1,000 and 2,000 words.", vec![1000..=2000]),
            ("from 5 to 9 words", vec![5..=9]),
            ("at least 50 words", vec![50..=ALL]),
            ("a minimum of 50 words", vec![50..=ALL]),
            ("50+ words", vec![50..=ALL]),
            ("50 or more words", vec![50..=ALL]),
            ("50 words or more", vec![50..=ALL]),
            ("at most 50 words", vec![0..=50]),
            ("no more than 50 words", vec![0..=50]),
            ("no fewer than 50 words", vec![50..=ALL]),
            ("more than 50 words", vec![51..=ALL]),
            ("fewer than 50 words", vec![0..=49]),
            ("under 50 words", vec![0..=49]),
            ("up to 50 words", vec![0..=50]),
            ("in three words", vec![3..=3]),
            (
                "a 500-word essay and a title of two words",
                vec![500..=500, 2..=2],
            ),
            ("about 300 words", vec![]),
            ("in your own words", vec![]),
            ("password", vec![]),
            // Nothing could meet these.
            ("400-300 words", vec![]),
            ("between 400 and 300 words", vec![]),
            ("400 to 300 words", vec![]),
        ] {
            assert_eq!(in_sentence(text), expected, "{text}");
        }
        assert_eq!(
            (told(&(3..=3)), told(&(3..=ALL)), told(&(0..=9))),
            ("exactly 3".into(), "at least 3".into(), "at most 9".into())
        );
        assert_eq!(words("one two — three."), 3);
    }
}
