//! A run that is on record is never silently something else than was asked for.

use std::fs;

use serde_json::{Value, json};

use crate::model::{Asked, NO_BROWSER, PAGE, calls, go, kind, script, simple, turn};
use crate::run::{Bench, Ran};
use crate::world::LlmAnswer;

const OTHER: &str = "<!DOCTYPE html>\n<html><head><title>Other</title></head><body><p id=\"a\">1</p></body></html>\n";

fn local(bench: &Bench) -> String {
    bench.path("sites").display().to_string()
}

/// Without a model at hand.
fn template(bench: &Bench, command: &str, task: &Value, options: &[&str]) -> Ran {
    bench.go_env(command, task, options, &[("LLMDEPLOY_BROWSER", NO_BROWSER)])
}

/// Two answers: whoever is asked twice for the same gets another page.
fn two_answers(bench: &Bench) {
    script(
        bench,
        vec![
            turn(|asked: &Asked| asked.files(&[("index.html", PAGE)])),
            turn(|asked: &Asked| asked.files(&[("index.html", OTHER)])),
        ],
    );
}

/// Refused after the push, naming what was asked for and the two ways on.
fn refused(ran: Ran, asked: &str) {
    let error = ran.fails(2, "invalid_task")["error"].clone();
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains(asked) && message.contains("pushed"),
        "{error:#}"
    );
    let hint = error["hint"].as_str().unwrap();
    assert!(
        hint.contains("--fresh") && hint.contains("next round"),
        "{hint}"
    );
}

fn commits(bench: &Bench) -> usize {
    bench.world.commits("octo-dev", "demo-site").len()
}

#[test]
fn a_key_set_meanwhile_before_and_after_the_push() {
    let bench = Bench::new();
    two_answers(&bench);
    let task = simple(&bench);
    let dir = bench.path("preview").display().to_string();
    let out = ["-o", dir.as_str()];
    let first = template(&bench, "generate", &task, &out).exits(0);
    assert_eq!(kind(&first.json()), "template");
    let ran = go(&bench, "generate", &task, &out).exits(0);
    assert_eq!(kind(&ran.json()), "llm");
    assert!(ran.stderr.contains("made anew"), "{}", ran.stderr);
    // What was previewed is deployed, with a model at hand and without.
    let ran = template(&bench, "deploy", &task, &[]).exits(0);
    assert_eq!((kind(&ran.json()), calls(&bench)), ("llm", 1));
    assert!(
        ran.stderr.contains("generate: 4 files, by "),
        "{}",
        ran.stderr
    );

    let bench = Bench::new();
    let result = template(&bench, "run", &task, &[]).exits(0).json();
    refused(go(&bench, "run", &task, &[]), "a language model is set now");
    assert_eq!((calls(&bench), commits(&bench)), (0, 1));
    let again = template(&bench, "run", &task, &[]).exits(0);
    assert_eq!(again.json()["commit_sha"], result["commit_sha"]);
    let short = &result["commit_sha"].as_str().unwrap()[..7];
    assert!(
        again
            .stderr
            .contains(&format!("commit:   {short}, made before")),
        "{}",
        again.stderr
    );
    two_answers(&bench);
    let fresh = go(&bench, "run", &task, &["--fresh"]).exits(0).json();
    assert_eq!((kind(&fresh), commits(&bench)), ("llm", 2));
}

