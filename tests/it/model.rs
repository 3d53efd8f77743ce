//! A scripted model: answers in turn, knows the word of each request.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::run::{Bench, Ran};
use crate::world::{LlmAnswer, Match};

pub const PAGE: &str =
    "<!DOCTYPE html>\n<html><head><title>T</title></head><body><p id=\"a\">1</p></body></html>\n";

/// What the model is told, its messages put together.
pub struct Asked {
    /// The last message.
    pub last: String,
    pub word: String,
    /// The images of the last message, as `data:` URIs.
    pub images: Vec<String>,
}

impl Asked {
    fn of(body: &Value) -> Self {
        let message = body["messages"].as_array().unwrap().last().unwrap();
        let last = text_of(message);
        let parts = message["content"].as_array().into_iter().flatten();
        let images = parts
            .filter_map(|p| p["image_url"]["url"].as_str().map(str::to_owned))
            .collect();
        let at = last
            .rfind("with the word ")
            .map_or("", |at| &last[at + 14..]);
        Self {
            word: at.split(':').next().unwrap_or_default().to_owned(),
            last,
            images,
        }
    }

    /// Files as they are asked for.
    pub fn files(&self, files: &[(&str, &str)]) -> LlmAnswer {
        LlmAnswer::text(&self.blocks(files))
    }

    pub fn blocks(&self, files: &[(&str, &str)]) -> String {
        let word = &self.word;
        files
            .iter()
            .map(|(path, text)| {
                format!(
                    "<<<FILE {path} {word}>>>\n{}\n<<<END {word}>>>\n",
                    text.trim_end()
                )
            })
            .collect()
    }
}

pub fn text_of(message: &Value) -> String {
    match &message["content"] {
        Value::String(text) => text.clone(),
        parts => parts
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|p| p["text"].as_str())
            .collect(),
    }
}

pub type Turn = Box<dyn Fn(&Asked) -> LlmAnswer + Send + Sync>;

/// The model answers in these turns; what it was asked is collected. One turn too many is an error of the world.
pub fn script(bench: &Bench, turns: Vec<Turn>) -> Arc<Mutex<Vec<Asked>>> {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (seen, next) = (Arc::clone(&asked), Mutex::new(turns.into_iter()));
    bench.world.configure(|s| {
        s.llm_handler = Some(Arc::new(move |body, _| {
            let asked = Asked::of(body);
            let turn = next.lock().unwrap().next();
            let answer = turn.map_or_else(
                || LlmAnswer::error(400, "no_more_turns", "the script has no further turn"),
                |turn| turn(&asked),
            );
            seen.lock().unwrap().push(asked);
            answer
        }));
    });
    asked
}

pub fn turn(answer: impl Fn(&Asked) -> LlmAnswer + Send + Sync + 'static) -> Turn {
    Box::new(answer)
}

/// No browser there: a start of one for each of a hundred walks takes minutes, and only tests of checks need it.
pub const NO_BROWSER: &str = "/nowhere/chromium";

/// Runs with the world's model, on this machine and so without a key, and without a browser.
pub fn go(bench: &Bench, command: &str, task: &Value, options: &[&str]) -> Ran {
    bench.go_env(
        command,
        task,
        options,
        &[
            ("OPENAI_BASE_URL", &bench.world.llm_url()),
            ("LLMDEPLOY_BROWSER", NO_BROWSER),
        ],
    )
}

/// A task with these fields, and nobody to notify.
pub fn task(bench: &Bench, with: Value) -> Value {
    let mut with = with;
    with["evaluation_url"] = Value::Null;
    bench.task(with)
}

/// What was pushed, as text.
pub fn pushed(bench: &Bench) -> BTreeMap<String, String> {
    let files = bench.world.files("octo-dev", "demo-site");
    files
        .into_iter()
        .map(|(path, bytes)| (path, String::from_utf8_lossy(&bytes).into_owned()))
        .collect()
}

pub fn calls(bench: &Bench) -> usize {
    bench.world.count(&Match::llm())
}

/// The result's generator, in short.
pub fn kind(result: &Value) -> &str {
    result["generator"]["kind"].as_str().unwrap_or_default()
}

pub fn simple(bench: &Bench) -> Value {
    task(bench, json!({"brief": "Show a one in #a."}))
}
