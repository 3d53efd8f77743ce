//! What the model answers: written by the test, shown in the form that was asked for.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::http::Answer;

/// Answers by itself: the request's body and its number, from 0.
pub type LlmHandler = Arc<dyn Fn(&Value, usize) -> LlmAnswer + Send + Sync>;

#[derive(Clone, Debug)]
pub enum LlmBody {
    /// A reply of the model, as stream or as a whole, whichever was asked for.
    Text {
        content: String,
        finish: String,
        refusal: Option<String>,
    },
    /// This document, whatever was asked for.
    Json(Value),
    /// These `data:` payloads, as they are; `[DONE]` is not added.
    Sse(Vec<String>),
    /// These bytes with this content type.
    Raw(String, Vec<u8>),
}

#[derive(Clone, Debug)]
pub struct LlmAnswer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: LlmBody,
    /// Before the first byte.
    pub delay: Duration,
    /// Between the parts of a stream.
    pub pause: Duration,
}

impl LlmAnswer {
    fn of(status: u16, body: LlmBody) -> LlmAnswer {
        LlmAnswer {
            status,
            headers: Vec::new(),
            body,
            delay: Duration::ZERO,
            pause: Duration::ZERO,
        }
    }

    pub fn text(content: &str) -> LlmAnswer {
        LlmAnswer::of(
            200,
            LlmBody::Text {
                content: content.to_owned(),
                finish: "stop".to_owned(),
                refusal: None,
            },
        )
    }

    /// A reply that ended for another reason, such as `length` or `content_filter`.
    pub fn finished(content: &str, finish: &str) -> LlmAnswer {
        LlmAnswer::of(
            200,
            LlmBody::Text {
                content: content.to_owned(),
                finish: finish.to_owned(),
                refusal: None,
            },
        )
    }

    /// The model declines.
    pub fn refusal(text: &str) -> LlmAnswer {
        LlmAnswer::of(
            200,
            LlmBody::Text {
                content: String::new(),
                finish: "stop".to_owned(),
                refusal: Some(text.to_owned()),
            },
        )
    }

    /// An error with the given `code`; its `type` is what `OpenAI` sends with it.
    pub fn error(status: u16, code: &str, message: &str) -> LlmAnswer {
        LlmAnswer::of(
            status,
            LlmBody::Json(problem_body(
                sort_of(status, code),
                None,
                Some(code),
                message,
            )),
        )
    }

    /// 400: this parameter is not known here.
    pub fn refuse_param(name: &str) -> LlmAnswer {
        LlmAnswer::of(400, LlmBody::Json(unsupported(name)))
    }

    pub fn json(status: u16, body: Value) -> LlmAnswer {
        LlmAnswer::of(status, LlmBody::Json(body))
    }

    pub fn sse(payloads: &[&str]) -> LlmAnswer {
        LlmAnswer::of(
            200,
            LlmBody::Sse(payloads.iter().map(|&payload| payload.to_owned()).collect()),
        )
    }

    pub fn raw(status: u16, content_type: &str, body: &[u8]) -> LlmAnswer {
        LlmAnswer::of(status, LlmBody::Raw(content_type.to_owned(), body.to_vec()))
    }

    pub fn header(mut self, name: &str, value: &str) -> LlmAnswer {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn delay(mut self, delay: Duration) -> LlmAnswer {
        self.delay = delay;
        self
    }

    pub fn pause(mut self, pause: Duration) -> LlmAnswer {
        self.pause = pause;
        self
    }
}

fn sort_of(status: u16, code: &str) -> &'static str {
    match (status, code) {
        (_, "insufficient_quota") => "insufficient_quota",
        (429, _) => "requests",
        (500.., _) => "server_error",
        _ => "invalid_request_error",
    }
}

fn problem_body(sort: &str, param: Option<&str>, code: Option<&str>, message: &str) -> Value {
    json!({"error": {"message": message, "type": sort, "param": param, "code": code}})
}

