//! After the walk: a notification that is given up, runs found by their id, records that are no good, processes that are gone.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::run::{Bench, Ran};
use crate::world::{EvalAnswer, Handle, Match};

/// A run whose notification nobody has taken.
fn pending(bench: &Bench, name: &str) -> (Value, Value) {
    bench
        .world
        .configure(|s| s.eval_default = EvalAnswer::status(500));
    let task = bench.task(json!({"task": name}));
    let result = bench
        .go("run", &task, &["--notify-for", "0"])
        .fails(75, "notify_pending");
    bench
        .world
        .configure(|s| s.eval_default = EvalAnswer::status(200));
    (task, result)
}

fn retried(bench: &Bench) -> Ran {
    bench.run(["notify", "--retry", "--notify-for", "5"])
}

#[test]
fn a_notification_that_is_given_up() {
    let bench = Bench::new();
    let (task, _) = pending(&bench, "a");
    let attempts = bench.world.count(&Match::notify());
    let given_up = bench.go("notify", &task, &["--give-up"]).exits(0).json();
    assert_eq!(given_up["status"], "deployed");
    assert!(
        given_up["notification"]["given_up_at"].is_string(),
        "{given_up:#}"
    );
    assert!(given_up["notification"]["delivered_at"].is_null());
    assert_eq!(retried(&bench).exits(0).json(), json!([]));
    assert_eq!(bench.run(["status"]).exits(0).json()[0], given_up);
    let again = bench.go("run", &task, &[]).exits(0).json();
    assert_eq!(again["status"], "deployed");
    bench.go("notify", &task, &["--give-up"]).exits(0);
    assert_eq!(
        bench.world.count(&Match::notify()),
        attempts,
        "nothing was sent"
    );
    // It may be sent all the same, by whoever says so.
    let told = bench.go("notify", &task, &[]).exits(0).json();
    assert_eq!(told["status"], "notified");
    assert!(
        told["notification"].get("given_up_at").is_none(),
        "{told:#}"
    );
    // What was accepted stays accepted.
    let told = bench.go("notify", &task, &["--give-up"]).exits(0).json();
    assert_eq!(told["status"], "notified");
    let unknown = bench.task(json!({"task": "unknown"}));
    bench
        .go("notify", &unknown, &["--give-up"])
        .fails(1, "state");
}

#[test]
fn no_notification_leaves_nothing_pending() {
    let bench = Bench::new();
    let (task, _) = pending(&bench, "a");
    let result = bench.go("run", &task, &["--no-notify"]).exits(0).json();
    assert_eq!(result["status"], "deployed");
    assert_eq!(retried(&bench).exits(0).json(), json!([]));
    assert!(bench.world.notifications().is_empty());
    bench.run(["status"]).exits(0);
    // Wanted again, it is sent.
    bench.go("run", &task, &[]).exits(0);
    assert_eq!(bench.world.notifications().len(), 1);
}

