//! The app as a language model makes it: ask, read, compare with what was asked for, tell what is wrong, keep the best.
//!
//! ```text
//! prompt → answer → files → findings ─ none → done
//!    ↑       │ cut off: ask for the rest  │
//!    │       └ asks for facts: fetch them │
//!    └──────── at most `repairs` times ───┘
//! ```
//!
//! Findings come from anywhere: what can be seen in the files is looked for here, a [`Judge`] adds what it saw, say, in a browser. A
//! repair starts from the best app so far and never replaces a better one; the same findings twice end it, for some checks
//! cannot be met by anybody.

mod calls;
mod candidate;
mod fetch;
pub mod findings;
mod judgement;
mod material;
mod prompt;
pub mod reply;
mod said;
mod shorten;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

pub use self::calls::Tally;
use self::calls::{Calls, Stop};
pub use self::candidate::Candidate;
use self::candidate::Rules;
pub use self::findings::Finding;
use self::findings::View;
use self::judgement::Judged;
pub use self::judgement::Judgement;
pub use self::material::Shown;
use self::prompt::{Material, Talk};
use self::reply::Reply;
use super::Fallback;
use crate::error::Result;
use crate::ports::World;
use crate::ports::http::Hosts;
use crate::ports::llm::{Answer, Endpoint, Patience};
use crate::request::required::{self, Required};
use crate::request::task::{Check, Task};
use crate::secret::{Secret, redacted};
use crate::stages::remote::Base;
use crate::stages::scan;
use crate::values::RelPath;

/// How often the rest of an answer that was cut off is asked for.
const CONTINUATIONS: u32 = 2;
/// Deployed files that are larger are not read for the prompt.
const LARGEST_SHOWN: u64 = 256 << 10;

/// Whom to ask, and how far to go.
#[derive(Clone, Debug, Default)]
pub struct Model {
    pub endpoints: Vec<Endpoint>,
    pub patience: Patience,
    pub repairs: u32,
    /// Addresses that the model names are fetched.
    pub fetch: bool,
    /// `LLMDEPLOY_FETCH_HOSTS`.
    pub fetch_hosts: Option<Hosts>,
    pub max_tokens_total: Option<u64>,
    pub record: Option<PathBuf>,
    pub replay: Option<PathBuf>,
    /// Never said to a model, whatever file they stand in.
    pub secrets: Vec<Secret>,
}

/// What would be written, on top of what stays on the remote.
pub struct Draft<'a> {
    /// Files of the model and attachments.
    pub files: BTreeMap<RelPath, &'a [u8]>,
    pub deleted: &'a BTreeSet<RelPath>,
}

/// Says what is wrong with an app, beyond what can be seen in its files.
pub type Judge<'a> = dyn Fn(&Draft<'_>) -> Result<Judgement> + 'a;

/// A round before this one, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Earlier {
    pub round: u64,
    pub brief: String,
    pub checks: Vec<Check>,
    /// Where it went; `None` where it was only previewed.
    #[serde(default)]
    pub destination: Option<String>,
}

/// What the app is made from and for.
pub struct Context<'a> {
    pub world: &'a World,
    pub task: &'a Task,
    pub model: &'a Model,
    pub repo: &'a str,
    pub base: Option<(&'a Base, &'a Path)>,
    pub attachments: Vec<Shown<'a>>,
    /// In ascending order.
    pub earlier: Vec<Earlier>,
    /// The page on the remote is the template's.
    pub template_page: bool,
    /// Where calls are kept.
    pub calls: &'a Path,
    pub scan: &'a scan::Options,
    pub judge: Option<&'a Judge<'a>>,
}

/// How it ended.
pub enum Outcome {
    Made(Box<Candidate>, Tally),
    /// Nothing that can be used, and why.
    Nothing(Fallback, String, Tally),
}

/// The first request, for people to read.
///
/// # Errors
/// `git_failed`.
pub fn prompt(context: &Context<'_>) -> Result<String> {
    let required = required::required(context.task);
    Ok(redacted(
        &first(context, &required)?.to_text(),
        &context.model.secrets,
    ))
}

/// Asks a model for the app.
///
/// # Errors
/// `state`, `git_failed`, `llm_failed` for a replay that lacks a recording; the judge's.
pub fn make(context: &Context<'_>) -> Result<Outcome> {
    let until = Instant::now() + context.world.clock.spare();
    let required = required::required(context.task);
    let deployed: BTreeSet<String> = context
        .base
        .iter()
        .flat_map(|(base, _)| base.files.iter().map(|f| f.path.clone()))
        .collect();
    let calls = Calls::open(context.world, context.model, context.calls, until)?;
    let talk = first(context, &required)?;
    let rules = Rules {
        required: &required,
        attachments: &context.attachments,
        deployed: &deployed,
    };
    let mut work = Work {
        context,
        rules,
        calls,
        base: talk.clone(),
        turn: talk.clone(),
        talk,
        candidate: Candidate::default(),
        fetched: 0,
        rests: 0,
    };
    let (best, why) = work.go()?;
    let tally = work.calls.tally();
    let Some(best) = best else {
        let none = || {
            (
                Fallback::Unusable,
                "the model gave no usable page".to_owned(),
            )
        };
        let (cause, why) = why.unwrap_or_else(none);
        return Ok(Outcome::Nothing(cause, why, tally));
    };
    let why = why.map(|(_, why)| why);
    for warning in why.iter().chain(best.findings.iter().map(|f| &f.text)) {
        context.world.progress.warn(warning);
    }
    Ok(Outcome::Made(Box::new(best.candidate), tally))
}

