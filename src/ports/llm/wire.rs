//! The request as JSON, and what comes back: an answer in one piece or as a stream, or an error, which may stand inside a 200.

use std::collections::BTreeMap;
use std::io::Read;
use std::time::{Duration, Instant};

use base64::Engine;
use serde_json::{Map, Value, json};

use super::ladder::Refused;
use super::sse::{self, Event, Events};
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
    let mut bytes = Vec::new();
    let mut body = stream.body;
    if (200..300).contains(&status) {
        // What it is shows in how it begins: some servers stream under another content type, some send JSON under this one.
        if is_stream && !begins_as_json(&mut body, &mut bytes) {
            let body = std::io::Cursor::new(bytes).chain(body);
            return streamed(Box::new(body), model, progress);
        }
        let read = body.read_to_end(&mut bytes).map(drop);
        return collected(bytes, read, model, progress);
    }
    // An error is told by its status; what came of its body is enough.
    let _ = body.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
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

/// Reads into `bytes` until something is there that shows it.
fn begins_as_json(body: &mut dyn Read, bytes: &mut Vec<u8>) -> bool {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        if let Some(first) = text.iter().find(|b| !b.is_ascii_whitespace())
            && (*first != 0xef || text.len() > 2)
        {
            return *first == b'{';
        }
        // An error comes again for whoever reads on.
        match body.read(&mut buffer) {
            Ok(n) if n > 0 => bytes.extend_from_slice(&buffer[..n]),
            _ => return false,
        }
    }
}

/// An answer that was read to its end: JSON, JSON lines, or a stream all the same.
fn collected(
    bytes: Vec<u8>,
    read: std::io::Result<()>,
    model: &str,
    progress: &dyn Progress,
) -> Result<Answer, Trouble> {
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_start_matches('\u{feff}').trim();
    let mut lines = text.split(['\r', '\n']);
    if text.starts_with('{') {
        if let Ok((value, halves)) = sse::json(text) {
            return whole(&value, halves, model);
        }
        if lines.next().is_some_and(|line| sse::json(line).is_ok()) {
            return streamed(Box::new(std::io::Cursor::new(bytes)), model, progress);
        }
    } else if !text.starts_with('<') && lines.any(|line| line.starts_with("data:")) {
        return streamed(Box::new(std::io::Cursor::new(bytes)), model, progress);
    }
    read.map_err(|e| Trouble {
        message: format!("the answer broke off: {e}"),
        ..Trouble::default()
    })?;
    let message = format!(
        "the answer is neither JSON nor a stream: {:?}",
        head(text, 80)
    );
    Err(Trouble {
        status: Some(200),
        message,
        garbled: true,
        ..Trouble::default()
    })
}

/// An answer in one piece.
fn whole(value: &Value, halves: bool, model: &str) -> Result<Answer, Trouble> {
    let mut said = Said {
        halves,
        ..Said::default()
    };
    said.event(value)?;
    if !value["choices"][0].is_object() && !value["message"].is_object() {
        let message = "the answer holds no choices".to_owned();
        return Err(Trouble {
            status: Some(200),
            message,
            garbled: true,
            ..Trouble::default()
        });
    }
    said.finish = said.finish.or_else(|| Some("stop".to_owned()));
    said.into_answer(model)
}

