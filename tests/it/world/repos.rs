//! GitHub's REST: repositories, made, changed and listed.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::{Map, Value, json};

use super::bodies::{self, complaint, error, invalid, not_found};
use super::github::{Call, object, scoped};
use super::http::Answer;
use super::log::Entry;
use super::{Handle, store};

const FLAGS: [&str; 12] = [
    "has_issues",
    "has_projects",
    "has_wiki",
    "has_discussions",
    "has_downloads",
    "is_template",
    "auto_init",
    "allow_squash_merge",
    "allow_merge_commit",
    "allow_rebase_merge",
    "allow_auto_merge",
    "delete_branch_on_merge",
];

fn repo_fields(create: bool, org: bool) -> Vec<(&'static str, &'static str)> {
    let mut fields = vec![
        ("name", "string"),
        ("description", "string"),
        ("homepage", "string"),
        ("private", "bool"),
        ("squash_merge_commit_title", "PR_TITLE|COMMIT_OR_PR_TITLE"),
        (
            "squash_merge_commit_message",
            "PR_BODY|COMMIT_MESSAGES|BLANK",
        ),
        ("merge_commit_title", "PR_TITLE|MERGE_MESSAGE"),
        ("merge_commit_message", "PR_BODY|PR_TITLE|BLANK"),
    ];
    let known_here = |flag: &&str| match *flag {
        "auto_init" | "has_downloads" => create,
        "has_discussions" => create && !org,
        _ => true,
    };
    fields.extend(
        FLAGS
            .into_iter()
            .filter(known_here)
            .map(|flag| (flag, "bool")),
    );
    if create {
        fields.extend([
            ("team_id", "int"),
            ("gitignore_template", "string"),
            ("license_template", "string"),
        ]);
    } else {
        fields.extend([
            ("archived", "bool"),
            ("default_branch", "string"),
            ("allow_forking", "bool"),
        ]);
    }
    if org || !create {
        fields.push(("visibility", "public|private"));
    }
    if org {
        fields.push(("custom_properties", "object"));
    }
    fields
}

fn describe(body: &Map<String, Value>, errors: &mut Vec<Value>) -> Option<String> {
    let text = body.get("description")?.as_str()?;
    if text.chars().count() > 350 {
        let message = "description cannot be more than 350 characters";
        errors.push(complaint(
            "Repository",
            "custom",
            "description",
            Some(message),
        ));
    }
    if text.chars().any(char::is_control) {
        let message = "description control characters are not allowed";
        errors.push(complaint(
            "Repository",
            "custom",
            "description",
            Some(message),
        ));
    }
    (!text.is_empty()).then(|| text.to_owned())
}

/// Runs of what a name may not hold become one dash, without a word about it.
fn rewrite(name: &str) -> String {
    let mut out = String::new();
    let mut gap = false;
    for letter in name.chars() {
        if letter.is_ascii_alphanumeric() || "._-".contains(letter) {
            out.push(letter);
            gap = false;
        } else if !gap {
            out.push('-');
            gap = true;
        }
    }
    out
}

