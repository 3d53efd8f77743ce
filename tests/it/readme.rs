//! README's commands and every example, executed.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::run::{Bench, finish};

fn readme() -> String {
    std::fs::read_to_string("README.md").unwrap()
}

/// The fenced blocks of a language.
fn blocks(language: &str) -> Vec<String> {
    let text = readme();
    text.split(&format!("```{language}\n"))
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(path, target).unwrap();
        }
    }
}

/// A command line of README in a copy of the examples, with this build in the place of cargo's and of an installed one.
fn execute(bench: &Bench, line: &str) -> crate::run::Ran {
    let words = line
        .strip_prefix("cargo run --release --quiet -- ")
        .or_else(|| line.strip_prefix("llmdeploy "))
        .unwrap_or_else(|| panic!("{line}"));
    if !bench.path("examples").exists() {
        copy(Path::new("examples"), &bench.path("examples"));
    }
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("exec \"$LLMDEPLOY\" {words}")])
        .env_clear()
        .current_dir(bench.path(""));
    command
        .env("LLMDEPLOY", env!("CARGO_BIN_EXE_llmdeploy"))
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", bench.path("home"));
    finish(command)
}

#[test]
fn the_first_command_does_the_main_job_and_the_second_is_the_tests() {
    let fresh = &blocks("sh")[0];
    let lines: Vec<_> = fresh.lines().collect();
    assert_eq!(lines.len(), 2, "{fresh}");
    assert_eq!(lines[1], "cargo test");
    let bench = Bench::new();
    let result = execute(&bench, lines[0]).exits(0).json();
    assert_eq!(
        (result["status"].as_str(), result["pages"].as_str()),
        (Some("deployed"), Some("live"))
    );
    assert!(bench.path("sites/harvest-2026/index.html").is_file());
    assert!(
        bench.path("home/.local/state/llmdeploy/runs").is_dir(),
        "the documented place of the state"
    );
}

#[test]
fn the_run_that_is_shown_is_what_comes_out() {
    let shown = &blocks("console")[0];
    let mut lines = shown.lines();
    let bench = Bench::new();
    let ran = execute(&bench, lines.next().unwrap().strip_prefix("$ ").unwrap()).exits(0);
    // Paths, times and the sha are the machine's and the moment's.
    // Without a browser, which only CI must have, the checks that need one are skipped.
    let judged = ran.json()["checks"][0]["status"] != "skipped";
    assert!(judged || std::env::var_os("CI").is_none(), "{}", ran.stderr);
    let plain = |line: &str| {
        let line = line
            .split(['(', '/'])
            .next()
            .unwrap()
            .trim()
            .split("commit: ")
            .next()
            .unwrap()
            .to_owned();
        if judged || !line.starts_with("check: ") {
            line
        } else {
            "check".to_owned()
        }
    };
    let said: Vec<_> = ran.stderr.lines().map(plain).collect();
    let (progress, document): (Vec<&str>, Vec<&str>) =
        lines.partition(|l| !l.starts_with(['{', ' ', '}']));
    assert_eq!(progress.into_iter().map(plain).collect::<Vec<_>>(), said);
    let result = ran.json();
    for line in document.iter().filter(|l| l.starts_with("  \"")) {
        let (key, value) = line.trim().trim_end_matches(',').split_once(": ").unwrap();
        let (key, value): (String, Value) = (
            serde_json::from_str(key).unwrap(),
            serde_json::from_str(value).unwrap(),
        );
        if !["repo_url", "pages_url", "commit_sha"].contains(&key.as_str()) {
            assert_eq!(result[&key], value, "{key}");
        }
        assert!(!result[&key].is_null(), "{key}");
    }
}

#[test]
fn a_recorded_model_makes_the_example() {
    let bench = Bench::new();
    let lines: Vec<String> = blocks("sh")
        .into_iter()
        .flat_map(|b| b.lines().map(ToOwned::to_owned).collect::<Vec<_>>())
        .collect();
    let replay = lines.iter().find(|l| l.contains("--replay")).unwrap();
    let result = execute(&bench, replay).exits(0).json();
    assert_eq!(
        (
            result["status"].as_str(),
            result["generator"]["kind"].as_str()
        ),
        (Some("deployed"), Some("replay"))
    );
    let prompt = lines.iter().find(|l| l.contains("--print-prompt")).unwrap();
    assert!(
        execute(&bench, prompt)
            .exits(0)
            .stdout
            .contains("Harvest 2026")
    );
}

#[test]
fn the_task_that_is_shown_is_one() {
    let bench = Bench::new();
    let shown: Value = serde_json::from_str(&blocks("json")[0]).unwrap();
    let file = bench.write_task("shown.json", &shown);
    let mut command = bench.command(["run".as_ref(), file.as_os_str(), "--no-notify".as_ref()]);
    command.env("LLMDEPLOY_SECRET", shown["secret"].as_str().unwrap());
    let result = finish(command).exits(0).json();
    // The result that is shown has the keys of a real one, in their order.
    let keys = |v: &Value| v.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let printed: Value = serde_json::from_str(&blocks("json")[1]).unwrap();
    assert_eq!(keys(&printed), keys(&result));
    assert_eq!(keys(&printed["timings_ms"]), keys(&result["timings_ms"]));
    assert_eq!(keys(&printed["generator"]), keys(&result["generator"]));
    // The verdict on the deployed page is only there where a browser is.
    let of_a_check = |v: &Value| {
        keys(&v["checks"][0])
            .into_iter()
            .filter(|k| k != "live")
            .collect::<Vec<_>>()
    };
    assert_eq!(of_a_check(&printed), of_a_check(&result));
}

