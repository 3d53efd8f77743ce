//! Whatever shape an answer has and wherever it is cut off: the right files or the template with a reason; never a part of a
//! file, never a foreign path.

use serde_json::json;

use crate::model::{PAGE, calls, go, kind, pushed, script, simple, task, turn};
use crate::run::{Bench, data_uri};
use crate::world::LlmAnswer;

#[test]
fn every_shape_ends_in_the_same_page() {
    let fenced = format!("Here it is.\n\n**index.html**\n```html\n{PAGE}```\nEnjoy!");
    let shapes = [
        json!({"files": [{"path": "index.html", "content": PAGE}]}).to_string(),
        json!({"index.html": PAGE}).to_string(),
        format!(
            "```json\n{}\n```",
            json!({"files": [{"path": "index.html", "content": PAGE}]})
        ),
        fenced,
        format!("<file path=\"index.html\">\n{PAGE}</file>"),
        format!("Sure:\n{PAGE}"),
        format!("<think>\nshort draft: <html></html>\n</think>\n```html\n{PAGE}```"),
        format!("<<<FILE index.html>>>\n```html\n{PAGE}```\n<<<END>>>"),
    ];
    for shape in shapes {
        let bench = Bench::new();
        bench
            .world
            .configure(|s| s.llm = vec![LlmAnswer::text(&shape)]);
        let result = go(&bench, "run", &simple(&bench), &[]).exits(0).json();
        assert_eq!(
            (kind(&result), result["generator"]["model"].as_str()),
            ("llm", Some("gpt-4o-mini")),
            "{shape}: {result:#}"
        );
        assert_eq!(pushed(&bench)["index.html"], PAGE, "{shape}");
        assert_eq!((calls(&bench), bench.world.unexpected()), (1, vec![]));
        for file in ["LICENSE", "README.md", ".nojekyll"] {
            assert!(pushed(&bench).contains_key(file), "{file}");
        }
    }
}

#[test]
fn the_rest_of_an_answer_that_was_cut_off_is_asked_for() {
    for finish in ["length", "stop"] {
        let bench = Bench::new();
        let task = task(
            &bench,
            json!({"brief": "Make:\n- index.html: a page\n- a.txt: a text\n- b.txt: a text"}),
        );
        let asked = script(
            &bench,
            vec![
                turn(move |a| {
                    LlmAnswer::finished(
                        &format!(
                            "{}<<<FILE a.txt {}>>>\nfirst half of",
                            a.blocks(&[("index.html", PAGE)]),
                            a.word
                        ),
                        finish,
                    )
                }),
                turn(|a| a.files(&[("a.txt", "whole a"), ("b.txt", "whole b")])),
            ],
        );
        let result = go(&bench, "run", &task, &[]).exits(0).json();
        assert_eq!(kind(&result), "llm", "{result:#}");
        let files = pushed(&bench);
        assert_eq!(
            (
                files["index.html"].as_str(),
                files["a.txt"].as_str(),
                files["b.txt"].as_str()
            ),
            (PAGE, "whole a\n", "whole b\n")
        );
        let asked = asked.lock().unwrap();
        assert!(
            asked.len() == 2
                && asked[1].last.contains("Not complete: a.txt")
                && asked[1].last.contains("Still missing: b.txt"),
            "{}",
            asked[1].last
        );
    }
}

#[test]
fn a_stream_that_breaks_keeps_what_was_complete() {
    let bench = Bench::new();
    let chunk = |text: &str| {
        json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]})
            .to_string()
    };
    let task = task(
        &bench,
        json!({"brief": "Make:\n- index.html: a page\n- a.txt: a text"}),
    );
    script(
        &bench,
        vec![
            turn(move |a| {
                LlmAnswer::sse(&[
                    &chunk(&a.blocks(&[("a.txt", "a")])),
                    &chunk(&format!("<<<FILE index.html {}>>>\n<html>", a.word)),
                ])
            }),
            turn(|a| a.files(&[("index.html", PAGE)])),
        ],
    );
    let result = go(&bench, "run", &task, &[]).exits(0).json();
    assert_eq!(
        (
            kind(&result),
            pushed(&bench)["a.txt"].as_str(),
            pushed(&bench)["index.html"].as_str()
        ),
        ("llm", "a\n", PAGE),
        "{result:#}"
    );
}

#[test]
fn what_never_ends_is_never_pushed() {
    for cut in [
        "<!DOCTYPE html><html><body>",
        "```html index.html\n<html>",
        "{\"files\":[{\"path\":\"index.html\",\"content\":\"<ht",
        "<file path=\"index.html\">\n<html>",
    ] {
        let bench = Bench::new();
        bench
            .world
            .configure(|s| s.llm = vec![LlmAnswer::finished(cut, "length"); 5]);
        let result = go(&bench, "run", &simple(&bench), &[]).exits(0).json();
        assert_eq!(kind(&result), "template");
        assert!(
            result["generator"]["fallback_reason"]
                .as_str()
                .unwrap()
                .contains("no usable page"),
            "{result:#}"
        );
        assert!(pushed(&bench)["index.html"].contains("llmdeploy template"));
        assert!(
            calls(&bench) <= 5 && bench.world.unexpected().is_empty(),
            "{:?}",
            bench.world.unexpected()
        );
    }
}

