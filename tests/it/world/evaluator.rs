//! The evaluator: takes notifications and is particular about them.

use std::time::Duration;

use serde_json::{Value, json};

use super::Handle;
use super::http::Answer;
use super::log::Entry;

/// What the evaluator answers to one attempt.
#[derive(Clone, Debug)]
pub struct EvalAnswer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub delay: Duration,
}

impl EvalAnswer {
    pub fn status(status: u16) -> EvalAnswer {
        EvalAnswer {
            status,
            headers: Vec::new(),
            body: "{\"status\":\"seen\"}".to_owned(),
            delay: Duration::ZERO,
        }
    }

    /// Sent elsewhere.
    pub fn redirect(status: u16, location: &str) -> EvalAnswer {
        EvalAnswer::status(status).header("Location", location)
    }

    pub fn header(mut self, name: &str, value: &str) -> EvalAnswer {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn delay(mut self, delay: Duration) -> EvalAnswer {
        self.delay = delay;
        self
    }
}

const KEYS: [&str; 7] = [
    "commit_sha",
    "email",
    "nonce",
    "pages_url",
    "repo_url",
    "round",
    "task",
];

pub fn handle(world: &Handle, request: &Entry) -> Answer {
    if request.path != "/eval" {
        // Where redirects lead: recorded, and that is all.
        return Answer::json(200, &json!({}));
    }
    // `doctor` asks whether anybody is there.
    if request.method == "HEAD" {
        let down = world.settings(|s| s.eval_default.status >= 500);
        return Answer::empty(if down { 503 } else { 405 });
    }
    if request.method != "POST" {
        world.odd(request, "the evaluator takes POST only");
        return Answer::json(405, &json!({"error": "POST only"})).with("Allow", "POST");
    }
    if let Err(problem) = check(request) {
        world.odd(request, &problem);
        return Answer::json(400, &json!({"error": problem}));
    }
    let planned = world.settings(|settings| {
        if settings.eval.is_empty() {
            settings.eval_default.clone()
        } else {
            settings.eval.remove(0)
        }
    });
    world.pause(planned.delay);
    if (200..300).contains(&planned.status) {
        world.accept_notification(request.json());
    }
    let start = Answer::new(planned.status, "application/json", planned.body);
    planned
        .headers
        .into_iter()
        .fold(start, |answer, (name, value)| answer.with(&name, value))
}

fn check(request: &Entry) -> Result<(), String> {
    let sort = request.header("content-type").unwrap_or_default();
    if sort.split(';').next().unwrap_or_default().trim() != "application/json" {
        return Err(format!("Content-Type is {sort:?}"));
    }
    if request.header("authorization").is_some() {
        return Err("a notification carries no Authorization".to_owned());
    }
    let body: Value =
        serde_json::from_slice(&request.body).map_err(|error| format!("not JSON: {error}"))?;
    let map = body.as_object().ok_or("not an object")?;
    let mut keys: Vec<&str> = map.keys().map(String::as_str).collect();
    keys.sort_unstable();
    if keys != KEYS {
        return Err(format!("keys are {keys:?}"));
    }
    if !body["round"].is_u64() {
        return Err("round is not an integer".to_owned());
    }
    match KEYS
        .iter()
        .find(|key| **key != "round" && !body[**key].is_string())
    {
        Some(key) => Err(format!("{key} is not a string")),
        None => Ok(()),
    }
}
