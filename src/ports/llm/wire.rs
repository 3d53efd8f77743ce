//! The request as JSON, and what comes back: an answer in one piece or as a stream, or an error, which may stand inside a 200.

use std::io::Read;
use std::time::{Duration, Instant};

use base64::Engine;
use serde_json::{Map, Value, json};

use super::ladder::Refused;
use super::sse::{Event, Events};
use super::{Answer, Message, Role, Usage};
use crate::ports::http::Stream;
use crate::progress::Progress;
use crate::text::head;

/// Asked for, so that servers with a small default do not cut the answer off. The most that the default model gives.
const MAX_TOKENS: u32 = 16_000;
/// What is kept of an error's body.
const EXCERPT: usize = 2000;

/// What went wrong with one exchange.
#[derive(Clone, Debug, Default)]
pub(super) struct Trouble {
    /// The status that the answer has, or that the error inside it names; `None` where none came.
    pub status: Option<u16>,
    pub code: Option<String>,
    pub param: Option<String>,
    /// For people.
    pub message: String,
    /// What the body says, for the ladder.
    pub body: String,
    pub wait: Option<Duration>,
    /// `x-should-retry`.
    pub should_retry: Option<bool>,
    /// The model, or a filter before or behind it, will not.
    pub declined: bool,
    /// An answer that is none.
    pub garbled: bool,
}

impl Trouble {
    pub(super) fn silent(error: &anyhow::Error) -> Self {
        Self {
            message: format!("no answer: {}", error.root_cause()),
            ..Self::default()
        }
    }

    fn declined(message: String) -> Self {
        Self {
            declined: true,
            message,
            ..Self::default()
        }
    }

    /// Whether the same request may succeed a moment later. Spent credit comes as 429 too, and never does.
    pub(super) fn worth_another(&self) -> bool {
        let spent = self.code.as_deref().is_some_and(|c| {
            matches!(
                c,
                "insufficient_quota" | "billing_hard_limit_reached" | "insufficient_credits"
            )
        });
        let by_status = self
            .status
            .is_none_or(|s| matches!(s, 408 | 409 | 429 | 500..))
            || self.garbled;
        !spent && !matches!(self.status, Some(401 | 402)) && self.should_retry.unwrap_or(by_status)
    }
}

pub(super) fn body(model: &str, messages: &[Message], refused: Refused) -> Vec<u8> {
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(model));
    body.insert("messages".to_owned(), messages_json(messages, refused));
    if !refused.max_completion_tokens {
        body.insert("max_completion_tokens".to_owned(), json!(MAX_TOKENS));
    } else if !refused.max_tokens {
        body.insert("max_tokens".to_owned(), json!(MAX_TOKENS));
    }
    if !refused.stream {
        body.insert("stream".to_owned(), json!(true));
        if !refused.stream_options {
            body.insert("stream_options".to_owned(), json!({"include_usage": true}));
        }
    }
    Value::Object(body).to_string().into_bytes()
}

fn messages_json(messages: &[Message], refused: Refused) -> Value {
    let mut rules = String::new();
    let mut all = Vec::new();
    for message in messages {
        let mut text = message.text.clone();
        if refused.system {
            if message.role == Role::System {
                rules = text + "\n\n";
                continue;
            }
            text = std::mem::take(&mut rules) + &text;
        }
        let content = if message.images.is_empty() || refused.images {
            json!(text)
        } else {
            let mut parts = vec![json!({"type": "text", "text": text})];
            parts.extend(message.images.iter().map(|image| {
                let data = base64::engine::general_purpose::STANDARD.encode(&image.bytes);
                json!({"type": "image_url", "image_url": {"url": format!("data:{};base64,{data}", image.media_type)}})
            }));
            json!(parts)
        };
        all.push(json!({"role": message.role, "content": content}));
    }
    json!(all)
}

