//! `doctor`: what is well is said, and what is not is said with what mends it.

use serde_json::{Value, json};

use crate::checks::browser;
use crate::run::{Bench, Ran, finish};
use crate::world::EvalAnswer;

/// With a model on loopback, as a machine that is ready has one.
fn doctor(bench: &Bench, env: &[(&str, &str)], args: &[&str]) -> Ran {
    let mut command = bench.command(["doctor"]);
    command
        .args(args)
        .env("OPENAI_BASE_URL", bench.world.llm_url())
        .envs(env.iter().copied());
    finish(command)
}

/// What is not well, as `part: text → hint`.
fn faults(document: &Value) -> Vec<String> {
    let mut all = Vec::new();
    for (name, part) in document.as_object().unwrap() {
        for finding in part["findings"].as_array().into_iter().flatten() {
            if finding["status"] == "failed" {
                let hint = finding["hint"].as_str().unwrap_or_default();
                assert!(!hint.is_empty(), "nothing mends {finding}");
                all.push(format!(
                    "{name}: {} → {hint}",
                    finding["text"].as_str().unwrap()
                ));
            }
        }
    }
    all
}

#[test]
fn a_machine_that_is_ready() {
    if !browser() {
        return;
    }
    let bench = Bench::new();
    let task = bench.write_task("task.json", &bench.task(json!({})));
    let ran = doctor(&bench, &[], &[task.to_str().unwrap()]).exits(0);
    let document = ran.json();
    assert_eq!(document["ok"], true, "{document:#}");
    assert_eq!(document["github"]["login"], bench.world.login());
    assert_eq!(document["github"]["scopes"], json!(["repo", "workflow"]));
    assert_eq!(document["llm"]["endpoints"][0]["model"], "gpt-4o-mini");
    assert_eq!(document["evaluator"]["ok"], true);
    assert!(document["state"]["free_bytes"].as_u64().unwrap() > 0);
    for part in ["git", "github", "llm", "browser", "state", "clock"] {
        assert_eq!(document[part]["ok"], true, "{part}: {document:#}");
    }
    // Nothing was made, nobody was told.
    assert!(bench.world.repos().is_empty());
    assert!(bench.world.notifications().is_empty());
    let token = bench.world.token();
    assert!(!(ran.stdout + &ran.stderr).contains(&token));
}

#[test]
fn each_thing_that_is_missing_is_named_alone() {
    if !browser() {
        return;
    }
    let bench = Bench::new();
    let state = bench.path("taken");
    std::fs::write(&state, "a file").unwrap();
    let other = format!("gpt-9@{}", bench.world.llm_url());
    let nobody = "http://127.0.0.1:9/v1";
    for (env, status, expected) in [
        (vec![("GH_TOKEN", "")], 4, "github: no token"),
        (vec![("GH_TOKEN", "wrong")], 4, "github: GET /user: 401"),
        (
            vec![("GITHUB_OWNER", "nobody-at-all")],
            4,
            "github: there is no user or organisation nobody-at-all",
        ),
        (
            vec![("GITHUB_OWNER", "somebody")],
            4,
            "github: somebody is another user",
        ),
        (vec![("OPENAI_MODEL", "gpt-9")], 1, "llm: gpt-9 at "),
        (
            vec![("OPENAI_BASE_URL", nobody)],
            1,
            "llm: gpt-4o-mini at http://127.0.0.1:9/v1",
        ),
        (
            vec![("OPENAI_FALLBACK_MODELS", other.as_str())],
            1,
            "llm: gpt-9 at ",
        ),
        (
            vec![("LLMDEPLOY_BROWSER", "/nowhere/chrome")],
            1,
            "browser: checks on pages cannot be judged",
        ),
        (
            vec![("LLMDEPLOY_STATE_DIR", state.to_str().unwrap())],
            1,
            "state: ",
        ),
    ] {
        let document = doctor(&bench, &env, &[]).exits(status).json();
        let faults = faults(&document);
        assert_eq!(document["ok"], false);
        assert_eq!(faults.len(), 1, "{env:?}: {faults:#?}");
        assert!(faults[0].starts_with(expected), "{env:?}: {faults:#?}");
        let said = document["error"]["message"].as_str().unwrap();
        assert!(faults[0].starts_with(said), "{said}");
    }
    // One fault hides no other, and what is not allowed gives the status.
    let all = [
        ("GH_TOKEN", "wrong"),
        ("LLMDEPLOY_BROWSER", "/nowhere/chrome"),
    ];
    let document = doctor(&bench, &all, &[]).exits(4).json();
    assert_eq!(faults(&document).len(), 2, "{document:#}");
}

#[test]
fn what_the_token_says_of_itself() {
    let bench = Bench::new();
    let off = [("LLMDEPLOY_BROWSER", "/nowhere/chrome")];
    let texts = |document: &Value| document["github"]["findings"].to_string();
    bench.world.configure(|s| {
        s.scopes = vec!["gist".to_owned()];
        s.token_expires = Some("2020-01-01 10:00:00 UTC".to_owned());
        s.clock_off = 900;
    });
    let document = doctor(&bench, &off, &[]).exits(4).json();
    assert!(
        texts(&document).contains("lacks the scope `repo`"),
        "{document:#}"
    );
    assert!(
        texts(&document).contains("ends on 2020-01-01"),
        "{document:#}"
    );
    assert_eq!(document["clock"]["ok"], false);
    bench.world.configure(|s| {
        s.scopes = vec!["repo".to_owned()];
        s.orgs = vec!["acme".to_owned()];
        s.clock_off = 0;
        s.rate_remaining = 12;
    });
    let acme = [off[0], ("GITHUB_OWNER", "acme")];
    let document = doctor(&bench, &acme, &[]).exits(1).json();
    assert_eq!(document["github"]["ok"], true, "{document:#}");
    assert_eq!(document["github"]["owner"], "acme");
    assert!(texts(&document).contains("without the scope `workflow`"));
    assert!(document["github"]["requests_left"].as_u64().unwrap() < 12);
}

#[test]
fn an_evaluator_that_is_not_there_and_one_that_is_down() {
    let bench = Bench::new();
    let off = [("LLMDEPLOY_BROWSER", "/nowhere/chrome")];
    let gone = bench.write_task(
        "gone.json",
        &bench.task(json!({"evaluation_url": "http://127.0.0.1:9/eval"})),
    );
    let document = doctor(&bench, &off, &[gone.to_str().unwrap()])
        .exits(1)
        .json();
    assert_eq!(document["evaluator"]["ok"], false, "{document:#}");
    bench
        .world
        .configure(|s| s.eval_default = EvalAnswer::status(503));
    let down = bench.write_task("down.json", &bench.task(json!({})));
    let document = doctor(&bench, &off, &[down.to_str().unwrap()])
        .exits(1)
        .json();
    assert_eq!(document["evaluator"]["ok"], true, "{document:#}");
    let _ = bench.world.take_unexpected();
    // A task that does not parse is no task to look at.
    let bad = bench.write_task("bad.json", &json!({"task": "x"}));
    let ran = doctor(&bench, &off, &[bad.to_str().unwrap()]);
    ran.fails(2, "invalid_task");
}
