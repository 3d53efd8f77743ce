//! Trouble on demand: what a request meets instead of, or besides, its proper answer.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::Handle;
use super::http::Answer;
use super::log::{Entry, Match, Service};

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Kind {
    /// This status, these headers, this body; no effect.
    Status(u16, Vec<(&'static str, String)>, String),
    /// A load balancer's HTML page with status 502; no effect.
    Html502,
    /// 503 with `Retry-After`; no effect.
    RetryAfter503(u64),
    /// 429 with `Retry-After`; no effect.
    TooMany429 { retry_after: u64 },
    /// GitHub's secondary limit, with or without `Retry-After`; no effect.
    Secondary403 { retry_after: Option<u64> },
    /// GitHub's primary limit; no effect.
    Primary403 { reset_in_secs: u64 },
    /// The connection is reset without an answer; no effect.
    Reset,
    /// The effect happens, the headers and half of the body arrive.
    CutOff,
    /// The effect happens, nothing arrives.
    LostAnswer,
    /// Silence for that long, then the connection is closed; no effect.
    Hang(Duration),
    /// The proper answer, later.
    Delay(Duration),
}

/// One kind of trouble for the requests that match: `skip` are let through first, then it
/// happens `times` times.
#[derive(Clone, Debug)]
pub struct Fault {
    pub on: Match,
    pub kind: Kind,
    pub times: usize,
    pub skip: usize,
}

impl Fault {
    /// Once, on the next match.
    pub fn once(on: Match, kind: Kind) -> Fault {
        Fault {
            on,
            kind,
            times: 1,
            skip: 0,
        }
    }

    pub fn times(mut self, times: usize) -> Fault {
        self.times = times;
        self
    }

    pub fn skip(mut self, skip: usize) -> Fault {
        self.skip = skip;
        self
    }
}

/// The first fault that is due for this request, used up by one.
pub fn pick(faults: &mut [Fault], entry: &Entry) -> Option<Kind> {
    for fault in faults
        .iter_mut()
        .filter(|fault| fault.times > 0 && fault.on.hits(entry))
    {
        if fault.skip > 0 {
            fault.skip -= 1;
            continue;
        }
        fault.times -= 1;
        return Some(fault.kind.clone());
    }
    None
}

type Action = Arc<Mutex<Box<dyn FnMut(&Handle) + Send>>>;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Before,
    After,
}

/// Something the test does at a moment it cannot hit from outside.
pub struct Hook {
    pub on: Match,
    pub moment: Moment,
    pub times: usize,
    pub action: Action,
}

/// The hooks due now. They are run by the caller with no lock held, so that they may use the
/// world.
pub fn due(hooks: &mut [Hook], moment: Moment, entry: &Entry) -> Vec<Action> {
    let mut actions = Vec::new();
    for hook in hooks
        .iter_mut()
        .filter(|hook| hook.moment == moment && hook.times > 0 && hook.on.hits(entry))
    {
        hook.times -= 1;
        actions.push(Arc::clone(&hook.action));
    }
    actions
}

/// The answer a fault gives in the place of the real one; `None` where it is not of that sort.
pub fn canned(kind: &Kind, service: Service) -> Option<Answer> {
    const LIMITS: &str =
        "https://docs.github.com/free-pro-team@latest/rest/overview/rate-limits-for-the-rest-api";
    let answer = match kind {
        Kind::Status(status, headers, body) => {
            let sort = if body.starts_with(['{', '[']) {
                "application/json; charset=utf-8"
            } else {
                "text/plain"
            };
            let given = headers
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
            let start = if given {
                Answer::empty(*status)
            } else {
                Answer::new(*status, sort, "")
            };
            let mut answer = headers.iter().fold(start, |answer, (name, value)| {
                answer.with(name, value.clone())
            });
            answer.body = body.clone().into_bytes();
            answer
        }
        Kind::Html502 => Answer::new(
            502,
            "text/html",
            "<!DOCTYPE html>\n<html><head><title>Unicorn! &middot; GitHub</title></head>\
             <body><p><strong>We had issues producing the response to your request.</strong></p></body></html>",
        ),
        Kind::RetryAfter503(seconds) => {
            unavailable(service).with("Retry-After", seconds.to_string())
        }
        Kind::TooMany429 { retry_after } => {
            too_many(service).with("Retry-After", retry_after.to_string())
        }
        Kind::Secondary403 { retry_after } => {
            let answer = Answer::json(
                403,
                &json!({
                    "message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
                    "documentation_url": format!("{LIMITS}#about-secondary-rate-limits"),
                }),
            );
            match retry_after {
                Some(seconds) => answer.with("Retry-After", seconds.to_string()),
                None => answer,
            }
        }
        Kind::Primary403 { reset_in_secs } => {
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .as_secs();
            Answer::json(
                403,
                &json!({
                    "message": "API rate limit exceeded for user ID 583231.",
                    "documentation_url": format!("{LIMITS}#about-primary-rate-limits"),
                }),
            )
            .with("X-RateLimit-Limit", "5000")
            .with("X-RateLimit-Remaining", "0")
            .with("X-RateLimit-Used", "5000")
            .with("X-RateLimit-Resource", "core")
            .with("X-RateLimit-Reset", (now + reset_in_secs).to_string())
        }
        Kind::Reset | Kind::CutOff | Kind::LostAnswer | Kind::Hang(_) | Kind::Delay(_) => {
            return None;
        }
    };
    Some(answer)
}

fn unavailable(service: Service) -> Answer {
    match service {
        Service::Llm => {
            super::script::problem(503, "server_error", None, "The server is overloaded.")
        }
        Service::Api => Answer::json(503, &json!({"message": "Service Unavailable"})),
        _ => Answer::text(503, "Service Unavailable\n"),
    }
}

fn too_many(service: Service) -> Answer {
    match service {
        Service::Llm => super::script::problem(
            429,
            "requests",
            Some("rate_limit_exceeded"),
            "Rate limit reached.",
        ),
        Service::Api => Answer::json(
            429,
            &json!({
                "message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
                "documentation_url": "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api",
            }),
        ),
        _ => Answer::text(429, "Too Many Requests\n"),
    }
}