fn streamed(
    mut body: Box<dyn Read + '_>,
    model: &str,
    progress: &dyn Progress,
) -> Result<Answer, Trouble> {
    let (mut events, mut said, mut buffer) =
        (Events::default(), Said::default(), vec![0; 16 << 10]);
    let (mut shown, mut broke, mut done) = (Instant::now(), None, false);
    while !done {
        let complete = match body.read(&mut buffer) {
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
        said.halves = events.halves;
        for event in complete {
            let taken = match event {
                Event::Json(value) => said.event(&value),
                Event::Done => {
                    (done, said.done) = (true, true);
                    break;
                }
                Event::Broken => Err(Trouble {
                    message: "a part of the streamed answer is not JSON".to_owned(),
                    garbled: true,
                    ..Trouble::default()
                }),
            };
            if let Err(trouble) = taken {
                // What goes wrong behind a text's end takes nothing away from it. A lost part does, unless the end was named.
                if said.has_ended() || !trouble.garbled && closes(&said.text) {
                    done = true;
                    break;
                }
                return Err(trouble);
            }
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
    let nothing = said.text.is_empty() && said.refusal.is_empty() && said.calls.is_empty();
    if nothing && said.finish.is_none() {
        let message = broke.unwrap_or_else(|| "the stream ended before it began".to_owned());
        return Err(Trouble {
            message,
            ..Trouble::default()
        });
    }
    said.into_answer(model)
}

/// Whether a text ends as a complete answer does: with a file's end mark, a closed fence or a page's end.
fn closes(text: &str) -> bool {
    let last = text.trim_end().lines().last().unwrap_or_default().trim();
    let fences = || {
        text.lines()
            .filter(|l| l.trim_start().starts_with("```"))
            .count()
    };
    last.starts_with("<<<END ") && last.ends_with(">>>")
        || last == "```" && fences() % 2 == 0
        || last.to_ascii_lowercase().ends_with("</html>")
}

/// What is put together from the parts.
#[derive(Default)]
struct Said {
    text: String,
    /// Used where the model says nothing else: some servers put the whole answer there.
    reasoning: String,
    /// The arguments of tool calls, by their index.
    calls: BTreeMap<u64, String>,
    refusal: String,
    finish: Option<String>,
    usage: Option<Usage>,
    done: bool,
    /// Texts hold marked halves of surrogate pairs.
    halves: bool,
}

impl Said {
    /// An event of a stream, or a whole body.
    fn event(&mut self, value: &Value) -> Result<(), Trouble> {
        if let Some(trouble) = error_of(value) {
            return Err(trouble);
        }
        // Ollama's own form has its message beside `done_reason`, without choices.
        let choice = &value["choices"][0];
        let choice = if choice.is_object() { choice } else { value };
        // OpenRouter reports a provider's failure in the choice.
        if let Some(trouble) = error_of(choice) {
            return Err(trouble);
        }
        let delta = choice["delta"].is_object();
        self.part(&choice[if delta { "delta" } else { "message" }], delta);
        if let Some(text) = choice["text"].as_str() {
            self.text.push_str(text);
        }
        let finish = choice["finish_reason"]
            .as_str()
            .or_else(|| choice["done_reason"].as_str());
        if let Some(finish) = finish.filter(|f| !f.is_empty()) {
            self.finish = Some(finish.to_owned());
        }
        self.usage = usage(&value["usage"]).or(self.usage);
        Ok(())
    }

    fn part(&mut self, part: &Value, delta: bool) {
        let mut text = String::new();
        texts(&part["content"], &mut text);
        // Some streams end with the whole message once more.
        if !delta && !self.text.is_empty() && text.starts_with(&self.text) {
            self.text.clear();
        }
        self.text.push_str(&text);
        let reasoning = part["reasoning_content"]
            .as_str()
            .or_else(|| part["reasoning"].as_str());
        self.reasoning.push_str(reasoning.unwrap_or_default());
        self.refusal
            .push_str(part["refusal"].as_str().unwrap_or_default());
        let calls = part["tool_calls"].as_array().into_iter().flatten();
        for (at, call) in (0..).zip(calls) {
            let at = call["index"].as_u64().unwrap_or(at);
            self.call(at, &call["function"]);
        }
        self.call(0, &part["function_call"]);
    }

    fn call(&mut self, at: u64, function: &Value) {
        let arguments = match &function["arguments"] {
            Value::Null => return,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        self.calls.entry(at).or_default().push_str(&arguments);
    }

    /// The server said that the answer is at its end.
    fn has_ended(&self) -> bool {
        let ended = |f: &str| matches!(f, "stop" | "tool_calls" | "function_call");
        self.finish.as_deref().is_some_and(ended)
            && !(self.text.is_empty() && self.calls.is_empty())
    }

    fn into_answer(mut self, model: &str) -> Result<Answer, Trouble> {
        if !self.refusal.trim().is_empty() {
            return Err(Trouble::declined(format!(
                "the model refused: {}",
                head(self.refusal.trim(), 200)
            )));
        }
        match self.finish.as_deref() {
            // Stopped behind the end of what is there: as with a connection that broke, whoever reads it sees what is missing.
            Some("content_filter" | "error") if closes(&self.text) => self.finish = None,
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
        if self.text.trim().is_empty() && !self.calls.is_empty() {
            let calls: Vec<String> = std::mem::take(&mut self.calls).into_values().collect();
            self.text = calls.join("\n");
        }
        // Thoughts that were cut off are no answer.
        if self.text.trim().is_empty() && self.finish.as_deref() == Some("stop") {
            self.text = std::mem::take(&mut self.reasoning);
        }
        if matches!(self.finish.as_deref(), Some("tool_calls" | "function_call")) {
            self.finish = Some("stop".to_owned());
        }
        if self.halves {
            self.text = sse::join_halves(&self.text);
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

/// The text of a `content`: a string, a part, or a list of either. Parts with thoughts are none of it.
fn texts(content: &Value, out: &mut String) {
    match content {
        Value::String(text) => out.push_str(text),
        Value::Array(parts) => parts.iter().for_each(|part| texts(part, out)),
        Value::Object(part) => {
            let thoughts = matches!(
                part.get("type").and_then(Value::as_str),
                Some("thinking" | "reasoning")
            );
            let inner = ["text", "value", "content"]
                .iter()
                .find_map(|k| part.get(*k));
            if let Some(inner) = inner.filter(|_| !thoughts) {
                texts(inner, out);
            }
        }
        _ => {}
    }
}

/// Some servers send an `error` that says that there is none.
fn is_no_error(error: &Value) -> bool {
    match error {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Number(number) => number.as_u64() == Some(0),
        Value::Array(list) => list.iter().all(is_no_error),
        Value::Object(map) => {
            let code = map.get("code");
            map.values().all(is_no_error)
                || code.is_some_and(|c| c.as_u64() == Some(0) || c.as_str() == Some("0"))
        }
        Value::Bool(true) => false,
    }
}

/// The error that a body carries, whatever the status it came with.
fn error_of(value: &Value) -> Option<Trouble> {
    let error = value.get("error").filter(|e| !is_no_error(e))?;
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

    struct Silent;

    impl Progress for Silent {
        fn begin(&self, _: crate::progress::Stage) {}
        fn detail(&self, _: &str) {}
        fn done(&self, _: crate::progress::Stage, _: &str) {}
        fn reused(&self, _: crate::progress::Stage, _: &str, _: bool) {}
        fn partly(&self, _: crate::progress::Stage, _: &str) {}
        fn note(&self, _: &str) {}
        fn warn(&self, _: &str) {}
        fn trace(&self, _: &str) {}
    }

    fn read(content_type: &str, body: &str) -> Result<Answer, Trouble> {
        let stream = Stream {
            status: 200,
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            body: Box::new(std::io::Cursor::new(body.as_bytes().to_vec())),
        };
        answer(stream, "m", &Silent)
    }

    fn said(content_type: &str, body: &str) -> (String, Option<String>) {
        let answer = read(content_type, body).unwrap_or_else(|t| panic!("{body}: {t:?}"));
        (answer.text, answer.finish)
    }

    fn stop(text: &str) -> (String, Option<String>) {
        (text.to_owned(), Some("stop".to_owned()))
    }

    const TYPES: [&str; 3] = ["text/event-stream", "application/json", ""];

    #[test]
    fn each_form_of_a_body_under_each_content_type() {
        for message in [
            json!({"content": "ab"}),
            json!({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}),
            json!({"content": ["a", "b"]}),
            json!({"content": {"type": "text", "text": "ab"}}),
            json!({"content": {"text": {"value": "ab"}}}),
            json!({"content": [{"type": "thinking", "thinking": "x", "text": "x"}, "ab"]}),
            json!({"content": "ab", "reasoning_content": "x", "tool_calls": [{"function": {"arguments": "x"}}]}),
            json!({"content": null, "tool_calls": [{"function": {"name": "f", "arguments": "ab"}}]}),
            json!({"content": "", "function_call": {"name": "f", "arguments": "ab"}}),
            json!({"content": " ", "reasoning_content": "ab"}),
            json!({"content": null, "reasoning": "ab"}),
        ] {
            let body = json!({"error": null, "choices": [{"message": message}]});
            let chunk = json!({"choices": [{"delta": message, "finish_reason": "stop"}]});
            for kind in TYPES {
                assert_eq!(said(kind, &format!("\u{feff} \n{body:#}")), stop("ab"));
                assert_eq!(said(kind, &body.to_string()), stop("ab"));
                for end in ["\n", "\r", "\r\n"] {
                    let sse = format!("\u{feff}: hi{end}data: {chunk}{end}: ping{end}data: [DONE]");
                    assert_eq!(said(kind, &sse), stop("ab"), "{kind} {end:?}");
                }
            }
        }
        let text = json!({"choices": [{"text": "ab", "finish_reason": "stop"}]});
        assert_eq!(said("", &text.to_string()), stop("ab"));
        let object = json!({"choices": [{"message": {"tool_calls": [{"function": {"arguments": {"a": 1}}}]}, "finish_reason": "tool_calls"}]});
        assert_eq!(said("", &object.to_string()), stop(r#"{"a":1}"#));
    }

    #[test]
    fn json_lines_and_calls_in_pieces() {
        let delta = |d: Value| json!({"choices": [{"delta": d}]}).to_string();
        let lines = [
            delta(json!({"content": "a"})),
            delta(json!({"content": "b"})),
            json!({"choices": [{"delta": {}, "finish_reason": "stop"}]}).to_string(),
        ];
        let ollama = "{\"message\":{\"content\":\"a\"},\"done\":false}\n{\"message\":{\"content\":\"b\"},\"done\":true,\"done_reason\":\"stop\"}\n";
        let call = |at: u8, part: &str| {
            delta(json!({"tool_calls": [{"index": at, "function": {"arguments": part}}]}))
        };
        let calls = [call(0, "{"), call(1, "["), call(0, "}"), call(1, "]")].join("\n");
        for kind in TYPES {
            assert_eq!(said(kind, &lines.join("\n")), stop("ab"));
            assert_eq!(said(kind, ollama), stop("ab"));
            assert_eq!(
                said(kind, &format!("{calls}\ndata: [DONE]\n")),
                stop("{}\n[]")
            );
            assert_eq!(said(kind, &lines[..2].join("\n")), ("ab".to_owned(), None));
        }
    }

    #[test]
    fn halves_of_a_pair_in_two_chunks_are_one_character() {
        let chunk = |text: &str| {
            format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
        };
        let sse = chunk("a\\ud83d") + &chunk("\\ude00b") + "data: [DONE]\n\n";
        assert_eq!(said("text/event-stream", &sse), stop("a\u{1f600}b"));
        let body = r#"{"choices":[{"message":{"content":["a\ud83d","\ude00","\ud83d"]}}]}"#;
        assert_eq!(said("", body), stop("a\u{1f600}\u{fffd}"));
    }

    #[test]
    fn a_lost_part_is_asked_for_again_and_a_late_fault_takes_nothing_away() {
        let chunk = |text: &str, finish: Value| {
            let value = json!({"choices": [{"delta": {"content": text}, "finish_reason": finish}]});
            format!("data: {value}\n\n")
        };
        let broken = "data: {\"choices\":[{\"delta\":{\"content\":oops}}]}\n\n";
        let error = "data: {\"error\":{\"code\":502,\"message\":\"upstream\"}}\n\n";
        let page = "<!DOCTYPE html><p>a</p></html>\n";
        let event_stream = "text/event-stream";
        for text in ["a", page] {
            let sse = chunk(text, Value::Null) + broken + &chunk("b", json!("stop"));
            let trouble = read(event_stream, &sse).unwrap_err();
            assert!(trouble.garbled && trouble.worth_another(), "{trouble:?}");
            let sse = chunk(text, json!("stop")) + broken + error;
            assert_eq!(said(event_stream, &sse), stop(text));
            let sse = chunk(text, json!("stop")) + error;
            assert_eq!(said(event_stream, &sse), stop(text));
        }
        for closed in [
            page,
            "<<<FILE a w>>>\na\n<<<END w>>>\n",
            "```html a\nx\n```\n",
        ] {
            for fault in [
                error.to_owned(),
                chunk("", json!("content_filter")),
                chunk("", json!("error")),
            ] {
                let sse = chunk(closed, Value::Null) + &fault;
                assert_eq!(said(event_stream, &sse), (closed.to_owned(), None));
                for open in ["", "<!DOCTYPE html><p>", "```html a\nx\n", "<<<END of"] {
                    let sse = chunk(open, Value::Null) + &fault;
                    assert!(read(event_stream, &sse).is_err(), "{open} {fault}");
                }
            }
        }
        // Thoughts that were cut off are no answer.
        let value =
            json!({"choices": [{"delta": {"reasoning_content": "hm"}, "finish_reason": "length"}]});
        assert_eq!(said(event_stream, &format!("data: {value}\n\n")).0, "");
    }

    #[test]
    fn an_error_that_says_nothing_is_none() {
        for none in [
            json!(null),
            json!(false),
            json!(""),
            json!({}),
            json!([]),
            json!(0),
            json!({"code": 0}),
            json!({"code": "0", "message": "success"}),
            json!({"code": null, "message": ""}),
        ] {
            let body =
                json!({"error": none, "choices": [{"message": {"content": "a"}, "error": none}]});
            assert_eq!(said("", &body.to_string()), stop("a"));
        }
        for some in [
            json!(true),
            json!("x"),
            json!({"code": 1}),
            json!({"message": "x"}),
        ] {
            assert!(error_of(&json!({"error": some})).is_some(), "{some}");
        }
    }
}
