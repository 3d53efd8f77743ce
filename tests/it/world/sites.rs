//! GitHub's REST: Pages sites, their builds and their deployments.

use serde_json::{Value, json};

use super::bodies::{self, error, invalid, not_found};
use super::github::{Call, object, unknown};
use super::http::Answer;
use super::pages::{self, Pace, Site};

pub fn route(call: &Call<'_>, method: &str, rest: &[&str]) -> Result<Answer, Answer> {
    let known = call.request.header("authorization").is_some();
    // Unlike repositories, these are only for those who may push.
    if rest.first() == Some(&"pages") && !known {
        return Err(not_found());
    }
    match (method, rest) {
        ("GET", ["pages"]) => show(call),
        ("POST", ["pages"]) => enable(call),
        ("PUT", ["pages"]) => update(call),
        ("DELETE", ["pages"]) => disable(call),
        ("GET", ["pages", "builds"]) => builds(call),
        ("POST", ["pages", "builds"]) => request_build(call),
        ("GET", ["pages", "builds", "latest"]) => latest(call),
        ("GET", ["pages", "builds", id]) => one_build(call, id),
        ("GET", ["deployments"]) => deployments(call),
        ("GET", ["deployments", id, "statuses"]) => statuses(call, id),
        _ => Err(unknown(call.world, call.request)),
    }
}

impl Call<'_> {
    fn pace(&self) -> Pace {
        self.world.settings(|settings| Pace::of(settings))
    }

    /// The site, settled, taken out of the repository for the time of the work.
    fn with_site(
        &self,
        work: impl FnOnce(&super::store::Repo, &mut Site) -> Result<Answer, Answer>,
    ) -> Result<Answer, Answer> {
        let pace = self.pace();
        self.with(|repo, _| {
            let Some(mut site) = repo.site.take() else {
                return Err(not_found());
            };
            site.settle(&pace);
            let answer = work(repo, &mut site);
            repo.site = Some(site);
            answer
        })?
    }
}

fn show(call: &Call<'_>) -> Result<Answer, Answer> {
    call.with_site(|repo, site| Ok(Answer::json(200, &bodies::page(call.world, repo, site))))
}

fn enable(call: &Call<'_>) -> Result<Answer, Answer> {
    call.may_write()?;
    let body = object(
        call.world,
        call.request,
        &[("build_type", "legacy|workflow"), ("source", "object")],
    )?;
    if body.is_empty() {
        return Err(invalid(
            "Invalid request.\n\nNo subschema in \"anyOf\" matched.",
            &[],
        ));
    }
    let source = body
        .get("source")
        .map(|source| read_source(call, source, false))
        .transpose()?;
    let forced = call.world.settings(|settings| settings.pages_workflow);
    let workflow = forced || body.get("build_type") == Some(&json!("workflow"));
    if source.is_none() && !workflow {
        return Err(invalid("The source branch is missing.", &[]));
    }
    let (branch, path) = source.unwrap_or_else(|| ("main".to_owned(), "/".to_owned()));
    let (pace, id) = (call.pace(), call.world.next_id());
    call.with(|repo, _| {
        if repo.private {
            return Err(invalid(
                "Your current plan does not support GitHub Pages for this repository.",
                &[],
            ));
        }
        if repo.site.is_some() {
            return Err(error(409, "GitHub Pages is already enabled."));
        }
        if repo.branch(&branch).is_none() {
            let message =
                format!("The {branch} branch must exist before GitHub Pages can be built.");
            return Err(invalid(&message, &[]));
        }
        repo.site = Some(Site {
            workflow,
            branch,
            path,
            forced,
            builds: Vec::new(),
            failed: std::collections::BTreeMap::new(),
        });
        pages::build(repo, id, &pace, true);
        let shown = repo
            .site
            .as_ref()
            .map(|site| bodies::page(call.world, repo, site));
        Ok(Answer::json(201, &shown.unwrap_or_default()))
    })?
}

fn read_source(
    call: &Call<'_>,
    source: &Value,
    path_needed: bool,
) -> Result<(String, String), Answer> {
    let wrong = |what: &str| {
        call.world.odd(call.request, what);
        invalid(&format!("Invalid request.\n\n{what}"), &[])
    };
    let map = source
        .as_object()
        .ok_or_else(|| wrong("source is not an object"))?;
    if let Some(key) = map.keys().find(|key| *key != "branch" && *key != "path") {
        return Err(wrong(&format!("source.{key} is not in the description")));
    }
    let branch = source["branch"]
        .as_str()
        .ok_or_else(|| wrong("source.branch is missing"))?;
    match (source.get("path").map(Value::as_str), path_needed) {
        (None, false) => Ok((branch.to_owned(), "/".to_owned())),
        (Some(Some(path @ ("/" | "/docs"))), _) => Ok((branch.to_owned(), path.to_owned())),
        _ => Err(wrong("source.path is neither / nor /docs")),
    }
}

