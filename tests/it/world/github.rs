//! GitHub's REST: who asks, how it must be asked, and who answers.

use serde_json::{Map, Value, json};

use super::bodies::{self, error, invalid, not_found};
use super::http::{Answer, decode};
use super::log::Entry;
use super::settings::TokenKind;
use super::store::Repo;
use super::{Handle, clock, git, repos, sites};

/// A request's segments, and what came with it.
pub struct Call<'a> {
    pub world: &'a Handle,
    pub request: &'a Entry,
    pub owner: String,
    pub name: String,
}

pub fn handle(world: &Handle, request: &Entry) -> Answer {
    let answer = match guard(world, request) {
        Ok(known) => route(world, request, known).unwrap_or_else(|refusal| refusal),
        Err(refusal) => refusal,
    };
    decorate(world, request, answer)
}

/// The headers every answer carries.
fn decorate(world: &Handle, request: &Entry, mut answer: Answer) -> Answer {
    let remaining = world.settings(|settings| {
        settings.rate_remaining = settings.rate_remaining.saturating_sub(1);
        settings.rate_remaining
    });
    let classic = world.settings(|settings| match settings.token_kind {
        TokenKind::Classic => Some(settings.scopes.join(", ")),
        TokenKind::FineGrained { .. } => None,
    });
    let sent = request.header("authorization").unwrap_or_default();
    if let Some(scopes) = classic.filter(|_| sent.contains(world.0.token.as_str())) {
        answer = answer.with("X-OAuth-Scopes", scopes);
    }
    let expires = world.settings(|settings| settings.token_expires.clone());
    if let Some(expires) = expires.filter(|_| !sent.is_empty()) {
        answer = answer.with("github-authentication-token-expiration", expires);
    }
    let reset = clock::epoch() + 3600 - world.0.born.elapsed().as_secs().min(3600);
    answer
        .with("X-GitHub-Media-Type", "github.v3; format=json")
        .with(
            "X-GitHub-Request-Id",
            format!("C0DE:{:04X}:{:08X}", request.n, request.n * 7919),
        )
        .with("x-github-api-version-selected", "2022-11-28")
        .with("Date", clock::http_date(world.settings(|s| s.clock_off)))
        .with("X-RateLimit-Limit", "5000")
        .with("X-RateLimit-Remaining", remaining.to_string())
        .with(
            "X-RateLimit-Used",
            5000_u64.saturating_sub(remaining).to_string(),
        )
        .with("X-RateLimit-Reset", reset.to_string())
        .with("X-RateLimit-Resource", "core")
}

/// What holds for every request. True: the token's user asks.
fn guard(world: &Handle, request: &Entry) -> Result<bool, Answer> {
    if request.header("user-agent").is_none_or(str::is_empty) {
        world.odd(request, "no User-Agent");
        let text = "Request forbidden by administrative rules. Please make sure your request has a User-Agent header \
            (https://docs.github.com/en/rest/overview/resources-in-the-rest-api#user-agent-required). Check \
            https://developer.github.com for other possible causes.\n";
        return Err(Answer::text(403, text));
    }
    if request.header("accept") != Some("application/vnd.github+json") {
        world.odd(
            request,
            &format!("Accept is {:?}", request.header("accept")),
        );
    }
    match request.header("x-github-api-version") {
        Some("2022-11-28") => {}
        Some("2026-03-10") => world.odd(
            request,
            "X-GitHub-Api-Version is not the one the answers are of",
        ),
        Some(other) => {
            world.odd(request, "X-GitHub-Api-Version is not known");
            return Err(error(
                400,
                &format!("API version {other:?} is not a supported version"),
            ));
        }
        None => world.odd(request, "no X-GitHub-Api-Version"),
    }
    let Some(sent) = request.header("authorization") else {
        return Ok(false);
    };
    let given = sent
        .split_once(' ')
        .filter(|(scheme, _)| {
            scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token")
        })
        .map(|(_, token)| token.trim());
    let revoked = world.settings(|settings| settings.token_revoked);
    if revoked || given.is_none_or(|token| token != world.0.token && token != world.0.fine_token) {
        return Err(error(401, "Bad credentials"));
    }
    rights(world, request)?;
    Ok(true)
}

