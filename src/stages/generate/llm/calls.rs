//! Calls of a run: kept beside the journal, recorded and replayed. One file per call, readable:
//! `{"digest", "at", "ms", "request": [{"role", "text", "images"}], "answer": {"text", "model", "usage", …} | null, "error"}`.
//!
//! A call is known by the digest of what was said, without the model's name: an answer on record is never asked for again,
//! and what was recorded with one model can be replayed by somebody who has none. Headers are no part of it, so no key is, and
//! own secrets are taken out of the texts before they are said at all.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, io};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::{Fallback, Model, shorten};
use crate::clock::rfc3339_now;
use crate::error::{Code, Error, OrCode, Result};
use crate::journal::files;
use crate::ports::World;
use crate::ports::llm::{Answer, Ask, Client, Failure, Message, Role, Usage};
use crate::secret::redacted;
use crate::text::cut;
use crate::values::sha256_hex;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Call {
    digest: String,
    at: String,
    ms: u64,
    request: Vec<Said>,
    answer: Option<Answer>,
    /// Why there is no answer.
    error: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Said {
    role: Role,
    text: String,
    /// Media type, size and digest of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    images: Vec<String>,
}

/// An image of 1280 × 800 has about as many, with OpenAI's larger models.
const TOKENS_OF_IMAGE: u64 = 1_000;

/// What stood at an address that the model named.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Fact {
    url: String,
    at: String,
    body: Option<String>,
    /// Why there is no body.
    error: Option<String>,
}

/// The folder of the facts, in a recording and beside the journal.
const FACTS: &str = "facts";

const RECORD_IT: &str =
    "record it: run the same command with --record DIR instead of --replay, and a model";

/// Why a call gave no answer.
pub enum Stop {
    /// No model will help; the template may.
    Failed(Fallback, String),
    /// The user must know.
    Error(Error),
}

/// Makes calls, or finds them on record.
pub struct Calls<'a> {
    world: &'a World,
    model: &'a Model,
    client: Client,
    dir: &'a Path,
    known: RefCell<BTreeMap<String, Call>>,
    next: Cell<u32>,
    /// When the last call must have been answered.
    pub until: Instant,
    /// How long the longest call took.
    longest: Cell<Duration>,
    tally: RefCell<Tally>,
}

/// What the calls of a run have come to.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub attempts: u32,
    /// `None` once a server has not said.
    pub usage: Option<Usage>,
    silent: bool,
    /// Tokens, estimated where a server has not said. For the budget.
    pub spent: u64,
    pub model: Option<String>,
}

impl<'a> Calls<'a> {
    /// `dir`: where this run's calls are kept.
    ///
    /// # Errors
    /// `state`, and `usage` for a `--replay` directory that does not read.
    pub fn open(world: &'a World, model: &'a Model, dir: &'a Path, until: Instant) -> Result<Self> {
        let mut known = BTreeMap::new();
        let mut next = 1;
        for (name, call) in read_all(dir, files::read_json)?.unwrap_or_default() {
            next = next.max(
                name.split(['-', '.'])
                    .next()
                    .and_then(|n| n.parse::<u32>().ok())
                    .unwrap_or(0)
                    + 1,
            );
            if call.answer.is_some() {
                known.insert(call.digest.clone(), call);
            }
        }
        if let Some(replay) = &model.replay {
            let recorded = read_all(replay, recording)
                .and_then(|all| {
                    all.ok_or_else(|| Error::new(Code::Usage, "there is no such directory"))
                })
                .map_err(|e| Error {
                    code: Code::Usage,
                    ..e.context(format!("--replay {}", replay.display()))
                })?;
            known.extend(
                recorded
                    .into_iter()
                    .map(|(_, call)| (call.digest.clone(), call)),
            );
        }
        let client = Client::new(model.endpoints.clone(), model.patience);
        let tally = RefCell::new(Tally {
            usage: Some(Usage::default()),
            ..Tally::default()
        });
        Ok(Self {
            world,
            model,
            client,
            dir,
            known: RefCell::new(known),
            next: Cell::new(next),
            until,
            longest: Cell::default(),
            tally,
        })
    }