fn update(call: &Call<'_>) -> Result<Answer, Answer> {
    call.may_write()?;
    let fields = [
        ("cname", "string|null"),
        ("https_enforced", "bool"),
        ("build_type", "legacy|workflow"),
        ("source", "object|gh-pages|master|master /docs"),
    ];
    let body = object(call.world, call.request, &fields)?;
    if body.is_empty() {
        return Err(invalid(
            "Invalid request.\n\nNo subschema in \"anyOf\" matched.",
            &[],
        ));
    }
    let source = match body.get("source") {
        None => None,
        Some(Value::String(text)) => {
            let (branch, path) = text.split_once(' ').unwrap_or((text, "/"));
            Some((branch.to_owned(), path.to_owned()))
        }
        Some(source) => Some(read_source(call, source, true)?),
    };
    let forced = call.world.settings(|settings| settings.pages_workflow);
    call.with_site(|repo, site| {
        if let Some((branch, path)) = source {
            if repo.branch(&branch).is_none() {
                let message =
                    format!("The {branch} branch must exist before GitHub Pages can be built.");
                return Err(invalid(&message, &[]));
            }
            // A changed source alone starts no build.
            (site.branch, site.path) = (branch, path);
        }
        if let Some(sort) = body.get("build_type") {
            site.workflow = forced || sort == "workflow";
        }
        Ok(Answer::empty(204))
    })
}

fn disable(call: &Call<'_>) -> Result<Answer, Answer> {
    call.may_write()?;
    call.with(|repo, _| {
        repo.site
            .take()
            .map_or_else(not_found, |_| Answer::empty(204))
    })
}

fn builds(call: &Call<'_>) -> Result<Answer, Answer> {
    call.with_site(|repo, site| {
        let rows = site.builds.iter().rev().filter(|_| !site.workflow);
        let rows: Vec<Value> = rows
            .map(|build| bodies::build(call.world, repo, build))
            .collect();
        Ok(Answer::json(200, &json!(rows)))
    })
}

fn request_build(call: &Call<'_>) -> Result<Answer, Answer> {
    call.may_write()?;
    if !call.request.body.is_empty() {
        object(call.world, call.request, &[])?;
    }
    let (pace, id) = (call.pace(), call.world.next_id());
    call.with(|repo, _| {
        let url = format!(
            "{}/repos/{}/pages/builds/latest",
            call.world.api_url(),
            repo.full_name()
        );
        match &repo.site {
            None => Err(not_found()),
            Some(site) if site.workflow => Err(error(
                403,
                "Builds can be requested only where the site is built from a branch.",
            )),
            Some(_) => {
                pages::build(repo, id, &pace, true);
                Ok(Answer::json(201, &json!({"url": url, "status": "queued"})))
            }
        }
    })?
}

fn latest(call: &Call<'_>) -> Result<Answer, Answer> {
    call.with_site(|repo, site| {
        if site.workflow {
            return Err(not_found());
        }
        let build = site.builds.last_mut().ok_or_else(not_found)?;
        build.poll();
        Ok(Answer::json(200, &bodies::build(call.world, repo, build)))
    })
}

fn one_build(call: &Call<'_>, id: &str) -> Result<Answer, Answer> {
    call.with_site(|repo, site| {
        let build = site
            .builds
            .iter()
            .find(|build| build.id.to_string() == id && !site.workflow);
        Ok(Answer::json(
            200,
            &bodies::build(call.world, repo, build.ok_or_else(not_found)?),
        ))
    })
}

fn deployments(call: &Call<'_>) -> Result<Answer, Answer> {
    let wanted = |key: &str| {
        call.request
            .query_value(key)
            .filter(|value| value != "none")
    };
    let (sha, environment) = (wanted("sha"), wanted("environment"));
    let limit: usize = wanted("per_page")
        .and_then(|text| text.parse().ok())
        .unwrap_or(30);
    let pace = call.pace();
    let rows: Vec<Value> = call.with(|repo, _| {
        if let Some(site) = &mut repo.site {
            site.settle(&pace);
        }
        let builds = repo.site.iter().flat_map(|site| site.builds.iter().rev());
        builds
            .filter(|build| sha.as_ref().is_none_or(|sha| *sha == build.sha))
            .filter(|_| {
                environment
                    .as_ref()
                    .is_none_or(|name| name == "github-pages")
            })
            .take(limit)
            .map(|build| bodies::deployment(call.world, repo, build))
            .collect()
    })?;
    Ok(Answer::json(200, &json!(rows)))
}

fn statuses(call: &Call<'_>, id: &str) -> Result<Answer, Answer> {
    call.with_site(|repo, site| {
        let workflow = site.workflow;
        let build = site
            .builds
            .iter_mut()
            .find(|build| build.id.to_string() == id)
            .ok_or_else(not_found)?;
        // Where there are builds, those are polled; here their place is taken by these.
        if workflow {
            build.poll();
        }
        Ok(Answer::json(
            200,
            &bodies::deployment_statuses(call.world, repo, build),
        ))
    })
}
