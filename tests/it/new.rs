//! `new`: a task from flags that `run` takes as it is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::run::{Bench, finish};

fn written(bench: &Bench, file: &str) -> Value {
    serde_json::from_slice(&std::fs::read(bench.path(file)).unwrap()).unwrap()
}

fn decoded(attachment: &Value) -> Vec<u8> {
    let url = attachment["url"].as_str().unwrap();
    STANDARD
        .decode(url.split_once(";base64,").unwrap().1)
        .unwrap()
}

const ME: [&str; 2] = ["--email", "me@example.com"];

#[test]
fn what_is_written_runs_and_carries_its_files() {
    let bench = Bench::new();
    let noise: Vec<u8> = (0..=255).collect();
    std::fs::create_dir_all(bench.path("pics/deep")).unwrap();
    std::fs::write(bench.path("data.csv"), "a,b\n1,2\n").unwrap();
    std::fs::write(bench.path("pics/noise.bin"), &noise).unwrap();
    std::fs::write(bench.path("pics/deep/empty.txt"), "").unwrap();
    let mut args = vec!["new", "--brief", "Show data.csv as a Table!"];
    args.extend(["--attach", "./data.csv", "--attach", "pics"]);
    args.extend(["--check", "js: document.title.length > 0"]);
    let ran = bench.run(args.into_iter().chain(ME)).exits(0);
    let document = ran.json();
    assert_eq!(document["v"], 1);
    assert_eq!(document["file"], "show-data-csv-as-a-table.json");
    assert_eq!(
        ran.stderr.trim(),
        "next: llmdeploy run show-data-csv-as-a-table.json"
    );
    let task = written(&bench, "show-data-csv-as-a-table.json");
    assert_eq!(task["nonce"], document["nonce"]);
    assert_eq!(task["checks"][0], "js: document.title.length > 0");
    let files: Vec<_> = task["attachments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| (a["name"].as_str().unwrap().to_owned(), decoded(a)))
        .collect();
    assert_eq!(
        files,
        [
            ("data.csv".to_owned(), b"a,b\n1,2\n".to_vec()),
            ("pics/deep/empty.txt".to_owned(), Vec::new()),
            ("pics/noise.bin".to_owned(), noise.clone()),
        ]
    );
    let file = document["file"].as_str().unwrap();
    let options = ["--local", "sites", "--no-llm", "--checks", "off"];
    let result = bench
        .run(["run", file].into_iter().chain(options))
        .exits(0)
        .json();
    assert_eq!(result["run"], document["run"]);
    let site = bench.path("sites/show-data-csv-as-a-table");
    assert_eq!(
        std::fs::read(site.join("assets/pics/noise.bin")).unwrap(),
        noise
    );
}

#[test]
fn nothing_is_overwritten_and_every_nonce_is_another() {
    let bench = Bench::new();
    let new = |more: &[&str]| {
        let args = ["new", "--brief", "A page", "--task", "page"];
        bench.run(args.into_iter().chain(ME).chain(more.iter().copied()))
    };
    let first = new(&[]).exits(0).json();
    let before = std::fs::read(bench.path("page.json")).unwrap();
    let refused = new(&[]).fails(2, "usage");
    assert!(
        refused["error"]["hint"].as_str().unwrap().contains("-o"),
        "{refused}"
    );
    assert_eq!(std::fs::read(bench.path("page.json")).unwrap(), before);
    let second = new(&["-o", "other.json"]).exits(0).json();
    assert_ne!(first["nonce"], second["nonce"]);
    assert_eq!(
        new(&["-o", "-", "--nonce", "n"]).exits(0).json()["nonce"],
        "n"
    );
}

#[test]
fn what_cannot_be_attached_is_named_and_nothing_is_written() {
    let bench = Bench::new();
    std::fs::create_dir_all(bench.path("repo/.git")).unwrap();
    std::fs::write(bench.path("repo/.git/config"), "x").unwrap();
    std::fs::write(bench.path("con.txt"), "x").unwrap();
    std::fs::create_dir(bench.path("hollow")).unwrap();
    for bad in ["missing.csv", "repo", "con.txt", "hollow"] {
        let args = ["new", "--brief", "A page", "-o", "t.json", "--attach", bad];
        let document = bench.run(args.into_iter().chain(ME)).fails(2, "usage");
        let message = document["error"]["message"].as_str().unwrap();
        assert!(message.contains(&format!("--attach {bad}")), "{message}");
        assert!(document["error"]["hint"].is_string(), "{document}");
        assert!(!bench.path("t.json").exists(), "{bad}");
    }
    std::fs::write(bench.path("a.csv"), "x").unwrap();
    let twice = ["new", "--brief", "A page", "--attach", "a.csv", "--attach"];
    let args = twice.into_iter().chain(["./a.csv"]).chain(ME);
    bench.run(args).fails(2, "invalid_task");
}

#[test]
fn the_secret_of_the_environment_is_written_and_the_next_round_takes_it_over() {
    let bench = Bench::new();
    let secret = ["hush", "-hush-", "42"].concat();
    std::fs::create_dir(bench.path("home")).unwrap();
    std::fs::write(
        bench.path("home/.gitconfig"),
        "[user]\n\temail = git@example.com\n",
    )
    .unwrap();
    let url = bench.world.eval_url();
    let mut one = bench.command(["new", "--brief", "One", "-o", "1.json"]);
    one.args(["--evaluation-url", &url, "--task", "page"])
        .env("HOME", bench.path("home"))
        .env("LLMDEPLOY_SECRET", &secret);
    let ran = finish(one).exits(0);
    assert!(!(ran.stdout.clone() + &ran.stderr).contains(&secret));
    assert_eq!(ran.json()["email"], "git@example.com");
    let two = ["new", "--brief", "Two", "--round", "2", "--from", "1.json"];
    bench.run(two.into_iter().chain(["-o", "2.json"])).exits(0);
    let (one, two) = (written(&bench, "1.json"), written(&bench, "2.json"));
    assert_eq!(one["secret"], secret.as_str());
    for key in ["email", "task", "secret", "evaluation_url"] {
        assert_eq!(one[key], two[key], "{key}");
    }
    assert_eq!((&two["round"], &two["brief"]), (&2.into(), &"Two".into()));
    assert_ne!(one["nonce"], two["nonce"]);
}

#[test]
fn without_an_address_it_says_how_to_give_one() {
    let bench = Bench::new();
    let mut command = bench.command(["new", "--brief", "A page"]);
    command.env("HOME", bench.path("nowhere"));
    let document = finish(command).fails(2, "usage");
    let hint = document["error"]["hint"].as_str().unwrap();
    assert!(hint.contains("--email"), "{hint}");
}
