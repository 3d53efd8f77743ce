//! A working directory that somebody else has filled: it cannot send secrets away, name programs or hang the program.

use std::path::Path;

use serde_json::{Value, json};

use crate::run::{Bench, Ran, finish};

/// A run beside this `.env`, with these variables taken out of the environment or put into it.
fn beside(bench: &Bench, env: &str, without: &[&str], with: &[(&str, &str)]) -> Ran {
    std::fs::write(bench.path(".env"), env).unwrap();
    let file = bench.write_task("task.json", &bench.task(json!({})));
    let mut command = bench.command(["run".as_ref(), file.as_os_str()]);
    for name in without {
        command.env_remove(name);
    }
    command.envs(with.iter().copied());
    finish(command)
}

fn refused(bench: &Bench, ran: Ran, line: usize, setting: &str) {
    let document = ran.fails(2, "config");
    let message = document["error"]["message"].as_str().unwrap();
    assert!(
        message.starts_with(&format!(".env, line {line}: {setting} ")),
        "{message}"
    );
    assert_ne!(document["error"]["hint"], Value::Null);
    assert!(bench.world.log().is_empty() && !bench.state().exists());
}

#[test]
fn the_working_directory_names_no_program_directory_proxy_or_host() {
    let bench = Bench::new();
    for name in [
        "LLMDEPLOY_BROWSER",
        "LLMDEPLOY_STATE_DIR",
        "XDG_STATE_HOME",
        "HOME",
        "SSL_CERT_FILE",
        "LLMDEPLOY_NOTIFY_HOSTS",
        "LLMDEPLOY_FETCH_HOSTS",
        "https_proxy",
        "ALL_PROXY",
    ] {
        let env = format!("# a checkout's\nOTHER='two\nlines'\nexport {name}=x\n");
        refused(&bench, beside(&bench, &env, &[], &[]), 4, name);
    }
    // The same in a file that the user names is the user's word.
    let file = bench.path("mine.env");
    std::fs::write(&file, "LLMDEPLOY_NOTIFY_HOSTS=elsewhere.example\n").unwrap();
    std::fs::remove_file(bench.path(".env")).unwrap();
    let options = ["--env-file", file.to_str().unwrap()];
    let ran = bench.go("run", &bench.task(json!({})), &options);
    assert_ne!(ran.json()["error"]["code"], "config", "{ran:?}");
}

#[test]
fn a_secret_goes_to_no_address_of_a_weaker_place() {
    let bench = Bench::new();
    let (api, llm, token) = (
        bench.world.api_url(),
        bench.world.llm_url(),
        bench.world.token(),
    );
    let key = [("OPENAI_API_KEY", "k-1")];
    let api_url = ["GITHUB_API_URL"];
    let lent = format!("OPENAI_BASE_URL={llm}\nOPENAI_API_KEY=$GH_TOKEN\n");
    let braces = format!("A=${{GH_TOKEN}}\nOPENAI_BASE_URL={llm}\nOPENAI_API_KEY=\"x${{A}}\"\n");
    for (env, without, with, line, setting) in [
        (
            format!("GITHUB_API_URL={api}\n"),
            &api_url[..],
            &[][..],
            1,
            "GITHUB_API_URL",
        ),
        // The environment's token beats the file's: it would be the one that goes there.
        (
            format!("GH_TOKEN=mine\nGITHUB_API_URL={api}\n"),
            &api_url,
            &[],
            2,
            "GITHUB_API_URL",
        ),
        (
            format!("\nOPENAI_BASE_URL={llm}\n"),
            &[],
            &key,
            2,
            "OPENAI_BASE_URL",
        ),
        (
            format!("OPENAI_FALLBACK_MODELS=a,b@{llm}\n"),
            &[],
            &key,
            1,
            "OPENAI_FALLBACK_MODELS",
        ),
        (lent, &[], &[], 2, "OPENAI_API_KEY"),
        (braces, &[], &[], 3, "OPENAI_API_KEY"),
    ] {
        refused(&bench, beside(&bench, &env, without, with), line, setting);
    }
    // Address and secret in one file, or the address in the stronger place, are fine; foreign settings are not ours.
    let env = format!("GH_TOKEN='{token}'\nGITHUB_API_URL={api}\nDATABASE_URL=$HOME/x\nPORT=80\n");
    let ran = beside(&bench, &env, &["GH_TOKEN", "GITHUB_API_URL"], &[]).exits(0);
    assert!(
        ran.stderr
            .contains(".env was read; it sets GH_TOKEN, GITHUB_API_URL\n"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains(token.as_str()));
    let bench = Bench::new();
    let env = format!("GITHUB_TOKEN={}\n", bench.world.token());
    beside(&bench, &env, &["GH_TOKEN"], &[]).exits(0);
    let quiet = bench.go("run", &bench.task(json!({})), &["-q"]).exits(0);
    assert_eq!(quiet.stderr, "");
}

#[test]
fn a_fallback_servers_key_is_no_weaker_than_the_list_that_names_it() {
    let bench = Bench::new();
    let llm = bench.world.llm_url();
    let list = format!("OPENAI_FALLBACK_MODELS=b@{llm}#THEIRS\n");
    for (env, with, says) in [
        // The environment's is not for an address of this file, even where this file has one of that name.
        (list.clone(), &[("THEIRS", "k-2")][..], "line 1"),
        (
            format!("THEIRS=k-3\n{list}"),
            &[("THEIRS", "k-2")],
            "line 2",
        ),
        (format!("THEIRS=$GH_TOKEN\n{list}"), &[], "is not set"),
        (list, &[], "is not set"),
    ] {
        let document = beside(&bench, &env, &[], with).fails(2, "config");
        let message = document["error"]["message"].as_str().unwrap();
        assert!(
            message.contains("OPENAI_FALLBACK_MODELS") && message.contains(says),
            "{message}"
        );
        assert!(bench.world.log().is_empty());
    }
}

#[cfg(unix)]
#[test]
fn an_env_that_is_no_file_is_refused_at_once() {
    let not_a_file = |make: &dyn Fn(&Path)| {
        let bench = Bench::new();
        make(&bench.path(".env"));
        let document = bench
            .go("run", &bench.task(json!({})), &[])
            .fails(2, "config");
        let message = document["error"]["message"].as_str().unwrap();
        assert!(message.starts_with(".env is "), "{message}");
        assert!(bench.world.log().is_empty());
    };
    let link = |to: &'static str| move |path: &Path| std::os::unix::fs::symlink(to, path).unwrap();
    not_a_file(&|path| {
        let made = std::process::Command::new("mkfifo").arg(path).status();
        assert!(made.unwrap().success());
    });
    not_a_file(&link("/dev/zero"));
    not_a_file(&link("/dev/tty"));
    not_a_file(&|path| std::fs::create_dir(path).unwrap());
    not_a_file(&|path| std::fs::write(path, vec![b'#'; (1 << 20) + 1]).unwrap());
    not_a_file(&|path| std::fs::write(path, b"A=\xff\n").unwrap());
}
