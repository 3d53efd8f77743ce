//! A working directory that somebody else has filled: it cannot send secrets away, name programs or hang the program.

#[cfg(unix)]
use std::fs;
use std::path::Path;
#[cfg(unix)]
use std::path::PathBuf;
#[cfg(unix)]
use std::process::{Command, Stdio};
#[cfg(unix)]
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

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
        assert!(message.starts_with(".env: it is "), "{message}");
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

/// What an attacker has laid out: a script that leaves a mark, and an address that counts who comes.
#[cfg(unix)]
struct Trap {
    script: PathBuf,
    mark: PathBuf,
    address: String,
    visits: Arc<AtomicUsize>,
}

#[cfg(unix)]
impl Trap {
    fn lay(bench: &Bench) -> Self {
        use std::os::unix::fs::PermissionsExt;
        let (script, mark) = (bench.path("script"), bench.path("mark"));
        fs::write(&script, format!("#!/bin/sh\n: >'{}'\n", mark.display())).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let visits = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&visits);
        std::thread::spawn(move || {
            for visitor in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                drop(visitor);
            }
        });
        Self {
            script,
            mark,
            address,
            visits,
        }
    }

    fn config(&self, lines: &str) -> String {
        let (script, address) = (self.script.display().to_string(), &self.address);
        lines.replace("SCRIPT", &script).replace("ADDRESS", address)
    }

    fn sprung(&self) -> bool {
        self.mark.exists() || self.visits.load(Ordering::SeqCst) > 0
    }

    /// Asserts that a git which believes the repository is caught, and sets the trap again.
    fn catches(&self, git_dir: &Path, args: &[&str]) {
        let mut git = Command::new("git");
        git.env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0")
            .arg("--git-dir")
            .arg(git_dir)
            .args(args)
            .stdin(Stdio::null());
        let output = git.output().unwrap();
        assert!(self.sprung(), "{args:?} is not caught: {output:?}");
        let _ = fs::remove_file(&self.mark);
        self.visits.store(0, Ordering::SeqCst);
    }
}

#[cfg(unix)]
type Plant = fn(&Trap, &Path);

#[cfg(unix)]
fn append(file: &Path, text: &str) {
    let old = fs::read_to_string(file).unwrap();
    fs::write(file, old + text).unwrap();
}

#[cfg(unix)]
const EXT: &str =
    "[protocol \"ext\"]\n\tallow = always\n[url \"ext::SCRIPT \"]\n\tinsteadOf = http\n";

#[cfg(unix)]
#[test]
fn a_stopped_runs_repository_cannot_be_made_to_run_programs_or_to_send_elsewhere() {
    let push = ["push", "http://127.0.0.1:1/o/r.git", "main:refs/heads/main"];
    let update = ["update-ref", "refs/heads/other", "main"];
    let plants: [(&str, &[&str], Plant); 8] = [
        ("insteadOf ext", &push, |trap, dir| {
            append(&dir.join("config"), &trap.config(EXT));
        }),
        ("insteadOf http", &push, |trap, dir| {
            let lines = "[url \"http://ADDRESS/\"]\n\tinsteadOf = http://\n";
            append(&dir.join("config"), &trap.config(lines));
        }),
        ("proxy", &push, |trap, dir| {
            append(
                &dir.join("config"),
                &trap.config("[http]\n\tproxy = http://ADDRESS\n"),
            );
        }),
        ("include", &push, |trap, dir| {
            let other = trap.script.with_extension("config");
            fs::write(&other, trap.config(EXT)).unwrap();
            let lines = format!("[includeIf \"gitdir:**\"]\n\tpath = {}\n", other.display());
            append(&dir.join("config"), &lines);
        }),
        ("link", &push, |trap, dir| {
            let (file, other) = (dir.join("config"), trap.script.with_extension("config"));
            fs::rename(&file, &other).unwrap();
            append(&other, &trap.config(EXT));
            std::os::unix::fs::symlink(&other, &file).unwrap();
        }),
        ("worktree", &push, |trap, dir| {
            let lines =
                "[core]\n\trepositoryformatversion = 1\n[extensions]\n\tworktreeConfig = true\n";
            append(&dir.join("config"), lines);
            fs::write(dir.join("config.worktree"), trap.config(EXT)).unwrap();
        }),
        ("hook", &update, |trap, dir| {
            fs::create_dir_all(dir.join("hooks")).unwrap();
            for name in ["reference-transaction", "pre-push"] {
                fs::copy(&trap.script, dir.join("hooks").join(name)).unwrap();
            }
        }),
        ("fifo", &[], |_, dir| {
            fs::remove_file(dir.join("config")).unwrap();
            let made = Command::new("mkfifo").arg(dir.join("config")).status();
            assert!(made.unwrap().success());
        }),
    ];
    for (name, control, plant) in plants {
        let bench = Bench::new();
        bench.world.configure(|s| s.push_protection = true);
        let task = bench.task(json!({}));
        assert_ne!(bench.go("run", &task, &[]).status, 0);
        bench.world.configure(|s| s.push_protection = false);
        let runs = fs::read_dir(bench.state().join("runs")).unwrap();
        let repositories: Vec<_> = runs
            .map(|run| run.unwrap().path().join("repo.git"))
            .filter(|git_dir| git_dir.is_dir())
            .collect();
        let [git_dir] = repositories.as_slice() else {
            panic!("{repositories:?}");
        };
        let trap = Trap::lay(&bench);
        plant(&trap, git_dir);
        if !control.is_empty() {
            trap.catches(git_dir, control);
        }
        let ran = bench.go("run", &task, &[]);
        assert!(!trap.sprung(), "{name}: {ran:?}");
        let result = ran.exits(0).json();
        assert_eq!(
            bench.world.tip("octo-dev", "demo-site").as_deref(),
            result["commit_sha"].as_str(),
            "{name}"
        );
    }
}

