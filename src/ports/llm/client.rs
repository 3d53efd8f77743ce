//! Which endpoint is asked, how often, and for how long.
//!
//! The first of the list that is ready has its turn. One that fails for now (overloaded, being loaded, a rate limit) rests for as long
//! as it names, otherwise 0.5, 1, 2, 4 … 30 units, and the others have their turn meanwhile; that goes on until the time is up, for
//! outages last minutes. One that will not work any more (no such model, a refused key, spent credit) is left for the rest of the run.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::answer::{Pace, answer};
use super::ladder::{Refused, STEPS, Step};
use super::request;
use super::trouble::{Kind, Silence, Trouble};
use super::{Answer, Cause, Endpoint, Failure, Message, Patience};
use crate::ports::World;
use crate::ports::http::{Request, Stream, Url};

/// A short pause is waited for so often before others are asked, and an answer that is none is asked for again so often.
const RETRIES: u32 = 2;
/// The longest pause of our own, and how long a server that cannot be reached is tried, both in units (seconds).
const LONGEST_PAUSE: u32 = 30;
const UNREACHED: u32 = 30;
/// The most bytes of one answer, protocol included.
const LIMIT: u64 = 64 << 20;
/// Redirects that keep the request (307, 308) are followed so often.
const REDIRECTS: u32 = 3;
/// Models that are named where the one asked for is not there.
const NAMED: usize = 8;

/// What is asked.
pub struct Ask<'a> {
    pub messages: &'a [Message],
    /// The same, made shorter for the `n`th time; `None`: it cannot be.
    pub shorter: &'a dyn Fn(u32) -> Option<Vec<Message>>,
    /// The answer must be there by then.
    pub until: Instant,
    /// The tokens that the answer may have.
    pub most_tokens: Option<u64>,
}

/// The endpoints of a run, with what was learnt of them.
#[derive(Debug)]
pub struct Client {
    endpoints: Vec<Endpoint>,
    patience: Patience,
    servers: RefCell<Vec<Server>>,
    requests: RefCell<u32>,
}

/// What was learnt of an endpoint.
#[derive(Clone, Debug, Default)]
struct Server {
    refused: Refused,
    steps: u32,
    /// How often what is said has to be made shorter for it.
    shorter: u32,
    /// Its base URL, where it is another than was given.
    base: Option<Url>,
    /// It is of no use any more.
    out: Option<(Cause, String)>,
    /// Failures in a row, and when they began.
    failures: u32,
    failing_since: Option<Instant>,
    rests_until: Option<Instant>,
    last: String,
}

impl Client {
    #[must_use]
    pub fn new(endpoints: Vec<Endpoint>, patience: Patience) -> Self {
        Self {
            servers: RefCell::new(vec![Server::default(); endpoints.len()]),
            endpoints,
            patience,
            requests: RefCell::default(),
        }
    }

    /// Asks the endpoints in turn until one answers.
    ///
    /// # Errors
    /// As [`Failure`] says.
    pub fn ask(&self, world: &World, ask: &Ask<'_>) -> Result<Answer, Failure> {
        let (started, before) = (Instant::now(), *self.requests.borrow());
        loop {
            let n = self.turn(world, ask, started)?;
            match self.exchange(world, n, ask) {
                Ok(answer) => {
                    self.change(n, |server| {
                        (server.failures, server.failing_since) = (0, None);
                    });
                    return Ok(Answer {
                        requests: *self.requests.borrow() - before,
                        ..answer
                    });
                }
                Err(trouble) if world.clock.left(Some(ask.until)).is_zero() => {
                    if trouble.status.is_some() {
                        self.change(n, |server| server.last.clone_from(&trouble.message));
                    }
                    // What was said while there was time tells more than that it is up.
                    return Err(match self.unavailable() {
                        Failure::Unavailable(_, why) if why.is_empty() => Failure::Late,
                        known => known,
                    });
                }
                Err(trouble) if trouble.declined => {
                    let model = &self.endpoints[n].model;
                    return Err(Failure::Declined(format!("{model}: {}", trouble.message)));
                }
                Err(trouble) => self.learn(world, n, &trouble, ask),
            }
        }
    }

