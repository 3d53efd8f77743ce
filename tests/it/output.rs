//! What is said where: one document on stdout, progress and errors on stderr, quiet when nobody listens.

use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::run::{Bench, finish, finish_with_input};
use crate::world::{Fault, Kind, Match};

#[test]
fn one_line_per_stage_nothing_or_everything() {
    let bench = Bench::new();
    let task = |n: &str| bench.task(json!({"nonce": n}));
    let lines = bench.go("run", &task("a"), &[]).exits(0).stderr;
    let stages: Vec<_> = lines
        .lines()
        .map(|l| l.split(':').next().unwrap())
        .collect();
    // That no model is set up is said in one line.
    assert_eq!(
        stages,
        ["warning", "generate", "check", "commit", "deploy", "notify"]
    );
    assert!(
        !lines.contains('\x1b'),
        "no colour where there is no terminal"
    );
    assert_eq!(bench.go("run", &task("b"), &["-q"]).exits(0).stderr, "");
    let all = bench.go("run", &task("c"), &["-v"]).exits(0).stderr;
    assert!(
        all.contains("GET http") && all.contains("git fast-import") && all.contains("POST http"),
        "{all}"
    );
}

#[test]
fn errors_have_cause_and_hint_and_colour_when_asked() {
    let bench = Bench::new();
    let ran = bench.run(["run", "nowhere.json"]).exits(2);
    let lines: Vec<_> = ran.stderr.lines().collect();
    assert!(
        lines[0].starts_with("error: reading the task nowhere.json")
            && lines[1].starts_with("  caused by: ")
            && lines[2].starts_with("hint: "),
        "{lines:?}"
    );
    assert!(
        bench
            .run(["run", "no\x1b[2Jwhere.json"])
            .exits(2)
            .stderr
            .starts_with("error: reading the task no [2Jwhere.json")
    );
    assert!(
        bench
            .run(["run", "nowhere.json", "--color", "always"])
            .stderr
            .contains("\x1b[1;31merror:")
    );
}

#[test]
fn a_task_from_standard_input() {
    let bench = Bench::new();
    let task = bench.task(json!({})).to_string();
    finish_with_input(bench.command(["run", "-"]), task.as_bytes()).exits(0);
    finish_with_input(bench.command(["run"]), format!("\u{feff}{task}").as_bytes()).exits(0);
    assert_eq!(bench.world.notifications().len(), 1);
}

#[test]
fn the_environment_file_is_behind_the_environment() {
    let bench = Bench::new();
    let (api, token) = (bench.world.api_url(), bench.world.token());
    std::fs::write(
        bench.path(".env"),
        format!(
            "# comment\nexport GH_TOKEN='{token}'\nGITHUB_API_URL=\"{api}\"\nsecret=from-the-file\n"
        ),
    )
    .unwrap();
    let file = bench.write_task("task.json", &bench.task(json!({"secret": "from-the-file"})));
    let mut command = bench.command(["run".as_ref(), file.as_os_str()]);
    command
        .env_remove("GH_TOKEN")
        .env_remove("GITHUB_API_URL")
        .env("LLMDEPLOY_NOTIFY_HOSTS", "127.0.0.1");
    finish(command).exits(0);
    // The environment beats the file; --env-file takes its place.
    bench
        .go_env(
            "run",
            &bench.task(json!({"secret": "from-the-file"})),
            &[],
            &[("secret", "from-the-environment")],
        )
        .fails(4, "unauthorized");
    std::fs::write(bench.path("other.env"), "secret=another\n").unwrap();
    let other = bench.path("other.env");
    bench
        .go_env(
            "run",
            &bench.task(json!({"secret": "another", "nonce": "n-2"})),
            &["--env-file", other.to_str().unwrap()],
            &[("LLMDEPLOY_NOTIFY_HOSTS", "127.0.0.1")],
        )
        .exits(0);
    bench
        .go(
            "run",
            &bench.task(json!({})),
            &["--env-file", "nowhere.env"],
        )
        .fails(2, "config");
}

#[test]
fn a_closed_pipe_is_quiet() {
    let bench = Bench::new();
    let file = bench.write_task("task.json", &bench.task(json!({})));
    let mut child = bench
        .command(["run".as_ref(), file.as_os_str()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(!said.contains("error") && !said.contains("panic"), "{said}");
    assert_eq!(bench.world.notifications().len(), 1);
}

#[test]
fn signals_end_it_at_once_and_the_rerun_goes_on() {
    use rustix::process::{Pid, Signal, kill_process};
    let bench = Bench::new();
    let task = bench.task(json!({}));
    let file = bench.write_task("task.json", &task);
    for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        bench.world.clear_faults();
        bench.world.fault(Fault::once(
            Match::push(),
            Kind::Hang(Duration::from_secs(60)),
        ));
        let before = bench.world.count(&Match::push());
        let mut command = bench.command(["run".as_ref(), file.as_os_str()]);
        command.env("LLMDEPLOY_TIMEOUT_MS", "60000");
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        assert!(
            bench
                .world
                .wait_for(&Match::push(), before + 1, Duration::from_secs(20))
        );
        let since = Instant::now();
        kill_process(Pid::from_raw(child.id().cast_signed()).unwrap(), signal).unwrap();
        // All pipes are closed only when git, which has them too, is gone.
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(status));
        assert!(
            since.elapsed() < Duration::from_secs(5),
            "{:?}",
            since.elapsed()
        );
        assert!(String::from_utf8_lossy(&output.stderr).contains("same command again"));
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let keys: Vec<&String> = document.as_object().unwrap().keys().take(7).collect();
        assert_eq!(
            keys,
            [
                "email",
                "task",
                "round",
                "nonce",
                "repo_url",
                "commit_sha",
                "pages_url"
            ]
        );
        assert_eq!(
            (&document["email"], &document["status"]),
            (&json!("student@example.com"), &json!("pending"))
        );
        assert_eq!(document["error"]["code"], "internal");
    }
    bench.world.clear_faults();
    bench.go("run", &task, &[]).exits(0);
    assert_eq!(bench.world.commits("octo-dev", "demo-site").len(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said() {
    let bench = Bench::new();
    let mut command = bench.command(["status"]);
    command
        .stdout(
            std::fs::File::options()
                .write(true)
                .open("/dev/full")
                .unwrap(),
        )
        .stderr(Stdio::piped());
    let output = command.spawn().unwrap().wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("standard output could not be written")
    );
}

/// A reader that takes nothing does not keep it from ending, and what has been printed is not printed twice.
#[test]
fn a_signal_ends_it_though_nobody_reads() {
    use rustix::process::{Pid, Signal, kill_process};
    let bench = Bench::new();
    // More than a pipe holds: printing waits for the reader.
    let checks: Vec<Value> = (0..2_000)
        .map(|n| json!({"note": format!("{n} {}", "for a person ".repeat(8))}))
        .collect();
    let file = bench.write_task("task.json", &bench.task(json!({"checks": checks})));
    let mut command = bench.command(["run".as_ref(), file.as_os_str()]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let mut first = [0_u8; 1];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut first)
        .unwrap();
    let since = Instant::now();
    kill_process(
        Pid::from_raw(child.id().cast_signed()).unwrap(),
        Signal::TERM,
    )
    .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert!(
        since.elapsed() < Duration::from_secs(5),
        "{:?}",
        since.elapsed()
    );
}