#[test]
fn another_model_is_asked_itself() {
    let bench = Bench::new();
    two_answers(&bench);
    let task = simple(&bench);
    let dir = bench.path("preview").display().to_string();
    go(&bench, "generate", &task, &["-o", &dir, "--model", "one"]).exits(0);
    let index = || fs::read_to_string(bench.path("preview/index.html")).unwrap();
    assert!(!index().contains("Other"));
    // The same again is on record; an answer of the one is none of the other.
    go(&bench, "generate", &task, &["-o", &dir, "--model", "one"]).exits(0);
    assert_eq!(calls(&bench), 1);
    go(&bench, "generate", &task, &["-o", &dir, "--model", "two"]).exits(0);
    assert_eq!(calls(&bench), 2);
    assert!(index().contains("Other"));

    let result = go(&bench, "run", &task, &[]).exits(0).json();
    assert_eq!((calls(&bench), kind(&result)), (2, "llm"));
    go(&bench, "run", &task, &["--model", "two"]).exits(0);
    refused(go(&bench, "run", &task, &["--model", "one"]), "--model one");
    refused(go(&bench, "run", &task, &["--no-llm"]), "--no-llm");
    refused(
        go(&bench, "generate", &task, &["--model", "one"]),
        "--model one",
    );
    go(&bench, "run", &task, &["--no-fallback"]).exits(0);
    let status = bench.run(["status"]).exits(0).json();
    assert_eq!(status[0]["commit_sha"], result["commit_sha"]);
}

#[test]
fn a_setting_that_has_changed() {
    let bench = Bench::new();
    two_answers(&bench);
    let task = simple(&bench);
    let with = |command: &str, model: &str, options: &[&str]| {
        bench.go_env(
            command,
            &task,
            options,
            &[
                ("OPENAI_BASE_URL", &bench.world.llm_url()),
                ("LLMDEPLOY_BROWSER", NO_BROWSER),
                ("OPENAI_MODEL", model),
            ],
        )
    };
    with("commit", "usual", &["--model", "special"]).exits(0);
    // The setting is what it was when the flag was preferred to it.
    with("deploy", "usual", &[]).exits(0);
    assert_eq!(calls(&bench), 1);
    refused(with("deploy", "newer", &[]), "OPENAI_MODEL=newer");
    go(&bench, "deploy", &task, &[]).exits(0);
}

#[test]
fn a_recording_and_the_template() {
    let bench = Bench::new();
    two_answers(&bench);
    let task = simple(&bench);
    let tape = bench.path("tape").display().to_string();
    let dir = bench.path("preview").display().to_string();
    go(&bench, "generate", &task, &["--record", &tape, "-o", &dir]).exits(0);
    let replay = ["--replay", tape.as_str()];

    let bench = Bench::new();
    let local = local(&bench);
    let at = |options: &[&'static str]| {
        template(
            &bench,
            "run",
            &task,
            &[&["--local", &local], options].concat(),
        )
    };
    assert_eq!(kind(&at(&["--no-llm"]).exits(0).json()), "template");
    let replayed =
        |options: &[&str]| template(&bench, "run", &task, &[&replay[..], options].concat());
    refused(replayed(&["--local", &local]), "--replay");
    refused(at(&["--no-fallback"]), "--no-fallback");
    // Elsewhere it is not pushed yet.
    let other = bench.path("replayed").display().to_string();
    let ran = replayed(&["--local", &other]).exits(0);
    assert_eq!(kind(&ran.json()), "replay");
    let page = fs::read_to_string(bench.path("replayed/demo-site/index.html")).unwrap();
    assert!(page.contains("id=\"a\""), "{page}");
    let again = replayed(&["--local", &other]).exits(0);
    assert_eq!(again.json()["commit_sha"], ran.json()["commit_sha"]);
    assert!(again.stderr.contains("made before"), "{}", again.stderr);
    fs::write(bench.path("tape-2"), "").unwrap();
    // Back where it was deployed first: what is there is what is told.
    let back = at(&[]).exits(0).json();
    assert_eq!(kind(&back), "template");
}

#[test]
fn options_that_only_steer_are_not_ignored_silently() {
    let bench = Bench::new();
    two_answers(&bench);
    let task = simple(&bench);
    go(&bench, "deploy", &task, &["--repairs", "1"]).exits(0);
    let tape = bench.path("tape").display().to_string();
    let options = ["--repairs", "1", "--record", &tape, "--no-fetch"];
    let ran = go(&bench, "deploy", &task, &options).exits(0);
    assert!(!ran.stderr.contains("--repairs"), "{}", ran.stderr);
    for flag in ["--record", "--no-fetch"] {
        let told = ran
            .stderr
            .lines()
            .any(|l| l.starts_with("warning") && l.contains(flag) && l.contains("--fresh"));
        assert!(told, "{flag}: {}", ran.stderr);
    }
}

