//! A Pages build that fails: the evaluator hears of the repository in time, and what can be done is done.

use serde_json::{Value, json};

use crate::run::Bench;
use crate::world::{Fault, Kind, Match};

const OWNER: &str = "octo-dev";
const NAME: &str = "demo-site";

/// A bench where the builds of so many commits fail, with a token of these scopes.
fn failing(commits: usize, scopes: &[&str]) -> Bench {
    let bench = Bench::new();
    bench.world.configure(|s| {
        s.pages_error = Some("Page build failed.".to_owned());
        s.pages_failing = commits;
        s.scopes = scopes.iter().map(ToString::to_string).collect();
    });
    bench
}

fn trees(bench: &Bench) -> Vec<String> {
    let log = bench
        .world
        .git(OWNER, NAME, &["log", "--format=%T", "refs/heads/main"]);
    log.lines().map(ToOwned::to_owned).collect()
}

fn remedies(document: &Value) -> Vec<&str> {
    let list = document["remedies"].as_array().unwrap();
    list.iter().filter_map(Value::as_str).collect()
}

#[test]
fn a_commit_that_fails_is_rescued_by_one_of_the_same_files() {
    for failing_commits in [1, 2] {
        let bench = failing(failing_commits, &["repo"]);
        let document = bench.go("run", &bench.task(json!({})), &[]).exits(0).json();
        let commits = bench.world.commits(OWNER, NAME);
        let trees = trees(&bench);
        assert_eq!(commits.len(), 1 + failing_commits);
        assert!(trees.iter().all(|tree| *tree == trees[0]), "{trees:?}");
        for (n, sha) in commits.iter().rev().enumerate() {
            let message = bench.world.message(OWNER, NAME, sha);
            let trailer = format!("Llmdeploy-Rescue: {n}\nLlmdeploy-Run: ");
            assert_eq!(message.contains(&trailer), n > 0, "{message}");
            let last = message.lines().last().unwrap().to_owned();
            assert_eq!(
                last,
                format!("Llmdeploy-Run: {}", document["run"].as_str().unwrap())
            );
        }
        assert_eq!(document["pages"], "live");
        assert_eq!(document["commit_sha"], commits[0].as_str());
        assert_eq!(bench.world.count(&Match::build_request()), 1);
        let told = bench.world.notifications();
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0]["commit_sha"], commits[0].as_str());
        let story = remedies(&document);
        assert_eq!(story.len(), 1 + failing_commits, "{story:?}");
        assert!(story[0].contains("Page build failed."), "{story:?}");
        assert!(
            story.last().unwrap().contains(&commits[0][..7]),
            "{story:?}"
        );
        assert_eq!(bench.world.unexpected(), Vec::<String>::new());
    }
}

#[test]
fn where_nothing_helps_the_evaluator_is_told_and_a_rerun_makes_no_more_commits() {
    let bench = failing(usize::MAX, &["repo"]);
    let task = bench.task(json!({}));
    for _ in 0..3 {
        let document = bench.go("run", &task, &[]).fails(75, "pages_failed");
        let commits = bench.world.commits(OWNER, NAME);
        assert_eq!(commits.len(), 3);
        assert_eq!(
            (&document["status"], &document["pages"]),
            (&json!("pending"), &json!("pending"))
        );
        assert_eq!(document["commit_sha"], commits[0].as_str());
        assert!(
            document["error"]["message"]
                .as_str()
                .unwrap()
                .contains("Page build failed.")
        );
        assert!(
            remedies(&document)
                .iter()
                .any(|r| r.contains("`workflow` scope")),
            "{document:#}"
        );
        let told = bench.world.notifications();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0]["commit_sha"], commits[0].as_str());
    }
    assert_eq!(bench.world.count(&Match::pages_update()), 0);
    // The state directory is lost: what was tried is on the remote.
    std::fs::remove_dir_all(bench.state()).unwrap();
    bench.go("run", &task, &[]).fails(75, "pages_failed");
    assert_eq!(bench.world.commits(OWNER, NAME).len(), 3);
    // With a token that may, the workflow is the way out.
    bench
        .world
        .configure(|s| s.scopes.push("workflow".to_owned()));
    let document = bench.go("run", &task, &[]).exits(0).json();
    assert_eq!(document["pages"], "live");
}