#[cfg(unix)]
#[test]
fn a_repository_below_local_is_left_as_it_is_and_runs_nothing() {
    let options = ["--local", "sites", "--no-notify"];
    let update = ["update-ref", "refs/heads/other", "main"];
    let read = ["ls-tree", "main"];
    // The last is a repository whose branch leads to a commit that git would ask a remote for.
    let plants: [(&str, bool, &[&str], Plant); 4] = [
        ("hook", true, &update, |trap, dir| {
            fs::create_dir_all(dir.join("hooks")).unwrap();
            for name in ["reference-transaction", "update", "post-update"] {
                fs::copy(&trap.script, dir.join("hooks").join(name)).unwrap();
            }
        }),
        ("hooksPath", true, &update, |trap, dir| {
            let hooks = trap.script.with_extension("hooks");
            fs::create_dir(&hooks).unwrap();
            fs::copy(&trap.script, hooks.join("reference-transaction")).unwrap();
            let lines = format!("[core]\n\thooksPath = {}\n", hooks.display());
            append(&dir.join("config"), &lines);
        }),
        ("programs", true, &[], |trap, dir| {
            let lines = "[core]\n\tfsmonitor = SCRIPT\n\tsshCommand = SCRIPT\n\talternateRefsCommand = SCRIPT\n\
                \tpager = SCRIPT\n[uploadpack]\n\tpackObjectsHook = SCRIPT\n[gpg]\n\tprogram = SCRIPT\n";
            append(&dir.join("config"), &trap.config(lines));
        }),
        ("promisor", false, &read, |trap, dir| {
            let lines = "[core]\n\trepositoryformatversion = 1\n[extensions]\n\tpartialClone = p\n[remote \"p\"]\n\
                \turl = ext::SCRIPT\n\tpromisor = true\n[protocol \"ext\"]\n\tallow = always\n";
            append(&dir.join("config"), &trap.config(lines));
            fs::write(dir.join("refs/heads/main"), "1".repeat(40) + "\n").unwrap();
        }),
    ];
    for (name, ends_well, control, plant) in plants {
        let bench = Bench::new();
        bench.go("run", &bench.task(json!({})), &options).exits(0);
        let git_dir = bench.path("sites/demo-site.git");
        let trap = Trap::lay(&bench);
        plant(&trap, &git_dir);
        if !control.is_empty() {
            trap.catches(&git_dir, control);
        }
        let config = fs::read(git_dir.join("config")).unwrap();
        let two = bench.task(json!({"round": 2, "nonce": "n-2", "brief": "Another heading."}));
        let ran = bench.go("run", &two, &options);
        assert!(!trap.sprung(), "{name}: {ran:?}");
        assert_eq!(ran.status == 0, ends_well, "{name}: {ran:?}");
        assert_eq!(fs::read(git_dir.join("config")).unwrap(), config, "{name}");
    }
}

#[cfg(unix)]
type Put = fn(&Bench, &Path);

