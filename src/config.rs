//! Flags, environment and `.env` become one [`Setup`]; the only reader of settings from it.

mod environment;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;

pub use self::environment::Environment;
use crate::cli::{Checks, Doctor, Global, ModelArgs, Notify, Walk};
use crate::clock::Clock;
use crate::error::{Code, Error, OrCode, Result};
use crate::ports::World;
use crate::ports::browser;
use crate::ports::forge::Forge;
use crate::ports::git::Git;
use crate::ports::github::GitHub;
use crate::ports::http::{Http, Url};
use crate::ports::llm::{self, Endpoint, Patience};
use crate::ports::local::Local;
use crate::ports::process::Children;
use crate::progress::Progress;
use crate::request::name;
use crate::request::task::Task;
use crate::run::doctor::Tools;
use crate::run::{Errands, Goal, Setup};
use crate::secret::Secret;
use crate::stages::generate::asked::{Flags, NO_KEY};
use crate::stages::generate::llm::Model;
use crate::stages::{check, generate, scan};

/// What a command may vary.
struct Wishes<'a> {
    walk: Option<&'a Walk>,
    deadline: u64,
    notify_for: Option<u64>,
    /// The forge is going to be written to, so a token is needed.
    needs_token: bool,
}

/// The setup of a walk.
///
/// # Errors
/// `config`, `usage`, `missing_token`.
pub fn walk(
    env: &Environment,
    global: &Global,
    walk: &Walk,
    goal: Goal,
    task: &Task,
    said: (Arc<dyn Progress>, Children),
) -> Result<Setup> {
    let notify_for = (!walk.no_notify).then_some(walk.notify_for);
    let wishes = Wishes {
        walk: Some(walk),
        deadline: walk.deadline,
        notify_for,
        needs_token: goal >= Goal::Deploy,
    };
    resolve(env, global, &wishes, task, said)
}

/// The setup of a notification alone.
///
/// # Errors
/// `config`.
pub fn notify(
    env: &Environment,
    global: &Global,
    notify: &Notify,
    task: &Task,
    said: (Arc<dyn Progress>, Children),
) -> Result<Setup> {
    let notify_for = notify.notify_for.unwrap_or(600);
    let wishes = Wishes {
        walk: None,
        deadline: notify_for,
        notify_for: Some(notify_for),
        needs_token: false,
    };
    resolve(env, global, &wishes, task, said)
}

/// The setup of `notify --retry`.
///
/// # Errors
/// `config`.
pub fn retry(
    env: &Environment,
    global: &Global,
    notify: &Notify,
    said: (Arc<dyn Progress>, Children),
) -> Result<Errands> {
    // Cron comes again; an evaluator that is down must not keep one process for long.
    let window = Duration::from_secs(notify.notify_for.unwrap_or(60));
    let state = env.state_dir(global.state_dir.as_ref())?;
    Ok(Errands {
        state,
        admission: env.admission()?,
        world: world(env, window, said)?,
        window,
    })
}

/// What `doctor` looks at.
///
/// # Errors
/// `config`, `usage`.
pub fn doctor(
    env: &Environment,
    global: &Global,
    args: &Doctor,
    task: Option<&Task>,
    said: (Arc<dyn Progress>, Children),
) -> Result<Tools> {
    let token = env.token(&["GH_TOKEN", "GITHUB_TOKEN"]);
    let key = env.token(&["OPENAI_API_KEY"]);
    let github = github(env, args.owner.as_deref(), token.clone())?;
    Ok(Tools {
        github: token.map(|_| github),
        endpoints: endpoints(env, args.model.as_deref(), key)?,
        browser: checks(env, None).browser,
        state: env.state_dir(global.state_dir.as_ref()),
        admission: env.admission()?,
        evaluator: task.and_then(|t| t.evaluation_url.clone()),
        world: world(env, Duration::from_secs(120), said)?,
    })
}

