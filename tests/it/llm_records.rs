//! Calls on record: never made twice, readable, replayed without a model, and the prompt for people to read.

use std::time::Duration;

use serde_json::{Value, json};

use crate::model::{PAGE, calls, go, kind, pushed, script, simple, task, turn};
use crate::run::{Bench, data_uri, finish};
use crate::world::{Fault, Kind, LlmAnswer, Match};

fn two_calls(bench: &Bench) -> Value {
    task(
        bench,
        json!({"brief": "Make:\n- index.html: a page\n- a.txt: a text"}),
    )
}

/// The calls kept of the only run, in order.
fn kept(bench: &Bench) -> Vec<Value> {
    let run = std::fs::read_dir(bench.state().join("runs"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let mut files: Vec<_> = std::fs::read_dir(run.join("llm"))
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    files.retain(|f| f.is_file());
    files.sort();
    files
        .iter()
        .map(|f| {
            serde_json::from_slice::<Value>(&std::fs::read(f).unwrap()).unwrap()["value"].clone()
        })
        .collect()
}

#[test]
fn an_answer_that_was_seen_is_never_asked_for_again_after_kill_9() {
    let bench = Bench::new();
    let task = two_calls(&bench);
    script(
        &bench,
        vec![
            turn(|a| a.files(&[("index.html", PAGE)])),
            turn(|a| a.files(&[("a.txt", "a")])),
        ],
    );
    // The second call hangs, and the process is killed in it.
    bench
        .world
        .fault(Fault::once(Match::llm(), Kind::Hang(Duration::from_secs(10))).skip(1));
    let file = bench.write_task("task.json", &task);
    let mut command = bench.command(["run".as_ref(), file.as_os_str()]);
    command.env("OPENAI_BASE_URL", bench.world.llm_url());
    let mut child = command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    assert!(
        bench
            .world
            .wait_for(&Match::llm(), 2, Duration::from_secs(20))
    );
    child.kill().unwrap();
    child.wait().unwrap();
    let result = go(&bench, "run", &task, &[]).exits(0).json();
    assert_eq!(
        (kind(&result), calls(&bench)),
        ("llm", 3),
        "one answered, one killed, one more: {result:#}"
    );
    assert_eq!(
        (
            pushed(&bench)["index.html"].as_str(),
            pushed(&bench)["a.txt"].as_str()
        ),
        (PAGE, "a\n")
    );
    assert_eq!(result["generator"]["attempts"], 2);
    let kept = kept(&bench);
    assert_eq!(kept.len(), 2);
    assert!(
        kept[0]["request"][1]["text"]
            .as_str()
            .unwrap()
            .contains("- a.txt: a text")
            && kept[0]["answer"]["text"]
                .as_str()
                .unwrap()
                .contains("<!DOCTYPE html>")
    );
    assert!(
        kept[1]["ms"].is_u64()
            && kept[1]["at"].is_string()
            && kept[1]["answer"]["usage"]["total_tokens"].is_u64()
    );
}

#[test]
fn after_the_state_is_lost_no_model_is_asked_again() {
    let bench = Bench::new();
    script(&bench, vec![turn(|a| a.files(&[("index.html", PAGE)]))]);
    let task = simple(&bench);
    let first = go(&bench, "run", &task, &[]).exits(0).json();
    std::fs::remove_dir_all(bench.state()).unwrap();
    let again = go(&bench, "run", &task, &[]).exits(0).json();
    assert_eq!(
        (calls(&bench), &again["commit_sha"], kind(&again)),
        (1, &first["commit_sha"], "llm")
    );
    // A rerun with its state asks nobody either, and a first run looks with one request.
    go(&bench, "run", &task, &[]).exits(0);
    assert_eq!(
        (
            calls(&bench),
            bench.world.commits("octo-dev", "demo-site").len()
        ),
        (1, 1)
    );
}

#[test]
fn what_was_previewed_is_what_is_deployed() {
    let bench = Bench::new();
    script(&bench, vec![turn(|a| a.files(&[("index.html", PAGE)]))]);
    let preview = go(&bench, "generate", &simple(&bench), &["-o", "out"])
        .exits(0)
        .json();
    let origins: Vec<_> = preview["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| (f["path"].as_str().unwrap(), f["origin"].as_str().unwrap()))
        .collect();
    assert_eq!(
        origins,
        [
            (".nojekyll", "tool"),
            ("LICENSE", "tool"),
            ("README.md", "tool"),
            ("index.html", "llm")
        ]
    );
    go(&bench, "run", &simple(&bench), &[]).exits(0);
    assert_eq!(
        (calls(&bench), pushed(&bench)["index.html"].as_str()),
        (1, PAGE)
    );
    assert!(!pushed(&bench)["README.md"].contains("without a language model"));
}

#[test]
fn recorded_with_a_model_replayed_without() {
    let bench = Bench::new();
    let task = two_calls(&bench);
    script(
        &bench,
        vec![
            turn(|a| a.files(&[("index.html", PAGE)])),
            turn(|a| a.files(&[("a.txt", "a")])),
        ],
    );
    let tape = bench.path("tape");
    go(
        &bench,
        "generate",
        &task,
        &["--record", tape.to_str().unwrap()],
    )
    .exits(0);
    assert_eq!(std::fs::read_dir(&tape).unwrap().count(), 2);
    // Elsewhere: no state, no key, no model, another nonce.
    let other = Bench::new();
    let mut again = task.clone();
    again["nonce"] = json!("another");
    let file = other.write_task("task.json", &again);
    let replay = |task: &std::path::Path| {
        let mut command = other.command(["run".as_ref(), task.as_os_str()]);
        command.args(["--local", "sites", "--replay"]).arg(&tape);
        finish(command)
    };
    let result = replay(&file).exits(0).json();
    assert_eq!(
        (
            kind(&result),
            result["generator"]["model"].as_str(),
            calls(&bench)
        ),
        ("replay", Some("gpt-4o-mini"), 2),
        "{result:#}"
    );
    assert_eq!(
        std::fs::read_to_string(other.path("sites/demo-site/a.txt")).unwrap(),
        "a\n"
    );
    // Something else was never recorded: loudly, and with what is nearest.
    again["nonce"] = json!("third");
    again["brief"] = json!("Make:\n- index.html: a page\n- b.txt: a text");
    let file = other.write_task("other.json", &again);
    let failed = replay(&file).fails(1, "llm_failed");
    let message = failed["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("not recorded; the nearest is 01-")
            && message.contains("recorded \"- a.txt: a text\", asked \"- b.txt: a text\""),
        "{message}"
    );
    assert!(other.world.count(&Match::llm()) == 0);
}

#[test]
fn the_prompt_is_text_to_read() {
    let bench = Bench::new();
    let task = task(
        &bench,
        json!({
            "brief": "Publish a page that sums data.csv inside #total-sales.", "nonce": "nonce-4711", "attachments": [
                {"name": "data.csv", "url": data_uri("text/csv", b"product,sales\nA,1.50\nB,2\n")}, {"name": "logo.png", "url": data_uri("image/png", b"\x89PNG\r\n\x1a\n")}
            ],
            "checks": [{"js": "!!document.querySelector('#total-sales')"}, "README.md is professional"],
        }),
    );
    let ran = bench.go("generate", &task, &["--print-prompt"]).exits(0);
    for part in [
        "===== System =====",
        "relative URLs",
        "## Brief\n\nPublish a page that sums data.csv inside #total-sales.\n",
        "1. !!document.querySelector('#total-sales')\n   (JavaScript, evaluated in the loaded page; must come out truthy)",
        "2. README.md is professional",
        "- data.csv (from the brief): attached, in the site already; do not send it",
        "- index.html (from the page): send it",
        "### data.csv\ntext/csv, 25 bytes, columns: \"product\", \"sales\"; 2 rows below the heading",
        "### assets/logo.png\nimage/png, 8 bytes, an image",
        "<<<FILE index.html W",
        "[image/png, 8 bytes]",
    ] {
        assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
    }
    assert!(!ran.stdout.contains("nonce-4711") && !ran.stdout.contains("student@example.com"));
    assert!(bench.world.log().is_empty(), "nobody is asked");
    assert_eq!(
        ran.stdout,
        bench.go("run", &task, &["--print-prompt"]).exits(0).stdout,
        "the same each time"
    );
    // It is printed to edit the task after it: nothing may be known of the run by then.
    assert!(!bench.state().join("runs").exists() && !bench.state().join("tasks").exists());
    let mut edited = task.clone();
    edited["brief"] = json!("Publish something else.");
    assert!(
        bench
            .go("generate", &edited, &["--print-prompt"])
            .exits(0)
            .stdout
            .contains("Publish something else.")
    );
    // And it is what a model is then asked.
    bench
        .world
        .configure(|s| s.llm = vec![LlmAnswer::text(PAGE)]);
    go(&bench, "generate", &task, &[]).exits(0);
    let asked = bench.world.matching(&Match::llm())[0].json();
    assert!(
        ran.stdout
            .contains(crate::model::text_of(&asked["messages"][1]).trim_end())
    );
}

#[test]
fn a_recording_that_is_not_there_or_no_directory_is_no_empty_one() {
    let bench = Bench::new();
    std::fs::write(bench.path("file"), "").unwrap();
    for (dir, why) in [
        ("nowhere", "there is no such directory"),
        ("file", "reading file"),
    ] {
        let failed = bench
            .go("generate", &simple(&bench), &["--replay", dir])
            .fails(2, "usage");
        let message = failed["error"]["message"].as_str().unwrap();
        assert!(
            message.starts_with(&format!("--replay {dir}: {why}")),
            "{message}"
        );
    }
    // An empty one is a recording of nothing; one's own folder that does not read is no usage.
    std::fs::create_dir(bench.path("empty")).unwrap();
    let failed = bench
        .go("generate", &simple(&bench), &["--replay", "empty"])
        .fails(1, "llm_failed");
    assert!(
        failed["error"]["message"]
            .as_str()
            .unwrap()
            .contains("it holds no recordings")
    );
    let run = std::fs::read_dir(bench.state().join("runs"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let _ = std::fs::remove_dir_all(run.join("llm"));
    std::fs::write(run.join("llm"), "").unwrap();
    bench
        .go("generate", &simple(&bench), &["--replay", "empty"])
        .fails(1, "state");
}

const EXAMPLE: &str = "examples/harvest.json";
const TAPE: &str = "examples/replay/harvest";

#[test]
fn the_example_runs_without_any_account() {
    let bench = Bench::new();
    let at = |path: &str| std::path::absolute(path).unwrap();
    let mut command = bench.command(["run"]);
    command
        .arg(at(EXAMPLE))
        .arg("--replay")
        .arg(at(TAPE))
        .args(["--local", "sites", "--checks", "off"])
        .env_remove("GH_TOKEN");
    let result = finish(command).exits(0).json();
    assert_eq!(
        (kind(&result), result["generator"]["attempts"].as_u64()),
        ("replay", Some(2)),
        "{result:#}"
    );
    assert!(bench.world.log().is_empty());
}

/// The recording is what the program asks today. When the prompt has changed on purpose, `RECORD_EXAMPLE=1 cargo test --test
/// it the_example_is_recorded` brings it in line; the answers stay, with the new words.
#[test]
fn the_example_is_recorded_as_it_is_asked() {
    let bench = Bench::new();
    let listed = |dir: &std::path::Path| {
        let mut files: Vec<_> = std::fs::read_dir(dir)
            .unwrap()
            .map(|f| f.unwrap().path())
            .collect();
        files.sort();
        files
    };
    let files = listed(TAPE.as_ref());
    let answers: Vec<String> = files
        .iter()
        .map(|f| {
            serde_json::from_slice::<Value>(&std::fs::read(f).unwrap()).unwrap()["answer"]["text"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    let turns = answers.into_iter().map(|text| {
        let old = text
            .split("<<<END ")
            .nth(1)
            .unwrap()
            .split('>')
            .next()
            .unwrap()
            .to_owned();
        turn(move |a| LlmAnswer::text(&text.replace(&old, &a.word)))
    });
    script(&bench, turns.collect());
    let tape = if std::env::var_os("RECORD_EXAMPLE").is_some() {
        for file in &files {
            std::fs::remove_file(file).unwrap();
        }
        std::path::absolute(TAPE).unwrap()
    } else {
        bench.path("tape")
    };
    let mut command = bench.command(["generate", "--checks", "off"]);
    command
        .arg(std::path::absolute(EXAMPLE).unwrap())
        .arg("--record")
        .arg(&tape)
        .args(["-o", "out"]);
    command.env("OPENAI_BASE_URL", bench.world.llm_url());
    finish(command).exits(0);
    let names = |files: &[std::path::PathBuf]| {
        files
            .iter()
            .map(|f| f.file_name().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&listed(&tape)), names(&files), "see above");
}