#[test]
fn runs_are_found_by_the_beginning_of_their_id_and_by_their_task() {
    let bench = Bench::new();
    let run = |name: &str, nonce: &str| {
        let task = bench.task(json!({"task": name, "nonce": nonce, "evaluation_url": null}));
        bench.go("run", &task, &[]).exits(0).json()
    };
    let (one, two) = (run("alone", "n-1"), run("twice", "n-1"));
    let three = run("twice", "n-2");
    let id = one["run"].as_str().unwrap();
    for length in [16, 15, 8] {
        let found = bench.run(["status", &id[..length]]).exits(0).json();
        assert_eq!(found, one);
    }
    assert_eq!(
        bench.run(["status", &id.to_uppercase()]).exits(0).json(),
        one
    );
    let none = if id.starts_with('0') {
        "1111111111111111"
    } else {
        "0000000000000000"
    };
    bench.run(["status", none]).fails(1, "state");
    // With ids enough one digit names several.
    let all = [&one, &two, &three];
    for n in 0..14 {
        run(&format!("more-{n}"), "n");
    }
    let ids: Vec<String> = (bench
        .run(["status"])
        .exits(0)
        .json()
        .as_array()
        .unwrap()
        .iter())
    .map(|r| r["run"].as_str().unwrap().to_owned())
    .collect();
    let twice = (0..16)
        .map(|n| format!("{n:x}"))
        .find(|d| ids.iter().filter(|id| id.starts_with(d)).count() > 1)
        .expect("17 ids and 16 digits");
    let error = bench.run(["status", &twice]).fails(2, "usage");
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .contains("runs begin with")
    );
    // A file of that name is a task.
    fs::copy(bench.path("task.json"), bench.path("abc")).unwrap();
    assert_eq!(
        bench.run(["status", "abc"]).exits(0).json()["task"],
        "more-13"
    );

    let email = all[0]["email"].as_str().unwrap();
    let by = |task: &str, more: &[&str]| {
        bench.run([&["status", "--email", email, "--task", task], more].concat())
    };
    assert_eq!(by("alone", &[]).exits(0).json(), one);
    let both = by("twice", &[]).exits(0).json();
    let mut found: Vec<&Value> = both.as_array().unwrap().iter().collect();
    found.sort_by_key(|r| r["nonce"].as_str().unwrap().to_owned());
    assert_eq!(found, [&two, &three]);
    assert_eq!(by("twice", &["--nonce", "n-2"]).exits(0).json(), three);
    by("twice", &["--nonce", "n-3"]).exits(1);
    by("alone", &["--round", "2"]).fails(1, "state");
    by("nothing", &[]).fails(1, "state");
}

#[test]
fn a_record_that_is_no_good_stops_no_other() {
    let bench = Bench::new();
    let id = |name: &str| pending(&bench, name).1["run"].as_str().unwrap().to_owned();
    let (broken, foreign, good) = (id("broken"), id("foreign"), id("good"));
    let runs = bench.state().join("runs");
    let file = |id: &str, name: &str| runs.join(id).join(name);
    fs::write(file(&broken, "push.json"), "{").unwrap();
    fs::copy(file(&good, "run.json"), file(&foreign, "run.json")).unwrap();
    // Of no run at all, and no file.
    fs::create_dir_all(bench.state().join("outbox/0123456789abcdef/x")).unwrap();
    let ran = retried(&bench).exits(75);
    let told = ran.json();
    let of = |id: &str| {
        let found = told.as_array().unwrap().iter().find(|r| r["run"] == *id);
        found.unwrap().clone()
    };
    assert_eq!(of(&good)["status"], "notified");
    assert_eq!(of(&broken)["error"]["code"], "state");
    assert_eq!(of(&foreign)["error"]["code"], "state");
    let notified = bench.world.notifications();
    assert_eq!(notified.len(), 1);
    // The walk does not take the record of another for its own either.
    let task = bench.task(json!({"task": "foreign"}));
    bench.go("run", &task, &[]).fails(1, "state");
}

#[cfg(unix)]
#[test]
fn a_detached_run_whose_process_is_gone_is_not_on_its_way() {
    let bench = Bench::new();
    let (reached, was_reached) = std::sync::mpsc::channel();
    bench.world.before(Match::user(), 1, move |_: &Handle| {
        let _ = reached.send(());
        std::thread::sleep(Duration::from_secs(1));
    });
    let task = bench.task(json!({}));
    bench.go("run", &task, &["--detach"]).exits(0);
    was_reached.recv_timeout(Duration::from_secs(30)).unwrap();
    let seen = bench.run(["status"]).exits(75).json();
    let words = seen[0]["error"]["message"].as_str().unwrap().to_owned();
    let pid: String = words.chars().filter(char::is_ascii_digit).collect();
    let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while bench.run(["status"]).status == 75 && Instant::now() < until {}
    let seen = bench.run(["status"]).exits(1).json()[0].clone();
    assert_eq!(
        (&seen["status"], &seen["error"]["code"]),
        (&json!("failed"), &json!("internal"))
    );
    assert!(
        seen["error"]["hint"]
            .as_str()
            .unwrap()
            .contains("llmdeploy run TASK"),
        "{seen:#}"
    );
    let result = bench.go("run", &task, &[]).exits(0).json();
    assert_eq!(result["status"], "notified");
    bench.run(["status"]).exits(0);
}