/// Reads an answer to its end.
pub(super) fn answer(
    stream: Stream,
    model: &str,
    progress: &dyn Progress,
) -> Result<Answer, Trouble> {
    let header = |name: &str| stream.header(name).map(str::to_owned);
    let (wait, should_retry) = (
        super::wait(header),
        stream.header("x-should-retry").and_then(|v| v.parse().ok()),
    );
    let status = stream.status;
    let is_stream = stream
        .header("content-type")
        .is_some_and(|t| t.trim_start().starts_with("text/event-stream"));
    if (200..300).contains(&status) && is_stream {
        return streamed(stream, model, progress);
    }
    let mut bytes = Vec::new();
    let mut body = stream.body;
    let read = body.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    if (200..300).contains(&status) {
        // Some servers stream under another content type.
        if text.lines().take(10).any(|line| line.starts_with("data:")) {
            let body = std::io::Cursor::new(bytes);
            return streamed(
                Stream {
                    status,
                    headers: vec![],
                    body: Box::new(body),
                },
                model,
                progress,
            );
        }
        read.map_err(|e| Trouble {
            message: format!("the answer broke off: {e}"),
            ..Trouble::default()
        })?;
        let Ok(value) = serde_json::from_str::<Value>(&text) else {
            let message = format!(
                "the answer is neither JSON nor a stream: {:?}",
                head(&text, 80)
            );
            return Err(Trouble {
                status: Some(status),
                message,
                garbled: true,
                ..Trouble::default()
            });
        };
        return whole(&value, model);
    }
    let value = serde_json::from_str::<Value>(&text).unwrap_or(Value::Null);
    let mut trouble = error_of(&value).unwrap_or_else(|| Trouble {
        message: head(text.trim(), 200).to_owned(),
        ..Trouble::default()
    });
    trouble.status = Some(status);
    head(&text, EXCERPT).clone_into(&mut trouble.body);
    trouble.message.insert_str(0, &format!("{status} "));
    (trouble.wait, trouble.should_retry) = (wait, should_retry);
    Err(trouble)
}

/// An answer in one piece.
fn whole(value: &Value, model: &str) -> Result<Answer, Trouble> {
    if let Some(trouble) = error_of(value) {
        return Err(trouble);
    }
    let choice = &value["choices"][0];
    let mut said = Said::default();
    said.choice(choice, &choice["message"])?;
    if !choice.is_object() {
        let message = "the answer holds no choices".to_owned();
        return Err(Trouble {
            status: Some(200),
            message,
            garbled: true,
            ..Trouble::default()
        });
    }
    said.usage = usage(&value["usage"]);
    said.finish = said.finish.or_else(|| Some("stop".to_owned()));
    said.into_answer(model)
}

fn streamed(mut stream: Stream, model: &str, progress: &dyn Progress) -> Result<Answer, Trouble> {
    let (mut events, mut said, mut buffer) =
        (Events::default(), Said::default(), vec![0; 16 << 10]);
    let (mut shown, mut broke, mut done) = (Instant::now(), None, false);
    while !done {
        let complete = match stream.body.read(&mut buffer) {
            Ok(0) => {
                done = true;
                events.end().into_iter().collect()
            }
            Ok(n) => events.feed(&buffer[..n]),
            Err(e) => {
                broke = Some(format!("the answer broke off: {e}"));
                break;
            }
        };
        for event in complete {
            let Event::Json(value) = event else {
                (done, said.done) = (true, true);
                break;
            };
            if let Some(trouble) = error_of(&value) {
                return Err(trouble);
            }
            let choice = &value["choices"][0];
            let part = if choice["delta"].is_object() {
                &choice["delta"]
            } else {
                &choice["message"]
            };
            said.choice(choice, part)?;
            said.usage = usage(&value["usage"]).or(said.usage);
        }
        if shown.elapsed() > Duration::from_millis(500) {
            shown = Instant::now();
            progress.detail(&format!("{model}: about {} tokens", said.text.len() / 4));
        }
    }
    // A server that ends without [DONE] has said why it stopped, or it was cut off.
    if said.done && said.finish.is_none() {
        said.finish = Some("stop".to_owned());
    }
    if said.text.is_empty() && said.refusal.is_empty() && said.finish.is_none() {
        let message = broke.unwrap_or_else(|| "the stream ended before it began".to_owned());
        return Err(Trouble {
            message,
            ..Trouble::default()
        });
    }
    said.into_answer(model)
}

/// What is put together from the parts.
#[derive(Default)]
struct Said {
    text: String,
    refusal: String,
    finish: Option<String>,
    usage: Option<Usage>,
    done: bool,
}

impl Said {
    fn choice(&mut self, choice: &Value, part: &Value) -> Result<(), Trouble> {
        // OpenRouter reports a provider's failure in the choice.
        if let Some(trouble) = error_of(choice) {
            return Err(trouble);
        }
        match &part["content"] {
            Value::String(text) => self.text.push_str(text),
            Value::Array(parts) => self
                .text
                .extend(parts.iter().filter_map(|p| p["text"].as_str())),
            _ => {}
        }
        self.refusal
            .push_str(part["refusal"].as_str().unwrap_or_default());
        if let Some(finish) = choice["finish_reason"].as_str() {
            self.finish = Some(finish.to_owned());
        }
        Ok(())
    }

    fn into_answer(self, model: &str) -> Result<Answer, Trouble> {
        if !self.refusal.trim().is_empty() {
            return Err(Trouble::declined(format!(
                "the model refused: {}",
                head(self.refusal.trim(), 200)
            )));
        }
        match self.finish.as_deref() {
            Some("content_filter") => {
                return Err(Trouble::declined(
                    "the answer was stopped by a content filter".to_owned(),
                ));
            }
            Some("error") => {
                let message = "the server reports an error in the middle of the answer".to_owned();
                return Err(Trouble {
                    status: Some(502),
                    message,
                    ..Trouble::default()
                });
            }
            _ => {}
        }
        Ok(Answer {
            text: self.text,
            model: model.to_owned(),
            usage: self.usage,
            finish: self.finish,
            requests: 0,
        })
    }
}

