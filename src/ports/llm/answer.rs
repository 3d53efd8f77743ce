//! What a server answers: an answer in one piece or as a stream, or an error, which may stand inside a 200.

use std::collections::BTreeMap;
use std::io::Read;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::pace::Paced;
use super::sse::{self, Event, Events};
use super::trouble::{EXCERPT, Silence, Trouble, error_of};
use super::{Answer, Usage, wait};
use crate::ports::http::Stream;
use crate::progress::Progress;
use crate::text::head;

/// How long an answer may be silent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// The first word must be there by then: a model may think, or wait for its turn, for minutes.
    pub first: Instant,
    /// The longest silence behind it.
    pub idle: Duration,
}

/// Reads an answer to its end.
pub(super) fn answer(
    stream: Stream,
    model: &str,
    pace: Pace,
    progress: &dyn Progress,
) -> Result<Answer, Trouble> {
    let status = stream.status;
    let header = |name: &str| stream.header(name).map(str::to_owned);
    let (named_wait, should_retry) = (
        wait::in_headers(header, status == 429),
        stream.header("x-should-retry").and_then(|v| v.parse().ok()),
    );
    let is_stream = stream
        .header("content-type")
        .is_some_and(|t| t.trim_start().starts_with("text/event-stream"));
    let encoding = header("content-encoding").unwrap_or_default();
    let Some(body) = super::pace::decoded(&encoding, stream.body) else {
        let message = format!("the answer is encoded as {encoding:?}, which was not asked for");
        return Err(Trouble::garbled(Some(status), message));
    };
    let mut bytes = Vec::new();
    let mut body = Paced::new(body, pace);
    if (200..300).contains(&status) {
        // What it is shows in how it begins: some servers stream under another content type, some send JSON under this one.
        if is_stream && !begins_as_json(&mut body, &mut bytes) {
            body.unread(bytes);
            return streamed(body, model, progress);
        }
        let read = body.read_to_end(&mut bytes).map(drop);
        return collected(bytes, read, model, pace, progress);
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
    trouble.wait = named_wait.or_else(|| wait::in_text(&text));
    trouble.should_retry = should_retry;
    Err(trouble)
}

/// What broke an answer off.
fn broken(error: &std::io::Error) -> Trouble {
    let late = error.kind() == std::io::ErrorKind::TimedOut
        || error
            .get_ref()
            .and_then(|e| e.downcast_ref::<ureq::Error>())
            .is_some_and(|e| matches!(e, ureq::Error::Timeout(_)));
    Trouble {
        message: format!("the answer broke off: {error}"),
        silence: Some(if late {
            Silence::TimedOut
        } else {
            Silence::Lost
        }),
        ..Trouble::default()
    }
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
    pace: Pace,
    progress: &dyn Progress,
) -> Result<Answer, Trouble> {
    let again = |bytes| Paced::new(Box::new(std::io::Cursor::new(bytes)), pace);
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_start_matches('\u{feff}').trim();
    let mut lines = text.split(['\r', '\n']);
    if text.starts_with('{') {
        if let Ok((value, halves)) = sse::json(text) {
            return whole(&value, halves, model);
        }
        if lines.next().is_some_and(|line| sse::json(line).is_ok()) {
            return streamed(again(bytes), model, progress);
        }
    } else if !text.starts_with('<') && lines.any(|line| line.starts_with("data:")) {
        return streamed(again(bytes), model, progress);
    }
    read.map_err(|e| broken(&e))?;
    let message = format!(
        "the answer is neither JSON nor a stream: {:?}",
        head(text, 80)
    );
    Err(Trouble {
        body: head(text, EXCERPT).to_owned(),
        ..Trouble::garbled(Some(200), message)
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
        return Err(Trouble::garbled(Some(200), message));
    }
    said.finish = said.finish.or_else(|| Some("stop".to_owned()));
    said.into_answer(model)
}

fn streamed(mut body: Paced, model: &str, progress: &dyn Progress) -> Result<Answer, Trouble> {
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
                broke = Some(broken(&e));
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
                Event::Broken => {
                    let message = "a part of the streamed answer is not JSON".to_owned();
                    Err(Trouble::garbled(None, message))
                }
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
        if said.has_begun() {
            body.heard();
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
        return Err(broke.unwrap_or_else(|| Trouble {
            message: "the stream ended before it began".to_owned(),
            ..Trouble::default()
        }));
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

    /// The model is at work.
    fn has_begun(&self) -> bool {
        !(self.text.is_empty() && self.reasoning.is_empty() && self.calls.is_empty())
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
    use serde_json::json;

    use super::*;

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
        let pace = Pace {
            first: Instant::now() + Duration::from_secs(60),
            idle: Duration::from_secs(60),
        };
        answer(stream, "m", pace, &Silent)
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
            assert!(
                trouble.garbled && trouble.kind() == super::super::trouble::Kind::Passing,
                "{trouble:?}"
            );
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
    fn answers_that_are_packed_though_nobody_asked_for_it() {
        use flate2::Compression;
        use flate2::read::{DeflateEncoder, GzEncoder, ZlibEncoder};
        let body = json!({"choices": [{"message": {"content": "ab"}}]}).to_string();
        let packed = |mut encoder: Box<dyn Read>| {
            let mut bytes = Vec::new();
            encoder.read_to_end(&mut bytes).unwrap();
            bytes
        };
        let text = || std::io::Cursor::new(body.clone().into_bytes());
        let level = Compression::default();
        for (encoding, bytes) in [
            ("gzip", packed(Box::new(GzEncoder::new(text(), level)))),
            ("GZIP", packed(Box::new(GzEncoder::new(text(), level)))),
            ("deflate", packed(Box::new(ZlibEncoder::new(text(), level)))),
            (
                "deflate",
                packed(Box::new(DeflateEncoder::new(text(), level))),
            ),
            ("identity", body.clone().into_bytes()),
        ] {
            let stream = Stream {
                status: 200,
                headers: vec![("content-encoding".to_owned(), encoding.to_owned())],
                body: Box::new(std::io::Cursor::new(bytes)),
            };
            let pace = Pace {
                first: Instant::now() + Duration::from_secs(60),
                idle: Duration::from_secs(60),
            };
            assert_eq!(
                answer(stream, "m", pace, &Silent).unwrap().text,
                "ab",
                "{encoding}"
            );
        }
    }
}
