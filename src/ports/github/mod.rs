//! GitHub's REST API, as far as a site needs it: who am I, the repository, Pages (in [`pages`]).
//! Source: docs.github.com/rest, API version 2022-11-28.

pub mod account;
mod pages;
pub(in crate::ports) mod refusal;

use std::cell::{Cell, OnceCell};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

use self::refusal::{forbidden, unexpected};
use super::World;
use super::forge::{Author, Forge, Live, Page, Repository};
use super::git::Remote;
use super::http::{ANSWER_LIMIT, Request, Response, Url, masked};
use super::retry;
use crate::error::{Code, Error, Result};
use crate::secret::Secret;

/// How often a repository that was just made, or that is said to exist, may answer 404 before it is believed.
const SETTLE_TRIES: u32 = 5;

pub struct GitHub {
    api: Url,
    token: Option<Secret>,
    owner: Option<String>,
    user: OnceCell<User>,
    /// Pages is built by a workflow, so there are no builds to ask for.
    by_workflow: Cell<bool>,
}

#[derive(Clone, Debug, Deserialize)]
struct User {
    login: String,
    id: u64,
    /// Of a classic token; `None` for a fine-grained one.
    #[serde(skip)]
    scopes: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct RepositoryAnswer {
    name: String,
    html_url: String,
    clone_url: String,
    #[serde(default)]
    full_name: String,
    #[serde(default)]
    has_pages: bool,
    #[serde(default)]
    private: bool,
    #[serde(default)]
    archived: bool,
}

impl GitHub {
    /// `owner`: the user or organisation that owns the repositories, the token's user by default.
    #[must_use]
    pub fn new(api: Url, token: Option<Secret>, owner: Option<String>) -> Self {
        Self {
            api,
            token,
            owner,
            user: OnceCell::new(),
            by_workflow: Cell::new(false),
        }
    }

    fn user(&self, world: &World) -> Result<&User> {
        if let Some(user) = self.user.get() {
            return Ok(user);
        }
        if self.token.is_none() {
            return Err(Error::new(Code::MissingToken, "no GitHub token").hint(
                "set GH_TOKEN (or GITHUB_TOKEN), or deploy without an account: --local DIR",
            ));
        }
        let response = self.call(world, "GET", "/user", None)?;
        if response.status != 200 {
            return Err(unexpected("GET /user", &response));
        }
        // A classic token lists its scopes; a fine-grained one sends no such header.
        let scopes = response.header("x-oauth-scopes").map(|scopes| {
            let scopes = scopes.split(',').map(|s| s.trim().to_owned());
            scopes.filter(|s| !s.is_empty()).collect::<Vec<_>>()
        });
        if let Some(scopes) = &scopes
            && !scopes.iter().any(|s| s == "repo" || s == "public_repo")
        {
            return Err(lacks_scope("repo", scopes));
        }
        let user: User = answer("GET /user", &response)?;
        Ok(self.user.get_or_init(|| User { scopes, ..user }))
    }

    /// Files under `.github/workflows` want a scope of their own. What a fine-grained token may do is seen only when it is used.
    fn require_workflow_scope(&self, world: &World) -> Result<()> {
        match &self.user(world)?.scopes {
            Some(scopes) if !scopes.iter().any(|s| s == "workflow") => {
                Err(lacks_scope("workflow", scopes))
            }
            _ => Ok(()),
        }
    }

    fn owner(&self, world: &World) -> Result<String> {
        match &self.owner {
            Some(owner) => Ok(owner.clone()),
            None => self.user(world).map(|u| u.login.clone()),
        }
    }

    fn repository(&self, answer: RepositoryAnswer, created: bool) -> Result<Repository> {
        let url = self.clone_url(&answer.clone_url)?;
        let remote = Remote::Http {
            authority: url.authority.clone(),
            host: url.host.clone(),
            url: answer.clone_url,
            token: self.token.clone(),
        };
        Url::parse(&answer.html_url).map_err(|why| {
            Error::new(
                Code::Forbidden,
                format!("the repository's html_url is {:?}: {why}", answer.html_url),
            )
        })?;
        Ok(Repository {
            name: answer.name,
            repo_url: answer.html_url,
            remote,
            created,
            has_pages: answer.has_pages,
            private: answer.private,
            archived: answer.archived,
            transferred: None,
        })
    }