fn world(
    env: &Environment,
    total: Duration,
    (progress, children): (Arc<dyn Progress>, Children),
) -> Result<World> {
    // What is left for the notification when everything before has used up its time.
    let reserve = Duration::from_secs(30).min(total / 10);
    let deadline = Instant::now() + total.saturating_sub(reserve);
    // Deploying takes half a minute mostly, and some minutes where Pages has a queue.
    let for_deploying = Duration::from_secs(240).min(total * 2 / 5);
    let clock = Clock {
        unit: env.milliseconds("LLMDEPLOY_RETRY_BASE_MS", 1000)?,
        poll: env.milliseconds("LLMDEPLOY_POLL_MS", 2000)?,
        answer: env.milliseconds("LLMDEPLOY_TIMEOUT_MS", 15_000)?,
        deadline,
        work_until: deadline.checked_sub(for_deploying).unwrap_or(deadline),
    };
    if let Some(note) = env.note() {
        progress.warn(&note);
    }
    let certificates = env.get("SSL_CERT_FILE").map(PathBuf::from);
    let http = Http::new(certificates.as_deref(), Arc::clone(&progress))
        .context("SSL_CERT_FILE")
        .or_code(Code::Config)?;
    // A remote that unpacks a large push says so every few seconds, so two answers' time is enough to tell that it hangs.
    let git = Git::new(children.clone(), Arc::clone(&progress), clock.answer * 2);
    Ok(World {
        clock,
        http,
        git,
        children,
        progress,
    })
}

fn resolve(
    env: &Environment,
    global: &Global,
    wishes: &Wishes<'_>,
    task: &Task,
    said: (Arc<dyn Progress>, Children),
) -> Result<Setup> {
    let walk = wishes.walk;
    if let Some(name) = walk.and_then(|w| w.repo.as_deref()) {
        name::check_repository(name)?;
    }
    let token = env.token(&["GH_TOKEN", "GITHUB_TOKEN"]);
    let key = env.token(&["OPENAI_API_KEY"]);
    let admission = env.admission()?;
    let own = [
        ("the GitHub token", &token),
        ("the key of the language model", &key),
        ("the shared secret", &admission.secret),
        ("the task's secret", &task.secret),
    ];
    let mut own: Vec<_> = own
        .into_iter()
        .filter_map(|(name, secret)| Some((name, secret.clone()?)))
        .collect();
    let secrets = own.iter().map(|(_, secret)| secret.clone()).collect();
    let (model, no_model) = match walk.filter(|w| !w.model.no_llm && w.site.is_none()) {
        Some(walk) => model(env, &walk.model, key.clone(), secrets)?,
        None => (None, None),
    };
    let fallbacks = model.iter().flat_map(|m| m.endpoints.iter().skip(1));
    own.extend(fallbacks.filter_map(|e| Some(("the key of a fallback model", e.key.clone()?))));
    let forge = forge(env, walk, token.clone(), wishes.needs_token)?;
    let world = world(env, Duration::from_secs(wishes.deadline), said)?;
    Ok(Setup {
        state: env.state_dir(global.state_dir.as_ref())?,
        admission,
        forge,
        repo: walk.and_then(|w| w.repo.clone()),
        new_repo: walk.is_some_and(|w| w.new_repo),
        adopt: walk.is_some_and(|w| w.adopt),
        fresh: walk.is_some_and(|w| w.fresh),
        prove: env
            .get("REQUIRE_GITHUB_TOKEN_ON_STARTUP")
            .is_some_and(|v| v.trim().eq_ignore_ascii_case("true") || v.trim() == "1"),
        generate: generate::Options {
            site: walk.and_then(|w| w.site.clone()),
            model,
            no_model,
            private_hosts: env.hosts("LLMDEPLOY_FETCH_HOSTS")?,
            no_fallback: walk.is_some_and(|w| w.model.no_fallback),
            flags: walk.map_or_else(Flags::default, |w| said_of_model(env, &w.model)),
        },
        checks: checks(env, walk),
        screenshot: walk.and_then(|w| w.screenshot.clone()),
        scan: scan::Options {
            own,
            allowed: allowed(walk)?,
        },
        pages_timeout: Duration::from_secs(walk.map_or(0, |w| w.pages_timeout)),
        notify_for: wishes.notify_for.map(Duration::from_secs),
        notify_elsewhere: walk.is_some_and(|w| w.notify),
        detached: walk.is_some_and(|w| w.detach),
        world,
    })
}

