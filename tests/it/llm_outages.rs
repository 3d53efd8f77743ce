//! Models that are not at hand: overloaded, loading, limited, slow, absent. Asked again while there is time, others meanwhile; what will
//! not work at all is said loudly, and refused under `--no-fallback`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::model::{NO_BROWSER, PAGE, calls, go, kind, pushed, script, simple, task, turn};
use crate::run::{Bench, Ran, data_uri};
use crate::world::{LlmAnswer, Match, World};

fn page() -> LlmAnswer {
    LlmAnswer::text(PAGE)
}

fn overloaded() -> LlmAnswer {
    LlmAnswer::error(503, "server_error", "The model is overloaded.")
}

fn reason(result: &Value) -> &str {
    result["generator"]["fallback_reason"]
        .as_str()
        .unwrap_or_default()
}

/// As [`go`], with these on top.
fn go_env(bench: &Bench, task: &Value, options: &[&str], env: &[(&str, &str)]) -> Ran {
    let url = bench.world.llm_url();
    let mut all = vec![
        ("OPENAI_BASE_URL", url.as_str()),
        ("LLMDEPLOY_BROWSER", NO_BROWSER),
    ];
    all.extend(env);
    bench.go_env("run", task, options, &all)
}

#[test]
fn a_long_outage_is_outlived() {
    let many = |answer: LlmAnswer, n: usize| {
        let mut all = vec![answer; n];
        all.push(page());
        all
    };
    let limited = "Rate limit reached for gpt-x. Please try again in 30ms.";
    for answers in [
        many(overloaded(), 10),
        many(LlmAnswer::error(529, "overloaded_error", "Overloaded"), 5),
        many(LlmAnswer::error(429, "rate_limit_exceeded", limited), 6),
        many(
            LlmAnswer::json(200, json!({"error": {"message": "upstream is down"}})),
            6,
        ),
        many(
            LlmAnswer::json(
                503,
                json!({"error": "Model x is currently loading", "estimated_time": 0.03}),
            ),
            6,
        ),
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
fn a_wait_that_is_named_in_words_is_kept() {
    let bench = Bench::new();
    let answer = LlmAnswer::error(429, "rate_limit_exceeded", "Please try again in 1.2s.");
    bench.world.configure(|s| s.llm = vec![answer, page()]);
    let started = Instant::now();
    let result = go(&bench, "run", &simple(&bench), &[]).exits(0).json();
    assert_eq!((kind(&result), calls(&bench)), ("llm", 2), "{result:#}");
    assert!(started.elapsed() >= Duration::from_millis(1200));
}

#[test]
fn an_outage_without_end_leaves_time_to_deploy_and_is_said_first_and_last() {
    let bench = Bench::new();
    bench
        .world
        .configure(|s| s.llm_handler = Some(Arc::new(|_, _| overloaded())));
    let task = bench.task(json!({"brief": "Show a one in #a."}));
    let started = Instant::now();
    let ran = go(&bench, "run", &task, &["--deadline", "8"]).exits(0);
    assert!(started.elapsed() < Duration::from_secs(8));
    let result = ran.json();
    assert_eq!(
        (kind(&result), &result["status"]),
        ("template", &json!("notified")),
        "{result:#}"
    );
    assert!(
        reason(&result).contains("overloaded") && calls(&bench) > 8,
        "{result:#}"
    );
    let lines: Vec<&str> = ran.stderr.lines().collect();
    for line in [lines[0], lines[lines.len() - 1]] {
        assert!(
            line.contains("plain template") && line.contains("overloaded"),
            "{}",
            ran.stderr
        );
    }
    let state = String::from_utf8_lossy(&bench.state_text()).into_owned();
    assert!(state.contains(r#""fallback":"outage""#) || state.contains(r#""fallback": "outage""#));
}

#[test]
fn patience_has_an_end() {
    let bench = Bench::new();
    bench
        .world
        .configure(|s| s.llm_handler = Some(Arc::new(|_, _| overloaded())));
    let none = go(&bench, "generate", &simple(&bench), &["--patience", "0"]);
    assert_eq!(
        (kind(&none.exits(0).json()), calls(&bench)),
        ("template", 1)
    );
    let started = Instant::now();
    let some = go(
        &bench,
        "generate",
        &simple(&bench),
        &["--fresh", "--patience", "2"],
    );
    assert_eq!(kind(&some.exits(0).json()), "template");
    let took = started.elapsed();
    assert!(
        took > Duration::from_secs(1) && took < Duration::from_secs(30),
        "{took:?}"
    );
}

#[test]
fn others_have_their_turn_meanwhile() {
    let bench = Bench::new();
    let other = World::start();
    let busy = || overloaded().header("retry-after", "600");
    bench
        .world
        .configure(|s| s.llm_handler = Some(Arc::new(move |_, _| busy())));
    other.configure(|s| s.llm = vec![page()]);
    let fallback = format!("second@{}", other.llm_url());
    let ran = go_env(
        &bench,
        &simple(&bench),
        &[],
        &[("OPENAI_FALLBACK_MODELS", &fallback)],
    )
    .exits(0);
    let result = ran.json();
    assert_eq!(
        (
            kind(&result),
            result["generator"]["model"].as_str(),
            calls(&bench)
        ),
        ("llm", Some("second"), 1),
        "{result:#}"
    );
}

#[test]
fn a_first_word_that_takes_its_time_is_waited_for_once() {
    let bench = Bench::new();
    bench
        .world
        .configure(|s| s.llm = vec![page().delay(Duration::from_secs(2))]);
    let env = [("LLMDEPLOY_TIMEOUT_MS", "300")];
    let result = go_env(&bench, &simple(&bench), &["--local", "sites"], &env)
        .exits(0)
        .json();
    assert_eq!((kind(&result), calls(&bench)), ("llm", 1), "{result:#}");
}

#[test]
fn what_will_not_work_is_left_for_the_next_or_said_loudly() {
    let gone = || LlmAnswer::error(404, "model_not_found", "The model `gpt-9` does not exist");
    let key = || LlmAnswer::error(401, "invalid_api_key", "Incorrect API key provided");
    for (answer, code, status, said) in [
        (gone(), "config", 2, "gpt-4o-mini"),
        (
            LlmAnswer::error(400, "odd", "gpt-9 is not a valid model ID"),
            "config",
            2,
            "not a valid model",
        ),
        (key(), "bad_key", 4, "Incorrect API key"),
        (
            LlmAnswer::error(
                400,
                "odd",
                "API key not valid. Please pass a valid API key.",
            ),
            "bad_key",
            4,
            "not valid",
        ),
        (
            LlmAnswer::raw(404, "text/html", b"<h1>nginx</h1>"),
            "config",
            2,
            "404",
        ),
    ] {
        let bench = Bench::new();
        let other = World::start();
        other.configure(|s| s.llm = vec![page()]);
        bench.world.configure(|s| {
            s.llm_handler = Some(Arc::new({
                let answer = answer.clone();
                move |_, _| answer.clone()
            }));
        });
        let fallback = format!("second@{}", other.llm_url());
        let env = [
            ("OPENAI_FALLBACK_MODELS", fallback.as_str()),
            ("OPENAI_MODEL", "gpt-9"),
        ];
        let ran = go_env(
            &bench,
            &simple(&bench),
            &["--no-fallback", "--local", "a"],
            &env,
        )
        .exits(0);
        assert_eq!(
            (kind(&ran.json()), ran.stderr.contains("is asked instead")),
            ("llm", true),
            "{ran:?}"
        );
        let env = [("OPENAI_MODEL", "gpt-9")];
        let refused = go_env(&bench, &simple(&bench), &["--fresh", "--no-fallback"], &env)
            .fails(status, code);
        assert!(
            refused["error"]["message"].as_str().unwrap().contains(said),
            "{refused:#}"
        );
        assert!(bench.world.repos().is_empty() && bench.world.count(&Match::create()) == 0);
        let ran = go_env(&bench, &simple(&bench), &[], &env).exits(0);
        let result = ran.json();
        assert!(
            kind(&result) == "template" && reason(&result).contains(said),
            "{result:#}"
        );
        let lines: Vec<&str> = ran.stderr.lines().collect();
        for line in [lines[0], lines[lines.len() - 1]] {
            assert!(
                line.contains("plain template") && line.contains(said),
                "{}",
                ran.stderr
            );
        }
    }
}

#[test]
fn no_model_at_all_is_said_in_one_line_and_refused_before_anything() {
    let bench = Bench::new();
    let ran = bench.go("run", &simple(&bench), &[]).exits(0);
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(ran.stderr.matches("plain template").count(), 1);
    let told = ["plain template", "OPENAI_API_KEY", "OPENAI_BASE_URL"];
    assert!(
        told.iter().all(|word| lines[0].contains(word)),
        "{}",
        ran.stderr
    );
    // What is deployed is not silently something else than what is asked for now.
    bench
        .go("run", &simple(&bench), &["--no-fallback"])
        .fails(2, "invalid_task");
    let bench = Bench::new();
    bench
        .go("run", &simple(&bench), &["--no-fallback"])
        .fails(4, "bad_key");
    assert_eq!(bench.world.log().len(), 0);
}

#[test]
fn a_base_url_that_is_nearly_right_is_put_right() {
    for change in [
        |url: &str| url.trim_end_matches("/v1").to_owned(),
        |url: &str| format!("{}/", url.trim_end_matches("/v1")),
        |url: &str| format!("{url}/chat/completions"),
        |url: &str| format!("{url}/"),
    ] {
        let bench = Bench::new();
        bench.world.configure(|s| s.llm = vec![page()]);
        let url = change(&bench.world.llm_url());
        let result = go_env(&bench, &simple(&bench), &[], &[("OPENAI_BASE_URL", &url)])
            .exits(0)
            .json();
        assert_eq!(kind(&result), "llm", "{url}: {result:#}");
    }
}

#[test]
fn redirects_that_keep_the_request_are_followed_on_the_same_host() {
    let moved = |status: u16, to: &str| LlmAnswer::json(status, json!({})).header("location", to);
    let bench = Bench::new();
    let here = format!("{}/chat/completions", bench.world.llm_url());
    bench.world.configure(|s| {
        s.llm = vec![
            moved(308, "/v1/chat/completions"),
            moved(307, &here),
            page(),
        ];
    });
    let result = go(&bench, "run", &simple(&bench), &[]).exits(0).json();
    assert_eq!((kind(&result), calls(&bench)), ("llm", 3), "{result:#}");
    let (bench, other) = (Bench::new(), World::start());
    let there = format!("{}/chat/completions", other.llm_url());
    bench.world.configure(|s| s.llm = vec![moved(308, &there)]);
    let result = go(&bench, "run", &simple(&bench), &[]).exits(0).json();
    assert!(
        kind(&result) == "template" && reason(&result).contains("redirects"),
        "{result:#}"
    );
    assert_eq!(other.count(&Match::llm()), 0);
}

/// Answers by what stands in the request, as servers with narrow limits do.
fn narrow(bench: &Bench, refuse: impl Fn(&Value) -> Option<LlmAnswer> + Send + Sync + 'static) {
    bench.world.configure(|s| {
        s.llm_handler = Some(Arc::new(move |body, _| refuse(body).unwrap_or_else(page)));
    });
}

#[test]
fn a_prompt_that_is_too_long_is_shortened_and_that_is_said() {
    let rows: String = (0..4000).map(|n| format!("<li>{n}</li>\n")).collect();
    let list = data_uri("text/html", format!("<ul>\n{rows}</ul>\n").as_bytes());
    for message in [
        "This model's maximum context length is 4096 tokens. However, your messages resulted in 30000 tokens.",
        "the request exceeds the available context size, try increasing it",
        "Input is too long for requested model.",
    ] {
        let bench = Bench::new();
        narrow(&bench, move |body| {
            let long = body["messages"].to_string().len() > 16_000;
            long.then(|| LlmAnswer::error(400, "context_length_exceeded", message))
        });
        let task = task(
            &bench,
            json!({"brief": "Correct list.html, show a one in #a.", "attachments": [{"name": "list.html", "url": list}]}),
        );
        let ran = go(&bench, "run", &task, &[]).exits(0);
        assert_eq!(kind(&ran.json()), "llm", "{ran:?}");
        assert!(ran.stderr.contains("shortened"), "{}", ran.stderr);
    }
}

#[test]
fn a_system_role_that_is_not_known_is_folded_into_the_users() {
    for (status, message) in [
        (
            400,
            "Developer instruction is not enabled for models/gemma-3-27b-it",
        ),
        (500, "Only user and assistant roles are supported!"),
    ] {
        let bench = Bench::new();
        narrow(&bench, move |body| {
            let first = body["messages"][0]["role"] == "system";
            first.then(|| LlmAnswer::error(status, "odd", message))
        });
        let result = go(&bench, "run", &simple(&bench), &[]).exits(0).json();
        assert_eq!((kind(&result), calls(&bench)), ("llm", 2), "{result:#}");
    }
}

#[test]
fn fewer_tokens_are_asked_for_where_a_server_says_so() {
    let asked = |body: &Value| {
        body["max_completion_tokens"]
            .as_u64()
            .or(body["max_tokens"].as_u64())
    };
    for (status, message, most) in [
        (
            400,
            "max_tokens is too large: 16000. This model supports at most 4096 completion tokens.",
            4096,
        ),
        (
            402,
            "You requested up to 16000 tokens, but can only afford 3212.",
            3212,
        ),
        (
            413,
            "Request too large on tokens per minute (TPM): Limit 8000, Requested 17500",
            8000,
        ),
    ] {
        let bench = Bench::new();
        narrow(&bench, move |body| {
            let much = asked(body).is_none_or(|n| n > most);
            much.then(|| LlmAnswer::error(status, "odd", message))
        });
        let result = go(&bench, "run", &simple(&bench), &[]).exits(0).json();
        assert_eq!(
            (kind(&result), calls(&bench)),
            ("llm", 2),
            "{message}: {result:#}"
        );
    }
}

#[test]
fn the_budget_bounds_the_next_answer() {
    let bench = Bench::new();
    let asked = script(&bench, vec![turn(|a| a.files(&[("index.html", PAGE)]))]);
    go(
        &bench,
        "run",
        &simple(&bench),
        &["--max-tokens-total", "5000"],
    )
    .exits(0);
    assert_eq!(asked.lock().unwrap().len(), 1);
    let body = bench.world.matching(&Match::llm())[0].json();
    let most = body["max_completion_tokens"].as_u64().unwrap();
    assert!(most < 5000 && most > 1000, "{most}");
    assert!(pushed(&bench).contains_key("index.html"));
}