#[cfg(unix)]
#[test]
fn a_preview_follows_no_link_opens_no_fifo_and_overwrites_nothing_unknown() {
    use std::os::unix::fs::symlink;
    let mine = |bench: &Bench| fs::write(bench.path("mine"), "mine").unwrap();
    let plants: [(&str, Put); 7] = [
        ("out", |bench, out| {
            fs::create_dir(bench.path("elsewhere")).unwrap();
            symlink(bench.path("elsewhere"), out).unwrap();
        }),
        ("out", |bench, out| {
            symlink(bench.path("elsewhere"), out).unwrap();
        }),
        ("out/assets", |bench, out| {
            fs::create_dir(out).unwrap();
            fs::create_dir(bench.path("elsewhere")).unwrap();
            symlink(bench.path("elsewhere"), out.join("assets")).unwrap();
        }),
        ("out/index.html", |bench, out| {
            fs::create_dir(out).unwrap();
            symlink(bench.path("mine"), out.join("index.html")).unwrap();
        }),
        ("out/index.html", |bench, out| {
            fs::create_dir(out).unwrap();
            symlink(bench.path("missing"), out.join("index.html")).unwrap();
        }),
        ("out/index.html", |_, out| {
            fs::create_dir(out).unwrap();
            let made = Command::new("mkfifo").arg(out.join("index.html")).status();
            assert!(made.unwrap().success());
        }),
        ("out/README.md", |_, out| {
            fs::create_dir(out).unwrap();
            fs::write(out.join("README.md"), "mine").unwrap();
        }),
    ];
    for (named, plant) in plants {
        let bench = Bench::new();
        mine(&bench);
        let out = bench.path("out");
        plant(&bench, &out);
        let task = bench.task(json!({"attachments": [{"name": "a.txt", "url": "data:,a"}]}));
        // A slash at the end leads through a link in other programs.
        for option in ["out", "out/"] {
            let ran = bench.go("generate", &task, &["-o", option]);
            let document = ran.fails(2, "usage");
            let message = document["error"]["message"].as_str().unwrap();
            let place = bench.path(named).display().to_string();
            assert!(message.contains(&format!("{place} is ")), "{message}");
        }
        assert_eq!(fs::read_to_string(bench.path("mine")).unwrap(), "mine");
        assert!(!bench.path("missing").exists());
        let elsewhere = fs::read_dir(bench.path("elsewhere"));
        assert_eq!(elsewhere.into_iter().flatten().count(), 0);
    }
    // What a preview wrote, the next one replaces; what was edited since is the user's.
    let bench = Bench::new();
    let go = |brief: &str| {
        bench.go(
            "generate",
            &bench.task(json!({"brief": brief, "nonce": format!("n-{}", brief.len())})),
            &["-o", "out"],
        )
    };
    go("Show one heading.").exits(0);
    let page = bench.path("out/index.html");
    let first = fs::read(&page).unwrap();
    go("Show another heading.").exits(0);
    assert_ne!(fs::read(&page).unwrap(), first);
    fs::write(&page, "edited").unwrap();
    go("Show a third title.").fails(2, "usage");
    assert_eq!(fs::read_to_string(&page).unwrap(), "edited");
}

/// What an attachment holds is published, so a task must not name what only this machine and its neighbours can read.
#[test]
fn no_attachment_comes_from_a_private_address() {
    let bench = Bench::new();
    let inner = bench
        .world
        .tls_file("/inner.txt", b"of this network alone".to_vec());
    let port = inner.rsplit(':').next().unwrap().split('/').next().unwrap();
    let elsewhere = inner.replace("localhost", "127.0.0.1");
    let moved = bench
        .world
        .tls_answer("/moved", 302, &[("Location", &elsewhere)], vec![]);
    let authority = bench.world.ca_file();
    // Nobody may be asked of names that mean something here alone.
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let proxy_url = format!("http://{}", proxy.local_addr().unwrap());
    let trust = ("SSL_CERT_FILE", authority.to_str().unwrap());
    let behind = ("https_proxy", proxy_url.as_str());
    let listed = format!("localhost:{port}");
    let listed = ("LLMDEPLOY_FETCH_HOSTS", listed.as_str());
    let host = |host: &str| inner.replace("localhost", host);
    for (url, options, env) in [
        (inner.clone(), &[][..], &[trust][..]),
        (inner.clone(), &["--offline", "--no-fetch"], &[trust]),
        (inner.clone(), &[], &[trust, behind]),
        (
            inner.clone(),
            &[],
            &[trust, behind, ("no_proxy", "localhost")],
        ),
        (elsewhere.clone(), &[], &[trust, listed]),
        (host("2130706433"), &[], &[trust]),
        (host("0x7f.1"), &[], &[trust, behind]),
        (host("[::ffff:127.0.0.1]"), &[], &[trust]),
        (host("localhost."), &[], &[trust]),
        (host("wiki.internal"), &[], &[trust, behind]),
        (moved.clone(), &[], &[trust, listed]),
    ] {
        let task = bench.task(json!({"attachments": [{"name": "inner.txt", "url": url}]}));
        let document = bench
            .go_env("generate", &task, options, env)
            .fails(2, "invalid_task");
        let message = document["error"]["message"].as_str().unwrap();
        assert!(message.starts_with("attachments[0].url: "), "{message}");
        assert!(
            !bench.path("demo-site").exists(),
            "{url}: nothing is written"
        );
    }
    assert_eq!(
        proxy.accept().unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock
    );
    let task = bench.task(json!({"attachments": [{"name": "inner.txt", "url": inner}]}));
    bench
        .go_env("generate", &task, &[], &[trust, listed])
        .exits(0);
}