    fn change(&self, n: usize, change: impl FnOnce(&mut Server)) {
        if let Some(server) = self.servers.borrow_mut().get_mut(n) {
            change(server);
        }
    }

    fn known(&self, n: usize) -> Server {
        self.servers.borrow().get(n).cloned().unwrap_or_default()
    }

    /// Those that may be asked, now or later.
    fn in_service(&self) -> Vec<usize> {
        let servers = self.servers.borrow();
        (0..servers.len())
            .filter(|n| servers[*n].out.is_none())
            .collect()
    }

    /// Whose turn it is; waits until it is somebody's.
    fn turn(&self, world: &World, ask: &Ask<'_>, started: Instant) -> Result<usize, Failure> {
        let rests = |n: &usize| self.known(*n).rests_until.unwrap_or(started);
        let Some(next) = self.in_service().into_iter().min_by_key(|n| {
            let rest = rests(n).saturating_duration_since(Instant::now());
            (rest, *n)
        }) else {
            return Err(self.unavailable());
        };
        let pause = rests(&next).saturating_duration_since(Instant::now());
        if pause.is_zero() {
            return Ok(next);
        }
        let end = self
            .patience
            .longest
            .map_or(ask.until, |longest| ask.until.min(started + longest));
        if pause >= world.clock.left(Some(end)) {
            return Err(self.unavailable());
        }
        world.progress.detail(&format!(
            "{}; asked again in {:.1} s",
            self.told(next, &self.known(next).last),
            pause.as_secs_f64()
        ));
        if !world.clock.pause(pause) {
            return Err(self.unavailable());
        }
        Ok(next)
    }

    fn told(&self, n: usize, what: &str) -> String {
        let endpoint = &self.endpoints[n];
        format!("{} at {}: {what}", endpoint.model, endpoint.base.authority)
    }

    /// All that went wrong. What may pass counts before what does not; otherwise the first, which the user wants most.
    fn unavailable(&self) -> Failure {
        let servers = self.servers.borrow();
        let mut why = Vec::new();
        let mut causes = Vec::new();
        for (n, server) in servers.iter().enumerate() {
            let (cause, text) = match &server.out {
                Some((cause, text)) => (*cause, text.clone()),
                None => (Cause::Outage, server.last.clone()),
            };
            causes.push(cause);
            if !text.is_empty() {
                why.push(self.told(n, &text));
            }
        }
        let cause = causes
            .iter()
            .find(|c| **c == Cause::Outage)
            .or(causes.first());
        Failure::Unavailable(cause.copied().unwrap_or(Cause::Refused), why.join("; "))
    }

    fn learn(&self, world: &World, n: usize, trouble: &Trouble, ask: &Ask<'_>) {
        let known = self.known(n);
        let has_images = ask.messages.iter().any(|m| !m.images.is_empty());
        let asked = known.refused.tokens(ask.most_tokens);
        let step = known
            .refused
            .after(trouble, has_images, request::estimate(ask.messages), asked)
            .filter(|_| known.steps < STEPS);
        match step {
            Some(Step::Without(refused)) => {
                let told = self.told(n, &trouble.message);
                world.progress.trace(&format!("{told}; asking without it"));
                return self.change(n, |server| {
                    server.refused = refused;
                    server.steps += 1;
                });
            }
            Some(Step::Shorter) if (ask.shorter)(known.shorter + 1).is_some() => {
                world.progress.warn(&format!(
                    "{}; asking again with attachments and old files shortened",
                    self.told(n, &trouble.message)
                ));
                return self.change(n, |server| server.shorter += 1);
            }
            _ => {}
        }
        let given = &self.endpoints[n].base;
        if trouble.names_no_path() && known.base.is_none() && !has_version(given) {
            let versioned = Url::parse_safe(&format!("{}/v1", given.as_str()));
            if let Ok(base) = versioned {
                world.progress.detail(&format!(
                    "{}; trying {}",
                    self.told(n, &trouble.message),
                    base.as_str()
                ));
                return self.change(n, |server| server.base = Some(base));
            }
        }
        match trouble.kind() {
            Kind::Out(cause) => self.leave(world, n, cause, trouble),
            Kind::Passing => self.rest(world, n, trouble),
        }
    }

