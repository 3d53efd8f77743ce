//! The schemas, held by a validator that others wrote (python3-jsonschema) to what is printed and to what is taken.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::run::{Bench, finish, finish_with_input};
use crate::world::EvalAnswer;

/// Reads `[[schema, document], …]`, prints for each null or what is wrong with it.
const VALIDATE: &str = "
import json, sys
from jsonschema import Draft202012Validator as V
out = []
for schema, document in json.load(sys.stdin):
    V.check_schema(schema)
    error = next(V(schema).iter_errors(document), None)
    out.append(None if error is None else f'{list(error.absolute_path)}: {error.message}'[:600])
json.dump(out, sys.stdout)
";

/// The faults of each pair; `None` where there is no validator to ask. CI has one.
fn faults(pairs: &[(Value, Value)]) -> Option<Vec<Option<String>>> {
    for python in ["python3", "/usr/bin/python3"] {
        let mut probe = Command::new(python);
        probe
            .args(["-c", "from jsonschema import Draft202012Validator"])
            .stderr(Stdio::null());
        if !probe.status().is_ok_and(|s| s.success()) {
            continue;
        }
        let mut command = Command::new(python);
        command.args(["-W", "ignore", "-c", VALIDATE]);
        let ran = finish_with_input(command, json!(pairs).to_string().as_bytes()).exits(0);
        return Some(serde_json::from_value(ran.json()).unwrap());
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "CI needs python3-jsonschema"
    );
    None
}

fn schema(bench: &Bench, of: &str) -> Value {
    bench.run(["schema", of]).exits(0).json()
}

/// The schema of one command's document.
fn part(whole: &Value, name: &str) -> Value {
    assert!(!whole["$defs"][name].is_null(), "{name}");
    let mut part = whole.clone();
    part["$ref"] = json!(format!("#/$defs/{name}"));
    part
}

fn valid(pairs: &[(Value, Value)]) {
    for (fault, (_, document)) in faults(pairs).unwrap_or_default().iter().zip(pairs) {
        assert_eq!(*fault, None, "{document:#}");
    }
}

#[test]
fn every_example_is_a_task_and_what_run_refuses_is_none() {
    let bench = Bench::new();
    let task = schema(&bench, "task");
    let mut pairs = Vec::new();
    for entry in std::fs::read_dir("examples").unwrap().flatten() {
        if entry.path().extension().is_some_and(|e| e == "json") {
            let text = std::fs::read(entry.path()).unwrap();
            pairs.push((task.clone(), serde_json::from_slice(&text).unwrap()));
        }
    }
    assert!(pairs.len() >= 5);
    pairs.push((
        task.clone(),
        bench.task(json!({"checks": [3, {"js": 4}, null], "more": 1})),
    ));
    valid(&pairs);
    let bad: Vec<_> = [
        json!({"brief": null}),
        json!({"brief": "  \n"}),
        json!({"email": 3}),
        json!({"round": 0}),
        json!({"round": "1"}),
        json!({"nonce": 7}),
        json!({"checks": "document.title"}),
        json!({"attachments": [{"name": "a.csv"}]}),
        json!({"attachments": [{"name": "a.csv", "url": "ftp://example.com/a.csv"}]}),
    ]
    .into_iter()
    .map(|with| bench.task(with))
    .collect();
    for task in &bad {
        bench
            .go("generate", task, &["--no-llm"])
            .fails(2, "invalid_task");
    }
    let pairs: Vec<_> = bad.into_iter().map(|bad| (task.clone(), bad)).collect();
    for (fault, (_, bad)) in faults(&pairs).unwrap_or_default().iter().zip(&pairs) {
        assert!(fault.is_some(), "the schema takes {bad}");
    }
}

#[test]
fn every_document_is_as_the_schema_says() {
    let bench = Bench::new();
    let whole = schema(&bench, "result");
    let result = part(&whole, "result");
    let mut pairs = Vec::new();
    let mut take = |name: &str, document: Value| pairs.push((part(&whole, name), document));

    let task = bench.task(json!({
        "checks": ["README.md is professional", "data.json has key 'name'", "js: document.title.length > 0"],
    }));
    take("generate", bench.go("generate", &task, &[]).exits(0).json());
    take("check", bench.go("check", &task, &[]).exits(3).json());
    take("commit", bench.go("commit", &task, &[]).exits(0).json());
    take("result", bench.go("deploy", &task, &[]).exits(0).json());
    bench
        .world
        .configure(|s| s.eval_default = EvalAnswer::status(503));
    take(
        "result",
        bench
            .go("run", &task, &["--notify-for", "0"])
            .exits(75)
            .json(),
    );
    let retried = bench
        .run(["notify", "--retry", "--notify-for", "0"])
        .exits(75)
        .json();
    for document in retried.as_array().unwrap() {
        take("result", document.clone());
    }
    bench
        .world
        .configure(|s| s.eval_default = EvalAnswer::status(200));
    take("result", bench.go("run", &task, &[]).exits(0).json());
    take("result", bench.go("status", &task, &[]).exits(0).json());
    let all = bench.run(["status"]).exits(0).json();
    for document in all.as_array().unwrap() {
        take("result", document.clone());
    }
    let detached = bench.task(json!({"nonce": "detached"}));
    take(
        "accepted",
        bench.go("run", &detached, &["--detach"]).exits(0).json(),
    );
    let new = [
        "new",
        "--brief",
        "A page",
        "--email",
        "me@example.com",
        "-o",
        "t.json",
    ];
    let mut poor = bench.command(["doctor"]);
    poor.env("GH_TOKEN", "")
        .env("LLMDEPLOY_BROWSER", "/nowhere");
    take("doctor", finish(poor).exits(4).json());
    take("new", bench.run(new).exits(0).json());
    take("new", bench.run(new).exits(2).json());
    take(
        "prune",
        bench.run(["prune", "--older-than", "1d"]).exits(0).json(),
    );

    // What comes to nothing.
    let wrong = bench.task(json!({"email": ""}));
    for (command, name) in [
        ("run", "result"),
        ("deploy", "result"),
        ("generate", "generate"),
        ("commit", "commit"),
        ("check", "check"),
        ("notify", "result"),
        ("doctor", "doctor"),
    ] {
        take(name, bench.go(command, &wrong, &[]).exits(2).json());
        take(name, bench.run([command, "--nonsense"]).exits(2).json());
    }
    take("failure", bench.run(["no-such-command"]).exits(2).json());
    take("failure", bench.run(["schema", "song"]).exits(2).json());
    let other = bench.task(json!({"nonce": "n-2", "task": "other"}));
    let mut refused = bench.command(["run"]);
    refused
        .arg(bench.write_task("other.json", &other))
        .env("GH_TOKEN", "wrong");
    take("result", finish(refused).exits(4).json());
    valid(&pairs);

    // The schema is not one that takes anything.
    let good = pairs[3].1.clone();
    let spoilt: Vec<_> = [
        ("status", json!("done")),
        ("v", json!(2)),
        ("commit_sha", json!("abc")),
        ("checks", json!([{"check": "x"}])),
        ("generator", json!({"kind": "magic"})),
        ("error", json!("no")),
    ]
    .into_iter()
    .map(|(key, value)| {
        let mut document = good.clone();
        document[key] = value;
        (result.clone(), document)
    })
    .collect();
    for (fault, (_, document)) in faults(&spoilt).unwrap_or_default().iter().zip(&spoilt) {
        assert!(fault.is_some(), "the schema takes {document}");
    }
}
