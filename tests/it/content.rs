//! What files hold, whatever they were written in and however deep they are: the same for the page, the model and the checks.

use serde_json::json;

use crate::run::{Bench, data_uri};
use crate::xlsx;

/// Recursion over this ends in an abort of the process, without a document.
fn deep() -> String {
    "[".repeat(200_000) + "7" + &"]".repeat(200_000)
}

#[test]
fn json_of_any_depth_is_an_attachment_like_any_other() {
    let bench = Bench::new();
    let task = bench.task(json!({
        "checks": ["deep.json is valid JSON", "object.json has key a.b"],
        "attachments": [
            {"name": "deep.json", "url": data_uri("application/json", deep().as_bytes())},
            {"name": "object.json", "url": data_uri("", ("{\"a\":".repeat(100_000) + "1" + &"}".repeat(100_000)).as_bytes())},
        ],
    }));
    let result = bench.go("run", &task, &["--no-llm"]).exits(0).json();
    assert_eq!(result["status"], "notified");
    let files = bench.world.files("octo-dev", "demo-site");
    assert_eq!(files["deep.json"], deep().as_bytes());
    // A second round finds it in the repository.
    let next = bench.task(json!({"round": 2, "nonce": "n-2", "brief": "Say more.", "checks": ["deep.json is valid JSON"]}));
    bench.go("run", &next, &["--no-llm"]).exits(0);
    let prompt =
        bench.task(json!({"round": 3, "nonce": "n-3", "attachments": task["attachments"]}));
    bench.go("generate", &prompt, &["--print-prompt"]).exits(0);
}

#[test]
fn a_task_from_powershell() {
    let bench = Bench::new();
    let text = bench
        .task(json!({"brief": "Zeige die Größe.", "evaluation_url": ""}))
        .to_string();
    for mark in ["\u{feff}", ""] {
        let units = format!("{mark}{text}");
        let bytes: Vec<u8> = units.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let file = bench.path("task.json");
        std::fs::write(&file, bytes).unwrap();
        let ran = bench.run(["generate".as_ref(), file.as_os_str(), "--no-llm".as_ref()]);
        ran.exits(0);
        let page = std::fs::read_to_string(bench.path("demo-site/index.html")).unwrap();
        assert!(page.contains("Zeige die Größe."), "{page}");
    }
}

/// As openpyxl writes them: without a saved value there is nothing to compare with.
#[test]
fn formulas_without_values_are_said_so_and_nothing_is_held_against_them() {
    let bench = Bench::new();
    let book = xlsx::book(&[&["units", "price", "sum"], &["3", "2.5", "f:A2*B2"]]);
    let task = bench.task(json!({
        "brief": "Convert data.xlsx to data.csv and commit it.",
        "checks": ["data.csv content equals data.xlsx (attachment)"],
        "attachments": [{"name": "data.xlsx", "url": data_uri("@file/zip", &book)}],
    }));
    let prompt = bench
        .go("generate", &task, &["--print-prompt"])
        .exits(0)
        .stdout;
    assert!(
        prompt.contains("1 formula without a saved value") && prompt.contains("3,2.5,=A2*B2"),
        "{prompt}"
    );
    let document = bench
        .go("generate", &task, &["--no-llm", "--fresh"])
        .exits(0)
        .json();
    assert_ne!(document["checks"][0]["status"], "passed", "{document:#}");
    let page = std::fs::read_to_string(bench.path("demo-site/index.html")).unwrap();
    assert!(
        page.contains("=A2*B2") && page.contains("1 formula without a saved value"),
        "{page}"
    );
    let dir = bench.path("mine");
    std::fs::create_dir(&dir).unwrap();
    std::fs::write(dir.join("index.html"), "<!doctype html><title>t</title>").unwrap();
    std::fs::write(dir.join("data.csv"), "units,price,sum\n3,2.5,7.5\n").unwrap();
    let checked = bench
        .go("check", &task, &["--site", dir.to_str().unwrap()])
        .json();
    assert!(
        ["unknown", "skipped"].contains(&checked["checks"][0]["status"].as_str().unwrap()),
        "{checked:#}"
    );
}