    pub fn tally(&self) -> Tally {
        let tally = self.tally.borrow().clone();
        Tally {
            usage: tally.usage.filter(|u| !tally.silent && u.total_tokens > 0),
            ..tally
        }
    }

    /// What the model says to this.
    ///
    /// # Errors
    /// As [`Stop`] says.
    pub fn ask(&self, messages: &[Message]) -> Result<Answer, Stop> {
        let messages = self.without_secrets(messages);
        let request: Vec<Said> = messages.iter().map(said).collect();
        let digest = digest(&request);
        let found = self
            .known
            .borrow()
            .get(&digest)
            .and_then(|c| c.answer.clone());
        if let Some(answer) = found {
            self.tally.borrow_mut().attempts += 1;
            self.count(&request, &answer);
            return Ok(answer);
        }
        if let Some(dir) = &self.model.replay {
            return Err(Stop::Error(not_recorded(dir, &request)));
        }
        let most_tokens = self.budget(&request)?;
        self.tally.borrow_mut().attempts += 1;
        let started = Instant::now();
        let ask = Ask {
            messages: &messages,
            shorter: &|n| shorten::shorter(&messages, n),
            until: self.until,
            most_tokens,
        };
        let outcome = self.client.ask(self.world, &ask);
        self.longest.set(self.longest.get().max(started.elapsed()));
        let call = Call {
            digest: digest.clone(),
            at: rfc3339_now(),
            ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            request,
            answer: outcome.as_ref().ok().cloned(),
            error: outcome.as_ref().err().map(ToString::to_string),
        };
        self.keep(&call).map_err(Stop::Error)?;
        match outcome {
            Ok(answer) => {
                self.count(&call.request, &answer);
                self.known.borrow_mut().insert(digest, call);
                Ok(answer)
            }
            Err(Failure::Late) => {
                let why = "the model did not answer in time".to_owned();
                Err(Stop::Failed(Fallback::Outage, why))
            }
            Err(failure) => Err(Stop::Failed(Fallback::of(&failure), failure.to_string())),
        }
    }

    /// Whether there is time for a call that could be done without and may take as long as the longest so far, beside what deploying
    /// and telling take. From then on no call goes into that time. What is replayed takes none.
    pub fn has_time_for_repair(&mut self) -> bool {
        if self.model.replay.is_some() {
            return true;
        }
        let spare = self.world.clock.spare();
        self.until = self.until.min(Instant::now() + spare);
        spare > self.longest.get()
    }

    /// What stands at an address, or why nothing does, for the model to read: as it was when this run, or the recording, asked
    /// for it first. Otherwise an answer to it that is on record would not be found again.
    ///
    /// # Errors
    /// As [`Stop`] says.
    pub fn fact(
        &self,
        url: &str,
        get: impl FnOnce() -> Result<String, String>,
    ) -> Result<Result<String, String>, Stop> {
        let name = format!("{}.json", &sha256_hex(url.as_bytes())[..16]);
        let place = |dir: &Path| dir.join(FACTS).join(&name);
        let known = files::read_json::<Fact>(&place(self.dir)).map_err(Stop::Error)?;
        let fact = match (known, &self.model.replay) {
            (Some(known), _) => known,
            (None, Some(dir)) => {
                let place = place(dir);
                let bytes = fs::read(&place).map_err(|_| {
                    let message = format!(
                        "--replay {}: what stands at {url} was not recorded",
                        dir.display()
                    );
                    Stop::Error(Error::new(Code::LlmFailed, message).hint(RECORD_IT))
                })?;
                serde_json::from_slice(&bytes)
                    .with_context(|| format!("{} is not a recording", place.display()))
                    .or_code(Code::Usage)
                    .map_err(Stop::Error)?
            }
            (None, None) => {
                let (body, error) = match get() {
                    Ok(body) => (Some(body), None),
                    Err(why) => (None, Some(why)),
                };
                Fact {
                    url: url.to_owned(),
                    at: rfc3339_now(),
                    body,
                    error,
                }
            }
        };
        self.keep_fact(&fact, &place(self.dir))
            .map_err(Stop::Error)?;
        Ok(fact.body.ok_or_else(|| fact.error.unwrap_or_default()))
    }