fn first(context: &Context<'_>, required: &Required) -> Result<Talk> {
    let deployed = match context.base {
        Some((base, git_dir)) => {
            let paths: Vec<&str> = base
                .files
                .iter()
                .filter(|f| f.bytes <= LARGEST_SHOWN)
                .map(|f| f.path.as_str())
                .collect();
            let contents = base.read(context.world, git_dir, &paths)?;
            paths
                .iter()
                .zip(contents)
                .filter_map(|(path, bytes)| Some(((*path).to_owned(), bytes?)))
                .collect()
        }
        None => vec![],
    };
    Ok(Talk::new(&Material {
        task: context.task,
        repo: context.repo,
        required,
        attachments: &context.attachments,
        deployed: &deployed,
        template_page: context.template_page,
        earlier: &context.earlier,
        fetch: context.model.fetch,
    }))
}

/// What stopped the work, by kind and for people.
type Halt = (Fallback, String);

struct Work<'a> {
    context: &'a Context<'a>,
    rules: Rules<'a>,
    calls: Calls<'a>,
    /// The first request with what was fetched; every repair starts here.
    base: Talk,
    /// What this turn began with; every continuation starts here.
    turn: Talk,
    talk: Talk,
    candidate: Candidate,
    fetched: u32,
    rests: u32,
}

