//! Whose repository it is: nothing of somebody else's is touched, and each sender gets a repository of its own.

use serde_json::json;

use crate::run::Bench;
use crate::world::Match;

const OWNER: &str = "octo-dev";
const NAME: &str = "demo-site";

/// A repository of somebody's whose content is on this reference alone.
fn filled(bench: &Bench, reference: &str) {
    let world = &bench.world;
    world.make_repo(OWNER, NAME, &[("index.html", b"the owner's")], "By hand");
    world.git(OWNER, NAME, &["update-ref", reference, "refs/heads/main"]);
    world.git(OWNER, NAME, &["update-ref", "-d", "refs/heads/main"]);
}

#[test]
fn content_on_any_branch_or_tag_is_somebodys() {
    for reference in [
        "refs/heads/master",
        "refs/heads/gh-pages",
        "refs/tags/v1",
        "refs/heads/a/b",
    ] {
        for options in [&[][..], &["--no-llm"]] {
            let bench = Bench::new();
            filled(&bench, reference);
            if let Some(branch) = reference.strip_prefix("refs/heads/") {
                bench.world.enable_pages_on(OWNER, NAME, branch);
            }
            let document = bench
                .go("run", &bench.task(json!({})), options)
                .fails(1, "name_taken");
            let message = document["error"]["message"].as_str().unwrap();
            let short = reference
                .rsplit_once("refs/")
                .unwrap()
                .1
                .split_once('/')
                .unwrap()
                .1;
            assert!(message.contains(short), "{reference}: {message}");
            let refs = bench
                .world
                .git(OWNER, NAME, &["for-each-ref", "--format=%(refname)"]);
            assert_eq!(refs.trim(), reference);
            assert_eq!(bench.world.count(&Match::push()), 0);
            assert_eq!(bench.world.count(&Match::pages_update()), 0);
        }
    }
    let bench = Bench::new();
    filled(&bench, "refs/tags/v1");
    bench
        .go("run", &bench.task(json!({})), &["--adopt"])
        .exits(0);
}

#[test]
fn empty_private_archived_transferred_and_renamed_are_told_apart() {
    let made = |bench: &Bench| bench.go("run", &bench.task(json!({})), &[]).exits(0).json();
    let second = |bench: &Bench| bench.task(json!({"round": 2, "nonce": "n-2", "brief": "More."}));

    let bench = Bench::new();
    bench.world.make_repo(OWNER, NAME, &[], "");
    bench.world.set_repo(OWNER, NAME, true, false);
    let document = bench
        .go("run", &bench.task(json!({})), &[])
        .fails(1, "name_taken");
    assert!(
        document["error"]["message"]
            .as_str()
            .unwrap()
            .contains("private"),
        "{document:#}"
    );

    let bench = Bench::new();
    bench.world.make_repo(OWNER, NAME, &[], "");
    bench.go("run", &bench.task(json!({})), &[]).exits(0);

    let bench = Bench::new();
    made(&bench);
    bench.world.set_repo(OWNER, NAME, false, true);
    let document = bench.go("run", &second(&bench), &[]).fails(4, "forbidden");
    assert!(
        document["error"]["message"]
            .as_str()
            .unwrap()
            .contains("archived"),
        "{document:#}"
    );

    let bench = Bench::new();
    made(&bench);
    bench.world.move_repo(OWNER, NAME, "somebody", NAME);
    let document = bench.go("run", &second(&bench), &[]).fails(1, "name_taken");
    let error = &document["error"];
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("somebody/demo-site"),
        "{document:#}"
    );
    assert!(
        error["hint"].as_str().unwrap().contains("--owner somebody"),
        "{document:#}"
    );

    let bench = Bench::new();
    made(&bench);
    bench.world.move_repo(OWNER, NAME, OWNER, "better-name");
    let document = bench.go("run", &second(&bench), &[]).exits(0).json();
    assert_eq!(
        document["repo_url"],
        bench.world.repo_url(OWNER, "better-name")
    );
    assert_eq!(bench.world.commits(OWNER, "better-name").len(), 2);
}

