//! What a person sees. The terminal is played by `script`; it is part of util-linux, so of every Linux.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::run::{Bench, Ran, finish};
use crate::world::{EvalAnswer, Fault, Kind, Match};

/// A shell line on a terminal of so many columns, with the program as `$LLMDEPLOY`.
fn on_terminal(bench: &Bench, columns: usize, line: &str, env: &[(&str, &str)]) -> Ran {
    let line = format!("stty cols {columns} rows 24; {line}");
    let model = bench.command(["x"]);
    let mut command = Command::new("script");
    command
        .args(["-qec", &line, "/dev/null"])
        .current_dir(bench.path(""))
        .env_clear()
        .env("TERM", "xterm")
        .env("SHELL", "/bin/sh")
        .env("LLMDEPLOY", env!("CARGO_BIN_EXE_llmdeploy"));
    command.envs(model.get_envs().filter_map(|(k, v)| Some((k, v?))));
    command.envs(env.iter().copied());
    finish(command)
}

/// As somebody reads it: without colours, links and what a spinner has drawn and wiped.
fn read(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\x1b') {
        plain.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        rest = match rest.chars().next() {
            Some('[') => rest.trim_start_matches(|c: char| !c.is_ascii_alphabetic()),
            Some(']') => rest.split_once("\x1b\\").map_or("", |(_, after)| after),
            _ => rest,
        };
        if rest.starts_with(|c: char| c.is_ascii_alphabetic()) && !plain.ends_with("\x1b]") {
            rest = &rest[1..];
        }
    }
    plain.push_str(rest);
    plain
        .lines()
        .map(|line| {
            line.rsplit('\r')
                .find(|part| !part.is_empty())
                .unwrap_or("")
        })
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
}

fn checks() -> Value {
    json!(["LICENSE exists", "README.md exists", "nowhere.txt exists"])
}

#[test]
fn the_end_of_a_run_is_for_a_person() {
    let bench = Bench::new();
    bench.write_task("task.json", &bench.task(json!({"checks": checks()})));
    let ran = on_terminal(&bench, 80, "$LLMDEPLOY run task.json", &[]).exits(0);
    let text = read(&ran.stdout);
    let end = &text[text.find("\n! http").unwrap_or_else(|| panic!("{text}"))..];
    assert!(
        end.contains("/demo-site/")
            && end.contains("2 of 3 checks passed, 1 failed")
            && end.contains("✗ nowhere.txt exists")
            && end.contains("the template, no language model: OPENAI_API_KEY is not set")
            && end.contains("accepted the notification at")
            && end.contains("next        set OPENAI_API_KEY, then llmdeploy run task.json --fresh"),
        "{text}"
    );
    assert!(
        !text.contains("\"email\"") && text.contains("! check "),
        "{text}"
    );
    // Again: nothing was left to do.
    let again = read(
        &on_terminal(&bench, 80, "$LLMDEPLOY run task.json", &[])
            .exits(0)
            .stdout,
    );
    assert!(again.contains("nothing was left to do"), "{again}");
    assert_eq!(bench.world.notifications().len(), 1);
    // The table does not praise it either.
    let table = read(
        &on_terminal(&bench, 80, "$LLMDEPLOY status", &[])
            .exits(0)
            .stdout,
    );
    assert!(
        table.contains("2/3") && table.contains("\n! ") && !table.contains('✓'),
        "{table}"
    );
}

#[test]
fn where_all_holds_it_is_marked_and_links_are_made_where_they_work() {
    let bench = Bench::new();
    bench.write_task(
        "task.json",
        &bench.task(json!({"checks": ["LICENSE exists"]})),
    );
    let ran = on_terminal(
        &bench,
        80,
        "$LLMDEPLOY run task.json",
        &[("FORCE_HYPERLINK", "1"), ("COLORTERM", "truecolor")],
    )
    .exits(0);
    assert!(
        ran.stdout.contains("\x1b[32m✓\x1b[0m \x1b]8;;http")
            && read(&ran.stdout).contains("✓ 1 of 1 check passed"),
        "{}",
        ran.stdout
    );
}

#[test]
fn json_is_had_on_a_terminal_too() {
    let bench = Bench::new();
    bench.write_task("task.json", &bench.task(json!({})));
    let ran = on_terminal(&bench, 80, "$LLMDEPLOY run --json --quiet task.json", &[]).exits(0);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["status"], "notified");
    assert!(
        ran.stdout
            .contains("\r\n  \"email\": \"student@example.com\",")
    );
    for command in [
        "status",
        "status task.json",
        "prune --older-than 30d",
        "nonsense",
    ] {
        let ran = on_terminal(
            &bench,
            80,
            &format!("$LLMDEPLOY {command} --json 2>/dev/null"),
            &[],
        );
        serde_json::from_str::<Value>(&ran.stdout)
            .unwrap_or_else(|e| panic!("{command}: {e}: {ran:?}"));
    }
}

#[test]
fn narrow_plain_and_dumb_terminals() {
    let bench = Bench::new();
    let long = format!("nowhere.txt contains {}", "many words ".repeat(20));
    bench.write_task("task.json", &bench.task(json!({"checks": [long]})));
    for env in [&[("NO_COLOR", "1")][..], &[("TERM", "dumb")]] {
        let ran = on_terminal(&bench, 40, "$LLMDEPLOY run task.json 2>/dev/null", env).exits(0);
        assert!(!ran.stdout.contains('\x1b'), "{env:?}: {:?}", ran.stdout);
        assert!(ran.stdout.contains("0 of 1 check passed"), "{}", ran.stdout);
        for line in ran.stdout.lines().filter(|l| !l.contains("http")) {
            assert!(line.trim_end().chars().count() <= 40, "{line:?}");
        }
    }
    let dumb = on_terminal(&bench, 80, "$LLMDEPLOY run task.json", &[("TERM", "dumb")]).exits(0);
    assert!(!dumb.stdout.contains('\x1b'), "{:?}", dumb.stdout);
}