    /// It fails for now.
    fn rest(&self, world: &World, n: usize, trouble: &Trouble) {
        let (unit, now) = (world.clock.unit, Instant::now());
        let known = self.known(n);
        let failures = known.failures + 1;
        let since = known.failing_since.unwrap_or(now);
        if trouble.garbled && failures > RETRIES {
            let cause = if trouble.names_no_path() {
                Cause::Address
            } else {
                Cause::Outage
            };
            return self.leave(world, n, cause, trouble);
        }
        let unreached = matches!(
            trouble.silence,
            Some(Silence::NoHost | Silence::NotConnected)
        );
        if unreached && now.duration_since(since) > unit * UNREACHED {
            let cause = match trouble.silence {
                Some(Silence::NoHost) => Cause::Address,
                _ => Cause::Outage,
            };
            return self.leave(world, n, cause, trouble);
        }
        let own =
            (unit / 2 * 2_u32.saturating_pow(failures - 1).min(1 << 10)).min(unit * LONGEST_PAUSE);
        let pause = trouble.wait.unwrap_or(own);
        self.change(n, |server| {
            server.failures = failures;
            server.failing_since = Some(since);
            server.last.clone_from(&trouble.message);
            server.rests_until = Some(now + pause);
        });
        let told = self.told(n, &trouble.message);
        if failures <= RETRIES && pause <= unit * 2 {
            // Not worth a change to another model.
            world.progress.detail(&format!(
                "{told}; asked again in {:.1} s",
                pause.as_secs_f64()
            ));
            if self.in_service().len() > 1 && world.clock.pause(pause) {
                self.change(n, |server| server.rests_until = None);
            }
        }
    }

    /// It is of no use any more. A refused key is refused for every model of the server.
    fn leave(&self, world: &World, n: usize, cause: Cause, trouble: &Trouble) {
        let mut why = trouble.message.clone();
        if cause == Cause::Model {
            let models = self.models(world, n);
            if !models.is_empty() {
                why = format!("{why} (models there: {})", models.join(", "));
            }
        }
        let endpoint = &self.endpoints[n];
        let same = |e: &Endpoint| {
            cause == Cause::Key
                && e.base == endpoint.base
                && e.key.as_ref().map(crate::secret::Secret::reveal)
                    == endpoint.key.as_ref().map(crate::secret::Secret::reveal)
        };
        for (at, other) in self.endpoints.iter().enumerate() {
            if at == n {
                self.change(at, |server| server.out = Some((cause, why.clone())));
            } else if same(other) {
                self.change(at, |server| server.out = Some((cause, String::new())));
            }
        }
        if let Some(next) = self.in_service().first() {
            let next = &self.endpoints[*next];
            world.progress.warn(&format!(
                "{}; {} at {} is asked instead",
                self.told(n, &why),
                next.model,
                next.base.authority
            ));
        }
    }

    /// What `GET {base}/models` lists, those first that are most like the one asked for.
    fn models(&self, world: &World, n: usize) -> Vec<String> {
        let endpoint = &self.endpoints[n];
        let base = self.known(n).base.unwrap_or_else(|| endpoint.base.clone());
        let url = format!("{}/models", base.as_str());
        let authorization = authorization(endpoint);
        let headers: Vec<(&str, &str)> = authorization
            .iter()
            .map(|value| ("Authorization", value.as_str()))
            .collect();
        let listed = world.http.send(&Request {
            method: "GET",
            url: &url,
            headers: &headers,
            body: None,
            timeout: world.clock.answer.min(world.clock.left(None)),
            limit: 4 << 20,
        });
        let value: Value = listed
            .ok()
            .filter(crate::ports::http::Response::is_success)
            .and_then(|response| serde_json::from_slice(&response.body).ok())
            .unwrap_or_default();
        let list = [&value["data"], &value["models"], &value];
        let list = list.into_iter().find_map(Value::as_array);
        let mut names: Vec<String> = list
            .into_iter()
            .flatten()
            .filter_map(|m| {
                ["id", "name", "model"]
                    .iter()
                    .find_map(|key| m[*key].as_str())
                    .or(m.as_str())
            })
            .map(str::to_owned)
            .collect();
        let alike = |name: &str| {
            let words = |text: &str| -> Vec<String> {
                text.to_ascii_lowercase()
                    .split(|c: char| !c.is_ascii_alphanumeric())
                    .filter(|w| !w.is_empty())
                    .map(str::to_owned)
                    .collect()
            };
            let wanted = words(&endpoint.model);
            words(name).iter().filter(|w| wanted.contains(w)).count()
        };
        names.sort_by_key(|name| std::cmp::Reverse(alike(name)));
        let more = names.len().saturating_sub(NAMED);
        names.truncate(NAMED);
        if more > 0 {
            names.push(format!("and {more} more"));
        }
        names
    }

