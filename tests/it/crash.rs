//! kill -9 at every moment, and the same command again: one repository, one commit per round, one story told.
//!
//! A point of the matrix is a walk that is killed there with its whole process group, and then run again - with the state
//! directory as it was left, or without it. Moments come in three kinds: before and after the effect of the nth request
//! (the double kills), before and after the nth git command (a `git` first in PATH kills), and so many milliseconds in.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};

use crate::model::{Asked, PAGE, script, turn};
use crate::run::{Bench, Ran, data_uri, finish};
use crate::world::{Fault, Handle, Kind, Match, Service};

/// Points worked on at a time: they wait for processes and for each other's disks.
const WORKERS: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Forge {
    GitHub,
    /// GitHub, and a language model makes the app.
    Model,
    Local,
    /// This machine, and a language model makes the app.
    LocalModel,
}

impl Forge {
    fn is_local(self) -> bool {
        matches!(self, Forge::Local | Forge::LocalModel)
    }

    fn has_model(self) -> bool {
        matches!(self, Forge::Model | Forge::LocalModel)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// Of the nth request, from 1.
    BeforeRequest(usize),
    AfterRequest(usize),
    /// Of the nth git command, from 1.
    BeforeGit(usize),
    AfterGit(usize),
    At(Duration),
    Never,
}

#[derive(Clone, Copy, Debug)]
struct Point {
    forge: Forge,
    round: u64,
    moment: Moment,
    state_lost: bool,
}

/// A walk on its own bench, with what may kill it.
struct Stand {
    bench: Bench,
    point: Point,
    /// The group to kill; 0 while there is none.
    group: Arc<AtomicI32>,
    requests: Arc<AtomicUsize>,
}

impl Stand {
    fn new(point: Point) -> Stand {
        let stand = Stand {
            bench: Bench::new(),
            point,
            group: Arc::default(),
            requests: Arc::default(),
        };
        if point.forge.has_model() {
            let answer = || turn(|asked: &Asked| asked.files(&[("index.html", PAGE)]));
            script(&stand.bench, (0..3).map(|_| answer()).collect());
        }
        if point.round == 2 {
            let ran = finish(stand.command(1, false));
            assert_eq!(ran.status, 0, "{point:?}: round 1: {ran:?}");
        }
        stand
    }

    fn command(&self, round: u64, watched: bool) -> Command {
        let world = &self.bench.world;
        let csv = format!("name,sales\na,{round}\nb,{}\n", round + 1);
        let task = self.bench.task(json!({
            "round": round, "nonce": format!("n-{round}"), "evaluation_url": world.eval_url(),
            "attachments": [{"name": "data.csv", "url": data_uri("text/csv", csv.as_bytes())}],
        }));
        let file = self.bench.write_task(&format!("task-{round}.json"), &task);
        let mut command = self.bench.command(["run".as_ref(), file.as_os_str()]);
        if self.point.forge.is_local() {
            command
                .env_remove("GH_TOKEN")
                .arg("--local")
                .arg(self.bench.path("sites"));
        }
        if self.point.forge.has_model() {
            command
                .env("OPENAI_BASE_URL", world.llm_url())
                .env("LLMDEPLOY_BROWSER", crate::model::NO_BROWSER);
        }
        if watched {
            let path = std::env::join_paths([
                self.bench.path("bin"),
                real_git().parent().unwrap().to_owned(),
            ])
            .unwrap();
            command.env("PATH", path);
        }
        command
    }

    /// Walks until the moment comes, or to the end; what of both it was, and how long it took.
    fn walk(&self) -> (bool, Duration) {
        self.arm();
        let mut command = self.command(self.point.round, true);
        let started = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        self.group
            .store(i32::try_from(child.id()).unwrap(), Ordering::SeqCst);
        if let Moment::At(after) = self.point.moment {
            wait_until(&mut child, started + after);
            kill(&self.group);
        }
        let status = child.wait().unwrap();
        self.group.store(0, Ordering::SeqCst);
        (status.code().is_none(), started.elapsed())
    }