    fn keep_fact(&self, fact: &Fact, own: &Path) -> Result<()> {
        if !own.exists() {
            files::make_dir(self.dir)?;
            files::make_dir(&self.dir.join(FACTS))?;
            files::write_json(own, fact)?;
        }
        let Some(dir) = &self.model.record else {
            return Ok(());
        };
        let facts = dir.join(FACTS);
        fs::create_dir_all(&facts)
            .with_context(|| format!("--record: making {}", facts.display()))
            .or_code(Code::Usage)?;
        let text = serde_json::to_string_pretty(fact)
            .context("writing a recording")
            .or_code(Code::Internal)?;
        let name = own.file_name().unwrap_or_default();
        files::write(&facts.join(name), (text + "\n").as_bytes()).map_err(|e| Error {
            code: Code::Usage,
            ..e.context(format!("--record {}", dir.display()))
        })
    }

    /// The tokens that the answer may have.
    fn budget(&self, request: &[Said]) -> Result<Option<u64>, Stop> {
        let Some(most) = self.model.max_tokens_total else {
            return Ok(None);
        };
        let spent = self.tally.borrow().spent;
        let prompt: u64 = request.iter().map(estimate_of).sum();
        let left = most.saturating_sub(spent.saturating_add(prompt));
        if left > 0 {
            return Ok(Some(left));
        }
        let why = format!(
            "--max-tokens-total {most}: {spent} tokens are spent, and the next request has about {prompt}"
        );
        Err(Stop::Failed(Fallback::Budget, why))
    }

    fn count(&self, request: &[Said], answer: &Answer) {
        let mut tally = self.tally.borrow_mut();
        tally.model = Some(answer.model.clone());
        match answer.usage {
            Some(usage) => {
                tally.spent = tally.spent.saturating_add(usage.total_tokens);
                if let Some(sum) = &mut tally.usage {
                    sum.prompt_tokens = sum.prompt_tokens.saturating_add(usage.prompt_tokens);
                    sum.completion_tokens = sum
                        .completion_tokens
                        .saturating_add(usage.completion_tokens);
                    sum.total_tokens = sum.total_tokens.saturating_add(usage.total_tokens);
                }
            }
            None => {
                tally.silent = true;
                tally.spent +=
                    request.iter().map(estimate_of).sum::<u64>() + estimate(&answer.text);
            }
        }
    }

    /// Written whole and synced before anything is done with the answer: after a kill it is not asked for again.
    fn keep(&self, call: &Call) -> Result<()> {
        files::make_dir(self.dir)?;
        let n = self.next.replace(self.next.get() + 1);
        files::write_json(&self.dir.join(format!("{n:02}.json")), call)?;
        let Some(dir) = self.model.record.as_ref().filter(|_| call.answer.is_some()) else {
            return Ok(());
        };
        let to_usage = |e: Error| Error {
            code: Code::Usage,
            ..e.context(format!("--record {}", dir.display()))
        };
        fs::create_dir_all(dir)
            .with_context(|| format!("making {}", dir.display()))
            .or_code(Code::Usage)
            .map_err(to_usage)?;
        let there = read_all(dir, recording)
            .map_err(to_usage)?
            .unwrap_or_default();
        let name = there
            .iter()
            .find(|(_, c)| c.digest == call.digest)
            .map_or_else(
                || format!("{:02}-{}.json", there.len() + 1, &call.digest[..8]),
                |(n, _)| n.clone(),
            );
        let text = serde_json::to_string_pretty(call)
            .context("writing a recording")
            .or_code(Code::Internal)?;
        files::write(&dir.join(name), (text + "\n").as_bytes()).map_err(to_usage)
    }

