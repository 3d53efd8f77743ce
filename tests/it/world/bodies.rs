//! JSON bodies as GitHub's description wants them, with every field it requires.

use serde_json::{Map, Value, json};

use super::Handle;
use super::clock::iso;
use super::http::Answer;
use super::pages::{Build, Site};
use super::store::Repo;

const DOCS: &str = "https://docs.github.com/rest";

/// `GET /user`
pub fn private_user(world: &Handle) -> Value {
    let mut user = simple_user(world, &world.login(), false);
    user["user_view_type"] = json!("private");
    let more = json!({
        "name": "Octo Developer", "company": null, "blog": "", "location": null, "email": null, "hireable": null,
        "bio": null, "twitter_username": null, "notification_email": null, "public_repos": 2, "public_gists": 0,
        "followers": 20, "following": 0, "created_at": "2011-01-25T18:44:36Z", "updated_at": "2026-01-02T03:04:05Z",
        "private_gists": 0, "total_private_repos": 1, "owned_private_repos": 1, "disk_usage": 10000,
        "collaborators": 0, "two_factor_authentication": true,
        "plan": {"name": "free", "space": 976_562_499, "collaborators": 0, "private_repos": 10000},
    });
    extend(&mut user, more);
    user
}

fn extend(value: &mut Value, more: Value) {
    if let (Value::Object(map), Value::Object(more)) = (value, more) {
        map.extend(more);
    }
}

pub fn simple_user(world: &Handle, login: &str, organization: bool) -> Value {
    let own = login.eq_ignore_ascii_case(&world.login());
    // Others get a number of their own, the same at each asking.
    let id = if own {
        world.user_id()
    } else {
        login
            .bytes()
            .fold(900_000, |sum, byte| sum + u64::from(byte) * 31)
    };
    // Bots have brackets in their names.
    let escaped = login.replace('[', "%5B").replace(']', "%5D");
    let api = format!("{}/users/{escaped}", world.api_url());
    json!({
        "login": login,
        "id": id,
        "node_id": format!("MDQ6VXNlcnt{id}"),
        "avatar_url": format!("https://avatars.githubusercontent.com/u/{id}?v=4"),
        "gravatar_id": "",
        "url": api,
        "html_url": format!("{}/{escaped}", world.api_url()),
        "followers_url": format!("{api}/followers"),
        "following_url": format!("{api}/following{{/other_user}}"),
        "gists_url": format!("{api}/gists{{/gist_id}}"),
        "starred_url": format!("{api}/starred{{/owner}}{{/repo}}"),
        "subscriptions_url": format!("{api}/subscriptions"),
        "organizations_url": format!("{api}/orgs"),
        "repos_url": format!("{api}/repos"),
        "events_url": format!("{api}/events{{/privacy}}"),
        "received_events_url": format!("{api}/received_events"),
        "type": if organization { "Organization" } else { "User" },
        "user_view_type": "public",
        "site_admin": false,
    })
}

/// Names of a repository's URLs and what follows the repository's own in them.
const LINKS: [(&str, &str); 37] = [
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    (
        "notifications_url",
        "/notifications{?since,all,participating}",
    ),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("teams_url", "/teams"),
    ("trees_url", "/git/trees{/sha}"),
    ("url", ""),
];

/// full-repository, which holds everything minimal-repository wants as well
pub fn repository(world: &Handle, repo: &Repo, clone_url: Option<&str>) -> Value {
    let full = repo.full_name();
    let base = world.api_url();
    let api = format!("{base}/repos/{full}");
    let html = format!("{base}/{full}");
    let filled = |text: &str| {
        text.replace("{owner}", &repo.owner)
            .replace("{name}", &repo.name)
    };
    let clone = clone_url.map_or_else(|| format!("{html}.git"), filled);
    let owner = simple_user(world, &repo.owner, repo.in_org);
    let mut body = json!({
        "id": repo.id, "node_id": format!("R_kgDO{}", repo.id), "name": repo.name, "full_name": full,
        "private": repo.private, "visibility": if repo.private { "private" } else { "public" },
        "html_url": html, "description": repo.description, "fork": false, "homepage": repo.homepage,
        "created_at": iso(repo.created), "updated_at": iso(repo.pushed), "pushed_at": iso(repo.pushed),
        "git_url": format!("git:{full}.git"), "ssh_url": format!("git@127.0.0.1:{full}.git"), "clone_url": clone,
        "svn_url": html, "mirror_url": null, "size": u8::from(repo.branch("main").is_some()),
        "stargazers_count": 0, "watchers_count": 0, "watchers": 0, "forks_count": 0, "forks": 0,
        "open_issues_count": 0, "open_issues": 0, "language": null, "license": null, "topics": repo.topics,
    });
    // In two parts, since the macro has a limit to what it takes at once.
    let more = json!({
        "has_issues": repo.flag("has_issues", true), "has_projects": repo.flag("has_projects", true),
        "has_wiki": repo.flag("has_wiki", true), "has_downloads": repo.flag("has_downloads", true),
        "has_discussions": repo.flag("has_discussions", false), "has_pages": repo.site.is_some(),
        "archived": repo.archived, "disabled": false, "is_template": false, "allow_forking": true,
        "web_commit_signoff_required": false, "default_branch": "main",
        "permissions": {"admin": true, "maintain": true, "push": true, "triage": true, "pull": true},
        "allow_squash_merge": repo.flag("allow_squash_merge", true),
        "allow_merge_commit": repo.flag("allow_merge_commit", true),
        "allow_rebase_merge": repo.flag("allow_rebase_merge", true), "allow_auto_merge": false,
        "delete_branch_on_merge": false, "network_count": 0, "subscribers_count": 1,
    });
    let mut links: Map<String, Value> = LINKS
        .iter()
        .map(|(name, end)| ((*name).to_owned(), json!(format!("{api}{end}"))))
        .collect();
    extend(&mut body, more);
    if repo.in_org {
        links.insert("organization".to_owned(), owner.clone());
    }
    links.insert("owner".to_owned(), owner);
    extend(&mut body, Value::Object(links));
    body
}

