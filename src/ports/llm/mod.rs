//! Language models behind an OpenAI-compatible `POST {base}/chat/completions`. Takes texts and images, gives back a text.
//!
//! What a server cannot do is found out by asking it (see `ladder`) and remembered for the run. An endpoint that is out of
//! service or of credit is left for the next one, for the rest of the run. What the text means is none of this file's
//! business, and neither is keeping or replaying calls.

mod ladder;
pub mod listing;
mod sse;
mod wire;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use self::ladder::Refused;
use self::wire::Trouble;
use super::World;
use super::http::{Request, Url, is_loopback};
use super::retry;
use crate::secret::Secret;

/// How often a request is made again after no answer, a 429 or a 5xx; as OpenAI's own client does.
const RETRIES: u32 = 2;
/// A server that asks for a longer pause than this is not waited for (OpenAI's client: 60 s).
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// The most bytes of one answer, protocol included.
const LIMIT: u64 = 64 << 20;

/// A model at a server.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub model: String,
    /// Without a slash at the end.
    pub base: Url,
    /// Only ever the key that was given for this very server.
    pub key: Option<Secret>,
}

impl Endpoint {
    /// `model`, `model@base-url` or `model@base-url#KEY_VARIABLE`, whose key `key_of` gives. A server without a variable and with
    /// another scheme, host or port than `home` gets no key: it is not for it.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(
        text: &str,
        home: &Endpoint,
        key_of: &dyn Fn(&str) -> Result<Secret, String>,
    ) -> Result<Self, String> {
        // A model's name may hold an @ itself (`@cf/meta/llama`, `model@version`).
        let at = text.find("@http://").or_else(|| text.find("@https://"));
        let (model, base, variable) = match at {
            Some(at) => {
                let (base, variable) = match text[at + 1..].split_once('#') {
                    Some((base, variable)) => (base, Some(variable.trim())),
                    None => (&text[at + 1..], None),
                };
                (&text[..at], base_url(base)?, variable)
            }
            None => (text, home.base.clone(), None),
        };
        if model.trim().is_empty() {
            return Err("names no model".to_owned());
        }
        let own = base.https == home.base.https && base.authority == home.base.authority;
        Ok(Self {
            model: model.trim().to_owned(),
            key: match variable {
                Some(variable) => Some(key_of(variable)?),
                None => home.key.clone().filter(|_| own),
            },
            base,
        })
    }

    /// A server of somebody else's wants a key; one on this machine does not.
    #[must_use]
    pub fn usable(&self) -> bool {
        self.key.is_some() || is_loopback(&self.base.host)
    }
}

/// The base URL of a server, without a slash at the end: https, or plain http to this machine.
///
/// # Errors
/// Says what is wrong with it.
pub fn base_url(text: &str) -> Result<Url, String> {
    if text.contains(['?', '#']) {
        return Err("must not carry a query".to_owned());
    }
    Url::parse_safe(text.trim().trim_end_matches('/'))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    System,
    User,
    Assistant,
}

#[derive(Clone, Debug)]
pub struct Message {
    pub role: Role,
    pub text: String,
    pub images: Vec<Image>,
}

impl Message {
    #[must_use]
    pub fn new(role: Role, text: String) -> Self {
        Self {
            role,
            text,
            images: vec![],
        }
    }
}

#[derive(Clone, Debug)]
pub struct Image {
    pub media_type: String,
    pub bytes: Vec<u8>,
}

/// Tokens, as the server counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub total_tokens: u64,
}

/// What a model said.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answer {
    pub text: String,
    pub model: String,
    /// `None` where the server does not say.
    pub usage: Option<Usage>,
    /// `stop`, `length`, …; `None` where the connection broke in the middle.
    pub finish: Option<String>,
    /// Requests it took, those that came to nothing included.
    pub requests: u32,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The model or its filter will not: asking again will not help, and asking another is not for us to decide.
    Declined(String),
    /// No endpoint is in service.
    Unavailable(String),
    /// The time is up.
    Late,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Declined(why) | Self::Unavailable(why) => f.write_str(why),
            Self::Late => f.write_str("no answer in time"),
        }
    }
}