#[cfg(unix)]
type Fill<'a> = &'a dyn Fn(&Bench);

/// Whatever is in the page's folder and was not put there by a deployment stays, and is named.
#[cfg(unix)]
#[test]
fn a_local_page_replaces_what_a_deployment_wrote_and_nothing_else() {
    use std::os::unix::fs::symlink;
    let git = |bench: &Bench, args: &str| {
        let mut git = Command::new("git");
        git.current_dir(bench.path("sites")).args(args.split(' '));
        let done = git
            .env("GIT_AUTHOR_NAME", "me")
            .env("GIT_AUTHOR_EMAIL", "me@example.com")
            .env("GIT_COMMITTER_NAME", "me")
            .env("GIT_COMMITTER_EMAIL", "me@example.com")
            .output()
            .unwrap();
        assert!(done.status.success(), "{args}: {done:?}");
    };
    let write = |bench: &Bench, name: &str| {
        fs::write(bench.path("sites").join(name), "mine").unwrap();
    };
    let tree = |bench: &Bench| {
        let listed = Command::new("sh")
            .args(["-c", "find . -not -path './demo-site.git/*' -not -name demo-site.git | sort; find . -type f -not -path './demo-site.git/*' -exec sha256sum {} + | sort"])
            .current_dir(bench.path("sites"))
            .output()
            .unwrap();
        String::from_utf8(listed.stdout).unwrap()
    };
    let options = ["--local", "sites", "--no-notify"];
    // What is there before, whether a deployment was, and what is named.
    let plants: [(&str, bool, Fill<'_>); 11] = [
        ("demo-site/.git", false, &|bench| {
            git(bench, "init -q --bare demo-site.git");
            git(bench, "clone -q demo-site.git demo-site");
        }),
        ("demo-site/.git", false, &|bench| {
            git(bench, "init -q --bare demo-site.git");
            git(bench, "clone -q demo-site.git demo-site");
            write(bench, "demo-site/thesis.txt");
            git(bench, "-C demo-site add .");
            git(bench, "-C demo-site commit -q -m unpushed");
        }),
        ("demo-site/thesis.txt", false, &|bench| {
            git(bench, "init -q --bare demo-site.git");
            fs::create_dir(bench.path("sites/demo-site")).unwrap();
            write(bench, "demo-site/thesis.txt");
        }),
        ("demo-site", false, &|bench| {
            fs::create_dir(bench.path("elsewhere")).unwrap();
            symlink(bench.path("elsewhere"), bench.path("sites/demo-site")).unwrap();
        }),
        ("demo-site", false, &|bench| {
            symlink(bench.path("missing"), bench.path("sites/demo-site")).unwrap();
        }),
        ("demo-site", false, &|bench| write(bench, "demo-site")),
        ("demo-site/notes.txt", true, &|bench| {
            write(bench, "demo-site/notes.txt");
        }),
        ("demo-site/index.html", true, &|bench| {
            write(bench, "demo-site/index.html");
        }),
        ("demo-site/copy.html", true, &|bench| {
            let page = bench.path("sites/demo-site/index.html");
            fs::copy(&page, page.with_file_name("copy.html")).unwrap();
        }),
        ("demo-site/a/b/link", true, &|bench| {
            fs::create_dir_all(bench.path("sites/demo-site/a/b")).unwrap();
            symlink(bench.path("mine"), bench.path("sites/demo-site/a/b/link")).unwrap();
        }),
        ("demo-site", true, &|bench| {
            fs::rename(bench.path("sites/demo-site"), bench.path("elsewhere")).unwrap();
            symlink(bench.path("elsewhere"), bench.path("sites/demo-site")).unwrap();
        }),
    ];
    for (named, before, plant) in plants {
        let bench = Bench::new();
        fs::create_dir(bench.path("sites")).unwrap();
        if before {
            bench.go("run", &bench.task(json!({})), &options).exits(0);
        }
        plant(&bench);
        let there = tree(&bench);
        let two = bench.task(json!({"round": 2, "nonce": "n-2", "brief": "Another heading."}));
        let document = bench.go("run", &two, &options).fails(1, "name_taken");
        let message = document["error"]["message"].as_str().unwrap();
        let place = bench.path("sites").join(named).display().to_string();
        assert!(
            message.starts_with(&format!("{place} is there already")),
            "{message}"
        );
        assert_eq!(tree(&bench), there, "{named}");
        assert!(!bench.path("missing").exists());
        let pushed = bench.path("sites/demo-site.git/refs/heads/main").exists();
        assert_eq!(pushed, before, "{named}: nothing is pushed");
    }
    // Cleared of it, the next rounds replace what the earlier ones wrote, whatever the state directory knows.
    let bench = Bench::new();
    bench.go("run", &bench.task(json!({})), &options).exits(0);
    let page = bench.path("sites/demo-site/index.html");
    let first = fs::read(&page).unwrap();
    fs::remove_dir_all(bench.state()).unwrap();
    fs::create_dir(bench.path("sites/demo-site/empty")).unwrap();
    let two = bench.task(json!({"round": 2, "nonce": "n-2", "brief": "Another heading."}));
    bench.go("run", &two, &options).exits(0);
    assert_ne!(fs::read(&page).unwrap(), first);
}

#[cfg(unix)]
fn fifo(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.unwrap().success());
}