    fn exchange(&self, world: &World, n: usize, ask: &Ask<'_>) -> Result<Answer, Trouble> {
        let (endpoint, known) = (&self.endpoints[n], self.known(n));
        let shorter = (known.shorter > 0)
            .then(|| (ask.shorter)(known.shorter))
            .flatten();
        let messages = shorter.as_deref().unwrap_or(ask.messages);
        let body = request::body(&endpoint.model, messages, known.refused, ask.most_tokens);
        let left = world
            .clock
            .left(Some(ask.until))
            .max(Duration::from_millis(1));
        // A request is worked off by the server whether anybody waits for it or not, so one is waited for long; not so long that
        // nobody else would have a turn.
        let share = if self.in_service().len() > 1 {
            left / 2
        } else {
            left
        };
        let first = self
            .patience
            .first_word
            .map_or(share, |wish| wish.min(left));
        let pace = Pace {
            first: Instant::now() + first,
            // A server that answers in one piece works all that time.
            idle: if known.refused.stream {
                left
            } else {
                self.patience.idle.min(left)
            },
        };
        world.progress.detail(&format!("{}: asked", endpoint.model));
        let base = known.base.as_ref().unwrap_or(&endpoint.base);
        let stream = self.post(world, endpoint, base, &body, (left, first))?;
        answer(stream, &endpoint.model, pace, world.progress.as_ref())
    }

    /// Posts, also to where the server says that it has moved to on the same host.
    fn post(
        &self,
        world: &World,
        endpoint: &Endpoint,
        base: &Url,
        body: &[u8],
        (left, first): (Duration, Duration),
    ) -> Result<Stream, Trouble> {
        let authorization = authorization(endpoint);
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
        let mut url = format!("{}/chat/completions", base.as_str());
        for _ in 0..=REDIRECTS {
            *self.requests.borrow_mut() += 1;
            let request = Request {
                method: "POST",
                url: &url,
                headers: &headers,
                body: Some(body),
                timeout: left,
                limit: LIMIT,
            };
            let stream = world
                .http
                .stream(&request, first.max(Duration::from_millis(1)))
                .map_err(|e| Trouble::silent(&e))?;
            if !(300..400).contains(&stream.status) {
                return Ok(stream);
            }
            let location = stream.header("location").unwrap_or_default();
            let next = Url::parse(&url).and_then(|here| here.join(location));
            let stays = |next: &Url| {
                next.authority == base.authority
                    && (next.https || !base.https)
                    && matches!(stream.status, 307 | 308)
            };
            match next {
                Ok(next) if stays(&next) => next.as_str().clone_into(&mut url),
                _ => {
                    let to = crate::ports::http::masked(location);
                    return Err(Trouble {
                        status: Some(stream.status),
                        message: format!(
                            "{} it redirects to {to:?}, which is not followed",
                            stream.status
                        ),
                        ..Trouble::default()
                    });
                }
            }
        }
        Err(Trouble {
            status: Some(308),
            message: "it redirects without end".to_owned(),
            ..Trouble::default()
        })
    }
}

fn authorization(endpoint: &Endpoint) -> Option<String> {
    let key = endpoint.key.as_ref()?;
    Some(format!("Bearer {}", key.reveal()))
}

/// Whether a base URL ends in the version of an interface, as in `/v1` or `/v1beta/openai`.
fn has_version(base: &Url) -> bool {
    base.as_str().split('/').skip(3).any(|part| {
        part.strip_prefix('v')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    })
}