/// The endpoints of a run, with what was learnt of them.
#[derive(Debug)]
pub struct Client {
    endpoints: Vec<Endpoint>,
    learnt: RefCell<Learnt>,
}

#[derive(Debug, Default)]
struct Learnt {
    refused: BTreeMap<usize, Refused>,
    /// Endpoints that are out of service or credit.
    out: BTreeSet<usize>,
    why: Vec<String>,
    requests: u32,
}

/// How an exchange went wrong, for the one who goes through the endpoints.
enum Wrong {
    Declined(String),
    /// This endpoint is of no use any more; with whether its server would say the same of any model.
    Out(String, bool),
    Late,
}

impl Client {
    #[must_use]
    pub fn new(endpoints: Vec<Endpoint>) -> Self {
        Self {
            endpoints,
            learnt: RefCell::default(),
        }
    }

    /// Requests made so far.
    #[must_use]
    pub fn requests(&self) -> u32 {
        self.learnt.borrow().requests
    }

    /// Asks the first endpoint that is in service.
    ///
    /// # Errors
    /// As [`Failure`] says.
    pub fn ask(
        &self,
        world: &World,
        messages: &[Message],
        until: Instant,
    ) -> Result<Answer, Failure> {
        for (n, endpoint) in self.endpoints.iter().enumerate() {
            if self.learnt.borrow().out.contains(&n) {
                continue;
            }
            let before = self.requests();
            match self.persist(world, n, endpoint, messages, until) {
                Ok(answer) => {
                    return Ok(Answer {
                        requests: self.requests() - before,
                        ..answer
                    });
                }
                Err(Wrong::Declined(why)) => {
                    return Err(Failure::Declined(format!("{}: {why}", endpoint.model)));
                }
                Err(Wrong::Late) => return Err(Failure::Late),
                Err(Wrong::Out(why, whole_server)) => {
                    let why = format!("{} at {}: {why}", endpoint.model, endpoint.base.authority);
                    world.progress.warn(&why);
                    let mut learnt = self.learnt.borrow_mut();
                    learnt.why.push(why);
                    learnt.out.insert(n);
                    let same = |e: &Endpoint| whole_server && e.base == endpoint.base;
                    learnt.out.extend(
                        self.endpoints
                            .iter()
                            .enumerate()
                            .filter(|(_, e)| same(e))
                            .map(|(at, _)| at),
                    );
                }
            }
        }
        Err(Failure::Unavailable(self.learnt.borrow().why.join("; ")))
    }

    /// One endpoint, with the retries and the steps down the ladder.
    fn persist(
        &self,
        world: &World,
        n: usize,
        endpoint: &Endpoint,
        messages: &[Message],
        until: Instant,
    ) -> Result<Answer, Wrong> {
        let (mut failures, mut steps) = (0, 0);
        loop {
            let refused = self
                .learnt
                .borrow()
                .refused
                .get(&n)
                .copied()
                .unwrap_or_default();
            let trouble = match self.exchange(world, endpoint, refused, messages, until) {
                Ok(answer) => return Ok(answer),
                Err(trouble) => trouble,
            };
            if world.clock.left(Some(until)).is_zero() {
                return Err(Wrong::Late);
            }
            if trouble.declined {
                return Err(Wrong::Declined(trouble.message));
            }
            let has_images = messages.iter().any(|m| !m.images.is_empty());
            if let Some(next) = refused
                .after(&trouble, has_images)
                .filter(|_| steps < ladder::STEPS)
            {
                steps += 1;
                world.progress.trace(&format!(
                    "{}: {}; asking without it",
                    endpoint.model, trouble.message
                ));
                self.learnt.borrow_mut().refused.insert(n, next);
                continue;
            }
            failures += 1;
            if !trouble.worth_another() || failures > RETRIES {
                return Err(Wrong::Out(
                    trouble.message.clone(),
                    trouble.status == Some(401),
                ));
            }
            let own = (world.clock.unit / 2 * 2_u32.pow(failures - 1)).min(world.clock.unit * 8);
            let pause = trouble.wait.filter(|w| *w <= LONGEST_WAIT).unwrap_or(own);
            world.progress.detail(&format!(
                "{}: {}; again in {:.1} s",
                endpoint.model,
                trouble.message,
                pause.as_secs_f64()
            ));
            if pause >= world.clock.left(Some(until)) || !world.clock.pause(pause) {
                return Err(Wrong::Out(trouble.message, false));
            }
        }
    }