impl Work<'_> {
    /// The best usable app, and why it went no further, if something stopped it.
    fn go(&mut self) -> Result<(Option<Judged>, Option<Halt>)> {
        let (mut best, mut last, mut repairs) = (None::<Judged>, None::<Vec<Finding>>, 0);
        loop {
            let answer = match self.calls.ask(&self.talk.messages) {
                Ok(answer) => answer,
                Err(Stop::Failed(cause, why)) => return Ok((best, Some((cause, why)))),
                Err(Stop::Error(e)) => return Err(e),
            };
            let reply = reply::read(&answer.text, &self.talk.words());
            match self.fetch(&answer, &reply, repairs == 0) {
                Ok(false) => {}
                Ok(true) => continue,
                Err(Stop::Failed(cause, why)) => return Ok((best, Some((cause, why)))),
                Err(Stop::Error(e)) => return Err(e),
            }
            let wrong = self.candidate.take(&reply, &self.rules);
            if self.ask_rest(&answer, &reply) {
                continue;
            }
            let secrets = self.secrets()?;
            let clean = secrets.is_empty();
            let judged = self.judge(&reply, [secrets, wrong].concat())?;
            let usable = clean && self.is_usable(&judged.candidate);
            let repeated = last.as_ref() == Some(&judged.findings);
            let done =
                judged.findings.is_empty() || repeated || repairs >= self.context.model.repairs;
            let why = judged
                .findings
                .first()
                .map(|f| format!("the model gave no usable page: {}", f.text));
            last = Some(judged.findings.clone());
            let better = usable && best.as_ref().is_none_or(|b| judged.score() > b.score());
            let tried = if better || best.is_none() {
                vec![]
            } else {
                judged.findings.clone()
            };
            // Without a usable app the repair starts from what there is.
            let from = if better {
                best.insert(judged)
            } else {
                match &best {
                    Some(best) => best,
                    None => &judged,
                }
            };
            if done {
                return Ok(if best.is_some() {
                    (best, None)
                } else {
                    (None, why.map(|why| (Fallback::Unusable, why)))
                });
            }
            if !self.calls.has_time_for_repair() {
                let late = "too little time is left for a repair".to_owned();
                let why = if best.is_some() {
                    late
                } else {
                    why.map_or(late.clone(), |why| format!("{why} ({late})"))
                };
                return Ok((best, Some((Fallback::Unusable, why))));
            }
            repairs += 1;
            self.context.world.progress.detail(&format!(
                "{} findings; asking for repair {repairs}",
                from.findings.len()
            ));
            self.candidate = from.candidate.clone();
            self.talk = self.base.clone();
            self.talk.ask_repair(
                &own(&from.candidate),
                &from.findings,
                &tried,
                from.picture.as_deref(),
            );
            self.turn = self.talk.clone();
            self.rests = 0;
        }
    }

    /// Gets what the model asks for, if that is all it says.
    fn fetch(&mut self, answer: &Answer, reply: &Reply, first_turn: bool) -> Result<bool, Stop> {
        if reply.fetches.is_empty()
            || !reply.files.is_empty()
            || !self.context.model.fetch
            || self.fetched >= fetch::TURNS
        {
            return Ok(false);
        }
        self.fetched += 1;
        let hosts = self.context.model.fetch_hosts.as_ref();
        let get = |url: &String| {
            let body = self.calls.fact(url, || {
                self.context
                    .world
                    .progress
                    .detail(&format!("fetching {}", crate::ports::http::masked(url)));
                fetch::get(self.context.world, hosts, url, self.calls.until)
            });
            body.map(|body| (url.clone(), body))
        };
        let bodies = reply
            .fetches
            .iter()
            .take(fetch::AT_ONCE)
            .map(get)
            .collect::<Result<Vec<_>, Stop>>()?;
        self.talk
            .tell_fetched(&answer.text, &bodies, self.fetched == fetch::TURNS);
        self.turn = self.talk.clone();
        if first_turn {
            self.base = self.talk.clone();
        }
        Ok(true)
    }

    /// Asks for the rest of an answer that was cut off, if there is a rest.
    fn ask_rest(&mut self, answer: &Answer, reply: &Reply) -> bool {
        let stopped = matches!(answer.finish.as_deref(), None | Some("length"));
        let missing = self.missing();
        let cut = !reply.incomplete.is_empty() || stopped && !missing.is_empty();
        if !cut || self.rests >= CONTINUATIONS {
            return false;
        }
        self.rests += 1;
        self.context
            .world
            .progress
            .detail("the answer was cut off; asking for the rest");
        self.talk = self.turn.clone();
        self.talk
            .ask_rest(&own(&self.candidate), &reply.incomplete, &missing);
        true
    }

    /// What the model has written that must not become public: none of it is ever used.
    fn secrets(&self) -> Result<Vec<Finding>> {
        let found = scan::findings(&own(&self.candidate), self.context.scan)?;
        let tell = |what: String| {
            Finding::grave(format!(
                "{what}. The page is public: take it out, and let the user give such a value in the page where one is needed."
            ))
        };
        Ok(found.into_iter().map(tell).collect())
    }

    fn missing(&self) -> Vec<String> {
        let there = self.candidate.paths(&self.rules);
        self.rules
            .required
            .files
            .keys()
            .filter(|p| !there.contains(p.as_str()))
            .map(ToString::to_string)
            .collect()
    }

    fn judge(&self, reply: &Reply, mut findings: Vec<Finding>) -> Result<Judged> {
        let candidate = self.candidate.clone();
        findings.extend(
            reply.incomplete.iter().map(|path| {
                Finding::grave(format!("{path} was cut off; send it again, complete."))
            }),
        );
        if let Some(why) = &reply.unclear {
            findings.push(Finding::grave(format!(
                "Your answer cannot be used: {why}. Send every file once, whole, in the format that is asked for."
            )));
        }
        if reply.is_empty() && findings.is_empty() {
            findings.push(Finding::grave(
                "Your answer held no files in the format that is asked for.",
            ));
        }
        if !reply.fetches.is_empty() && reply.files.is_empty() {
            findings.push(Finding::grave(
                "Nothing more can be fetched. Write the files from what you have.",
            ));
        }
        let written = own(&candidate);
        let paths = candidate.paths(&self.rules);
        findings.extend(findings::findings(&View {
            task: self.context.task,
            required: self.rules.required,
            written: &written,
            paths: &paths,
        }));
        let mut judgement = Judgement::default();
        if let Some(judge) = self.context.judge.filter(|_| self.is_usable(&candidate)) {
            let attached = self
                .context
                .attachments
                .iter()
                .map(|a| (a.path.clone(), a.bytes));
            let files = attached
                .chain(
                    candidate
                        .files
                        .iter()
                        .map(|(path, bytes)| (path.clone(), bytes.as_slice())),
                )
                .collect();
            let draft = Draft {
                files,
                deleted: &candidate.deleted,
            };
            judgement = judgement::kept(self.context.calls, &draft, || judge(&draft))?;
        }
        findings.extend(judgement.findings);
        let Judgement {
            passed,
            kept,
            picture,
            ..
        } = judgement;
        Ok(Judged {
            candidate,
            findings,
            passed,
            kept,
            picture,
        })
    }

    /// Whether there is a page, whole as far as can be seen, and anything of the model's at all.
    fn is_usable(&self, candidate: &Candidate) -> bool {
        let page = candidate
            .files
            .iter()
            .find(|(path, _)| path.as_str() == "index.html");
        let whole = match page {
            Some((_, bytes)) => String::from_utf8_lossy(bytes)
                .to_ascii_lowercase()
                .contains("</html>"),
            None => candidate.paths(&self.rules).contains("index.html"),
        };
        let something = candidate
            .files
            .keys()
            .any(|p| !candidate.converted.contains(p))
            || !candidate.deleted.is_empty();
        whole && something
    }
}

/// What the model itself wrote.
fn own(candidate: &Candidate) -> BTreeMap<RelPath, Vec<u8>> {
    candidate
        .files
        .iter()
        .filter(|(path, _)| !candidate.converted.contains(path))
        .map(|(p, b)| (p.clone(), b.clone()))
        .collect()
}