/// The error that a body carries, whatever the status it came with.
fn error_of(value: &Value) -> Option<Trouble> {
    let error = value.get("error").filter(|e| !e.is_null())?;
    let text = |v: &Value| v.as_str().map(str::to_owned);
    let code = text(&error["code"]);
    let kind = text(&error["type"]);
    let number = |v: &Value| {
        v.as_u64()
            .or_else(|| v.as_str()?.parse().ok())
            .and_then(|n| u16::try_from(n).ok())
            .filter(|n| (400..600).contains(n))
    };
    let named = code.iter().chain(&kind).find_map(|name| status_of(name));
    let status = number(&error["code"])
        .or_else(|| number(&error["status"]))
        .or_else(|| number(&value["status"]))
        .or(named)
        .unwrap_or(502);
    let message = text(&error["message"])
        .or_else(|| text(error))
        .unwrap_or_else(|| error.to_string());
    let filtered = [&code, &kind]
        .into_iter()
        .flatten()
        .any(|c| matches!(c.as_str(), "content_filter" | "content_policy_violation"));
    let code = if kind.as_deref() == Some("insufficient_quota") {
        kind
    } else {
        code
    };
    Some(Trouble {
        status: Some(status),
        code,
        param: text(&error["param"]),
        message: head(&message, 200).to_owned(),
        body: head(&value.to_string(), EXCERPT).to_owned(),
        declined: filtered,
        ..Trouble::default()
    })
}

/// The status that goes with a code or type, where an error names no number.
fn status_of(name: &str) -> Option<u16> {
    Some(match name {
        "rate_limit_exceeded" | "rate_limit_error" | "requests" | "tokens" => 429,
        "insufficient_quota" | "insufficient_credits" | "billing_hard_limit_reached" => 402,
        "invalid_api_key" | "authentication_error" => 401,
        "permission_error" => 403,
        "model_not_found" | "not_found_error" => 404,
        "invalid_request_error" | "context_length_exceeded" | "unsupported_parameter" => 400,
        "server_error" | "api_error" | "overloaded_error" => 503,
        _ => return None,
    })
}

fn usage(value: &Value) -> Option<Usage> {
    let prompt_tokens = value["prompt_tokens"].as_u64()?;
    let completion_tokens = value["completion_tokens"].as_u64()?;
    let total_tokens = value["total_tokens"]
        .as_u64()
        .unwrap_or_else(|| prompt_tokens.saturating_add(completion_tokens));
    Some(Usage {
        prompt_tokens,
        completion_tokens,
        total_tokens,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_counts_as_the_status_it_names() {
        let status = |v: Value| error_of(&v).unwrap().status;
        assert_eq!(
            status(json!({"error": {"code": 429, "message": "slow down"}})),
            Some(429)
        );
        assert_eq!(
            status(json!({"error": {"code": "402", "message": "x"}})),
            Some(402)
        );
        assert_eq!(
            status(json!({"error": {"type": "insufficient_quota"}})),
            Some(402)
        );
        assert_eq!(status(json!({"error": "odd"})), Some(502));
        assert!(error_of(&json!({"error": null, "choices": []})).is_none());
    }

    #[test]
    fn spent_credit_is_not_worth_another() {
        let trouble = |status, code: &str| Trouble {
            status: Some(status),
            code: Some(code.to_owned()),
            ..Trouble::default()
        };
        assert!(
            trouble(429, "rate_limit_exceeded").worth_another()
                && trouble(503, "").worth_another()
                && Trouble::default().worth_another()
        );
        assert!(
            !trouble(429, "insufficient_quota").worth_another()
                && !trouble(401, "").worth_another()
                && !trouble(402, "").worth_another()
        );
        assert!(
            !Trouble {
                should_retry: Some(false),
                ..trouble(503, "")
            }
            .worth_another()
        );
        assert!(
            Trouble {
                should_retry: Some(true),
                ..trouble(400, "")
            }
            .worth_another()
        );
    }

    #[test]
    fn the_system_role_moves_into_the_first_message() {
        let messages = [
            Message::new(Role::System, "rules".to_owned()),
            Message::new(Role::User, "do".to_owned()),
        ];
        let body = body(
            "m",
            &messages,
            Refused {
                system: true,
                ..Refused::default()
            },
        );
        let value: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            value["messages"],
            json!([{"role": "user", "content": "rules\n\ndo"}])
        );
        assert_eq!(value.get("temperature"), None);
    }
}