pub fn create(world: &Handle, request: &Entry, org: Option<&str>) -> Result<Answer, Answer> {
    const FAILED: &str = "Repository creation failed.";
    if org.is_some_and(|org| {
        !world.settings(|settings| {
            settings
                .orgs
                .iter()
                .any(|known| known.eq_ignore_ascii_case(org))
        })
    }) {
        return Err(not_found());
    }
    if !scoped(world, request) {
        return Err(not_found().with("X-Accepted-OAuth-Scopes", "public_repo, repo"));
    }
    let body = object(world, request, &repo_fields(true, org.is_some()))?;
    let asked = body.get("name").and_then(Value::as_str).unwrap_or_default();
    if asked.is_empty() {
        return Err(invalid(
            FAILED,
            &[complaint("Repository", "missing_field", "name", None)],
        ));
    }
    let name = rewrite(asked);
    let mut errors = Vec::new();
    let description = describe(&body, &mut errors);
    if name.len() > 100 {
        let message = "name is too long (maximum is 100 characters)";
        errors.push(complaint("Repository", "custom", "name", Some(message)));
    }
    if name == "." || name == ".." || name.to_ascii_lowercase().ends_with(".git") {
        errors.push(complaint(
            "Repository",
            "custom",
            "name",
            Some("name is reserved"),
        ));
    }
    if !errors.is_empty() {
        return Err(invalid(FAILED, &errors));
    }
    let owner = org.map_or_else(|| world.login(), str::to_owned);
    let text = |key: &str| {
        body.get(key)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let added = world.add_repo(&owner, &name, |repo| {
        repo.description = description;
        repo.homepage = text("homepage");
        repo.private = body.get("private") == Some(&json!(true))
            || text("visibility").as_deref() == Some("private");
        repo.flags = flags(&body);
        repo.fresh_since = Some(Instant::now());
    });
    if !added {
        let message = "name already exists on this account";
        return Err(invalid(
            FAILED,
            &[complaint("Repository", "custom", "name", Some(message))],
        ));
    }
    if body.get("auto_init") == Some(&json!(true)) {
        let readme = format!("# {name}\n");
        store::commit(
            &world.repo_dir(&owner, &name),
            &[("README.md", readme.as_bytes())],
            "Initial commit",
        );
    }
    let clone = world.settings(|settings| settings.clone_url_override.clone());
    let shown = world.with_repo(&owner, &name, |repo| {
        bodies::repository(world, repo, clone.as_deref())
    });
    let shown = shown.ok_or_else(not_found)?;
    let location = shown["url"].as_str().unwrap_or_default().to_owned();
    Ok(Answer::json(201, &shown).with("Location", location))
}

fn flags(body: &Map<String, Value>) -> BTreeMap<String, bool> {
    body.iter()
        .filter_map(|(key, value)| Some((key.clone(), value.as_bool()?)))
        .collect()
}

pub fn update(call: &Call<'_>) -> Result<Answer, Answer> {
    call.may_write()?;
    let body = object(call.world, call.request, &repo_fields(false, false))?;
    let mut errors = Vec::new();
    let description = describe(&body, &mut errors);
    if !errors.is_empty() {
        return Err(invalid("Validation Failed", &errors));
    }
    call.with(|repo, clone| {
        if body.contains_key("description") {
            repo.description = description;
        }
        if let Some(home) = body.get("homepage").and_then(Value::as_str) {
            repo.homepage = (!home.is_empty()).then(|| home.to_owned());
        }
        if let Some(archived) = body.get("archived").and_then(Value::as_bool) {
            repo.archived = archived;
        }
        repo.flags.extend(flags(&body));
        Answer::json(200, &bodies::repository(call.world, repo, clone))
    })
}

pub fn topics(call: &Call<'_>) -> Result<Answer, Answer> {
    call.may_write()?;
    let body = object(call.world, call.request, &[("names", "array")])?;
    let names: Option<Vec<String>> = body.get("names").and_then(Value::as_array).map(|names| {
        names
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_lowercase)
            .collect()
    });
    let Some(names) = names else {
        return Err(invalid(
            "Invalid request.\n\n\"names\" wasn't supplied.",
            &[],
        ));
    };
    let fits = |name: &String| {
        name.len() <= 50
            && !name.starts_with('-')
            && name
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
    };
    if names.len() > 20 || !names.iter().all(fits) {
        return Err(invalid("Validation Failed", &[]));
    }
    call.with(|repo, _| {
        repo.topics.clone_from(&names);
        Answer::json(200, &json!({"names": names}))
    })
}

pub fn reference(call: &Call<'_>, branch: &str) -> Result<Answer, Answer> {
    let api = format!(
        "{}/repos/{}/{}",
        call.world.api_url(),
        call.owner,
        call.name
    );
    let (main, sha) = call.with(|repo, _| (repo.branch("main"), repo.branch(branch)))?;
    if main.is_none() {
        return Err(error(409, "Git Repository is empty."));
    }
    let sha = sha.ok_or_else(not_found)?;
    Ok(Answer::json(
        200,
        &json!({
            "ref": format!("refs/heads/{branch}"),
            "node_id": "REF_kwDOABEX",
            "url": format!("{api}/git/refs/heads/{branch}"),
            "object": {"type": "commit", "sha": sha, "url": format!("{api}/git/commits/{sha}")},
        }),
    ))
}

pub fn list(world: &Handle, owner: &str) -> Answer {
    let clone = world.settings(|settings| settings.clone_url_override.clone());
    let repos = super::lock(&world.0.repos);
    let mine = repos
        .iter()
        .filter(|repo| repo.owner.eq_ignore_ascii_case(owner));
    let rows: Vec<Value> = mine
        .map(|repo| bodies::repository(world, repo, clone.as_deref()))
        .collect();
    Answer::json(200, &json!(rows))
}
