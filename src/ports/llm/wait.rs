//! How long a server asks to wait: in a header, or in the words of its answer.
//!
//! Rate limits often come without `Retry-After` and with the time in a sentence ("Please try again in 5.5s", Gemini's `"retryDelay": "5s"`,
//! `"estimated_time": 20.0` of a model that is being loaded), or in the headers in which OpenAI and Groq count what is left.

use std::time::Duration;

use crate::clock::unix_now;
use crate::ports::retry;

/// A longer wait is none: nobody waits for longer than a day.
const LONGEST: f64 = 86_400.0;

/// What comes before a time in an answer's text, in lower case.
const MARKERS: [&str; 11] = [
    "retrydelay",
    "retry_after",
    "retry-after",
    "try again in",
    "try again after",
    "retry in",
    "retry after",
    "estimated_time",
    "available in",
    "please wait",
    "wait for",
];

/// What the headers ask for: `Retry-After-Ms`, `Retry-After`, and after a limit the time at which what is used up comes back.
pub(super) fn in_headers(
    header: impl Fn(&str) -> Option<String>,
    limited: bool,
) -> Option<Duration> {
    let number = |name: &str| header(name)?.trim().parse::<f64>().ok();
    number("retry-after-ms")
        .and_then(|ms| duration(ms / 1000.0))
        .or_else(|| header("retry-after").and_then(|v| retry::parse_after(&v).or_else(|| time(&v))))
        .or_else(|| {
            let reset = |of: &str| reset_after(&header(&format!("x-ratelimit-reset{of}"))?);
            let spent = |of: &str| number(&format!("x-ratelimit-remaining{of}")) == Some(0.0);
            let of = ["-requests", "-tokens", ""];
            let used_up = of.iter().find(|of| spent(of)).and_then(|of| reset(of));
            used_up
                .or_else(|| of.iter().filter_map(|of| reset(of)).min())
                .filter(|_| limited)
        })
}

/// What the text of an answer asks for.
pub(super) fn in_text(text: &str) -> Option<Duration> {
    let text = text.to_ascii_lowercase();
    MARKERS.iter().find_map(|marker| {
        let behind = &text[text.find(marker)? + marker.len()..];
        let start = behind.find(|c: char| c.is_ascii_digit())?;
        let between = &behind[..start];
        let near = between.len() <= 12
            && !between.contains(['.', ',', '{', '}', '\n'])
            && between.split_whitespace().all(|w| {
                matches!(
                    w.trim_matches(['"', ':', '=', '\\', '~']),
                    "" | "about" | "in" | "at" | "least"
                )
            });
        near.then(|| time(&behind[start..])).flatten()
    })
}

/// `1s`, `6m0s`, `1h2m`, `500ms`, `5.5 seconds`, `20`; what follows behind it does not matter.
fn time(text: &str) -> Option<Duration> {
    let (mut rest, mut seconds, mut any) = (text.trim_start(), 0.0, false);
    loop {
        let digits = rest
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(rest.len());
        let Ok(number) = rest[..digits].trim_end_matches('.').parse::<f64>() else {
            break;
        };
        let behind = rest[digits..].trim_start();
        let letters = behind
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(behind.len());
        let unit = match &behind[..letters] {
            "ms" | "millisecond" | "milliseconds" => 0.001,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hr" | "hour" | "hours" => 3600.0,
            "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            // A number by itself, or followed by another sentence.
            _ if !any => return duration(number),
            _ => break,
        };
        seconds += number * unit;
        any = true;
        rest = behind[letters..].trim_start();
    }
    any.then(|| duration(seconds)).flatten()
}

/// A time to wait, or one in seconds or milliseconds since 1970, as `OpenRouter` has it.
fn reset_after(value: &str) -> Option<Duration> {
    match value.trim().parse::<f64>() {
        Ok(at) if at > 1e9 => {
            let at = if at > 1e12 { at / 1000.0 } else { at };
            #[expect(
                clippy::cast_precision_loss,
                reason = "seconds, for tens of thousands of years"
            )]
            duration(at - unix_now() as f64)
        }
        _ => time(value),
    }
}

fn duration(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds.min(LONGEST))
        .ok()
        .filter(|d| !d.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_that_servers_name_in_words() {
        for (text, ms) in [
            (
                "Rate limit reached. Please try again in 5.5s. Visit https://x.example",
                Some(5500),
            ),
            ("Please try again in 1m30.5s.", Some(90_500)),
            ("try again in 250ms", Some(250)),
            ("Try again in 20 seconds", Some(20_000)),
            (
                r#"{"error":{"details":[{"@type":"RetryInfo","retryDelay": "17s"}]}}"#,
                Some(17_000),
            ),
            (
                r#"{"error":"Model x is currently loading","estimated_time":20.0}"#,
                Some(20_000),
            ),
            (r#"{"detail":{"retry_after": 3}}"#, Some(3000)),
            ("Too many requests, retry after 2 minutes", Some(120_000)),
            ("Try again in about 7 s", Some(7000)),
            ("Try again later. Limit 8000, used 7000", None),
            ("You may try again in the next version 2", None),
            ("overloaded", None),
            ("try again in 0s", None),
        ] {
            assert_eq!(in_text(text), ms.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn waits_in_headers() {
        let far = format!("{}", (unix_now() + 40) * 1000);
        for (headers, limited, seconds) in [
            (vec![("retry-after-ms", "5000")], false, 5),
            (vec![("retry-after", "7")], false, 7),
            (
                vec![("retry-after", "7s"), ("x-ratelimit-reset-tokens", "9s")],
                true,
                7,
            ),
            (
                vec![
                    ("x-ratelimit-reset-requests", "6m0s"),
                    ("x-ratelimit-reset-tokens", "2s"),
                ],
                true,
                2,
            ),
            (
                vec![
                    ("x-ratelimit-reset-requests", "6m0s"),
                    ("x-ratelimit-remaining-requests", "0"),
                    ("x-ratelimit-reset-tokens", "2s"),
                ],
                true,
                360,
            ),
            (vec![("x-ratelimit-reset-requests", "6m0s")], false, 0),
            (
                vec![
                    ("x-ratelimit-reset", far.as_str()),
                    ("x-ratelimit-remaining", "0"),
                ],
                true,
                40,
            ),
        ] {
            let get = |name: &str| {
                headers
                    .iter()
                    .find(|(n, _)| *n == name)
                    .map(|(_, v)| (*v).to_owned())
            };
            let wait = in_headers(get, limited).map_or(0, |d| d.as_secs());
            assert!(wait.abs_diff(seconds) <= 1, "{headers:?}: {wait}");
        }
    }
}