/// What of the model is said by the user, for a rerun that must not take it for the same.
fn said_of_model(env: &Environment, args: &ModelArgs) -> Flags {
    let number = |flag: &str, n: Option<String>| n.map(|n| format!("{flag} {n}"));
    let folder = |flag: &str, dir: &Option<PathBuf>| {
        dir.as_ref().map(|dir| format!("{flag} {}", dir.display()))
    };
    let steering = [
        number("--repairs", args.repairs.map(|n| n.to_string())),
        args.no_fetch.then(|| "--no-fetch".to_owned()),
        number(
            "--max-tokens-total",
            args.max_tokens_total.map(|n| n.to_string()),
        ),
        folder("--record", &args.record),
    ];
    Flags {
        model: args.model.as_ref().map(|m| m.trim().to_owned()),
        setting: env.get("OPENAI_MODEL").map(|m| m.trim().to_owned()),
        no_llm: args.no_llm,
        steering: steering.into_iter().flatten().collect(),
    }
}

/// Whom to ask, or why nobody is asked.
fn model(
    env: &Environment,
    args: &ModelArgs,
    key: Option<Secret>,
    mut secrets: Vec<Secret>,
) -> Result<(Option<Model>, Option<String>)> {
    let endpoints = endpoints(env, args.model.as_deref(), key)?;
    secrets.extend(endpoints.iter().filter_map(|e| e.key.clone()));
    if endpoints.is_empty() && args.replay.is_none() && !args.print_prompt {
        return Ok((None, Some(NO_KEY.to_owned())));
    }
    let first_word = env
        .get("LLMDEPLOY_MODEL_TIMEOUT_MS")
        .map(|_| env.milliseconds("LLMDEPLOY_MODEL_TIMEOUT_MS", 300_000));
    let patience = Patience {
        longest: args.patience.map(Duration::from_secs),
        first_word: first_word.transpose()?,
        idle: env.milliseconds("LLMDEPLOY_MODEL_IDLE_MS", 120_000)?,
    };
    let model = Model {
        patience,
        endpoints,
        repairs: args.repairs.unwrap_or(2),
        fetch: !args.no_fetch,
        fetch_hosts: env.hosts("LLMDEPLOY_FETCH_HOSTS")?,
        max_tokens_total: args.max_tokens_total,
        record: args.record.clone(),
        replay: args.replay.clone(),
        secrets,
    };
    Ok((Some(model), None))
}

/// The models that may be asked, the first one first.
fn endpoints(env: &Environment, model: Option<&str>, key: Option<Secret>) -> Result<Vec<Endpoint>> {
    let wrong = |name: &str, why: String| {
        Error::new(Code::Config, format!("{name}: {why}"))
            .hint("e.g. OPENAI_BASE_URL=https://api.openai.com/v1, OPENAI_FALLBACK_MODELS=gpt-4o,llama@http://127.0.0.1:8080/v1,other@https://llm.example/v1#OTHER_KEY")
    };
    let base = env
        .get("OPENAI_BASE_URL")
        .unwrap_or_else(|| "https://api.openai.com/v1".to_owned());
    let base = llm::base_url(&base).map_err(|why| wrong("OPENAI_BASE_URL", why))?;
    let name = model
        .map(ToOwned::to_owned)
        .or_else(|| env.get("OPENAI_MODEL"))
        .unwrap_or_else(|| "gpt-4o-mini".to_owned());
    let home = Endpoint {
        model: name.trim().to_owned(),
        base,
        key,
    };
    let mut endpoints = vec![home.clone()];
    for text in env.list("OPENAI_FALLBACK_MODELS").unwrap_or_default() {
        endpoints.push(
            Endpoint::parse(&text, &home, &|name| env.fallback_key(name))
                .map_err(|why| wrong("OPENAI_FALLBACK_MODELS", format!("{text:?} {why}")))?,
        );
    }
    // A server of somebody else's is only asked without a key where the list names it beside one that has one.
    endpoints.retain(|e| e.usable() || home.usable());
    Ok(endpoints)
}

