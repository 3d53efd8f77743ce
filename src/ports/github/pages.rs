//! GitHub Pages: on, built from this commit, and served. "Pages answers 200" is not "this commit is live": a stale site
//! answers 200 for minutes, so the build's commit is compared first and then the bytes.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::json;

use super::refusal::{advice, unexpected};
use super::{GitHub, answer, said};
use crate::error::{Code, Error, Result};
use crate::ports::World;
use crate::ports::forge::{Live, Page};
use crate::ports::http::{Request, Url};
use crate::ports::retry;

/// How often turning Pages on may be refused because the branch that was just pushed is not seen yet.
const ENABLE_TRIES: u32 = 4;
/// After so many looks without a build of this commit, and none under way, a build is asked for.
const LOOKS_BEFORE_ASKING: u32 = 5;
/// After so many looks at a finished build of another commit it is taken as the newer one.
const LOOKS_AT_ANOTHER: u32 = 2;
/// A build that was asked for is not seen at once: so often the failed one may still be the latest.
const LOOKS_AT_FAILED: u32 = 5;
/// What a page may weigh when it is compared.
const PAGE_LIMIT: u64 = 100 << 20;

#[derive(Deserialize)]
struct Site {
    html_url: Option<String>,
    build_type: Option<String>,
    source: Option<Source>,
}

#[derive(Deserialize)]
struct Source {
    branch: String,
    path: String,
}

#[derive(Deserialize)]
struct Build {
    url: Option<String>,
    status: Option<String>,
    commit: Option<String>,
    #[serde(default)]
    error: BuildError,
}

#[derive(Default, Deserialize)]
struct BuildError {
    message: Option<String>,
}

pub(super) fn enable(
    github: &GitHub,
    world: &World,
    owner: &str,
    name: &str,
    on: bool,
) -> Result<String> {
    let path = format!("/repos/{owner}/{name}/pages");
    let source = json!({"build_type": "legacy", "source": {"branch": "main", "path": "/"}});
    let mut known = on;
    for n in 1..=ENABLE_TRIES {
        if known {
            let response = github.call(world, "GET", &path, None)?;
            if response.status == 200 {
                let site: Site = answer(&path, &response)?;
                return aim(github, world, owner, name, site);
            }
            // 404: it was turned off, or 409 came before the site can be read.
            known = false;
        }
        let response = github.call(world, "POST", &path, Some(&source))?;
        match response.status {
            201 => {
                let site: Site = answer(&path, &response)?;
                github
                    .by_workflow
                    .set(site.build_type.as_deref() == Some("workflow"));
                return address(owner, name, site);
            }
            // Already on: read it.
            409 => known = true,
            // 404 and 422 also mean that the repository or the branch is too young to be seen everywhere.
            404 | 422 if n < ENABLE_TRIES => {}
            404 => return Err(unexpected(&format!("POST {path}"), &response)),
            status => {
                let message = format!("Pages cannot be turned on: {status} {}", said(&response));
                let usual =
                    "look at Settings → Pages of the repository, then run the same command again";
                return Err(Error::new(Code::PagesFailed, message)
                    .hint(advice(&said(&response)).unwrap_or(usual)));
            }
        }
        if !known && !world.clock.pause(retry::pause(world.clock.unit, n)) {
            break;
        }
    }
    Err(Error::new(
        Code::Network,
        "Pages is neither on nor can it be turned on yet",
    )
    .hint("run the same command again; it goes on from here"))
}

/// Points a site that exists at the root of `main`. One that a workflow publishes is left to its workflow.
fn aim(github: &GitHub, world: &World, owner: &str, name: &str, site: Site) -> Result<String> {
    let workflow = site.build_type.as_deref() == Some("workflow");
    github.by_workflow.set(workflow);
    let aimed = site
        .source
        .as_ref()
        .is_some_and(|s| s.branch == "main" && s.path == "/");
    if !workflow && !aimed {
        let path = format!("/repos/{owner}/{name}/pages");
        let response = github.call(
            world,
            "PUT",
            &path,
            Some(&json!({"build_type": "legacy", "source": {"branch": "main", "path": "/"}})),
        )?;
        if response.status != 204 {
            let message = format!(
                "Pages cannot be pointed at the root of main: {} {}",
                response.status,
                said(&response)
            );
            return Err(Error::new(Code::PagesFailed, message).hint(
                "set it in Settings → Pages of the repository, then run the same command again",
            ));
        }
        // A changed source alone does not build.
        github.call(world, "POST", &format!("{path}/builds"), None)?;
    }
    address(owner, name, site)
}