#[cfg(unix)]
#[test]
fn checks_and_pictures_of_a_run_that_is_over() {
    let bench = Bench::new();
    let task = bench.task(json!({
        "brief": "Show it.", "evaluation_url": null,
        "checks": ["js: document.title.length > 0", "js: document.title === 'No such title'"],
    }));
    let sites = local(&bench);
    let here = |options: &[&str]| bench.go("run", &task, &[&["--local", &sites], options].concat());
    let statuses = |ran: &Ran| -> Vec<String> {
        let checks = ran.json()["checks"].clone();
        (checks.as_array().unwrap().iter())
            .map(|c| c["status"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = here(&["--checks", "off"]).exits(0);
    assert_eq!(statuses(&first), ["skipped", "skipped"]);
    let picture = bench.path("shot.png");
    let ran = here(&["--screenshot", picture.to_str().unwrap()]).exits(0);
    assert_eq!(statuses(&ran), ["passed", "failed"]);
    assert!(fs::read(&picture).unwrap().starts_with(b"\x89PNG"));
    let again = here(&[]).exits(0);
    assert_eq!(statuses(&again), ["passed", "failed"]);
    assert!(
        again
            .stderr
            .contains("check:    1 of 2 checks passed, 1 failed, made before"),
        "{}",
        again.stderr
    );
    // Judged under other conditions than are asked for now, it is judged anew.
    let offline = here(&["--offline"]).exits(0);
    assert!(
        !offline.stderr.contains("failed, made before"),
        "{}",
        offline.stderr
    );
    let again = here(&[]).exits(0);
    assert!(
        again.stderr.contains("failed, made before"),
        "{}",
        again.stderr
    );
    let strict = here(&["--checks", "require"]).fails(3, "checks_failed");
    assert!(
        strict["error"]["hint"]
            .as_str()
            .unwrap()
            .contains("next round"),
        "{strict:#}"
    );
    assert_eq!(strict["commit_sha"], first.json()["commit_sha"]);
    // Once more, from what is deployed alone.
    fs::remove_dir_all(bench.state()).unwrap();
    let found = here(&[]).exits(0);
    assert_eq!(statuses(&found), ["passed", "failed"]);
    assert_eq!(found.json()["commit_sha"], first.json()["commit_sha"]);
}

#[test]
fn require_on_a_rerun_pushes_nothing() {
    let bench = Bench::new();
    let task = bench.task(json!({
        "brief": "Show it.", "evaluation_url": null, "checks": ["missing.json exists"],
    }));
    template(&bench, "commit", &task, &["--checks", "off"]).exits(0);
    template(&bench, "run", &task, &["--checks", "require"]).fails(3, "checks_failed");
    assert!(bench.world.repos().is_empty());
    template(&bench, "run", &task, &[]).exits(0);
}

/// State A made and pushed the run with a model; state B is empty and has none.
#[test]
fn the_result_tells_of_what_is_deployed_whatever_is_known_here() {
    let bench = Bench::new();
    two_answers(&bench);
    let mut task = simple(&bench);
    task["checks"] = json!([
        "index.html contains id=\"a\"",
        "LICENSE contains the MIT License"
    ]);
    let a = go(&bench, "run", &task, &[]).exits(0).json();
    assert_eq!(kind(&a), "llm");
    for preview in [false, true] {
        fs::remove_dir_all(bench.state()).unwrap();
        if preview {
            // B has an app of its own on record, which is not the deployed one.
            let dir = bench.path("preview").display().to_string();
            template(&bench, "generate", &task, &["-o", &dir]).exits(0);
        }
        let ran = template(&bench, "run", &task, &[]).exits(0);
        let b = ran.json();
        assert_eq!(b["commit_sha"], a["commit_sha"]);
        assert_eq!(
            b["generator"],
            json!({"kind": "llm", "model": null, "attempts": null, "usage": null, "fallback_reason": null})
        );
        assert_eq!(
            b["checks"], a["checks"],
            "judged on the files that were pushed"
        );
        assert!(b["timings_ms"]["generate"].is_null() && b["timings_ms"]["commit"].is_null());
        assert!(!ran.stderr.contains("by template"), "{}", ran.stderr);
        assert!(
            ran.stderr.contains("by a language model, made before"),
            "{}",
            ran.stderr
        );
        // And so says what is asked afterwards.
        assert_eq!(bench.run(["status"]).exits(0).json()[0], b);
    }
    assert_eq!((calls(&bench), commits(&bench)), (1, 1));

    // What cannot have come of the same command is refused here, too.
    fs::remove_dir_all(bench.state()).unwrap();
    refused(template(&bench, "run", &task, &["--no-llm"]), "--no-llm");
    let site = bench.path("mine");
    fs::create_dir(&site).unwrap();
    fs::write(site.join("index.html"), OTHER).unwrap();
    refused(
        template(&bench, "run", &task, &["--site", site.to_str().unwrap()]),
        "--site",
    );
}

#[test]
fn own_files_after_the_state_was_lost() {
    let bench = Bench::new();
    let task = bench.task(json!({"evaluation_url": null}));
    let site = bench.path("mine");
    fs::create_dir(&site).unwrap();
    fs::write(site.join("index.html"), PAGE).unwrap();
    let site_option = ["--site", site.to_str().unwrap()];
    let first = template(&bench, "run", &task, &site_option).exits(0).json();
    fs::remove_dir_all(bench.state()).unwrap();
    let again = template(&bench, "run", &task, &site_option).exits(0).json();
    assert_eq!(again["commit_sha"], first["commit_sha"]);
    assert_eq!(kind(&again), "site");
    fs::write(site.join("index.html"), OTHER).unwrap();
    refused(template(&bench, "run", &task, &site_option), "--site");
    // To look at them is allowed; what the run has made stays what it is.
    template(&bench, "check", &task, &site_option).exits(0);
    let status = bench.run(["status"]).json();
    assert_eq!(
        (kind(&status[0]), &status[0]["commit_sha"]),
        ("site", &first["commit_sha"])
    );
}

#[test]
fn a_model_that_was_out_of_service_is_asked_again_until_the_push() {
    let bench = Bench::new();
    let down = turn(|_: &Asked| LlmAnswer::error(401, "broken", "Not today."));
    let up = turn(|asked: &Asked| asked.files(&[("index.html", PAGE)]));
    script(&bench, vec![down, up]);
    let task = simple(&bench);
    let dir = bench.path("preview").display().to_string();
    let first = go(&bench, "generate", &task, &["-o", &dir]).exits(0).json();
    assert_eq!(kind(&first), "template");
    // Without a model there is nobody to ask again.
    let same = template(&bench, "generate", &task, &["-o", &dir])
        .exits(0)
        .json();
    assert_eq!((kind(&same), calls(&bench)), ("template", 1));
    let ran = go(&bench, "run", &task, &[]).exits(0);
    assert_eq!((kind(&ran.json()), calls(&bench)), ("llm", 2));
    assert!(ran.stderr.contains("asked again"), "{}", ran.stderr);

    // Once it is pushed, the run is what it is.
    let bench = Bench::new();
    script(
        &bench,
        vec![turn(|_: &Asked| {
            LlmAnswer::error(401, "broken", "Not today.")
        })],
    );
    let first = go(&bench, "run", &task, &[]).exits(0).json();
    let again = go(&bench, "run", &task, &[]).exits(0).json();
    assert_eq!((kind(&again), calls(&bench)), ("template", 1));
    assert_eq!(again["commit_sha"], first["commit_sha"]);
}