fn checks(env: &Environment, walk: Option<&Walk>) -> check::Options {
    let proxy = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
        .iter()
        .find_map(|name| env.get(name));
    let browser = browser::Options {
        path: env.get("LLMDEPLOY_BROWSER").map(PathBuf::from),
        offline: walk.is_some_and(|w| w.offline),
        allowed: None,
        proxy,
    };
    let mode = match walk.map(|w| w.checks) {
        Some(Checks::Require) => check::Mode::Require,
        Some(Checks::Off) => check::Mode::Off,
        Some(Checks::Auto) | None => check::Mode::Auto,
    };
    check::Options {
        mode,
        browser,
        timeout: Duration::from_secs(walk.map_or(15, |w| w.check_timeout)),
    }
}

fn forge(
    env: &Environment,
    walk: Option<&Walk>,
    token: Option<Secret>,
    needs_token: bool,
) -> Result<Box<dyn Forge>> {
    if let Some(dir) = walk.and_then(|w| w.local.as_ref()) {
        return Ok(Box::new(Local::new(dir)?));
    }
    let known = token.is_some();
    let github = github(env, walk.and_then(|w| w.owner.as_deref()), token)?;
    if needs_token && !known {
        return Err(Error::new(Code::MissingToken, "no GitHub token")
            .hint("set GH_TOKEN (or GITHUB_TOKEN), or deploy without an account: --local DIR"));
    }
    Ok(Box::new(github))
}

fn github(env: &Environment, owner: Option<&str>, token: Option<Secret>) -> Result<GitHub> {
    let api = env
        .get("GITHUB_API_URL")
        .unwrap_or_else(|| "https://api.github.com".to_owned());
    let api = Url::parse_safe(api.trim()).map_err(|why| {
        Error::new(Code::Config, format!("GITHUB_API_URL: {why}"))
            .hint("e.g. GITHUB_API_URL=https://api.github.com")
    })?;
    let owner = owner.map(|o| (o.to_owned(), "--owner", Code::Usage));
    let owner = owner.or_else(|| {
        env.get("GITHUB_OWNER")
            .map(|o| (o.trim().to_owned(), "GITHUB_OWNER", Code::Config))
    });
    if let Some((owner, source, code)) = &owner
        && !is_owner(owner)
    {
        return Err(Error::new(
            *code,
            format!("{source}: {owner:?} is not the name of a user or organisation"),
        ));
    }
    Ok(GitHub::new(api, token, owner.map(|(o, ..)| o)))
}

/// GitHub's rule for logins, with the underscore of enterprise-managed users.
fn is_owner(name: &str) -> bool {
    (1..=100).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

fn allowed(walk: Option<&Walk>) -> Result<Vec<String>> {
    let digests = walk.map(|w| w.allow_secret.clone()).unwrap_or_default();
    match digests
        .iter()
        .find(|d| d.len() != 64 || !d.bytes().all(|b| b.is_ascii_hexdigit()))
    {
        Some(wrong) => Err(Error::new(
            Code::Usage,
            format!("--allow-secret {wrong:?} is not a SHA-256 in hexadecimal"),
        )
        .hint("the error that found the value shows it")),
        None => Ok(digests),
    }
}