#[test]
fn prose_is_told_once_that_it_is_no_answer() {
    let bench = Bench::new();
    script(
        &bench,
        vec![
            turn(|_| LlmAnswer::text("I would start with a page.")),
            turn(|_| LlmAnswer::text("As I said.")),
        ],
    );
    let result = go(&bench, "run", &simple(&bench), &[]).exits(0).json();
    // The same failure twice ends it, two repairs or not.
    assert_eq!(
        (
            kind(&result),
            calls(&bench),
            &result["generator"]["attempts"]
        ),
        ("template", 2, &json!(2))
    );
    let failed = go(
        &bench,
        "run",
        &simple(&bench),
        &["--no-fallback", "--fresh", "--repairs", "0"],
    )
    .fails(1, "llm_failed");
    assert_eq!(failed["commit_sha"], json!(null));
    assert_eq!(
        bench.world.commits("octo-dev", "demo-site").len(),
        1,
        "nothing more was pushed"
    );
}

#[test]
fn foreign_paths_and_the_tools_own_files_are_left_out() {
    let bench = Bench::new();
    let task = task(
        &bench,
        json!({"brief": "Show uid.txt", "attachments": [{"name": "uid.txt", "url": data_uri("text/plain", b"42")}]}),
    );
    let bad = [
        ("index.html", PAGE),
        ("../x", "x"),
        ("/etc/passwd", "x"),
        (".git/config", "x"),
        ("a/../../b", "x"),
        ("con.txt", "x"),
        (".github/workflows/x.yml", "on: push"),
        (".env", "A=b"),
        ("LICENSE", "mine"),
        (".nojekyll", "x"),
        ("uid.txt", "43"),
        ("index.html/x", "x"),
    ];
    let asked = script(
        &bench,
        vec![
            turn(move |a| a.files(&bad)),
            turn(|a| a.files(&[("index.html", PAGE)])),
        ],
    );
    let result = go(&bench, "run", &task, &[]).exits(0).json();
    assert_eq!(kind(&result), "llm");
    let files = pushed(&bench);
    assert_eq!(
        files.keys().map(String::as_str).collect::<Vec<_>>(),
        [".nojekyll", "LICENSE", "README.md", "index.html", "uid.txt"]
    );
    assert!(
        files["uid.txt"] == "42"
            && files["LICENSE"].contains("is hereby granted")
            && files[".nojekyll"].is_empty()
    );
    let told = &asked.lock().unwrap()[1].last;
    for path in [
        "../x",
        "/etc/passwd",
        ".git/config",
        "con.txt",
        ".github/workflows/x.yml",
        ".env",
        "index.html/x",
    ] {
        assert!(told.contains(path), "{path}: {told}");
    }
    assert!(
        !told.contains("LICENSE ") && !told.contains("uid.txt is"),
        "{told}"
    );
}

#[test]
fn a_repair_never_replaces_a_better_app() {
    let bench = Bench::new();
    let task = task(
        &bench,
        json!({"brief": "Make:\n- index.html: a page\n- a.json: facts\n- b.txt: a text"}),
    );
    let asked = script(
        &bench,
        vec![
            turn(|a| a.files(&[("index.html", PAGE), ("a.json", "{\"a\": 1}")])),
            // Worse: b.txt is there, but two others are broken.
            turn(|a| {
                a.files(&[
                    ("index.html", "<html><a href=\"gone.html\">"),
                    ("a.json", "```json\n{\"a\": \n```"),
                    ("b.txt", "b"),
                ])
            }),
            turn(|a| a.files(&[("b.txt", "b")])),
        ],
    );
    let result = go(&bench, "run", &task, &[]).exits(0).json();
    let files = pushed(&bench);
    assert_eq!(
        (
            kind(&result),
            files["index.html"].as_str(),
            files["a.json"].as_str(),
            files["b.txt"].as_str()
        ),
        ("llm", PAGE, "{\"a\": 1}\n", "b\n")
    );
    let asked = asked.lock().unwrap();
    assert!(
        asked[1]
            .last
            .contains("1. b.txt is missing; the brief asks for it.")
            && asked[2].last.contains("An earlier attempt"),
        "{}",
        asked[2].last
    );
    assert_eq!(result["generator"]["attempts"], 3);
}

#[test]
fn of_two_alternatives_none_is_guessed() {
    let bench = Bench::new();
    let other = PAGE.replace("<body", "<body id=\"other\"");
    let both = format!("Option 1:\n```html\n{PAGE}```\nOption 2:\n```html\n{other}```\n");
    let asked = script(
        &bench,
        vec![
            turn(move |_| LlmAnswer::text(&both)),
            turn(|a| a.files(&[("index.html", PAGE)])),
        ],
    );
    let result = go(&bench, "run", &simple(&bench), &[]).exits(0).json();
    assert_eq!(
        (kind(&result), pushed(&bench)["index.html"].as_str()),
        ("llm", PAGE)
    );
    let told = &asked.lock().unwrap()[1].last;
    assert!(
        told.contains("index.html more than once") && told.contains("Send every file once"),
        "{told}"
    );
}
