//! What the state directory may look like in the morning: gone, half there, edited. Never a wrong deployment.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::run::{Bench, Ran};

fn folder(bench: &Bench) -> PathBuf {
    fs::read_dir(bench.state().join("runs"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path()
}

fn once(bench: &Bench, result: &Value) {
    assert_eq!(
        bench.world.commits("octo-dev", "demo-site"),
        [result["commit_sha"].as_str().unwrap()]
    );
    assert_eq!(bench.world.repos().len(), 1);
    assert_eq!(bench.world.unexpected(), Vec::<String>::new());
}

/// The run ends as it would have, or a `state` error names the file and says what to do, which then helps.
fn ends_well_or_says_how(bench: &Bench, task: &Value, what: &str, ran: Ran) {
    if ran.status != 0 {
        let document = ran.fails(1, "state");
        let (message, hint) = (
            document["error"]["message"].as_str().unwrap(),
            document["error"]["hint"].as_str().unwrap_or_default(),
        );
        assert!(
            message.contains(&bench.state().display().to_string()),
            "{what}: {message}"
        );
        let ran = if hint.contains("--fresh") {
            bench.go("run", task, &["--fresh"])
        } else {
            assert!(
                hint.contains(&format!("remove {}", folder(bench).display())),
                "{what}: {hint}"
            );
            fs::remove_dir_all(folder(bench)).unwrap();
            bench.go("run", task, &[])
        };
        ran.exits(0);
    }
    let result = bench.go("run", task, &[]).exits(0).json();
    assert_eq!(result["status"], "notified", "{what}");
    once(bench, &result);
    let told = bench.world.notifications();
    assert!(told.iter().all(|n| *n == told[0]), "{what}: {told:?}");
}

type Damage = (&'static str, fn(&[u8]) -> Vec<u8>);

const DAMAGES: [Damage; 5] = [
    ("empty", |_| Vec::new()),
    ("half", |bytes| bytes[..bytes.len() / 2].to_vec()),
    ("zeros", |bytes| vec![0; bytes.len()]),
    ("older", |bytes| {
        String::from_utf8_lossy(bytes)
            .replacen("\"version\":1", "\"version\":0", 1)
            .into_bytes()
    }),
    // A digit somewhere in the value, as one who knows better would do it.
    ("edited", |bytes| {
        let at = bytes
            .iter()
            .rposition(u8::is_ascii_digit)
            .unwrap_or(bytes.len() - 3);
        let mut bytes = bytes.to_vec();
        bytes[at] = if bytes[at] == b'1' { b'2' } else { b'1' };
        bytes
    }),
];

#[test]
fn damaged_records_of_a_finished_run() {
    let mut tried = 0;
    for (what, damage) in DAMAGES {
        let bench = Bench::new();
        let task = bench.task(json!({}));
        bench.go("run", &task, &[]).exits(0);
        let names: Vec<_> = fs::read_dir(folder(&bench))
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        for name in names
            .iter()
            .filter_map(|n| n.to_str())
            .filter(|n| n.contains(".json"))
        {
            let file = folder(&bench).join(name);
            // Removed with the folder by an earlier turn, and not needed since.
            let Ok(good) = fs::read(&file) else { continue };
            fs::write(&file, damage(&good)).unwrap();
            let ran = bench.go("run", &task, &[]);
            ends_well_or_says_how(&bench, &task, &format!("{name} {what}"), ran);
            tried += 1;
        }
    }
    println!("{tried} damaged records tried");
    assert!(tried >= 20, "{tried}");
}

#[test]
fn damaged_records_of_a_run_on_its_way() {
    for (what, damage) in DAMAGES {
        for name in [
            "run.json",
            "destination.json",
            "generate.json",
            "check.json",
            "commit.json",
            "app",
            "repo.git/HEAD",
        ] {
            let bench = Bench::new();
            let task = bench.task(json!({}));
            bench.go("commit", &task, &[]).exits(0);
            let mut file = folder(&bench).join(name);
            if name == "app" {
                // `.nojekyll` is empty: there is nothing to damage.
                let mut files = fs::read_dir(file).unwrap().map(|e| e.unwrap().path());
                file = files
                    .find(|f| f.metadata().unwrap().len() > 0)
                    .expect("the page");
            }
            let good = fs::read(&file).unwrap();
            let bad = damage(&good);
            if bad == good {
                continue;
            }
            fs::write(&file, bad).unwrap();
            let ran = bench.go("run", &task, &[]);
            ends_well_or_says_how(&bench, &task, &format!("{name} {what}"), ran);
        }
    }
}

#[test]
fn the_state_is_lost_and_the_brief_is_another() {
    for local in [false, true] {
        let bench = Bench::new();
        let sites = bench.path("sites").display().to_string();
        let options: &[&str] = if local { &["--local", &sites] } else { &[] };
        let task = bench.task(json!({}));
        let sha = bench.go("run", &task, options).exits(0).json()["commit_sha"].clone();
        fs::remove_dir_all(bench.state()).unwrap();

        let other = bench.task(json!({"brief": "Something else altogether."}));
        let document = bench.go("run", &other, options).fails(2, "invalid_task");
        assert!(
            document["error"]["message"]
                .as_str()
                .unwrap()
                .contains("brief"),
            "{document}"
        );

        // The refused one does not stand in the way of the right one.
        let result = bench.go("run", &task, options).exits(0).json();
        assert_eq!(result["commit_sha"], sha);

        let fresh = bench
            .go("run", &other, &[options, &["--fresh"]].concat())
            .exits(0)
            .json();
        assert_ne!(fresh["commit_sha"], sha);
        if !local {
            assert_eq!(bench.world.commits("octo-dev", "demo-site").len(), 2);
        }
    }
}

#[test]
fn in_round_2_without_state_round_1_is_read_from_the_remote() {
    let bench = Bench::new();
    bench
        .go(
            "run",
            &bench.task(json!({"attachments": [{"name": "one.txt", "url": "data:,one"}]})),
            &[],
        )
        .exits(0);
    fs::remove_dir_all(bench.state()).unwrap();
    let two = bench.task(json!({"round": 2, "nonce": "n-2", "attachments": [{"name": "two.txt", "url": "data:,two"}]}));
    let result = bench.go("run", &two, &[]).exits(0).json();
    fs::remove_dir_all(bench.state()).unwrap();
    let again = bench.go("run", &two, &[]).exits(0).json();
    assert_eq!(
        (&again["commit_sha"], &again["resumed_from"]),
        (&result["commit_sha"], &json!("deploy"))
    );
    assert_eq!(bench.world.commits("octo-dev", "demo-site").len(), 2);
    let files = bench.world.files("octo-dev", "demo-site");
    assert!(
        files.contains_key("assets/one.txt") && files.contains_key("assets/two.txt"),
        "{:?}",
        files.keys()
    );
}
