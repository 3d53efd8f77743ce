//! `GET {base}/models`, for `doctor`: whether a server is there, takes the key and knows the model.

use std::time::Duration;

use serde_json::Value;

use super::Endpoint;
use crate::ports::World;
use crate::ports::http::{ANSWER_LIMIT, Request};

/// What a server says of itself.
#[derive(Debug)]
pub struct Listing {
    pub status: u16,
    /// What it says where it refuses.
    pub said: String,
    /// Empty where it lists none.
    pub models: Vec<String>,
    /// What is left, where a header tells: requests or tokens.
    pub left: Vec<(&'static str, String)>,
}

/// # Errors
/// No answer.
pub fn listing(world: &World, endpoint: &Endpoint, timeout: Duration) -> anyhow::Result<Listing> {
    let url = format!("{}/models", endpoint.base.as_str().trim_end_matches('/'));
    let bearer = endpoint
        .key
        .as_ref()
        .map(|key| format!("Bearer {}", key.reveal()));
    let mut headers = vec![("Accept", "application/json")];
    headers.extend(bearer.as_deref().map(|b| ("Authorization", b)));
    let response = world.http.send(&Request {
        method: "GET",
        url: &url,
        headers: &headers,
        body: None,
        timeout,
        limit: ANSWER_LIMIT,
    })?;
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    // OpenAI's `data`; Ollama's own list says `models`; some give the bare list.
    let list = [&body["data"], &body["models"], &body]
        .into_iter()
        .find_map(Value::as_array);
    let name = |entry: &Value| {
        let name = ["id", "name", "model"]
            .iter()
            .find_map(|key| entry[*key].as_str());
        // Gemini lists `models/gemini-…` and takes both.
        name.map(|n| n.strip_prefix("models/").unwrap_or(n).to_owned())
    };
    let said = [&body["error"]["message"], &body["error"], &body["message"]]
        .into_iter()
        .find_map(Value::as_str)
        .unwrap_or_default();
    let left = [
        "x-ratelimit-remaining-requests",
        "x-ratelimit-remaining-tokens",
    ];
    Ok(Listing {
        status: response.status,
        said: crate::text::head(said, 300).to_owned(),
        models: list.into_iter().flatten().filter_map(name).collect(),
        left: left
            .into_iter()
            .filter_map(|header| {
                let what = header.rsplit('-').next()?;
                Some((what, response.header(header)?.to_owned()))
            })
            .collect(),
    })
}