    fn arm(&self) {
        let (kill_at, git_before, git_after) = match self.point.moment {
            Moment::BeforeRequest(n) => (Some((n, true)), 0, 0),
            Moment::AfterRequest(n) => (Some((n, false)), 0, 0),
            Moment::BeforeGit(n) => (None, n, 0),
            Moment::AfterGit(n) => (None, 0, n),
            Moment::At(_) | Moment::Never => (None, 0, 0),
        };
        self.arm_git(git_before, git_after);
        for service in [
            Service::Api,
            Service::Git,
            Service::Pages,
            Service::Eval,
            Service::Llm,
        ] {
            let (requests, group) = (Arc::clone(&self.requests), Arc::clone(&self.group));
            self.bench.world.before(
                Match::service(service),
                usize::MAX,
                move |world: &Handle| {
                    let n = requests.fetch_add(1, Ordering::SeqCst) + 1;
                    if kill_at == Some((n, true)) {
                        // Dead before it has any effect: the double forgets it, too.
                        world.fault(Fault::once(Match::service(service), Kind::Reset));
                        kill(&group);
                    }
                },
            );
            let (requests, group) = (Arc::clone(&self.requests), Arc::clone(&self.group));
            self.bench
                .world
                .after(Match::service(service), usize::MAX, move |_: &Handle| {
                    if kill_at == Some((requests.load(Ordering::SeqCst), false)) {
                        kill(&group);
                    }
                });
        }
    }

