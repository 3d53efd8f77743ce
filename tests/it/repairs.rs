//! The browser's verdicts go back to the model, and the best of its answers is deployed.

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
    let task = task(&bench, json!({"brief": "Show three figures.", "checks": [is("a", "1"), is("b", "2"), is("c", "3")]}));
    // Two fail and the page throws; one is mended, another broken, nothing is thrown; then all is wrong.
    let answers = [page("0", "0", "3", "throw new Error('dated')"), page("1", "0", "0", ""), page("0", "0", "0", "")];
    let turns = answers.clone().map(|text| turn(move |a| a.files(&[("index.html", &text)])));
    let asked = script(&bench, turns.into());
    let result = bench.go_env("run", &task, &["--check-timeout", "5"], &[("OPENAI_BASE_URL", &bench.world.llm_url())]).exits(0).json();
    assert_eq!(kind(&result), "llm");
    assert_eq!(result["generator"]["attempts"], 3, "{result:#}");
    assert_eq!(pushed(&bench)["index.html"], answers[1], "{result:#}");
    let statuses: Vec<_> = result["checks"].as_array().unwrap().iter().map(|c| c["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["passed", "failed", "failed"]);
    // The evidence was handed on: what failed, and what it had.
    let asked = asked.lock().unwrap();
    assert!(asked[1].last.contains("#a") && asked[1].last.contains("dated"), "{}", asked[1].last);
    assert!(asked[2].last.contains("#c"), "{}", asked[2].last);
}

#[test]
fn a_check_that_no_page_can_pass_starts_no_repair() {
    if !browser() {
        return;
    }
    let bench = Bench::new();
    let checks = json!([{"js": "document.querySelector('#a').textContent === '1'"}, {"js": "!!document.querySelector('#me@example.com')"}]);
    let task = task(&bench, json!({"brief": "Show a one in #a.", "checks": checks}));
    let text = page("1", "", "", "");
    let sent = text.clone();
    script(&bench, vec![turn(move |a| a.files(&[("index.html", &sent)]))]);
    let result = bench.go_env("run", &task, &["--check-timeout", "5"], &[("OPENAI_BASE_URL", &bench.world.llm_url())]).exits(0).json();
    assert_eq!((kind(&result), result["generator"]["attempts"].as_u64()), ("llm", Some(1)), "{result:#}");
    assert!(result["checks"][1]["detail"].as_str().unwrap().starts_with("unsatisfiable"), "{result:#}");
    assert_eq!(pushed(&bench)["index.html"], text);
}