/// page
pub fn page(world: &Handle, repo: &Repo, site: &Site) -> Value {
    let status = match site.builds.last().map(Build::state) {
        None => Value::Null,
        Some("queued") => json!("building"),
        Some(state) => json!(state),
    };
    json!({
        "url": format!("{}/repos/{}/pages", world.api_url(), repo.full_name()),
        "status": status,
        "cname": null,
        "custom_404": false,
        "html_url": world.pages_url(&repo.owner, &repo.name),
        "build_type": if site.workflow { "workflow" } else { "legacy" },
        "source": {"branch": site.branch, "path": site.path},
        "public": true,
        "https_enforced": true,
    })
}

/// page-build
pub fn build(world: &Handle, repo: &Repo, build: &Build) -> Value {
    let now = iso(build.created + std::time::Duration::from_millis(build.millis()));
    json!({
        "url": format!("{}/repos/{}/pages/builds/{}", world.api_url(), repo.full_name(), build.id),
        "status": build.state(),
        "error": {"message": build.error},
        "pusher": simple_user(world, &world.login(), false),
        "commit": build.sha,
        "duration": build.millis(),
        "created_at": iso(build.created),
        "updated_at": now,
    })
}

/// deployment
pub fn deployment(world: &Handle, repo: &Repo, build: &Build) -> Value {
    let api = format!("{}/repos/{}", world.api_url(), repo.full_name());
    json!({
        "url": format!("{api}/deployments/{}", build.id),
        "id": build.id,
        "node_id": format!("DE_kwDO{}", build.id),
        "sha": build.sha,
        "ref": repo.site.as_ref().map_or("main", |site| site.branch.as_str()),
        "task": "deploy",
        "payload": {},
        "original_environment": "github-pages",
        "environment": "github-pages",
        "description": null,
        "creator": simple_user(world, "github-pages[bot]", false),
        "created_at": iso(build.created),
        "updated_at": iso(build.created),
        "statuses_url": format!("{api}/deployments/{}/statuses", build.id),
        "repository_url": api,
        "transient_environment": false,
        "production_environment": false,
    })
}

/// The deployment-statuses of one build, newest first.
pub fn deployment_statuses(world: &Handle, repo: &Repo, build: &Build) -> Value {
    let api = format!("{}/repos/{}", world.api_url(), repo.full_name());
    let states: &[&str] = match build.state() {
        "queued" => &["queued"],
        "building" => &["in_progress", "queued"],
        "built" => &["success", "in_progress", "queued"],
        _ => &["failure", "in_progress", "queued"],
    };
    let page = world.pages_url(&repo.owner, &repo.name);
    let rows = states.iter().enumerate().map(|(at, state)| {
        let id = build.id * 10 + u64::try_from(states.len() - at).unwrap_or(0);
        let note = if *state == "failure" { build.error.clone().unwrap_or_default() } else { String::new() };
        json!({
            "url": format!("{api}/deployments/{}/statuses/{id}", build.id),
            "id": id,
            "node_id": format!("DES_kwDO{id}"),
            "state": state,
            "creator": simple_user(world, "github-pages[bot]", false),
            "description": note.chars().take(140).collect::<String>(),
            "environment": "github-pages",
            "target_url": format!("{}/{}/actions/runs/{}", world.api_url(), repo.full_name(), build.id),
            "created_at": iso(build.created),
            "updated_at": iso(build.created),
            "deployment_url": format!("{api}/deployments/{}", build.id),
            "repository_url": api,
            "environment_url": page,
            "log_url": format!("{}/{}/actions/runs/{}", world.api_url(), repo.full_name(), build.id),
        })
    });
    Value::Array(rows.collect())
}

/// basic-error
pub fn error(status: u16, message: &str) -> Answer {
    Answer::json(
        status,
        &json!({"message": message, "documentation_url": DOCS, "status": status.to_string()}),
    )
}

pub fn not_found() -> Answer {
    error(404, "Not Found")
}

/// One entry of a validation-error.
pub fn complaint(resource: &str, code: &str, field: &str, message: Option<&str>) -> Value {
    let mut entry = json!({"resource": resource, "code": code, "field": field});
    if let Some(message) = message {
        entry["message"] = json!(message);
    }
    entry
}

/// validation-error
pub fn invalid(message: &str, errors: &[Value]) -> Answer {
    let mut body = json!({"message": message, "documentation_url": DOCS, "status": "422"});
    if !errors.is_empty() {
        body["errors"] = json!(errors);
    }
    Answer::json(422, &body)
}
