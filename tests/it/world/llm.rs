//! An OpenAI-compatible chat endpoint: what it takes and what it refuses.

use serde_json::{Value, json};

use super::Handle;
use super::http::Answer;
use super::log::Entry;
use super::script::{problem, render, unsupported};

const PARAMETERS: [&str; 20] = [
    "model",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "seed",
    "n",
    "stop",
    "stream",
    "stream_options",
    "user",
    "reasoning_effort",
    "verbosity",
    "store",
    "metadata",
    "presence_penalty",
    "frequency_penalty",
    "service_tier",
    "messages",
    "response_format",
];

pub fn handle(world: &Handle, request: &Entry) -> Answer {
    if let Some(key) = world.settings(|settings| settings.llm_key.clone()) {
        match request.header("authorization") {
            None => {
                return problem(
                    401,
                    "invalid_request_error",
                    None,
                    "You didn't provide an API key.",
                );
            }
            Some(given) if given != format!("Bearer {key}") => {
                let message = "Incorrect API key provided.";
                return problem(
                    401,
                    "invalid_request_error",
                    Some("invalid_api_key"),
                    message,
                );
            }
            Some(_) => {}
        }
    }
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/v1/models") => models(world),
        ("POST", "/v1/chat/completions") => chat(world, request),
        _ => {
            world.odd(request, "no such route at the LLM");
            let message = format!("Invalid URL ({})", request.line());
            problem(404, "invalid_request_error", None, &message)
        }
    }
}

fn models(world: &Handle) -> Answer {
    let data: Vec<Value> = world.settings(|settings| {
        let entry = |id: &String| json!({"id": id, "object": "model", "created": 1_721_172_741, "owned_by": "system"});
        settings.llm_models.iter().map(entry).collect()
    });
    Answer::json(200, &json!({"object": "list", "data": data}))
}

fn chat(world: &Handle, request: &Entry) -> Answer {
    let body = match check(request) {
        Ok(body) => body,
        Err(message) => {
            world.odd(request, &message);
            return problem(400, "invalid_request_error", None, &message);
        }
    };
    let refused = world.settings(|settings| {
        settings
            .llm_refuses
            .iter()
            .find(|name| body.get(name.as_str()).is_some())
            .cloned()
    });
    if let Some(name) = refused {
        return Answer::json(400, &unsupported(&name));
    }
    let nth = world.next_llm();
    let (scripted, handler) = world.settings(|settings| {
        let scripted = if settings.llm.is_empty() {
            None
        } else {
            Some(settings.llm.remove(0))
        };
        (scripted, settings.llm_handler.clone())
    });
    // The handler may look at the world, so it is called with nothing locked.
    let Some(answer) = scripted.or_else(|| handler.map(|handler| handler(&body, nth))) else {
        world.odd(request, "the script holds no further answer");
        return problem(
            500,
            "server_error",
            None,
            "The script holds no further answer.",
        );
    };
    world.pause(answer.delay);
    let start = render(&answer, &body, nth);
    answer.headers.iter().fold(start, |shown, (name, value)| {
        shown.with(name, value.clone())
    })
}

fn check(request: &Entry) -> Result<Value, String> {
    let sort = request.header("content-type").unwrap_or_default();
    if !sort.starts_with("application/json") {
        return Err(format!("Content-Type is {sort:?}"));
    }
    let body: Value = serde_json::from_slice(&request.body)
        .map_err(|error| format!("We could not parse the JSON body: {error}"))?;
    let map = body.as_object().ok_or("the body is not an object")?;
    if let Some(key) = map.keys().find(|key| !PARAMETERS.contains(&key.as_str())) {
        return Err(format!("Unrecognized request argument supplied: {key}"));
    }
    if !body["model"].is_string() {
        return Err("you must provide a model parameter".to_owned());
    }
    let messages = body["messages"].as_array().filter(|list| !list.is_empty());
    for message in messages.ok_or("messages is not a filled array")? {
        let role = message["role"].as_str().unwrap_or_default();
        if !["system", "developer", "user", "assistant", "tool"].contains(&role) {
            return Err(format!("role {role:?} is not known"));
        }
        let parts = message["content"].as_array();
        if !message["content"].is_string()
            && !parts.is_some_and(|parts| parts.iter().all(part_is_fine))
        {
            return Err("content is neither text nor a list of parts".to_owned());
        }
    }
    if body.get("stream_options").is_some() && body["stream"] != true {
        return Err(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.".to_owned(),
        );
    }
    Ok(body)
}

fn part_is_fine(part: &Value) -> bool {
    match part["type"].as_str() {
        Some("text") => part["text"].is_string(),
        Some("image_url") => part["image_url"]["url"].is_string(),
        _ => false,
    }
}
