//! Servers differ, and fail: each refusal and each quirk ends in the right files, or in the template with a reason.

use serde_json::{Value, json};
use std::time::Duration;

use crate::model::{PAGE, calls, go, kind, pushed, script, simple, task, turn};
use crate::run::{Bench, data_uri};
use crate::world::{Fault, Kind, LlmAnswer, Match, Service, World};

fn page() -> LlmAnswer {
    LlmAnswer::text(PAGE)
}

fn bodies(bench: &Bench) -> Vec<Value> {
    bench
        .world
        .matching(&Match::llm())
        .iter()
        .map(crate::world::Entry::json)
        .collect()
}

#[test]
fn what_a_server_refuses_is_left_out_for_the_rest_of_the_run() {
    for (refused, requests) in [
        (vec!["max_completion_tokens"], 3),
        (vec!["max_completion_tokens", "max_tokens"], 4),
        (vec!["stream_options"], 3),
        (vec!["stream"], 3),
        (
            vec![
                "stream",
                "stream_options",
                "max_tokens",
                "max_completion_tokens",
            ],
            5,
        ),
    ] {
        let bench = Bench::new();
        bench
            .world
            .configure(|s| s.llm_refuses = refused.iter().map(ToString::to_string).collect());
        let task = task(&bench, json!({"brief": "Make a.txt and index.html"}));
        script(
            &bench,
            vec![
                turn(|a| a.files(&[("index.html", PAGE)])),
                turn(|a| a.files(&[("a.txt", "a")])),
            ],
        );
        let result = go(&bench, "run", &task, &[]).exits(0).json();
        assert_eq!(
            (kind(&result), calls(&bench)),
            ("llm", requests),
            "{refused:?}: {result:#}"
        );
        let bodies = bodies(&bench);
        let last = bodies.last().unwrap();
        assert!(
            refused.iter().all(|name| last.get(*name).is_none()),
            "{refused:?} {last}"
        );
        assert!(
            bodies
                .iter()
                .all(|b| b.get("temperature").is_none() && b.get("response_format").is_none())
        );
        assert_eq!(bench.world.unexpected(), Vec::<String>::new());
    }
}

#[test]
fn images_go_along_until_they_are_refused() {
    let bench = Bench::new();
    let png = data_uri("image/png", b"\x89PNG\r\n\x1a\n0000");
    let task = task(
        &bench,
        json!({"brief": "Solve the attached sample.png.", "attachments": [{"name": "sample.png", "url": png}]}),
    );
    bench.world.configure(|s| {
        s.llm_handler = Some(std::sync::Arc::new(|body: &Value, _| {
            let images = body["messages"]
                .to_string()
                .contains("data:image/png;base64,");
            if images {
                LlmAnswer::error(400, "invalid_value", "this model has no vision")
            } else {
                page()
            }
        }));
    });
    let result = go(&bench, "run", &task, &[]).exits(0).json();
    assert_eq!((kind(&result), calls(&bench)), ("llm", 2), "{result:#}");
    assert!(!bodies(&bench)[1].to_string().contains("image_url"));
}