#[test]
fn every_command_has_something_to_show() {
    let bench = Bench::new();
    bench.write_task("task.json", &bench.task(json!({"checks": checks()})));
    let seen = |line: &str, status: i32, wanted: &[&str]| {
        let text = read(
            &on_terminal(&bench, 80, &format!("$LLMDEPLOY {line}"), &[])
                .exits(status)
                .stdout,
        );
        for words in wanted {
            assert!(text.contains(words), "{line}: no {words:?} in:\n{text}");
        }
        assert!(!text.contains("\"v\""), "{line}: {text}");
    };
    seen(
        "generate task.json -o app",
        0,
        &[
            "files in app",
            "index.html",
            "2 of 3",
            "next        llmdeploy run task.json",
        ],
    );
    seen(
        "check task.json",
        3,
        &[
            "✗ nowhere.txt exists",
            "✓ LICENSE exists",
            "2 of 3 checks passed",
        ],
    );
    seen(
        "commit task.json",
        0,
        &["commit ", "next        llmdeploy deploy task.json"],
    );
    seen("deploy task.json", 0, &["was not notified"]);
    seen("notify task.json", 0, &["accepted the notification"]);
    seen("notify --retry", 0, &["no notification is pending"]);
    seen("status task.json", 0, &["✗ nowhere.txt exists"]);
    seen(
        "new --brief Hi --email e@example.com",
        0,
        &["hi.json", "next: llmdeploy run hi.json"],
    );
    seen("prune --older-than 30d", 0, &["0 runs dropped, 1 kept"]);
    seen(
        "status --email a@b --task nothing",
        1,
        &["nothing is known here"],
    );
    seen(
        "run nowhere.json",
        2,
        &["error: reading the task nowhere.json"],
    );
    seen(
        "run --detach hi.json --local sites",
        0,
        &["goes on in the background", "llmdeploy status "],
    );
}

#[test]
fn what_is_pending_says_how_to_go_on() {
    let bench = Bench::new();
    bench
        .world
        .configure(|s| s.eval_default = EvalAnswer::status(500));
    bench.write_task("a task.json", &bench.task(json!({})));
    let line = "$LLMDEPLOY run 'a task.json' --notify-for 0";
    let text = read(&on_terminal(&bench, 80, line, &[]).exits(75).stdout);
    assert!(
        text.contains("has not accepted the notification yet (HTTP 500, 1 attempt)")
            && text.contains("next        llmdeploy run 'a task.json' --notify-for 0"),
        "{text}"
    );
    let text = read(
        &on_terminal(&bench, 80, "$LLMDEPLOY notify --retry --notify-for 0", &[])
            .exits(75)
            .stdout,
    );
    assert!(text.contains("demo-site: has not accepted"), "{text}");
}

/// Under GitHub Actions standard output stays the one document; what Actions reads of a step goes to standard error and its files.
#[test]
fn github_actions_gets_annotations_a_summary_and_outputs() {
    let bench = Bench::new();
    let (summary, output) = (bench.path("summary.md"), bench.path("output"));
    std::fs::write(&output, "earlier=1\n").unwrap();
    let env = |command: &mut Command| {
        command
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_STEP_SUMMARY", &summary)
            .env("GITHUB_OUTPUT", &output);
    };
    let file = bench.write_task("task.json", &bench.task(json!({"checks": checks()})));
    let mut command = bench.command(["run".as_ref(), file.as_os_str()]);
    env(&mut command);
    let ran = finish(command).exits(0);
    let result = ran.json();
    assert!(
        ran.stderr
            .contains("\n::error title=check failed::nowhere.txt exists%0A"),
        "{}",
        ran.stderr
    );
    let outputs = std::fs::read_to_string(&output).unwrap();
    let expected = ["pages_url", "repo_url", "commit_sha", "status"]
        .map(|key| format!("{key}={}\n", result[key].as_str().unwrap()))
        .concat();
    assert_eq!(outputs, format!("earlier=1\n{expected}"));
    let text = std::fs::read_to_string(&summary).unwrap();
    assert!(
        text.contains("### demo-site: notified")
            && text.contains("2 of 3 checks passed, 1 failed")
            && text.contains("| nowhere.txt exists | failed |"),
        "{text}"
    );
    for args in [&["run", "nowhere.json"][..], &["run", "--nonsense"]] {
        let mut command = bench.command(args.iter().map(OsStr::new));
        env(&mut command);
        let ran = finish(command).exits(2);
        ran.json();
        assert!(
            ran.stderr.contains("\n::error title=llmdeploy%3A usage::"),
            "{}",
            ran.stderr
        );
    }
}

/// Without a terminal a long wait says what is waited for, with the time.
#[test]
fn a_long_wait_is_said_without_a_terminal() {
    use std::io::{BufRead as _, BufReader};
    let bench = Bench::new();
    bench.world.fault(Fault::once(
        Match::create(),
        Kind::Primary403 { reset_in_secs: 60 },
    ));
    let file = bench.write_task("task.json", &bench.task(json!({})));
    let mut child = bench
        .command(["run".as_ref(), file.as_os_str()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let said = lines
        .map_while(Result::ok)
        .find(|l| l.contains("rate limit"));
    child.kill().unwrap();
    child.wait().unwrap();
    let said = said.unwrap();
    assert!(
        said.starts_with("20")
            && said.contains("Z deploy: waiting 1m")
            && said.ends_with("so far)"),
        "{said}"
    );
}