/// What the token lacks.
fn rights(world: &Handle, request: &Entry) -> Result<(), Answer> {
    let (lacking, sso) = world.settings(|settings| {
        let lacking = match &settings.token_kind {
            TokenKind::FineGrained { lacking } => {
                lacking.iter().find(|right| right.on.hits(request)).cloned()
            }
            TokenKind::Classic => None,
        };
        (lacking, settings.sso.clone())
    });
    if let Some(right) = lacking {
        return Err(
            error(403, "Resource not accessible by personal access token")
                .with("X-Accepted-GitHub-Permissions", right.accepted),
        );
    }
    let mut words = request.path.trim_start_matches('/').split('/');
    let place = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    if let (Some(org), ("orgs" | "repos", owner)) = (sso, place)
        && org.eq_ignore_ascii_case(owner)
    {
        let message = "Resource protected by organization SAML enforcement. You must grant your Personal Access token \
            access to this organization.";
        return Err(error(403, message).with("X-GitHub-SSO", git::sso_url(world, &org)));
    }
    Ok(())
}

fn route(world: &Handle, request: &Entry, known: bool) -> Result<Answer, Answer> {
    let path: Vec<String> = request
        .path
        .trim_start_matches('/')
        .split('/')
        .map(decode)
        .collect();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let method = request.method.as_str();
    let open = matches!(
        (method, path.as_slice()),
        ("GET", ["rate_limit"] | ["repos", _, _, ..])
    );
    if !known && !open {
        return Err(error(401, "Requires authentication"));
    }
    match (method, path.as_slice()) {
        ("GET", ["user"]) => Ok(Answer::json(200, &bodies::private_user(world))),
        ("GET", ["users", name]) => {
            let org = world.settings(|s| s.orgs.iter().any(|o| o == name));
            if org || *name == "somebody" {
                Ok(Answer::json(200, &bodies::simple_user(world, name, org)))
            } else {
                Err(not_found())
            }
        }
        ("GET", ["rate_limit"]) => Ok(rate_limit(world)),
        ("GET", ["user", "repos"]) => Ok(repos::list(world, &world.login())),
        ("GET", ["orgs", org, "repos"]) => Ok(repos::list(world, org)),
        ("POST", ["user", "repos"]) => repos::create(world, request, None),
        ("POST", ["orgs", org, "repos"]) => repos::create(world, request, Some(org)),
        ("GET", ["repositories", id]) => {
            let repos = super::lock(&world.0.repos);
            let repo = repos.iter().find(|repo| repo.id.to_string() == *id);
            let shown = repo.map(|repo| bodies::repository(world, repo, None));
            shown
                .map(|body| Answer::json(200, &body))
                .ok_or_else(not_found)
        }
        (_, ["repos", owner, name, rest @ ..]) => {
            let call = Call {
                world,
                request,
                owner: (*owner).to_owned(),
                name: (*name).to_owned(),
            };
            repository(&call, method, rest)
        }
        _ => Err(unknown(world, request)),
    }
}

pub fn unknown(world: &Handle, request: &Entry) -> Answer {
    world.odd(request, "no such route");
    not_found()
}

fn repository(call: &Call<'_>, method: &str, rest: &[&str]) -> Result<Answer, Answer> {
    match (method, rest) {
        ("GET", []) => {
            if let Some(moved) = call.moved() {
                return Err(moved);
            }
            call.with(|repo, clone| Answer::json(200, &bodies::repository(call.world, repo, clone)))
        }
        ("PATCH", []) => repos::update(call),
        ("DELETE", []) => {
            call.may_write()?;
            call.world.delete_repo(&call.owner, &call.name);
            Ok(Answer::empty(204))
        }
        ("GET", ["topics"]) => {
            call.with(|repo, _| Answer::json(200, &json!({"names": repo.topics})))
        }
        ("PUT", ["topics"]) => repos::topics(call),
        ("GET", ["git", "ref", "heads", branch @ ..]) => repos::reference(call, &branch.join("/")),
        _ => sites::route(call, method, rest),
    }
}