#[test]
fn a_final_refusal_is_asked_once_and_named() {
    for (answer, said) in [
        (
            LlmAnswer::refusal("I will not help with that."),
            "refused: I will not help",
        ),
        (
            LlmAnswer::finished("<<<FILE", "content_filter"),
            "content filter",
        ),
        (
            LlmAnswer::error(
                429,
                "insufficient_quota",
                "You exceeded your current quota.",
            ),
            "exceeded your current quota",
        ),
        (
            LlmAnswer::error(401, "invalid_api_key", "Incorrect API key provided."),
            "Incorrect API key",
        ),
        (
            LlmAnswer::error(402, "insufficient_credits", "Payment required."),
            "Payment required",
        ),
        (
            LlmAnswer::error(404, "model_not_found", "The model does not exist."),
            "does not exist",
        ),
        (
            LlmAnswer::json(
                200,
                json!({"error": {"code": 402, "message": "No credits left."}}),
            ),
            "No credits left",
        ),
        (
            LlmAnswer::sse(&[r#"{"error":{"code":"insufficient_quota","message":"Spent."}}"#]),
            "Spent",
        ),
        (
            LlmAnswer::error(503, "server_error", "Down for good.")
                .header("x-should-retry", "false"),
            "Down for good",
        ),
        (
            LlmAnswer::error(400, "context_length_exceeded", "The prompt is too long."),
            "too long",
        ),
    ] {
        let bench = Bench::new();
        bench.world.configure(|s| s.llm = vec![answer.clone()]);
        let result = go(&bench, "run", &simple(&bench), &[]).exits(0).json();
        let reason = result["generator"]["fallback_reason"]
            .as_str()
            .unwrap_or_default();
        assert!(
            kind(&result) == "template" && reason.contains(said) && calls(&bench) == 1,
            "{said}: {} calls, {result:#}",
            calls(&bench)
        );
        assert_eq!(result["generator"]["usage"], Value::Null);
        assert!(pushed(&bench)["index.html"].contains("llmdeploy template"));
    }
}

#[test]
fn no_fallback_pushes_nothing() {
    let bench = Bench::new();
    bench
        .world
        .configure(|s| s.llm = vec![LlmAnswer::refusal("No.")]);
    let result = go(&bench, "run", &simple(&bench), &["--no-fallback"]).fails(1, "llm_failed");
    assert!(
        result["error"]["message"]
            .as_str()
            .unwrap()
            .contains("refused"),
        "{result:#}"
    );
    assert!(bench.world.repos().is_empty() && bench.world.count(&Match::create()) == 0);
}

#[test]
fn what_passes_is_asked_again() {
    let rate =
        || LlmAnswer::error(429, "rate_limit_exceeded", "slow down").header("retry-after-ms", "5");
    for answers in [
        vec![rate(), rate(), page()],
        vec![LlmAnswer::error(503, "server_error", "overloaded"), page()],
        vec![
            LlmAnswer::json(200, json!({"error": {"code": 429, "message": "upstream"}})),
            page(),
        ],
        vec![
            LlmAnswer::sse(&[r#"{"error":{"code":502,"message":"upstream"}}"#]),
            page(),
        ],
        vec![
            LlmAnswer::json(
                200,
                json!({"choices": [{"error": {"code": 502, "message": "upstream"}, "message": {"content": ""}}]}),
            ),
            page(),
        ],
        vec![
            LlmAnswer::raw(200, "text/html", b"<html>gateway</html>"),
            page(),
        ],
        vec![
            LlmAnswer::error(400, "odd", "try again").header("x-should-retry", "true"),
            LlmAnswer::error(409, "conflict", "x"),
            page(),
        ],
        vec![LlmAnswer::sse(&[]), page()],
    ] {
        let bench = Bench::new();
        let count = answers.len();
        bench.world.configure(|s| s.llm = answers);
        let result = go(&bench, "run", &simple(&bench), &[]).exits(0).json();
        assert_eq!((kind(&result), calls(&bench)), ("llm", count), "{result:#}");
        assert_eq!(result["generator"]["attempts"], 1);
    }
}

#[test]
fn resets_and_silence_are_outlived_or_lead_to_the_template() {
    let bench = Bench::new();
    bench.world.configure(|s| s.llm = vec![page()]);
    bench
        .world
        .fault(Fault::once(Match::llm(), Kind::Reset).times(2));
    assert_eq!(
        kind(&go(&bench, "run", &simple(&bench), &[]).exits(0).json()),
        "llm"
    );
    // One that says nothing is waited for once: it would work off a second request behind the first.
    let bench = Bench::new();
    bench
        .world
        .fault(Fault::once(Match::llm(), Kind::Hang(Duration::from_secs(5))).times(3));
    let env = [
        ("OPENAI_BASE_URL", bench.world.llm_url()),
        ("LLMDEPLOY_MODEL_TIMEOUT_MS", "40".to_owned()),
    ];
    let env: Vec<(&str, &str)> = env.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let result = bench
        .go_env("generate", &simple(&bench), &[], &env)
        .exits(0)
        .json();
    assert_eq!(
        (kind(&result), calls(&bench)),
        ("template", 1),
        "{result:#}"
    );
    assert!(
        result["generator"]["fallback_reason"]
            .as_str()
            .unwrap()
            .contains("no answer")
    );
}

#[test]
fn odd_streams_are_read() {
    let piece = |delta: Value, finish: Value| {
        json!({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}).to_string()
    };
    let (head, tail) = PAGE.split_at(40);
    let mut sse = String::from(": OPENROUTER PROCESSING\r\n\r\n");
    for data in [
        piece(json!({"role": "assistant", "content": null}), Value::Null),
        piece(json!({"reasoning_content": "hm"}), Value::Null),
        piece(json!({"content": head}), Value::Null),
        piece(
            json!({"content": [{"type": "text", "text": tail}]}),
            json!("stop"),
        ),
        json!({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}).to_string(),
    ] {
        sse = sse + "data:" + &data + "\r\n";
    }
    for content_type in ["text/event-stream", "application/octet-stream"] {
        let bench = Bench::new();
        bench
            .world
            .configure(|s| s.llm = vec![LlmAnswer::raw(200, content_type, sse.as_bytes())]);
        let result = go(&bench, "run", &simple(&bench), &[]).exits(0).json();
        assert_eq!(kind(&result), "llm", "{result:#}");
        assert_eq!(
            result["generator"]["usage"],
            json!({"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7})
        );
        assert_eq!(pushed(&bench)["index.html"], PAGE);
    }
}

#[test]
fn the_next_model_is_asked_and_a_key_stays_with_its_server() {
    let bench = Bench::new();
    let other = World::start();
    let key = ["sk", "-proj-"].concat() + "abcdefghijklmnopqrstuvwxyz0123456789";
    bench.world.configure(|s| {
        s.llm_key = Some(key.clone());
        s.llm = vec![
            LlmAnswer::error(429, "insufficient_quota", "spent"),
            LlmAnswer::error(404, "model_not_found", "gone"),
        ];
    });
    other.configure(|s| s.llm = vec![page()]);
    let fallback = format!("second, third@{}", other.llm_url());
    let env = [
        ("OPENAI_BASE_URL", bench.world.llm_url()),
        ("OPENAI_API_KEY", key.clone()),
        ("OPENAI_FALLBACK_MODELS", fallback),
        ("OPENAI_MODEL", "first".to_owned()),
    ];
    let env: Vec<(&str, &str)> = env.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let ran = bench.go_env("run", &simple(&bench), &["-v"], &env).exits(0);
    let result = ran.json();
    assert_eq!(
        (kind(&result), result["generator"]["model"].as_str()),
        ("llm", Some("third")),
        "{result:#}"
    );
    let models: Vec<_> = bodies(&bench)
        .iter()
        .map(|b| b["model"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(models, ["first", "second"]);
    let there = other.requests(Service::Llm);
    assert!(there.len() == 1 && there[0].header("authorization").is_none());
    assert_eq!(
        bench.world.requests(Service::Llm)[0].header("authorization"),
        Some(format!("Bearer {key}").as_str())
    );
    assert!(
        !ran.stderr.contains(&key) && !String::from_utf8_lossy(&bench.state_text()).contains(&key)
    );
}

#[test]
fn a_wrong_key_is_not_tried_with_another_model_of_the_same_server() {
    let bench = Bench::new();
    bench
        .world
        .configure(|s| s.llm_key = Some("right".to_owned()));
    let url = bench.world.llm_url();
    let env = [
        ("OPENAI_BASE_URL", url.as_str()),
        ("OPENAI_API_KEY", "wrong-key"),
        ("OPENAI_FALLBACK_MODELS", "second"),
    ];
    let result = bench
        .go_env("generate", &simple(&bench), &[], &env)
        .exits(0)
        .json();
    assert_eq!((kind(&result), calls(&bench)), ("template", 1));
}

#[test]
fn who_is_asked_at_all() {
    let bench = Bench::new();
    let task = simple(&bench);
    let none = bench.go("generate", &task, &[]).exits(0).json();
    assert_eq!(
        (kind(&none), none["generator"]["fallback_reason"].as_str()),
        ("template", Some("OPENAI_API_KEY is not set"))
    );
    for (name, value) in [
        ("OPENAI_BASE_URL", "http://models.example/v1"),
        ("OPENAI_BASE_URL", "ftp://x"),
        ("OPENAI_FALLBACK_MODELS", "a@http://models.example/v1"),
    ] {
        let refused = bench
            .go_env(
                "generate",
                &task,
                &["--fresh"],
                &[(name, value), ("OPENAI_API_KEY", "k")],
            )
            .fails(2, "config");
        assert!(
            refused["error"]["message"]
                .as_str()
                .unwrap()
                .starts_with(name),
            "{refused:#}"
        );
    }
    let off = go(&bench, "generate", &task, &["--fresh", "--no-llm"])
        .exits(0)
        .json();
    assert_eq!(
        (
            kind(&off),
            &off["generator"]["fallback_reason"],
            calls(&bench)
        ),
        ("template", &Value::Null, 0)
    );
}

#[test]
fn the_budget_stops_further_calls() {
    let bench = Bench::new();
    script(&bench, vec![turn(|a| a.files(&[("index.html", PAGE)]))]);
    let task = task(&bench, json!({"brief": "Make a.txt and index.html"}));
    let result = go(&bench, "run", &task, &["--max-tokens-total", "1000"])
        .exits(0)
        .json();
    assert_eq!((kind(&result), calls(&bench)), ("llm", 1), "{result:#}");
    let total = result["generator"]["usage"]["total_tokens"]
        .as_u64()
        .unwrap();
    assert!(total > 500, "{total}");
    let none = go(
        &bench,
        "run",
        &task,
        &["--fresh", "--max-tokens-total", "100"],
    )
    .exits(0)
    .json();
    assert!(
        kind(&none) == "template"
            && none["generator"]["fallback_reason"]
                .as_str()
                .unwrap()
                .contains("--max-tokens-total 100"),
        "{none:#}"
    );
    assert_eq!(calls(&bench), 1);
}

#[test]
fn a_server_that_does_not_count_leaves_usage_open_but_not_the_budget() {
    let bench = Bench::new();
    let whole = json!({"choices": [{"message": {"content": PAGE}, "finish_reason": "stop"}]});
    bench
        .world
        .configure(|s| s.llm = vec![LlmAnswer::json(200, whole)]);
    let task = task(&bench, json!({"brief": "Make a.txt and index.html"}));
    let result = go(&bench, "run", &task, &["--max-tokens-total", "1000"])
        .exits(0)
        .json();
    assert_eq!(
        (kind(&result), &result["generator"]["usage"], calls(&bench)),
        ("llm", &Value::Null, 1),
        "{result:#}"
    );
}

#[test]
fn a_part_of_a_stream_that_is_no_json_is_asked_for_again() {
    let bench = Bench::new();
    let piece = |text: &str| json!({"choices": [{"delta": {"content": text}}]}).to_string();
    let (head, tail) = PAGE.split_at(40);
    let broken = format!("{}oops", piece("lost"));
    bench.world.configure(|s| {
        s.llm = vec![
            LlmAnswer::sse(&[&piece(head), &broken, &piece(tail), "[DONE]"]),
            page(),
        ];
    });
    let result = go(&bench, "run", &simple(&bench), &[]).exits(0).json();
    assert_eq!((kind(&result), calls(&bench)), ("llm", 2), "{result:#}");
    assert_eq!(pushed(&bench)["index.html"], PAGE);
    for request in bench.world.requests(Service::Llm) {
        assert_eq!(request.header("accept-encoding"), Some("identity"));
    }
}

#[test]
fn bodies_of_every_form_hold_the_page() {
    let body = |message: Value| json!({"error": {"code": 0}, "choices": [{"message": message}]});
    let chunk = |text: &str, finish: Value| json!({"choices": [{"delta": {"content": text}, "finish_reason": finish}]});
    let (head, tail) = PAGE.split_at(40);
    let arguments = json!({"files": {"index.html": PAGE}}).to_string();
    let lines = format!(
        "{}\n{}\n",
        chunk(head, Value::Null),
        chunk(tail, json!("stop"))
    );
    let events = format!(
        "\u{feff}data: {}\r: ping\rdata: {}\r\r",
        chunk(head, Value::Null),
        chunk(tail, json!("stop"))
    );
    let late = json!({"error": {"code": 502, "message": "upstream"}});
    let late = format!("data: {}\n\ndata: {late}\n\n", chunk(PAGE, Value::Null));
    for (content_type, text) in [
        ("text/event-stream", body(json!({"content": PAGE})).to_string()),
        ("application/json", body(json!({"content": [head, tail]})).to_string()),
        ("application/json", body(json!({"content": {"text": PAGE}})).to_string()),
        ("application/json", json!({"choices": [{"text": PAGE}]}).to_string()),
        ("application/json", body(json!({"content": "", "reasoning_content": PAGE})).to_string()),
        (
            "application/json",
            body(json!({"content": null, "tool_calls": [{"function": {"name": "write", "arguments": arguments}}]})).to_string(),
        ),
        ("application/x-ndjson", lines),
        ("application/json", events),
        ("text/event-stream", late),
    ] {
        let bench = Bench::new();
        bench
            .world
            .configure(|s| s.llm = vec![LlmAnswer::raw(200, content_type, text.as_bytes())]);
        let result = go(&bench, "run", &simple(&bench), &[]).exits(0).json();
        assert_eq!((kind(&result), calls(&bench)), ("llm", 1), "{text}: {result:#}");
        assert_eq!(pushed(&bench)["index.html"].trim(), PAGE.trim(), "{text}");
    }
}