#[cfg(unix)]
#[test]
fn a_state_directory_that_others_can_write_is_refused() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let bench = Bench::new();
    let task = bench.task(json!({}));
    let set = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    bench.go("run", &task, &[]).exits(0);
    let asked = bench.world.log().len();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&bench.state()), 0o700);
    let run = fs::read_dir(bench.state().join("runs")).unwrap().next();
    let run = run.unwrap().unwrap().path();
    assert_eq!((mode(&run), mode(&run.join("run.json"))), (0o700, 0o600));
    let refused = |named: &str, advice: &str| {
        let file = bench.path("task.json");
        let file = file.to_str().unwrap();
        for command in [
            &["run", file][..],
            &["status"],
            &["notify", "--retry"],
            &["notify", file],
        ] {
            let ran = bench.run(command);
            assert_eq!(ran.status, 1, "{command:?}: {ran:?}");
            assert!(
                ran.stderr.contains(named) && ran.stderr.contains(advice),
                "{ran:?}"
            );
        }
    };
    for folder in [bench.state(), bench.state().join("runs")] {
        for open in [0o777, 0o770, 0o702] {
            set(&folder, open);
            refused("can be written by others", "chmod 700");
        }
        set(&folder, 0o755);
    }
    bench.go("run", &task, &[]).exits(0);
    let away = bench.path("away");
    fs::rename(bench.state(), &away).unwrap();
    symlink(&away, bench.state()).unwrap();
    refused("is a link", "away");
    fs::remove_file(bench.state()).unwrap();
    fs::write(bench.state(), "").unwrap();
    refused("is not a folder", "--state-dir");
    assert_eq!(bench.world.log().len(), asked);
}

