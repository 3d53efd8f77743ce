//! The browser's verdicts go back to the model, and the best of its answers is deployed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::time::Duration;

use serde_json::json;

use crate::checks::browser;
use crate::model::{kind, pushed, script, task, turn};
use crate::run::Bench;

fn page(a: &str, b: &str, c: &str, script: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><title>T</title></head><body><p id=\"a\">{a}</p><p id=\"b\">{b}</p><p id=\"c\">{c}</p>\n<script>{script}</script></body></html>\n"
    )
}

#[test]
fn the_best_of_three_is_deployed_and_the_result_tells_the_truth() {
    if !browser() {
        return;
    }
    let bench = Bench::new();
    let is = |id: &str, value: &str| json!({"js": format!("document.querySelector('#{id}').textContent === '{value}'")});
    let task = task(
        &bench,
        json!({"brief": "Show three figures.", "checks": [is("a", "1"), is("b", "2"), is("c", "3")]}),
    );
    // Two fail and the page throws; one is mended, another broken, nothing is thrown; then all is wrong.
    let answers = [
        page("0", "0", "3", "throw new Error('dated')"),
        page("1", "0", "0", ""),
        page("0", "0", "0", ""),
    ];
    let turns = answers
        .clone()
        .map(|text| turn(move |a| a.files(&[("index.html", &text)])));
    let asked = script(&bench, turns.into());
    let result = bench
        .go_env(
            "run",
            &task,
            &["--check-timeout", "5"],
            &[("OPENAI_BASE_URL", &bench.world.llm_url())],
        )
        .exits(0)
        .json();
    assert_eq!(kind(&result), "llm");
    assert_eq!(result["generator"]["attempts"], 3, "{result:#}");
    assert_eq!(pushed(&bench)["index.html"], answers[1], "{result:#}");
    let statuses: Vec<_> = result["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["status"].as_str().unwrap())
        .collect();
    assert_eq!(statuses, ["passed", "failed", "failed"]);
    // The evidence was handed on: what failed, and what it had.
    let asked = asked.lock().unwrap();
    assert!(
        asked[1].last.contains("#a") && asked[1].last.contains("dated"),
        "{}",
        asked[1].last
    );
    assert!(asked[2].last.contains("#c"), "{}", asked[2].last);
    // So was the page as it looks, once there was one.
    assert!(asked[0].images.is_empty());
    for asked in &asked[1..] {
        let png = asked.images[0]
            .strip_prefix("data:image/png;base64,")
            .unwrap();
        assert!(
            asked.images.len() == 1 && STANDARD.decode(png).unwrap().starts_with(b"\x89PNG\r\n")
        );
    }
}

/// Round 2 has two checks of its own and one of round 1. What passes both of its own is better than what keeps round 1's and passes
/// one, though fewer checks fail there.
#[test]
fn a_rounds_own_checks_count_before_those_of_earlier_rounds() {
    if !browser() {
        return;
    }
    let bench = Bench::new();
    let is = |id: &str, value: &str| json!({"js": format!("document.querySelector('#{id}').textContent === '{value}'")});
    let env = bench.world.llm_url();
    let env = [("OPENAI_BASE_URL", env.as_str())];
    let options = ["--check-timeout", "5"];
    let first = page("1", "1", "", "");
    script(
        &bench,
        vec![turn(move |a| a.files(&[("index.html", &first)]))],
    );
    let round_1 = task(
        &bench,
        json!({"brief": "Ones.", "checks": [is("a", "1"), is("b", "1")]}),
    );
    bench.go_env("run", &round_1, &options, &env).exits(0);
    // Own: c and its title; earlier: a and b, of which the better answer loses both.
    let better = page("0", "0", "2", "");
    let answers = [
        page("1", "1", "0", ""),
        better.clone(),
        page("1", "1", "0", "document.body.dataset.x = 1"),
    ];
    let asked = script(
        &bench,
        answers
            .map(|text| turn(move |a| a.files(&[("index.html", &text)])))
            .into(),
    );
    let round_2 = task(
        &bench,
        json!({"round": 2, "nonce": "n-2", "brief": "A two in #c.", "checks": [is("c", "2"), {"js": "document.querySelector('#c') !== null"}]}),
    );
    let result = bench
        .go_env("run", &round_2, &options, &env)
        .exits(0)
        .json();
    assert_eq!(result["generator"]["attempts"], 3, "{result:#}");
    assert_eq!(pushed(&bench)["index.html"], better, "{result:#}");
    assert!(
        asked.lock().unwrap()[2]
            .last
            .contains("of round 1, which should still hold, failed"),
        "{}",
        asked.lock().unwrap()[2].last
    );
    let seen: Vec<String> = result["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| format!("{} {}", c["status"], c["round"]))
        .collect();
    assert_eq!(
        seen,
        [
            "\"passed\" null",
            "\"passed\" null",
            "\"failed\" 1",
            "\"failed\" 1"
        ],
        "{result:#}"
    );
}

/// A browser never sees quite the same twice. What was said to the model of it stays as it was said, so that its answer is found.
#[test]
fn after_a_kill_the_repair_is_not_asked_for_again_though_the_page_looks_otherwise() {
    if !browser() {
        return;
    }
    let bench = Bench::new();
    let checks = json!([{"js": "document.querySelector('#a').textContent === '1'"}]);
    let task = task(
        &bench,
        json!({"brief": "Show a one in #a.", "checks": checks}),
    );
    let (clock, good) = (
        page("", "", "", "a.textContent = Date.now() + Math.random()"),
        page("1", "", "", ""),
    );
    let turns = [clock, good.clone()].map(|text| turn(move |a| a.files(&[("index.html", &text)])));
    let asked = script(&bench, turns.into());
    let llm = bench.world.llm_url();
    let go = || {
        bench
            .go_env(
                "generate",
                &task,
                &["-o", "out"],
                &[("OPENAI_BASE_URL", &llm)],
            )
            .exits(0)
            .json()
    };
    let first = go();
    assert_eq!(
        (asked.lock().unwrap().len(), &first["generator"]["attempts"]),
        (2, &json!(2)),
        "{first:#}"
    );
    // As if it had been killed just before the result of generating was written.
    let run = std::fs::read_dir(bench.state().join("runs"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    std::fs::remove_file(run.join("generate.json")).unwrap();
    let again = go();
    assert_eq!(
        (asked.lock().unwrap().len(), &again["generator"]["attempts"]),
        (2, &json!(2)),
        "{again:#}"
    );
    assert_eq!(
        std::fs::read_to_string(bench.path("out/index.html")).unwrap(),
        good
    );
}

/// A deadline that leaves less than deploying and telling may take leaves nothing for a repair.
#[test]
fn no_repair_goes_into_the_time_for_deploying() {
    let bench = Bench::new();
    let task = task(
        &bench,
        json!({"brief": "Make:\n- index.html: a page\n- a.txt: a text"}),
    );
    let only = page("1", "", "", "");
    // A repair may take as long as the first answer did, and two fifths of a short deadline are for deploying.
    for (deadline, attempts) in [("6", 1), ("200", 2)] {
        let sent = only.clone();
        let all = [(), ()].map(|()| {
            turn({
                let sent = sent.clone();
                move |a: &crate::model::Asked| {
                    a.files(&[("index.html", &sent)])
                        .delay(Duration::from_millis(1700))
                }
            })
        });
        let asked = script(&bench, all.into());
        let options = ["--fresh", "--repairs", "1", "--deadline", deadline];
        let result = crate::model::go(&bench, "run", &task, &options)
            .exits(0)
            .json();
        assert_eq!(
            (kind(&result), asked.lock().unwrap().len()),
            ("llm", attempts),
            "--deadline {deadline}: {result:#}"
        );
    }
}

#[test]
fn a_check_that_no_page_can_pass_starts_no_repair() {
    if !browser() {
        return;
    }
    let bench = Bench::new();
    let checks = json!([{"js": "document.querySelector('#a').textContent === '1'"}, {"js": "!!document.querySelector('#me@example.com')"}]);
    let task = task(
        &bench,
        json!({"brief": "Show a one in #a.", "checks": checks}),
    );
    let text = page("1", "", "", "");
    let sent = text.clone();
    script(
        &bench,
        vec![turn(move |a| a.files(&[("index.html", &sent)]))],
    );
    let result = bench
        .go_env(
            "run",
            &task,
            &["--check-timeout", "5"],
            &[("OPENAI_BASE_URL", &bench.world.llm_url())],
        )
        .exits(0)
        .json();
    assert_eq!(
        (kind(&result), result["generator"]["attempts"].as_u64()),
        ("llm", Some(1)),
        "{result:#}"
    );
    assert!(
        result["checks"][1]["detail"]
            .as_str()
            .unwrap()
            .starts_with("unsatisfiable"),
        "{result:#}"
    );
    assert_eq!(pushed(&bench)["index.html"], text);
}
