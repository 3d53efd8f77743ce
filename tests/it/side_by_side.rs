//! Many processes at once: no corruption, no double effect; whoever finds a run taken is told by whom.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::run::{Bench, Ran, data_uri, finish};
use crate::world::Match;

/// Runs them all at once.
fn at_once(commands: Vec<Command>) -> Vec<Ran> {
    let running = commands
        .into_iter()
        .map(|c| std::thread::spawn(move || finish(c)))
        .collect::<Vec<_>>();
    running.into_iter().map(|r| r.join().unwrap()).collect()
}

fn command(bench: &Bench, name: &str, task: &Value, options: &[&str]) -> Command {
    let file = bench.write_task(&format!("{name}.json"), task);
    let mut command = bench.command(["run".as_ref(), file.as_os_str()]);
    command
        .args(options)
        .env("LLMDEPLOY_TIMEOUT_MS", "15000")
        .stdin(Stdio::null());
    command
}

fn clean(bench: &Bench) {
    assert_eq!(bench.world.unexpected(), Vec::<String>::new());
}

#[test]
fn twenty_four_tasks() {
    let bench = Bench::new();
    let task =
        |n: usize| bench.task(json!({"task": format!("site-{n}"), "nonce": format!("n-{n}")}));
    let runs = at_once(
        (0..24)
            .map(|n| command(&bench, &format!("t{n}"), &task(n), &[]))
            .collect(),
    );
    for (n, ran) in runs.into_iter().enumerate() {
        let result = ran.exits(0).json();
        assert_eq!(
            bench.world.commits("octo-dev", &format!("site-{n}")),
            [result["commit_sha"].as_str().unwrap()]
        );
    }
    assert_eq!(
        (bench.world.repos().len(), bench.world.notifications().len()),
        (24, 24)
    );
    clean(&bench);
}

#[test]
fn eight_processes_on_one_run() {
    let bench = Bench::new();
    bench
        .world
        .configure(|s| s.latency = Duration::from_millis(60));
    let task = bench.task(json!({}));
    let runs = at_once(
        (0..8)
            .map(|_| command(&bench, "same", &task, &[]))
            .collect(),
    );
    let mut done = 0;
    for ran in runs {
        if ran.status == 0 {
            done += 1;
        } else {
            let message = ran.fails(75, "busy")["error"]["message"].to_string();
            assert!(
                message.contains("process ") && message.chars().any(|c| c.is_ascii_digit()),
                "{message}"
            );
        }
    }
    assert!((1..8).contains(&done), "{done} of 8 did the work");
    assert_eq!(bench.world.commits("octo-dev", "demo-site").len(), 1);
    assert_eq!(
        (
            bench.world.count(&Match::create()),
            bench.world.notifications().len()
        ),
        (1, 1)
    );
    clean(&bench);
}

/// Both go on until they are done, each at most three times.
fn both(first: &dyn Fn() -> Command, second: &dyn Fn() -> Command) -> [Value; 2] {
    let mut done = [Value::Null, Value::Null];
    for _ in 0..3 {
        let open: Vec<usize> = (0..2).filter(|n| done[*n].is_null()).collect();
        let runs = at_once(
            open.iter()
                .map(|n| if *n == 0 { first() } else { second() })
                .collect(),
        );
        for (n, ran) in open.into_iter().zip(runs) {
            if ran.status == 0 {
                done[n] = ran.json();
            } else {
                ran.exits(75);
            }
        }
    }
    assert!(done.iter().all(|d| !d.is_null()), "{done:?}");
    done
}

fn with_file(bench: &Bench, name: &str, over: &Value) -> Value {
    let mut task = bench
        .task(json!({"attachments": [{"name": name, "url": data_uri("text/csv", b"a,b\n1,2\n")}]}));
    task.as_object_mut()
        .unwrap()
        .extend(over.as_object().unwrap().clone());
    task
}

#[test]
fn both_rounds_of_one_task() {
    for _ in 0..3 {
        let bench = Bench::new();
        let one = with_file(&bench, "one.csv", &json!({}));
        let two = with_file(&bench, "two.csv", &json!({"round": 2, "nonce": "n-2"}));
        both(&|| command(&bench, "r1", &one, &[]), &|| {
            command(&bench, "r2", &two, &[])
        });
        assert_eq!(bench.world.repos().len(), 1);
        assert_eq!(bench.world.commits("octo-dev", "demo-site").len(), 2);
        let files = bench.world.files("octo-dev", "demo-site");
        assert!(
            files.contains_key("assets/one.csv") && files.contains_key("assets/two.csv"),
            "{:?}",
            files.keys()
        );
        assert_eq!(bench.world.notifications().len(), 2);
        clean(&bench);
    }
}

#[test]
fn two_tasks_in_one_repository() {
    for local in [false, true] {
        let bench = Bench::new();
        let sites = bench.path("sites").display().to_string();
        let options: Vec<&str> = if local {
            vec!["--repo", "both", "--local", &sites]
        } else {
            vec!["--repo", "both"]
        };
        let one = with_file(&bench, "one.csv", &json!({"task": "first"}));
        let two = with_file(&bench, "two.csv", &json!({"task": "second"}));
        both(&|| command(&bench, "t1", &one, &options), &|| {
            command(&bench, "t2", &two, &options)
        });
        if local {
            for name in ["one.csv", "two.csv"] {
                assert!(
                    bench.path("sites/both/assets").join(name).is_file(),
                    "{name}"
                );
            }
        } else {
            assert_eq!(bench.world.repos(), ["octo-dev/both"]);
            assert_eq!(bench.world.commits("octo-dev", "both").len(), 2);
            let files = bench.world.files("octo-dev", "both");
            assert!(
                files.contains_key("assets/one.csv") && files.contains_key("assets/two.csv"),
                "{:?}",
                files.keys()
            );
        }
        assert_eq!(bench.world.notifications().len(), 2);
        clean(&bench);
    }
}