    /// A `git` that counts its calls and ends the process group at one of them.
    fn arm_git(&self, before: usize, after: usize) {
        let (bin, count, git) = (
            self.bench.path("bin"),
            self.bench.path("git-calls"),
            real_git(),
        );
        std::fs::create_dir_all(&bin).unwrap();
        let script = format!(
            "#!/bin/sh\necho >>'{count}'\nn=0\nwhile read -r _; do n=$((n+1)); done <'{count}'\n\
             [ $n = {before} ] && kill -9 0\n[ {after} = 0 ] && exec '{git}' \"$@\"\n\
             '{git}' \"$@\"\ns=$?\n[ $n = {after} ] && kill -9 0\nexit $s\n",
            count = count.display(),
            git = git.display(),
        );
        let file = bin.join("git");
        std::fs::write(&file, script).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Whether the app is on record, or pushed: then no model may be asked again.
    fn is_made(&self) -> bool {
        let runs = std::fs::read_dir(self.bench.state().join("runs"))
            .into_iter()
            .flatten()
            .flatten();
        let on_record = runs
            .map(|run| run.path().join("generate.json"))
            .filter(|file| file.is_file())
            .count() as u64;
        let pushed = if self.point.forge.is_local() {
            local_commits(&self.bench.path("sites/demo-site.git")).len() as u64
        } else {
            self.bench.world.commits("octo-dev", "demo-site").len() as u64
        };
        !self.point.state_lost && on_record == self.point.round || pushed == self.point.round
    }

    fn git_calls(&self) -> usize {
        std::fs::read_to_string(self.bench.path("git-calls"))
            .unwrap_or_default()
            .lines()
            .count()
    }

    /// What must hold however it went.
    fn verify(&self, ran: &Ran) -> Result<(), String> {
        let (bench, point) = (&self.bench, self.point);
        let fail = |what: String| Err(format!("{what}\n  {ran:?}"));
        if ran.status != 0 {
            return fail(format!("exit status {}", ran.status));
        }
        let result = ran.json();
        let sha = result["commit_sha"].as_str().unwrap_or_default().to_owned();
        let (repositories, commits) = match point.forge {
            Forge::GitHub | Forge::Model => (
                bench.world.repos(),
                bench.world.commits("octo-dev", "demo-site"),
            ),
            Forge::Local | Forge::LocalModel => (
                local_repositories(&bench.path("sites")),
                local_commits(&bench.path("sites/demo-site.git")),
            ),
        };
        if repositories.len() != 1
            || commits.len() as u64 != point.round
            || commits.first() != Some(&sha)
        {
            return fail(format!(
                "{repositories:?}, commits {commits:?}, reported {sha}"
            ));
        }
        if point.forge.is_local() {
            let csv =
                std::fs::read_to_string(bench.path("sites/demo-site/data.csv")).unwrap_or_default();
            if !csv.contains(&format!("a,{}\n", point.round)) {
                return fail(format!("the page is not this round's: {csv:?}"));
            }
        }
        let told: Vec<Value> = bench
            .world
            .notifications()
            .into_iter()
            .filter(|n| n["round"] == point.round)
            .collect();
        if !(1..=2).contains(&told.len())
            || told.iter().any(|n| *n != told[0])
            || told[0]["commit_sha"] != sha.as_str()
        {
            return fail(format!("told {told:?}"));
        }
        let unexpected = bench.world.unexpected();
        if unexpected.is_empty() {
            Ok(())
        } else {
            fail(format!("unexpected: {unexpected:?}"))
        }
    }
}

fn kill(group: &AtomicI32) {
    // The first request can be faster than the note of who sent it.
    let patience = Instant::now() + Duration::from_secs(10);
    while group.load(Ordering::SeqCst) == 0 && Instant::now() < patience {
        std::thread::yield_now();
    }
    if let Some(group) = Pid::from_raw(group.load(Ordering::SeqCst)) {
        // It may be over already.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

fn wait_until(child: &mut Child, end: Instant) {
    while Instant::now() < end && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn real_git() -> std::path::PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path)
        .map(|d| d.join("git"))
        .find(|p| p.is_file())
        .expect("git is on PATH")
}

fn local_repositories(sites: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(sites).into_iter().flatten().flatten();
    let folders = entries
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|e| e == "git"));
    folders.map(|p| p.display().to_string()).collect()
}

fn local_commits(repository: &Path) -> Vec<String> {
    let mut git = Command::new(real_git());
    let output = git
        .arg("--git-dir")
        .arg(repository)
        .args(["rev-list", "refs/heads/main"])
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(ToOwned::to_owned)
        .collect()
}

/// Only our process dies; the git that it started goes on pushing, while the next process is at it already.
fn outlived(round: u64, state_lost: bool) {
    let stand = Stand::new(Point {
        forge: Forge::GitHub,
        round,
        moment: Moment::Never,
        state_lost,
    });
    let child = Arc::new(AtomicI32::new(0));
    let process = Arc::clone(&child);
    let met = Arc::new(AtomicUsize::new(0));
    let heard = Arc::clone(&met);
    // The push of the first process has an effect only after the second one was heard of.
    stand
        .bench
        .world
        .before(Match::push(), 1, move |world: &Handle| {
            let pid = Pid::from_raw(process.load(Ordering::SeqCst)).unwrap();
            let before = world.log().len();
            rustix::process::kill_process(pid, Signal::KILL).unwrap();
            let patience = Instant::now() + Duration::from_secs(10);
            while world.log().len() < before + 2 && Instant::now() < patience {
                std::thread::yield_now();
            }
            heard.store(world.log().len() - before, Ordering::SeqCst);
        });
    let mut first = stand
        .command(round, false)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.store(i32::try_from(first.id()).unwrap(), Ordering::SeqCst);
    assert!(first.wait().unwrap().code().is_none(), "it was not killed");
    if state_lost {
        let _ = std::fs::remove_dir_all(stand.bench.state());
    }
    let ran = finish(stand.command(round, false));
    assert!(
        met.load(Ordering::SeqCst) >= 2,
        "the two did not meet: {ran:?}"
    );
    stand
        .verify(&ran)
        .unwrap_or_else(|why| panic!("round {round}, state lost: {state_lost}: {why}"));
}

#[test]
fn git_that_outlives_its_process_does_no_harm() {
    for round in [1, 2] {
        outlived(round, false);
        outlived(round, true);
    }
}

/// Kills at the point, runs again, and says what is wrong then.
fn try_point(point: Point) -> Result<bool, String> {
    let stand = Stand::new(point);
    let (killed, _) = stand.walk();
    let asked = stand.bench.world.count(&Match::llm());
    let is_made = stand.is_made();
    if point.state_lost {
        let _ = std::fs::remove_dir_all(stand.bench.state());
    }
    let ran = finish(stand.command(point.round, false));
    let asked_again = stand.bench.world.count(&Match::llm()) - asked;
    if asked_again > usize::from(!is_made) {
        return Err(format!(
            "{point:?}: the model was asked {asked_again} times more\n  {ran:?}"
        ));
    }
    stand
        .verify(&ran)
        .map(|()| killed)
        .map_err(|why| format!("{point:?}: {why}"))
}

/// Every moment of one walk: what it takes undisturbed tells how many there are.
fn moments(forge: Forge, round: u64) -> Vec<Moment> {
    /// Time slices of one walk.
    const SLICES: u32 = 8;
    let stand = Stand::new(Point {
        forge,
        round,
        moment: Moment::Never,
        state_lost: false,
    });
    let (killed, took) = stand.walk();
    assert!(!killed);
    let mut moments = Vec::new();
    for n in 1..=stand.requests.load(Ordering::SeqCst) {
        moments.extend([Moment::BeforeRequest(n), Moment::AfterRequest(n)]);
    }
    // Where a model makes the app, git does what it does without one.
    for n in 1..=if forge.has_model() {
        0
    } else {
        stand.git_calls()
    } {
        moments.extend([Moment::BeforeGit(n), Moment::AfterGit(n)]);
    }
    moments.extend((0..SLICES).map(|n| Moment::At(took * (2 * n + 1) / (2 * SLICES))));
    moments
}

fn matrix(forge: Forge, round: u64) {
    let moments = moments(forge, round);
    let points = moments.iter().flat_map(|&moment| {
        [false, true].map(|state_lost| Point {
            forge,
            round,
            moment,
            state_lost,
        })
    });
    let queue = Mutex::new(crate::run::share(points.collect::<Vec<_>>()));
    let (tried, killed, failed) = (
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        Mutex::new(Vec::new()),
    );
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let Some(point) = queue.lock().unwrap().pop() else {
                        return;
                    };
                    tried.fetch_add(1, Ordering::SeqCst);
                    match try_point(point) {
                        Ok(was_killed) => {
                            killed.fetch_add(usize::from(was_killed), Ordering::SeqCst);
                        }
                        Err(why) => failed.lock().unwrap().push(why),
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    println!(
        "{forge:?}, round {round}: {} points tried, {} killed, {} wrong",
        tried.into_inner(),
        killed.into_inner(),
        failed.len()
    );
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn killed_anywhere_on_github_in_round_1() {
    matrix(Forge::GitHub, 1);
}

#[test]
fn killed_anywhere_on_github_in_round_2() {
    matrix(Forge::GitHub, 2);
}

#[test]
fn killed_anywhere_with_a_model_in_round_1() {
    matrix(Forge::Model, 1);
}

#[test]
fn killed_anywhere_with_a_model_in_round_2() {
    matrix(Forge::Model, 2);
}

#[test]
fn killed_anywhere_locally_with_a_model() {
    matrix(Forge::LocalModel, 1);
    matrix(Forge::LocalModel, 2);
}

#[test]
fn killed_anywhere_locally_in_round_1() {
    matrix(Forge::Local, 1);
}

#[test]
fn killed_anywhere_locally_in_round_2() {
    matrix(Forge::Local, 2);
}