impl Call<'_> {
    /// Where a repository that was renamed or transferred answers now.
    fn moved(&self) -> Option<Answer> {
        let old = format!("{}/{}", self.owner, self.name).to_ascii_lowercase();
        let repos = super::lock(&self.world.0.repos);
        if repos.iter().any(|repo| repo.is(&self.owner, &self.name)) {
            return None;
        }
        let id = repos.iter().find(|repo| repo.old_names.contains(&old))?.id;
        let url = format!("{}/repositories/{id}", self.world.api_url());
        let body = json!({"message": "Moved Permanently", "url": url, "documentation_url": "https://docs.github.com/rest"});
        Some(Answer::json(301, &body).with("Location", url))
    }

    /// Works on the repository where it is to be seen, with the clone URL to show, if set.
    pub fn with<R>(&self, work: impl FnOnce(&mut Repo, Option<&str>) -> R) -> Result<R, Answer> {
        let (fresh, clone) = self
            .world
            .settings(|settings| (settings.fresh_404, settings.clone_url_override.clone()));
        let known = self.request.header("authorization").is_some();
        let found = self.world.with_repo(&self.owner, &self.name, |repo| {
            let hidden = repo
                .fresh_since
                .is_some_and(|since| since.elapsed() < fresh);
            (!hidden && (known || !repo.private)).then(|| work(repo, clone.as_deref()))
        });
        found.flatten().ok_or_else(not_found)
    }

    /// Whether the token may change this repository.
    pub fn may_write(&self) -> Result<(), Answer> {
        if self.request.header("authorization").is_none() {
            return Err(error(401, "Requires authentication"));
        }
        self.with(|_, _| ())?;
        let foreign = !self.owner.eq_ignore_ascii_case(&self.world.login())
            && !self.world.settings(|settings| {
                settings
                    .orgs
                    .iter()
                    .any(|org| org.eq_ignore_ascii_case(&self.owner))
            });
        if foreign {
            return Err(error(403, "Must have admin rights to Repository."));
        }
        if scoped(self.world, self.request) {
            Ok(())
        } else {
            Err(not_found().with("X-Accepted-OAuth-Scopes", "repo"))
        }
    }
}

/// Whether a classic token's scopes reach; a fine-grained one has none.
pub fn scoped(world: &Handle, request: &Entry) -> bool {
    let fine = request
        .header("authorization")
        .is_some_and(|sent| sent.ends_with(world.0.fine_token.as_str()));
    fine || world.settings(|settings| {
        matches!(settings.token_kind, TokenKind::FineGrained { .. })
            || settings
                .scopes
                .iter()
                .any(|scope| scope == "repo" || scope == "public_repo")
    })
}

/// The body as an object whose fields are all known and of the right type.
pub fn object(
    world: &Handle,
    request: &Entry,
    fields: &[(&str, &str)],
) -> Result<Map<String, Value>, Answer> {
    let sort = request.header("content-type").unwrap_or_default();
    if !sort.starts_with("application/json") && !sort.starts_with("application/vnd.github") {
        world.odd(request, &format!("Content-Type is {sort:?}"));
    }
    let parsed: Result<Value, _> = serde_json::from_slice(&request.body);
    let Ok(value) = parsed else {
        world.odd(request, "the body is not JSON");
        return Err(error(400, "Problems parsing JSON"));
    };
    let Value::Object(map) = value else {
        world.odd(request, "the body is not an object");
        return Err(error(400, "Body should be a JSON object"));
    };
    for (key, value) in &map {
        let Some((_, wanted)) = fields.iter().find(|(name, _)| name == key) else {
            world.odd(request, &format!("field {key:?} is not in the description"));
            return Err(invalid("Invalid request.", &[]));
        };
        let fits = wanted.split('|').any(|wanted| match wanted {
            "string" => value.is_string(),
            "bool" => value.is_boolean(),
            "int" => value.is_i64() || value.is_u64(),
            "object" => value.is_object(),
            "array" => value.is_array(),
            "null" => value.is_null(),
            literal => value == literal,
        });
        if !fits {
            world.odd(request, &format!("field {key:?} is {value}"));
            return Err(invalid(
                &format!("Invalid request.\n\nFor 'properties/{key}', {value} is not a {wanted}."),
                &[],
            ));
        }
    }
    Ok(map)
}

fn rate_limit(world: &Handle) -> Answer {
    let remaining = world.settings(|settings| settings.rate_remaining);
    let row = |limit: u64, remaining: u64| json!({"limit": limit, "remaining": remaining, "used": limit.saturating_sub(remaining), "reset": clock::epoch() + 3600});
    let core = row(5000, remaining);
    Answer::json(
        200,
        &json!({"resources": {"core": core, "search": row(30, 30), "graphql": row(5000, 5000)}, "rate": core}),
    )
}