#[test]
fn every_command_and_variable_that_is_named_is_there() {
    let text = readme();
    let help = finish(crate::run::bare(["--help"])).stdout;
    for line in text.lines().filter_map(|l| l.strip_prefix("| `llmdeploy ")) {
        let name = line.split([' ', '`']).next().unwrap();
        assert!(help.contains(&format!("\n  {name} ")), "{name}");
    }
    let sources = ["src/config/environment.rs", "src/ports/process.rs"]
        .map(|f| std::fs::read_to_string(f).unwrap())
        .concat();
    for line in text.lines().filter(|l| {
        l.starts_with("| `") && l.chars().nth(3).is_some_and(|c| c.is_ascii_uppercase())
    }) {
        let cell = line.split('|').nth(1).unwrap();
        for name in cell.split('`').skip(1).step_by(2) {
            assert!(sources.contains(&format!("\"{name}\"")), "{name}");
        }
    }
}

#[test]
fn every_example_runs() {
    let bench = Bench::new();
    let mut tasks: Vec<_> = std::fs::read_dir("examples")
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "json"))
        .collect();
    assert!(tasks.len() >= 4);
    // A first round comes before its second.
    tasks.sort_by_key(|p| (p.to_string_lossy().contains("round"), p.clone()));
    for task in tasks.iter().map(|t| t.canonicalize().unwrap()) {
        let sites = bench.path("sites");
        let result = bench
            .run([
                "run".as_ref(),
                task.as_os_str(),
                "--local".as_ref(),
                sites.as_os_str(),
            ])
            .exits(0)
            .json();
        assert_eq!(result["status"], "deployed", "{}", task.display());
        let given: Value = serde_json::from_slice(&std::fs::read(&task).unwrap()).unwrap();
        let site = sites.join(
            result["repo_url"]
                .as_str()
                .unwrap()
                .rsplit('/')
                .next()
                .unwrap()
                .trim_end_matches(".git"),
        );
        for attachment in given["attachments"].as_array().unwrap() {
            let name = attachment["name"].as_str().unwrap();
            assert!(
                site.join(name).is_file() || site.join("assets").join(name).is_file(),
                "{name}"
            );
        }
    }
    assert!(bench.world.log().is_empty());
}

#[test]
fn the_loop_for_exit_status_75() {
    let script = blocks("sh")
        .into_iter()
        .find(|b| b.contains("until llmdeploy"))
        .unwrap()
        .replace("sleep 30", "echo again >> tries");
    let run = |bench: &Bench, api: &str| {
        let bin = bench.path("bin");
        std::fs::create_dir(&bin).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_llmdeploy"), bin.join("llmdeploy")).unwrap();
        let model = bench.command(["x"]);
        let mut command = Command::new("sh");
        command
            .args(["-c", &script])
            .env_clear()
            .current_dir(bench.path(""));
        command.envs(model.get_envs().filter_map(|(k, v)| Some((k, v?))));
        command.env(
            "PATH",
            format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()),
        );
        command.env("GITHUB_API_URL", api);
        let status = finish(command).status;
        let tries = std::fs::read_to_string(bench.path("tries")).unwrap_or_default();
        (status, tries.lines().count())
    };
    // What passes is waited for.
    let bench = Bench::new();
    bench.write_task("task.json", &bench.task(serde_json::json!({})));
    bench.world.fault(crate::world::Fault::once(
        crate::world::Match::create(),
        crate::world::Kind::Primary403 {
            reset_in_secs: 3000,
        },
    ));
    assert_eq!(run(&bench, &bench.world.api_url()), (0, 1));
    let result: Value =
        serde_json::from_slice(&std::fs::read(bench.path("result.json")).unwrap()).unwrap();
    assert_eq!(result["status"], "notified");
    // What does not is not waited for without end, and a failure is none of success.
    let bench = Bench::new();
    bench.write_task("task.json", &bench.task(serde_json::json!({})));
    assert_eq!(run(&bench, "http://127.0.0.1:9"), (75, 19));
    let bench = Bench::new();
    bench.write_task("task.json", &serde_json::json!({"task": "x"}));
    assert_eq!(run(&bench, &bench.world.api_url()), (2, 0));
}

#[test]
fn the_commands_for_later() {
    let bench = Bench::new();
    bench
        .world
        .configure(|s| s.eval_default = crate::world::EvalAnswer::status(500));
    bench
        .go(
            "run",
            &bench.task(serde_json::json!({})),
            &["--notify-for", "0"],
        )
        .fails(75, "notify_pending");
    bench
        .world
        .configure(|s| s.eval_default = crate::world::EvalAnswer::status(200));
    let cron = blocks("crontab")[0]
        .trim()
        .trim_start_matches("*/5 * * * * llmdeploy ")
        .trim_end_matches(" >/dev/null")
        .to_owned();
    let ran = bench.run(cron.split(' ')).exits(0);
    assert!(ran.stderr.is_empty(), "{}", ran.stderr);
    assert_eq!(bench.world.notifications().len(), 1);
    let later = blocks("sh")
        .into_iter()
        .find(|b| b.starts_with("llmdeploy status"))
        .unwrap();
    for line in later.lines() {
        bench
            .run(line.strip_prefix("llmdeploy ").unwrap().split(' '))
            .exits(0);
    }
    assert!(bench.path("runs.html").is_file());
}