#[test]
fn a_new_repository_where_the_name_is_in_use() {
    let bench = Bench::new();
    let go = |nonce: &str, round: u64, options: &[&str]| {
        let brief = format!("Round {round} of {nonce}.");
        let task = bench.task(json!({"nonce": nonce, "round": round, "brief": brief}));
        bench.go("run", &task, options).exits(0).json()
    };
    let first = go("n-1", 1, &["--new-repo"]);
    assert_eq!(first["repo_url"], bench.world.repo_url(OWNER, NAME));
    let second = go("n-2", 1, &["--new-repo"]);
    let name = format!("{NAME}-{}", &second["run"].as_str().unwrap()[..8]);
    assert_eq!(second["repo_url"], bench.world.repo_url(OWNER, &name));
    // Again, with and without what is on record: the same one.
    assert_eq!(
        go("n-2", 1, &["--new-repo"])["repo_url"],
        second["repo_url"]
    );
    assert_eq!(go("n-2", 1, &[])["repo_url"], second["repo_url"]);
    // A later round goes on there.
    assert_eq!(go("n-3", 2, &[])["repo_url"], second["repo_url"]);
    assert_eq!(bench.world.commits(OWNER, &name).len(), 2);
    std::fs::remove_dir_all(bench.state()).unwrap();
    assert_eq!(
        go("n-2", 1, &["--new-repo"])["repo_url"],
        second["repo_url"]
    );
    assert_eq!(bench.world.repos().len(), 2);
    assert_eq!(bench.world.commits(OWNER, NAME).len(), 1);
    // Somebody else's does not stand in the way either.
    let other = Bench::new();
    filled(&other, "refs/heads/master");
    let document = other
        .go("run", &other.task(json!({})), &["--new-repo"])
        .exits(0)
        .json();
    assert_ne!(document["repo_url"], other.world.repo_url(OWNER, NAME));
}

#[test]
fn names_that_mean_more_than_a_repository() {
    for id in [
        "octo-dev.github.io",
        ".github",
        "octo-dev",
        "Octo-Dev",
        "other.github.io",
    ] {
        let bench = Bench::new();
        let task = bench.task(json!({"task": id}));
        let document = bench.go("run", &task, &[]).exits(0).json();
        let url = document["repo_url"].as_str().unwrap();
        let name = url.rsplit('/').next().unwrap();
        assert_ne!(name, id);
        let (_, digest) = name.rsplit_once('-').unwrap();
        assert!(
            digest.len() == 8 && digest.bytes().all(|b| b.is_ascii_hexdigit()),
            "{name}"
        );
        let named = bench.task(json!({"task": id, "nonce": "n-2"}));
        let document = bench.go("run", &named, &["--repo", id]).exits(0).json();
        assert!(
            document["repo_url"]
                .as_str()
                .unwrap()
                .ends_with(&format!("/{id}"))
        );
    }
}

#[test]
fn each_sender_of_a_task_id_has_a_repository_of_its_own() {
    for lost in [false, true] {
        let bench = Bench::new();
        let go = |email: &str, round: u64| {
            let task = bench.task(json!({"email": email, "round": round, "nonce": format!("n-{round}"), "brief": format!("Round {round}.")}));
            let document = bench.go("run", &task, &[]).exits(0).json();
            document["repo_url"].as_str().unwrap().to_owned()
        };
        let one = go("one@example.com", 1);
        assert_eq!(one, bench.world.repo_url(OWNER, NAME));
        let two = go("two@example.com", 1);
        let three = go("three@example.com", 1);
        assert!(
            one != two && two != three && one != three,
            "{one} {two} {three}"
        );
        if lost {
            std::fs::remove_dir_all(bench.state()).unwrap();
        }
        for (email, url) in [
            ("one@example.com", &one),
            ("two@example.com", &two),
            ("three@example.com", &three),
        ] {
            assert_eq!(go(email, 1), *url, "again");
            assert_eq!(go(email, 2), *url, "round 2");
        }
        assert_eq!(bench.world.repos().len(), 3);
        assert_eq!(bench.world.commits(OWNER, NAME).len(), 2);
        // A repository that is named by hand is taken as it is.
        let task = bench.task(json!({"email": "four@example.com", "nonce": "n-9"}));
        let document = bench.go("run", &task, &["--repo", NAME]).exits(0).json();
        assert_eq!(document["repo_url"], one.as_str());
    }
}
