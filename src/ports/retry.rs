//! When and how long to wait before a request is made again. One policy for all, so that its numbers stand in one place.
//!
//! The pause doubles from one unit (1 s): 1, 2, 4, 8, … and stays at 60 units. GitHub asks to wait at least a minute after a
//! secondary limit that names no time, which is where the cap comes from; the evaluator's schedule in the contract is the
//! same. Jitter is left out: one process asks one host one thing at a time.

use std::time::{Duration, SystemTime};

use super::http::Response;
use crate::clock::unix_now;

/// The longest pause, in units.
pub const CAP: u32 = 60;

/// How often a request is made when no answer or a 5xx comes back. With the pauses between, 1 + 2 + 4 + 8 = 15 s: longer
/// than a connection that is being re-established, short against the ten minutes that a sender waits.
pub const TRIES: u32 = 5;

/// The pause after the `n`th failure (from 1).
#[must_use]
pub fn pause(unit: Duration, n: u32) -> Duration {
    unit * 2_u32
        .checked_pow(n.saturating_sub(1))
        .map_or(CAP, |p| p.min(CAP))
}

/// Nobody is waited for longer than a day; a number beyond any clock is one that a server may send too.
const LONGEST: u64 = 86_400;

/// `Retry-After`: seconds or an HTTP date (RFC 9110, 10.2.3). `None` too where it asks for no wait at all: the own pause is kept
/// then, so that a server that is down is not flooded.
#[must_use]
pub fn retry_after(response: &Response) -> Option<Duration> {
    parse_after(response.header("retry-after")?)
}

/// The value of a `Retry-After` header.
#[must_use]
pub fn parse_after(value: &str) -> Option<Duration> {
    let value = value.trim();
    let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    let wait = if digits {
        Duration::from_secs(value.parse().unwrap_or(LONGEST))
    } else {
        httpdate::parse_http_date(value)
            .ok()?
            .duration_since(SystemTime::now())
            .unwrap_or_default()
    };
    Some(wait.min(Duration::from_secs(LONGEST))).filter(|w| !w.is_zero())
}

/// How long GitHub wants us to wait, if the answer is a rate limit, which comes as 403 or as 429. In this order:
/// `retry-after`; `x-ratelimit-remaining: 0` with the reset time; otherwise a secondary limit's minute.
/// Source: "Best practices for using the REST API", docs.github.com.
#[must_use]
pub fn github_limit(response: &Response, unit: Duration) -> Option<Duration> {
    let spent = response
        .header("x-ratelimit-remaining")
        .is_some_and(|v| v.trim() == "0");
    let asked = retry_after(response);
    let secondary = || response.text().to_ascii_lowercase().contains("rate limit");
    match response.status {
        429 => {}
        403 if response.header("retry-after").is_some() || spent || secondary() => {}
        _ => return None,
    }
    let reset = || {
        response
            .header("x-ratelimit-reset")?
            .trim()
            .parse::<u64>()
            .ok()
    };
    let until = |at: u64| Duration::from_secs(at.saturating_sub(unix_now()).min(LONGEST) + 1);
    asked
        .or_else(|| spent.then(reset).flatten().map(until))
        .or(Some(unit * CAP))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
        let headers = headers
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        Response {
            status,
            headers,
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn the_pause_doubles_up_to_a_minute() {
        let pauses: Vec<_> = (1..=9)
            .map(|n| pause(Duration::from_secs(1), n).as_secs())
            .collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(pause(Duration::from_secs(1), 500).as_secs(), 60);
    }

    #[test]
    fn retry_after_in_both_forms() {
        assert_eq!(
            retry_after(&response(503, &[("Retry-After", "7")], "")),
            Some(Duration::from_secs(7))
        );
        let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(100));
        let wait = retry_after(&response(503, &[("retry-after", &date)], ""))
            .unwrap()
            .as_secs();
        assert!((90..=100).contains(&wait), "{wait}");
        assert_eq!(
            retry_after(&response(503, &[("retry-after", "soon")], "")),
            None
        );
        for no_wait in ["0", "-1", "", "Sun, 06 Nov 1994 08:49:37 GMT"] {
            assert_eq!(parse_after(no_wait), None, "{no_wait}");
        }
        for for_ever in ["18446744073709551615", "99999999999999999999999"] {
            assert_eq!(
                parse_after(for_ever),
                Some(Duration::from_secs(LONGEST)),
                "{for_ever}"
            );
        }
    }

    #[test]
    fn rate_limits_of_both_kinds() {
        let unit = Duration::from_secs(1);
        let reset = (unix_now() + 30).to_string();
        let primary = response(
            403,
            &[
                ("x-ratelimit-remaining", "0"),
                ("x-ratelimit-reset", &reset),
            ],
            "",
        );
        assert!((29..=31).contains(&github_limit(&primary, unit).unwrap().as_secs()));
        let secondary = response(403, &[], "You have exceeded a secondary rate limit.");
        assert_eq!(
            github_limit(&secondary, unit),
            Some(Duration::from_secs(60))
        );
        assert_eq!(
            github_limit(&response(429, &[("retry-after", "3")], ""), unit),
            Some(Duration::from_secs(3))
        );
        assert_eq!(
            github_limit(
                &response(403, &[], "Resource not accessible by personal access token"),
                unit
            ),
            None
        );
        assert_eq!(
            github_limit(&response(429, &[("retry-after", "0")], ""), unit),
            Some(Duration::from_secs(60))
        );
        let far = u64::MAX.to_string();
        let never = response(
            403,
            &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &far)],
            "",
        );
        assert_eq!(
            github_limit(&never, unit),
            Some(Duration::from_secs(LONGEST + 1))
        );
        assert_eq!(
            github_limit(&response(401, &[("retry-after", "3")], ""), unit),
            None
        );
    }
}