pub fn unsupported(name: &str) -> Value {
    let instead = match name {
        "max_tokens" => " Use 'max_completion_tokens' instead.",
        _ => "",
    };
    let message =
        format!("Unsupported parameter: '{name}' is not supported with this model.{instead}");
    problem_body(
        "invalid_request_error",
        Some(name),
        Some("unsupported_parameter"),
        &message,
    )
}

/// An error answer in the usual shape.
pub fn problem(status: u16, sort: &str, code: Option<&str>, message: &str) -> Answer {
    Answer::json(status, &problem_body(sort, None, code, message))
}

pub fn render(answer: &LlmAnswer, request: &Value, nth: usize) -> Answer {
    match &answer.body {
        LlmBody::Json(body) => Answer::json(answer.status, body),
        LlmBody::Raw(sort, bytes) => Answer::new(answer.status, sort, bytes.clone()),
        LlmBody::Sse(payloads) => stream(answer, payloads),
        LlmBody::Text {
            content,
            finish,
            refusal,
        } => {
            let usage = usage(request, content);
            if request["stream"] == true {
                let payloads = payloads(request, nth, content, finish, refusal.as_deref(), &usage);
                return stream(answer, &payloads);
            }
            let content = if refusal.is_some() {
                Value::Null
            } else {
                json!(content)
            };
            Answer::json(
                answer.status,
                &json!({
                    "id": format!("chatcmpl-{nth:08}"),
                    "object": "chat.completion",
                    "created": 1_760_000_000,
                    "model": request["model"],
                    "choices": [{
                        "index": 0,
                        "message": {"role": "assistant", "content": content, "refusal": refusal, "annotations": []},
                        "logprobs": null,
                        "finish_reason": finish,
                    }],
                    "usage": usage,
                    "service_tier": "default",
                }),
            )
        }
    }
}

fn stream(answer: &LlmAnswer, payloads: &[String]) -> Answer {
    let mut shown = Answer::new(answer.status, "text/event-stream; charset=utf-8", "")
        .with("Cache-Control", "no-cache");
    let events = payloads
        .iter()
        .map(|payload| (answer.pause, format!("data: {payload}\n\n").into_bytes()));
    shown.parts = Some(events.collect());
    shown
}

fn payloads(
    request: &Value,
    nth: usize,
    content: &str,
    finish: &str,
    refusal: Option<&str>,
    usage: &Value,
) -> Vec<String> {
    let with_usage = request["stream_options"]["include_usage"] == true;
    let event = |choices: Value, usage: Value| {
        let mut event = json!({
            "id": format!("chatcmpl-{nth:08}"),
            "object": "chat.completion.chunk",
            "created": 1_760_000_000,
            "model": request["model"],
            "choices": choices,
        });
        if with_usage {
            event["usage"] = usage;
        }
        event.to_string()
    };
    let delta = |delta: Value, finish: Value| {
        let choice =
            json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]);
        event(choice, Value::Null)
    };
    let key = if refusal.is_some() {
        "refusal"
    } else {
        "content"
    };
    let mut list = vec![delta(json!({"role": "assistant", key: ""}), Value::Null)];
    let letters: Vec<char> = refusal.unwrap_or(content).chars().collect();
    // Many small parts for a short reply, not thousands for a long one.
    let step = (letters.len() / 200).max(12);
    list.extend(
        letters
            .chunks(step)
            .map(|part| delta(json!({key: part.iter().collect::<String>()}), Value::Null)),
    );
    list.push(delta(json!({}), json!(finish)));
    if with_usage {
        list.push(event(json!([]), usage.clone()));
    }
    list.push("[DONE]".to_owned());
    list
}

/// A quarter of the letters, as everybody estimates.
fn usage(request: &Value, content: &str) -> Value {
    let prompt = request["messages"].to_string().len() / 4;
    let completion = content.len() / 4 + 1;
    json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion})
}