/// The page's address, with a slash at its end so that relative links work.
fn address(owner: &str, name: &str, site: Site) -> Result<String> {
    let mut url = site
        .html_url
        .unwrap_or_else(|| format!("https://{}.github.io/{name}/", owner.to_ascii_lowercase()));
    if !url.ends_with('/') {
        url.push('/');
    }
    Url::parse(&url).map_err(|why| {
        Error::new(
            Code::PagesFailed,
            format!("the page's address is {url:?}: {why}"),
        )
    })?;
    Ok(url)
}

pub(super) fn wait_live(
    github: &GitHub,
    world: &World,
    repo: &str,
    page: &Page<'_>,
    until: Instant,
) -> Result<Live> {
    let mut pause = None;
    let mut built = false;
    let mut asked = false;
    let (mut looks, mut another) = (0, 0);
    loop {
        looks += 1;
        let reason = if built {
            String::new()
        } else {
            match look(github, world, repo, page)? {
                Look::Built => {
                    built = true;
                    String::new()
                }
                Look::Failed { build, .. }
                    if looks < LOOKS_AT_FAILED && page.failed == Some(build.as_str()) =>
                {
                    "the build that failed is still the latest".to_owned()
                }
                Look::Failed { reason, build } => return Ok(Live::Failed { reason, build }),
                Look::Another(commit) if !page.is_tip => {
                    another += 1;
                    if another >= LOOKS_AT_ANOTHER {
                        return Ok(Live::Superseded(commit));
                    }
                    format!("the latest build is of {commit}")
                }
                Look::Another(_) | Look::None if github.by_workflow.get() => {
                    if looks >= LOOKS_BEFORE_ASKING && !page.has_workflow {
                        return Ok(Live::Failed {
                            reason: "Pages waits for a workflow, and the repository has none that deploys it".to_owned(),
                            build: String::new(),
                        });
                    }
                    "no workflow has deployed this commit yet".to_owned()
                }
                Look::Another(_) | Look::None if looks >= LOOKS_BEFORE_ASKING && !asked => {
                    asked = true;
                    ask_for_build(github, world, repo)?
                }
                Look::Another(_) | Look::None => "no build of this commit yet".to_owned(),
                Look::Building(status) => {
                    let reason = format!("the build is {status}");
                    if page.stuck_at.is_some_and(|at| Instant::now() >= at) {
                        return Ok(Live::Stuck(reason));
                    }
                    reason
                }
            }
        };
        let reason = if built {
            match served(world, page, looks) {
                None => return Ok(Live::Yes),
                Some(why) => why,
            }
        } else {
            reason
        };
        let left = Duration::from_secs(world.clock.left(Some(until)).as_secs());
        world.progress.detail(&format!(
            "waiting for Pages, at most {} more: {reason}",
            humantime::format_duration(left)
        ));
        let next = world.clock.next_poll(pause);
        if next >= world.clock.left(Some(until)) {
            return Ok(Live::Pending(reason));
        }
        std::thread::sleep(next);
        pause = Some(next);
    }
}

enum Look {
    Built,
    Building(String),
    Failed {
        reason: String,
        /// Tells it from another build of the same commit.
        build: String,
    },
    /// A build of another commit has ended well.
    Another(String),
    None,
}

fn look(github: &GitHub, world: &World, repo: &str, page: &Page<'_>) -> Result<Look> {
    if github.by_workflow.get() {
        return deployment(github, world, repo, page);
    }
    let path = format!("{repo}/pages/builds/latest");
    let response = github.call(world, "GET", &path, None)?;
    match response.status {
        200 => {}
        404 => {
            let site = github.call(world, "GET", &format!("{repo}/pages"), None)?;
            let workflow = site.status == 200
                && answer::<Site>(repo, &site)?.build_type.as_deref() == Some("workflow");
            github.by_workflow.set(workflow);
            return if workflow {
                deployment(github, world, repo, page)
            } else {
                Ok(Look::None)
            };
        }
        _ => return Err(unexpected(&format!("GET {path}"), &response)),
    }
    let build: Build = answer(&path, &response)?;
    let ours = build.commit.as_deref() == Some(page.sha.as_str());
    Ok(match (ours, build.status.as_deref()) {
        (true, Some("built")) => Look::Built,
        (true, None) => Look::Building("queued".to_owned()),
        (true, Some(status @ ("queued" | "building"))) => Look::Building(status.to_owned()),
        // `errored` in the description; builds that run as a job end in a job's words, too (`cancelled`).
        (true, Some(status)) => Look::Failed {
            reason: build
                .error
                .message
                .filter(|m| !m.trim().is_empty())
                .unwrap_or_else(|| format!("the build {status}, no reason given")),
            build: build.url.unwrap_or_default(),
        },
        (false, Some("building" | "queued")) => {
            Look::Building("still of another commit".to_owned())
        }
        (false, Some("built")) => build.commit.map_or(Look::None, Look::Another),
        (false, _) => Look::None,
    })
}