    fn without_secrets(&self, messages: &[Message]) -> Vec<Message> {
        messages
            .iter()
            .map(|m| Message {
                text: redacted(&m.text, &self.model.secrets),
                ..m.clone()
            })
            .collect()
    }
}

/// Names the recording that is most like the request, and the first line in which they differ.
fn not_recorded(dir: &Path, request: &[Said]) -> Error {
    let text = |said: &[Said]| {
        said.iter()
            .map(|s| format!("[{:?}]\n{}\n{}", s.role, s.text, s.images.join("\n")))
            .collect::<Vec<_>>()
            .join("\n")
    };
    let here = text(request);
    let all = read_all(dir, recording).ok().flatten().unwrap_or_default();
    let near = all.iter().rev().map(|(name, call)| {
        let there = text(&call.request);
        let same = here
            .lines()
            .zip(there.lines())
            .take_while(|(a, b)| a == b)
            .count();
        (same, name, there)
    });
    let detail = match near.max_by_key(|(same, ..)| *same) {
        None => "it holds no recordings".to_owned(),
        Some((same, name, there)) => {
            let line = |text: &str| {
                text.lines().nth(same).map_or_else(
                    || "nothing more".to_owned(),
                    |l| format!("{:?}", cut(l, 120)),
                )
            };
            format!(
                "the nearest is {name}, which differs in line {}: recorded {}, asked {}",
                same + 1,
                line(&there),
                line(&here)
            )
        }
    };
    Error::new(
        Code::LlmFailed,
        format!(
            "--replay {}: this request was not recorded; {detail}",
            dir.display()
        ),
    )
    .hint(RECORD_IT)
}

fn said(message: &Message) -> Said {
    let image = |i: &crate::ports::llm::Image| {
        format!(
            "{}, {} bytes, sha256 {}",
            i.media_type,
            i.bytes.len(),
            sha256_hex(&i.bytes)
        )
    };
    Said {
        role: message.role,
        text: message.text.clone(),
        images: message.images.iter().map(image).collect(),
    }
}

fn digest(request: &[Said]) -> String {
    let parts: Vec<String> = request
        .iter()
        .map(|s| format!("{:?}\0{}\0{}", s.role, s.text, s.images.join("\0")))
        .collect();
    sha256_hex(parts.join("\0\0").as_bytes())
}

fn estimate_of(said: &Said) -> u64 {
    estimate(&said.text) + said.images.len() as u64 * TOKENS_OF_IMAGE
}

/// Four letters to a token, as everybody estimates.
fn estimate(text: &str) -> u64 {
    text.len() as u64 / 4 + 1
}

/// A recording is plain JSON, so that it can be written and corrected by hand; a call kept beside a journal is read just as well.
fn recording(path: &Path) -> Result<Option<Call>> {
    let bytes = fs::read(path)
        .with_context(|| format!("reading {}", path.display()))
        .or_code(Code::Usage)?;
    let parse = || -> serde_json::Result<Call> {
        let mut value: serde_json::Value = serde_json::from_slice(&bytes)?;
        let kept = value.get_mut("value").map(serde_json::Value::take);
        serde_json::from_value(kept.unwrap_or(value))
    };
    parse()
        .map(Some)
        .with_context(|| format!("{} is not a recording", path.display()))
        .or_code(Code::Usage)
}

/// The calls in a directory, by name; `None` where it is not there.
fn read_all(
    dir: &Path,
    read: impl Fn(&Path) -> Result<Option<Call>>,
) -> Result<Option<Vec<(String, Call)>>> {
    let listed = match fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        listed => listed.and_then(|entries| {
            entries
                .map(|e| Ok(e?.path()))
                .collect::<io::Result<Vec<PathBuf>>>()
        }),
    };
    let mut paths = listed
        .with_context(|| format!("reading {}", dir.display()))
        .or_code(Code::State)?;
    paths.retain(|p| p.extension().is_some_and(|e| e == "json"));
    paths.sort();
    let mut calls = Vec::new();
    for path in paths {
        if let Some(call) = read(&path)? {
            calls.push((
                path.file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
                call,
            ));
        }
    }
    Ok(Some(calls))
}