#[test]
fn a_site_that_is_never_built_is_handed_to_a_workflow() {
    let bench = failing(usize::MAX, &["repo", "workflow"]);
    let document = bench.go("run", &bench.task(json!({})), &[]).exits(0).json();
    let files = bench.world.files(OWNER, NAME);
    let workflow =
        String::from_utf8_lossy(&files[".github/workflows/llmdeploy-pages.yml"]).into_owned();
    assert!(workflow.contains("actions/deploy-pages@"));
    assert_eq!(bench.world.count(&Match::pages_update()), 1);
    assert_eq!(bench.world.commits(OWNER, NAME).len(), 4);
    assert_eq!(
        document["commit_sha"],
        bench.world.commits(OWNER, NAME)[0].as_str()
    );
    assert_eq!(bench.world.notifications().len(), 1);
    // The next round goes the same way.
    let second = bench.task(json!({"round": 2, "nonce": "n-2", "brief": "More."}));
    let document = bench.go("run", &second, &[]).exits(0).json();
    assert_eq!(document["pages"], "live");
    assert_eq!(bench.world.commits(OWNER, NAME).len(), 5);
    assert_eq!(bench.world.unexpected(), Vec::<String>::new());
}

#[test]
fn a_build_that_is_stuck_is_asked_for_again_and_then_rescued() {
    let bench = Bench::new();
    bench.world.configure(|s| s.pages_build_polls = 100_000);
    let task = bench.task(json!({}));
    let options = ["--pages-timeout", "1"];
    bench.go("run", &task, &options).fails(75, "pages_pending");
    let first = bench.world.commits(OWNER, NAME);
    assert_eq!(
        (first.len(), bench.world.count(&Match::build_request())),
        (1, 1)
    );
    assert_eq!(
        bench.world.notifications()[0]["commit_sha"],
        first[0].as_str()
    );
    bench.world.after(Match::push(), 1, |world| {
        world.configure(|s| s.pages_build_polls = 0);
    });
    let document = bench
        .go("run", &task, &["--pages-timeout", "9"])
        .exits(0)
        .json();
    let commits = bench.world.commits(OWNER, NAME);
    assert_eq!(commits.len(), 2);
    // A second notification names the new commit, and the result says so.
    let told = bench.world.notifications();
    assert_eq!(told.len(), 2);
    assert_eq!(told[1]["commit_sha"], commits[0].as_str());
    let receipt = &document["notification"];
    assert_eq!(receipt["commit_sha"], commits[0].as_str());
    assert_eq!(receipt["earlier"][0]["commit_sha"], first[0].as_str());
    bench.go("run", &task, &options).exits(0);
    assert_eq!(bench.world.notifications().len(), 2);
}

#[test]
fn the_evaluator_hears_also_where_pages_cannot_be_turned_on() {
    for (status, exit) in [(422, 75), (403, 4), (500, 75)] {
        let bench = Bench::new();
        let body = json!({"message": "Your plan does not support it."}).to_string();
        bench.world.fault(
            Fault::once(Match::pages_enable(), Kind::Status(status, vec![], body)).times(100),
        );
        let task = bench.task(json!({}));
        let document = bench.go("run", &task, &[]).exits(exit).json();
        let told = bench.world.notifications();
        assert_eq!(told.len(), 1, "{status}: {document:#}");
        assert_eq!(told[0]["commit_sha"], document["commit_sha"]);
        assert_eq!(document["error"]["stage"], "deploy", "{document:#}");
        bench.world.clear_faults();
        let document = bench.go("run", &task, &[]).exits(0).json();
        assert_eq!(document["pages_url"], bench.world.pages_url(OWNER, NAME));
        assert_eq!(bench.world.notifications().len(), 1);
    }
}