    fn exchange(
        &self,
        world: &World,
        endpoint: &Endpoint,
        refused: Refused,
        messages: &[Message],
        until: Instant,
    ) -> Result<Answer, Trouble> {
        self.learnt.borrow_mut().requests += 1;
        let body = wire::body(&endpoint.model, messages, refused);
        let url = format!("{}/chat/completions", endpoint.base.as_str());
        let authorization = endpoint
            .key
            .as_ref()
            .map(|key| format!("Bearer {}", key.reveal()));
        let mut headers = vec![
            ("Content-Type", "application/json"),
            ("Accept", "text/event-stream, application/json"),
            ("Accept-Encoding", "identity"),
        ];
        headers.extend(
            authorization
                .as_deref()
                .map(|value| ("Authorization", value)),
        );
        let timeout = world.clock.left(Some(until)).max(Duration::from_millis(1));
        let request = Request {
            method: "POST",
            url: &url,
            headers: &headers,
            body: Some(&body),
            timeout,
            limit: LIMIT,
        };
        // A model may think for a while before its first word; a server that answers in one piece works all that time.
        let idle = if refused.stream {
            timeout
        } else {
            (world.clock.answer * 8).min(timeout)
        };
        world.progress.detail(&format!("{}: asked", endpoint.model));
        let stream = world
            .http
            .stream(&request, idle)
            .map_err(|e| Trouble::silent(&e))?;
        wire::answer(stream, &endpoint.model, world.progress.as_ref())
    }
}

/// What `Retry-After-Ms` or `Retry-After` asks for.
fn wait(header: impl Fn(&str) -> Option<String>) -> Option<Duration> {
    let exact = header("retry-after-ms")
        .and_then(|v| v.trim().parse::<f64>().ok())
        .and_then(|ms| Duration::try_from_secs_f64(ms / 1000.0).ok());
    exact.or_else(|| header("retry-after").and_then(|v| retry::parse_after(&v)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stays_with_its_server() {
        let home = Endpoint {
            model: "a".to_owned(),
            base: base_url("https://api.example/v1/").unwrap(),
            key: Secret::new("k"),
        };
        let key_of = |name: &str| {
            let key = (name == "THEIRS").then(|| Secret::new("theirs"));
            key.flatten().ok_or_else(|| "is not set".to_owned())
        };
        let parse = |text| Endpoint::parse(text, &home, &key_of).unwrap();
        for theirs in [
            "b@https://other.example/v1#THEIRS",
            "b@https://api.example/v1/# THEIRS ",
            "b@http://127.0.0.1:8080/v1#THEIRS",
        ] {
            let parsed = parse(theirs);
            assert_eq!(parsed.key.unwrap().reveal(), "theirs");
            let bare = theirs.split(['@', '#']).nth(1).unwrap();
            assert_eq!(parsed.base, base_url(bare).unwrap());
        }
        assert!(parse("b").key.is_some() && parse("b@https://api.example/v2").key.is_some());
        for other in [
            "b@https://other.example/v1",
            "b@http://127.0.0.1:8080/v1",
            "b@https://api.example:8443/v1",
            "b@https://api.example.evil.example/v1",
        ] {
            assert!(parse(other).key.is_none(), "{other}");
        }
        assert_eq!(
            parse("@cf/meta/llama@https://x.example/v1").model,
            "@cf/meta/llama"
        );
        assert_eq!(parse("m@2024").model, "m@2024");
        for bad in [
            "@https://x.example",
            "m@http://x.example/v1",
            "m@https://u:p@x.example",
            "m@https://x.example?k=v",
            "m@https://x.example#",
            "m@https://x.example#OTHER",
        ] {
            assert!(Endpoint::parse(bad, &home, &key_of).is_err(), "{bad}");
        }
    }
}
