//! Completions, manual pages, and what is said to somebody who gives a secret as a flag.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::run::{Bench, finish_with_input};

/// The commands as `--help` lists them.
fn commands(bench: &Bench) -> Vec<String> {
    let help = bench.run(["--help"]).exits(0).stdout;
    let names: Vec<String> = help
        .lines()
        .skip_while(|l| *l != "Commands:")
        .skip(1)
        .take_while(|l| !l.is_empty())
        .filter(|l| l.starts_with("  ") && !l.starts_with("   "))
        .filter_map(|l| l.split_whitespace().next().map(ToOwned::to_owned))
        .collect();
    assert!(names.contains(&"run".to_owned()), "{help}");
    names
}

#[test]
fn every_command_is_completed_and_has_a_page() {
    let bench = Bench::new();
    let names = commands(&bench);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = bench.run(["completions", shell]).exits(0);
        assert_eq!(ran.stderr, "", "{shell}");
        for name in &names {
            assert!(ran.stdout.contains(name.as_str()), "{shell}: no {name}");
        }
        assert!(ran.stdout.contains("pages-timeout"), "{shell}: no flags");
    }
    let whole = bench.run(["man"]).exits(0).stdout;
    for name in &names {
        let page = bench.run(["man", name]).exits(0).stdout;
        assert!(page.contains(&format!(".TH llmdeploy-{name} ")), "{page}");
        assert!(
            page.contains("state\\-dir"),
            "{name}: options of everywhere"
        );
        assert!(whole.contains(&format!("llmdeploy\\-{name}(1)")), "{whole}");
    }
}

/// bash itself runs the script and answers what it would offer.
#[test]
fn bash_takes_the_completions() {
    let bench = Bench::new();
    let script = bench.run(["completions", "bash"]).exits(0).stdout
        + "\nCOMP_WORDS=(llmdeploy comp); COMP_CWORD=1; _llmdeploy llmdeploy comp llmdeploy; echo \"${COMPREPLY[@]}\"\n";
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-s"]).stdin(Stdio::piped());
    let ran = finish_with_input(bash, script.as_bytes());
    assert_eq!(ran.stdout.trim(), "completions", "{}", ran.stderr);
}

#[test]
fn a_page_of_no_command_names_those_there_are() {
    let bench = Bench::new();
    let ran = bench.run(["man", "rum"]).exits(2);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["error"]["code"], "usage");
    assert!(ran.stderr.contains("hint: one of run, "), "{}", ran.stderr);
}

#[test]
fn a_secret_as_a_flag_is_told_where_it_belongs_and_not_repeated() {
    let bench = Bench::new();
    let value = ["ghp", "_", &"Zq7".repeat(12)].concat();
    for (flag, variable) in [
        ("--token", "GH_TOKEN"),
        ("--github-token", "GH_TOKEN"),
        ("--api-key", "OPENAI_API_KEY"),
        ("--secret", "LLMDEPLOY_SECRET"),
    ] {
        for given in [
            vec!["run".to_owned(), flag.to_owned(), value.clone()],
            vec!["deploy".to_owned(), format!("{flag}={value}")],
        ] {
            let ran = bench.run(&given).exits(2);
            let document: Value = serde_json::from_str(&ran.stdout).unwrap();
            let hint = document["error"]["hint"].as_str().unwrap();
            assert!(hint.starts_with(&format!("set {variable} ")), "{hint}");
            assert!(
                ran.stderr.contains(&format!("hint: {hint}")),
                "{}",
                ran.stderr
            );
            assert!(!(ran.stdout + &ran.stderr).contains(&value), "{given:?}");
        }
    }
    let other = bench.run(["run", "--tokens-please"]).exits(2);
    assert!(!other.stderr.contains("GH_TOKEN"), "{}", other.stderr);
}