    /// The token goes where the clone URL points, so it must be at the API's own host: github.com for api.github.com, the
    /// same host otherwise.
    fn clone_url(&self, text: &str) -> Result<Url> {
        let home = if self.api.host == "api.github.com" {
            "github.com"
        } else {
            self.api.host.as_str()
        };
        let refused = |why: String| {
            Error::new(
                Code::Forbidden,
                format!("the clone URL {:?} is refused: {why}", masked(text)),
            )
            .hint("check GITHUB_API_URL; the token was not sent there")
        };
        let url = Url::parse_safe(text).map_err(refused)?;
        if url.host == home && url.https >= self.api.https {
            Ok(url)
        } else {
            Err(refused(format!("it is not at {home}")))
        }
    }

    /// One call with all that may be waited for: no answer and 5xx a few times, rate limits as long as GitHub says. What
    /// comes back is an answer to look at; 401 and 403 are errors.
    fn call(
        &self,
        world: &World,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Response> {
        let mut url = format!("{}{path}", self.api.as_str().trim_end_matches('/'));
        let body = body.map(ToString::to_string);
        let bearer = self
            .token
            .as_ref()
            .map(|t| format!("Bearer {}", t.reveal()));
        let mut headers = vec![
            ("Accept", "application/vnd.github+json"),
            ("X-GitHub-Api-Version", "2022-11-28"),
        ];
        headers.extend(bearer.as_deref().map(|b| ("Authorization", b)));
        headers.extend(body.as_ref().map(|_| ("Content-Type", "application/json")));
        let what = format!("{method} {path}");
        let mut failures = 0;
        loop {
            let timeout = world
                .clock
                .answer
                .min(world.clock.left(None))
                .max(Duration::from_millis(1));
            let request = Request {
                method,
                url: &url,
                headers: &headers,
                body: body.as_deref().map(str::as_bytes),
                timeout,
                limit: ANSWER_LIMIT,
            };
            let failure = match world.http.send(&request) {
                Ok(response) => {
                    if let Some(wait) = retry::github_limit(&response, world.clock.unit) {
                        sit_out(world, &what, wait)?;
                        continue;
                    }
                    match response.status {
                        // A renamed repository answers with its new place. Only there where the token belongs, and only for reading.
                        301 | 302 | 307 | 308 if method == "GET" && failures < retry::TRIES => {
                            failures += 1;
                            url = self.moved(&what, &url, &response)?;
                            continue;
                        }
                        500..=599 => Error::new(
                            Code::Network,
                            format!("{what}: GitHub answered {}", response.status),
                        ),
                        401 => {
                            return Err(Error::new(
                                Code::BadToken,
                                format!("{what}: 401 {}", said(&response)),
                            )
                            .hint(self.token_hint()));
                        }
                        403 => return Err(forbidden(&what, &response)),
                        _ => return Ok(response),
                    }
                }
                Err(source) => Error {
                    code: Code::Network,
                    source: source.context(what.clone()),
                    hint: None,
                },
            };
            failures += 1;
            if failures >= retry::TRIES
                || !world.clock.pause(retry::pause(world.clock.unit, failures))
            {
                return Err(failure.hint("run the same command again; it goes on from here"));
            }
        }
    }

    fn moved(&self, what: &str, from: &str, response: &Response) -> Result<String> {
        let target = response
            .header("location")
            .and_then(|location| Url::parse(from).ok()?.join(location).ok())
            .filter(|u| u.authority == self.api.authority && u.https == self.api.https);
        target.map(|u| u.as_str().to_owned()).ok_or_else(|| {
            Error::new(
                Code::Forbidden,
                format!("{what}: redirected away from {}", self.api.authority),
            )
        })
    }

    fn token_hint(&self) -> &'static str {
        if self.token.is_some() {
            "the token is wrong or expired: set a valid GH_TOKEN"
        } else {
            "set GH_TOKEN"
        }
    }