/// What is no regular file in the place of a record is neither waited for nor followed nor read without end.
#[cfg(unix)]
#[test]
fn what_stands_in_the_place_of_a_record_is_refused() {
    use std::os::unix::fs::symlink;
    type Plant = fn(&Path);
    let plants: [Plant; 4] = [
        fifo,
        |path| symlink("/dev/zero", path).unwrap(),
        |path| fs::create_dir(path).unwrap(),
        |path| {
            let other = path.with_extension("elsewhere");
            fs::write(&other, "{}").unwrap();
            symlink(&other, path).unwrap();
        },
    ];
    let bench = Bench::new();
    let task = bench.task(json!({}));
    bench.go("run", &task, &["--no-notify"]).exits(0);
    let run = fs::read_dir(bench.state().join("runs")).unwrap().next();
    let run = run.unwrap().unwrap().path();
    let file = bench.path("task.json").display().to_string();
    for record in [
        "run.json",
        "generate.json",
        "push.json",
        "deploy.json",
        "lock",
    ] {
        for plant in plants {
            let good = run.join(record);
            let kept = run.join("kept");
            fs::rename(&good, &kept).unwrap();
            plant(&good);
            let document = bench.run(["run", &file, "--no-notify"]).fails(1, "state");
            let message = document["error"]["message"].as_str().unwrap();
            assert!(message.contains(record), "{message}");
            let kind = good.symlink_metadata().unwrap().file_type();
            assert!(!kind.is_file(), "{record} is left as it is");
            bench.run(["status", &file]);
            if kind.is_dir() {
                fs::remove_dir(&good).unwrap();
            } else {
                fs::remove_file(&good).unwrap();
            }
            fs::rename(&kept, &good).unwrap();
        }
    }
    let log = run.join("log");
    for plant in plants {
        plant(&log);
        let document = bench.run(["run", &file, "--detach"]).fails(1, "state");
        assert!(
            document["error"]["message"]
                .as_str()
                .unwrap()
                .contains("log")
        );
        let _ = fs::remove_file(&log).or_else(|_| fs::remove_dir(&log));
    }
    // git would wait for it in its own repository.
    let head = run.join("repo.git/HEAD");
    fs::remove_file(&head).unwrap();
    fifo(&head);
    let two = bench.task(json!({"brief": "Other."}));
    bench.go("run", &two, &["--fresh"]).exits(0);
}

#[cfg(unix)]
#[test]
fn settings_are_read_from_a_regular_file() {
    use std::os::unix::fs::symlink;
    let bench = Bench::new();
    let file = bench.path("task.json").display().to_string();
    bench.write_task("task.json", &bench.task(json!({})));
    let (env, given) = (bench.path(".env"), bench.path("given.env"));
    let plants: [fn(&Path); 3] = [
        fifo,
        |path| symlink("/dev/zero", path).unwrap(),
        |path| fs::create_dir(path).unwrap(),
    ];
    for plant in plants {
        for (path, option) in [(&env, None), (&given, given.to_str())] {
            plant(path);
            let mut command = bench.command(["run", &file]);
            if let Some(option) = option {
                command.args(["--env-file", option]);
            }
            let document = finish(command).fails(2, "config");
            let name = path.file_name().unwrap().to_str().unwrap();
            let message = document["error"]["message"].as_str().unwrap();
            assert!(
                message.contains(name) && message.contains("regular"),
                "{message}"
            );
            let _ = fs::remove_file(path).or_else(|_| fs::remove_dir(path));
        }
    }
    // A link in the working directory leads to what somebody else has chosen; one that the user names, to what he has.
    fs::write(bench.path("real"), "GITHUB_OWNER=octo-dev\n").unwrap();
    symlink(bench.path("real"), &env).unwrap();
    bench.run(["run", &file]).fails(2, "config");
    fs::remove_file(&env).unwrap();
    symlink(bench.path("real"), &given).unwrap();
    bench
        .run(["run", &file, "--env-file", given.to_str().unwrap()])
        .exits(0);
}

#[test]
fn a_journal_in_another_runs_place_is_refused() {
    let bench = Bench::new();
    bench.go("run", &bench.task(json!({})), &[]).exits(0);
    let runs = bench.state().join("runs");
    let first = std::fs::read_dir(&runs).unwrap().next().unwrap().unwrap();
    for other in [
        json!({"nonce": "n-2"}),
        json!({"round": 2}),
        json!({"email": "other@example.com"}),
    ] {
        let task = bench.task(other);
        // To learn its name.
        let id = bench.go("generate", &task, &["-o", "out"]).json()["run"].clone();
        let place = runs.join(id.as_str().unwrap());
        std::fs::remove_dir_all(&place).unwrap();
        std::fs::rename(first.path(), &place).unwrap();
        let document = bench.go("run", &task, &[]).fails(1, "state");
        let message = document["error"]["message"].as_str().unwrap();
        assert!(message.contains("is of another run"), "{message}");
        bench.go("notify", &task, &[]).fails(1, "state");
        let file = bench.path("task.json").display().to_string();
        let seen = bench.run(["status", &file]).json();
        assert_ne!(seen["status"], "notified", "{seen:#}");
        std::fs::rename(&place, first.path()).unwrap();
    }
    assert_eq!(bench.world.notifications().len(), 1);
}