/// With `build_type: workflow` there are no builds; the `github-pages` deployment of the commit tells.
fn deployment(github: &GitHub, world: &World, repo: &str, page: &Page<'_>) -> Result<Look> {
    #[derive(Deserialize)]
    struct Id {
        id: u64,
    }
    #[derive(Deserialize)]
    struct Status {
        state: String,
        description: Option<String>,
    }
    let path = format!(
        "{repo}/deployments?environment=github-pages&sha={}",
        page.sha
    );
    let response = github.call(world, "GET", &path, None)?;
    let Some(newest) = answer::<Vec<Id>>(&path, &response)?.into_iter().next() else {
        return Ok(Look::None);
    };
    let path = format!("{repo}/deployments/{}/statuses", newest.id);
    let response = github.call(world, "GET", &path, None)?;
    let Some(status) = answer::<Vec<Status>>(&path, &response)?.into_iter().next() else {
        return Ok(Look::Building("queued".to_owned()));
    };
    Ok(match status.state.as_str() {
        "success" => Look::Built,
        "failure" | "error" => Look::Failed {
            reason: status
                .description
                .filter(|d| !d.trim().is_empty())
                .unwrap_or_else(|| "the workflow failed".to_owned()),
            build: newest.id.to_string(),
        },
        state => Look::Building(state.to_owned()),
    })
}

/// Has a workflow of the repository publish the site, or the branch again.
pub(super) fn set_workflow(
    github: &GitHub,
    world: &World,
    repo: &str,
    workflow: bool,
) -> Result<()> {
    let path = format!("{repo}/pages");
    let body = if workflow {
        json!({"build_type": "workflow"})
    } else {
        json!({"build_type": "legacy", "source": {"branch": "main", "path": "/"}})
    };
    let response = github.call(world, "PUT", &path, Some(&body))?;
    if response.status == 204 {
        github.by_workflow.set(workflow);
        Ok(())
    } else {
        Err(unexpected(&format!("PUT {path}"), &response))
    }
}

pub(super) fn ask_for_build(github: &GitHub, world: &World, repo: &str) -> Result<String> {
    let response = github.call(world, "POST", &format!("{repo}/pages/builds"), None)?;
    Ok(if response.is_success() {
        "a build was asked for".to_owned()
    } else {
        format!("a build was refused: {}", said(&response))
    })
}

/// `None` when the page serves the witness's bytes. Each look asks with a query of its own, since an answer that came too
/// early, a 404 too, is cached for minutes. The page is public: no token goes there.
fn served(world: &World, page: &Page<'_>, look: u32) -> Option<String> {
    let mut url = format!(
        "{}{}?llmdeploy={}-{look}",
        page.pages_url, page.witness.url_path, page.sha
    );
    let timeout = world
        .clock
        .answer
        .min(world.clock.left(None))
        .max(Duration::from_millis(1));
    for _ in 0..5 {
        let response = match world.http.send(&Request {
            method: "GET",
            url: &url,
            headers: &[],
            body: None,
            timeout,
            limit: PAGE_LIMIT,
        }) {
            Ok(response) => response,
            Err(e) => return Some(format!("{e:#}")),
        };
        match (response.status, response.header("location")) {
            (200, _) if response.body == page.witness.bytes => return None,
            (200, _) => return Some("the page still serves other content".to_owned()),
            // A custom domain, or http to https.
            (status @ (301 | 302 | 307 | 308), Some(location)) => {
                match Url::parse(&url).and_then(|at| at.join(location)) {
                    Ok(target) => target.as_str().clone_into(&mut url),
                    Err(_) => return Some(format!("the page answers {status}")),
                }
            }
            (status, _) => return Some(format!("the page answers {status}")),
        }
    }
    Some("the page redirects in circles".to_owned())
}