    fn get_repository(&self, world: &World, owner: &str, name: &str) -> Result<Option<Repository>> {
        let path = format!("/repos/{owner}/{name}");
        let response = self.call(world, "GET", &path, None)?;
        match response.status {
            200 => {
                let answer: RepositoryAnswer = answer(&path, &response)?;
                let full = answer.full_name.clone();
                let mut found = self.repository(answer, false)?;
                // A repository that was renamed or transferred answers at its old place, too.
                match full.split_once('/') {
                    Some((now, _)) if !now.eq_ignore_ascii_case(owner) => {
                        found.transferred = Some(full);
                    }
                    Some((_, now)) if !now.eq_ignore_ascii_case(name) => {
                        world
                            .progress
                            .warn(&format!("{owner}/{name} is called {full} now"));
                    }
                    _ => {}
                }
                Ok(Some(found))
            }
            404 => Ok(None),
            _ => Err(unexpected(&format!("GET {path}"), &response)),
        }
    }
}

impl Forge for GitHub {
    fn key(&self) -> String {
        format!(
            "{} {}",
            self.api.as_str().trim_end_matches('/'),
            self.owner.as_deref().unwrap_or("@me")
        )
    }

    fn prove(&self, world: &World) -> Result<()> {
        self.user(world).map(drop)
    }

    fn author(&self, world: &World) -> Result<Author> {
        if self.token.is_none() {
            return Ok(Author::default());
        }
        let User { login, id, .. } = self.user(world)?;
        // The noreply address links the commit to the account and gives no private address away (GH007).
        let clean: String = login
            .chars()
            .filter(|c| !c.is_control() && !matches!(c, '<' | '>'))
            .collect();
        Ok(Author {
            email: format!("{id}+{clean}@users.noreply.github.com"),
            name: clean,
        })
    }

    fn is_special(&self, world: &World, name: &str) -> Result<bool> {
        if self.token.is_none() && self.owner.is_none() {
            return Ok(false);
        }
        // Shown on the owner's profile.
        Ok(self.owner(world)?.eq_ignore_ascii_case(name))
    }

    fn find(&self, world: &World, name: &str) -> Result<Option<Repository>> {
        self.get_repository(world, &self.owner(world)?, name)
    }

    fn create(&self, world: &World, name: &str, description: &str) -> Result<Repository> {
        let user = self.user(world)?;
        let owner = self.owner(world)?;
        let path = if owner.eq_ignore_ascii_case(&user.login) {
            "/user/repos".to_owned()
        } else {
            format!("/orgs/{owner}/repos")
        };
        let what = format!("POST {path}");
        let body = json!({"name": name, "description": description, "private": false, "auto_init": false, "has_wiki": false, "has_projects": false});
        let response = self.call(world, "POST", &path, Some(&body))?;
        match response.status {
            201 => self.repository(answer(&what, &response)?, true),
            422 if said(&response).contains("already exists") => {
                for n in 1..=SETTLE_TRIES {
                    if let Some(found) = self.get_repository(world, &owner, name)? {
                        return Ok(found);
                    }
                    if !world.clock.pause(retry::pause(world.clock.unit, n)) {
                        break;
                    }
                }
                let message = format!("the repository {owner}/{name} exists, but the token cannot see it");
                Err(Error::new(Code::NameTaken, message).hint("choose another name with --repo, or give the token access to it"))
            }
            404 => Err(Error::new(Code::Forbidden, format!("{what}: 404 {}", said(&response)))
                .hint(format!("{owner} is neither the token's user ({}) nor an organisation it may create in; see --owner", user.login))),
            _ => Err(unexpected(&what, &response)),
        }
    }

    fn address(&self, world: &World, name: &str, ask: bool) -> String {
        let known = self
            .owner
            .clone()
            .or_else(|| self.user.get().map(|u| u.login.clone()));
        let owner = known
            .or_else(|| if ask { self.owner(world).ok() } else { None })
            .unwrap_or_else(|| "owner".to_owned());
        let owner = owner.to_ascii_lowercase();
        // The repository of that name is the owner's own page.
        if name.eq_ignore_ascii_case(&format!("{owner}.github.io")) {
            format!("https://{owner}.github.io/")
        } else {
            format!("https://{owner}.github.io/{name}/")
        }
    }

