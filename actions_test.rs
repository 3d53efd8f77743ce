//! Sites that a workflow of the app publishes: Pages is told before the push, live is when the run has succeeded.

use std::path::PathBuf;

use serde_json::json;

use crate::run::Bench;
use crate::world::Match;

const OWNER: &str = "octo-dev";
const NAME: &str = "demo-site";

/// Files of the user's own with a workflow that deploys them.
fn site(bench: &Bench) -> PathBuf {
    let dir = bench.path("mine");
    let workflow = "on: push\njobs:\n  deploy:\n    steps:\n      - uses: actions/checkout@v4\n      - uses: actions/deploy-pages@v4\n";
    for (path, text) in [
        ("index.html", "<!DOCTYPE html><html><body>mine</body></html>"),
        (".github/workflows/pages.yml", workflow),
    ] {
        let file = dir.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    dir
}

fn go(bench: &Bench, round: u64) -> crate::run::Ran {
    let dir = site(bench);
    let task = bench.task(json!({"round": round, "nonce": format!("n-{round}"), "brief": format!("Publish by GitHub Actions with .github/workflows/pages.yml. Round {round}.")}));
    bench.go("run", &task, &["--site", dir.to_str().unwrap()])
}

#[test]
fn pages_is_told_before_the_push_and_the_run_is_waited_for() {
    for empty_is_enough in [true, false] {
        let bench = Bench::new();
        bench.world.configure(|s| {
            s.pages_on_empty = empty_is_enough;
            s.pages_build_polls = 2;
        });
        let document = go(&bench, 1).exits(0).json();
        assert_eq!(document["pages"], "live");
        assert_eq!(bench.world.commits(OWNER, NAME).len(), 1);
        let log = bench.world.log();
        let first = |on: &Match| log.iter().position(|e| on.hits(e)).unwrap();
        assert!(first(&Match::pages_enable()) < first(&Match::push()));
        for entry in bench.world.matching(&Match::pages_enable()) {
            assert_eq!(entry.json(), json!({"build_type": "workflow"}));
        }
        // Where the site came too late for the run, that is run again.
        let again = Match::api("POST", "/rerun-failed-jobs");
        assert_eq!(bench.world.count(&again), usize::from(!empty_is_enough));
        assert_eq!(bench.world.count(&Match::build_request()), 0);
        let document = go(&bench, 2).exits(0).json();
        assert_eq!(document["commit_sha"], bench.world.commits(OWNER, NAME)[0].as_str());
        assert_eq!(bench.world.unexpected(), Vec::<String>::new());
    }
}

#[test]
fn a_run_that_fails_is_told_with_the_end_of_its_log() {
    let bench = Bench::new();
    bench.world.configure(|s| s.run_error = Some("a.py:1:1: F401 unused import".to_owned()));
    let document = go(&bench, 1).fails(75, "pages_failed");
    let message = document["error"]["message"].as_str().unwrap();
    assert!(message.contains("F401 unused import") && message.contains("deploy"), "{message}");
    assert!(!message.contains("Cleaning up") && !message.contains("2026-11-25T"), "{message}");
    assert_eq!(bench.world.notifications().len(), 1);
    assert_eq!(bench.world.commits(OWNER, NAME).len(), 1, "an app of its own is not rescued by us");
    bench.world.configure(|s| s.run_error = None);
    go(&bench, 1).fails(75, "pages_failed");
    assert_eq!(bench.world.unexpected(), Vec::<String>::new());
}

#[test]
fn a_token_that_may_not_push_workflows_is_told_before_anything_is_made() {
    let bench = Bench::new();
    bench.world.configure(|s| s.scopes = vec!["repo".to_owned()]);
    let document = go(&bench, 1).fails(4, "forbidden");
    assert!(document["error"]["message"].as_str().unwrap().contains("`workflow` scope"), "{document:#}");
    assert!(bench.world.repos().is_empty());
}

#[test]
fn what_github_does_not_take_is_told_before_the_push() {
    for (name, size, says) in [
        ("big.bin", (100 << 20) + 1, Some("GH001")),
        ("half.bin", (50 << 20) + 1, None),
        ("CNAME", 11, Some("another domain")),
    ] {
        let bench = Bench::new();
        let dir = bench.path("mine");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("index.html"), "<!DOCTYPE html><html><body>mine</body></html>").unwrap();
        std::fs::File::create(dir.join(name)).unwrap().set_len(size).unwrap();
        let task = bench.task(json!({}));
        let ran = bench.go("run", &task, &["--site", dir.to_str().unwrap(), "--checks", "off"]);
        match says {
            Some(says) => {
                assert_eq!(ran.status != 0, true, "{name}");
                let message = ran.json()["error"]["message"].as_str().unwrap().to_owned();
                assert!(message.contains(says) && message.contains(name), "{message}");
                assert!(bench.world.repos().is_empty());
            }
            None => {
                let ran = ran.exits(0);
                assert!(ran.stderr.contains("half.bin has 51 MB"), "{}", ran.stderr);
            }
        }
    }
    let bench = Bench::new();
    let dir = bench.path("mine");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("index.html"), "<!DOCTYPE html><html><body>mine</body></html>").unwrap();
    std::fs::write(dir.join("CNAME"), "example.org").unwrap();
    let task = bench.task(json!({"brief": "Publish under the domain in CNAME."}));
    bench.go("run", &task, &["--site", dir.to_str().unwrap()]).exits(0);
}

/// More requests than a minute takes, by processes that know nothing of each other but the state directory.
#[test]
fn processes_share_the_tokens_allowance() {
    let bench = Bench::new();
    bench.world.configure(|s| s.content_limit = Some((std::time::Duration::from_millis(4000), 80)));
    let running: Vec<_> = (0..48)
        .map(|n| {
            let task = bench.task(json!({"task": format!("site-{n}"), "nonce": format!("n-{n}")}));
            let file = bench.write_task(&format!("t{n}.json"), &task);
            let mut command = bench.command(["run".as_ref(), file.as_os_str()]);
            command
                .env("LLMDEPLOY_MINUTE_MS", "4500")
                .env("LLMDEPLOY_TIMEOUT_MS", "30000");
            std::thread::spawn(move || crate::run::finish(command))
        })
        .collect();
    let mut waited = 0;
    for ran in running {
        let ran = ran.join().unwrap().exits(0);
        waited += usize::from(ran.stderr.contains("allowance"));
    }
    assert_eq!(bench.world.repos().len(), 48);
    assert_eq!(bench.world.log().iter().filter(|e| e.status == 403).count(), 0);
    println!("{waited} of 48 runs waited for their turn");
}