    fn enable(&self, world: &World, name: &str, on: bool) -> Result<String> {
        pages::enable(self, world, &self.owner(world)?, name, on)
    }

    fn wait_live(
        &self,
        world: &World,
        name: &str,
        page: &Page<'_>,
        until: Instant,
    ) -> Result<Live> {
        pages::wait_live(
            self,
            world,
            &format!("/repos/{}/{name}", self.owner(world)?),
            page,
            until,
        )
    }

    fn rebuild(&self, world: &World, name: &str) -> Result<String> {
        pages::ask_for_build(
            self,
            world,
            &format!("/repos/{}/{name}", self.owner(world)?),
        )
    }

    fn set_workflow(&self, world: &World, name: &str, workflow: bool) -> Result<()> {
        if workflow {
            self.require_workflow_scope(world)?;
        }
        let repo = format!("/repos/{}/{name}", self.owner(world)?);
        pages::set_workflow(self, world, &repo, workflow)
    }
}

fn lacks_scope(wanted: &str, scopes: &[String]) -> Error {
    let message = format!(
        "the token lacks the `{wanted}` scope (it has: {})",
        scopes.join(", ")
    );
    Error::new(Code::Forbidden, message).hint(format!(
        "make a token with the `{wanted}` scope: https://github.com/settings/tokens"
    ))
}

fn sit_out(world: &World, what: &str, wait: Duration) -> Result<()> {
    world.progress.detail(&format!(
        "waiting {} for GitHub's rate limit",
        humantime::format_duration(Duration::from_secs(wait.as_secs()))
    ));
    if world.clock.pause(wait) {
        return Ok(());
    }
    let message = format!(
        "{what}: GitHub's rate limit ends in {} s, after this run's deadline",
        wait.as_secs()
    );
    Err(Error::new(Code::RateLimited, message).hint(format!(
        "run the same command again in {} s; it goes on from here",
        wait.as_secs()
    )))
}

/// What GitHub says in an error: `message` and the messages of `errors`.
fn said(response: &Response) -> String {
    let Ok(body) = serde_json::from_slice::<Value>(&response.body) else {
        return String::new();
    };
    let text = |v: &Value| v.as_str().map(ToOwned::to_owned);
    let details = body["errors"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|e| text(e).or_else(|| text(&e["message"])));
    text(&body["message"])
        .into_iter()
        .chain(details)
        .collect::<Vec<_>>()
        .join("; ")
}

fn answer<T: for<'a> Deserialize<'a>>(what: &str, response: &Response) -> Result<T> {
    serde_json::from_slice(&response.body).map_err(|e| {
        Error::new(
            Code::Network,
            format!("{what}: GitHub's answer does not read: {e}"),
        )
        .hint("check GITHUB_API_URL")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clone_url_must_be_at_home() {
        let at = |api: &str| GitHub::new(Url::parse(api).unwrap(), None, None);
        let public = at("https://api.github.com");
        assert!(public.clone_url("https://github.com/o/r.git").is_ok());
        for foreign in [
            "https://api.github.com/o/r.git",
            "https://evil.example/o/r.git",
            "https://github.com.evil.example/r",
            "http://github.com/o/r.git",
            "https://x@github.com/o/r",
            "git@github.com:o/r.git",
        ] {
            assert!(public.clone_url(foreign).is_err(), "{foreign}");
        }
        assert!(
            at("https://ghe.example/api/v3")
                .clone_url("https://ghe.example/o/r.git")
                .is_ok()
        );
        assert!(
            at("https://ghe.example/api/v3")
                .clone_url("https://github.com/o/r.git")
                .is_err()
        );
        assert!(
            at("http://127.0.0.1:9")
                .clone_url("http://127.0.0.1:10/o/r.git")
                .is_ok()
        );
        assert!(
            at("http://127.0.0.1:9")
                .clone_url("http://localhost:9/o/r.git")
                .is_err()
        );
    }
}
