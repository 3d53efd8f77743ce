//! What is done about a page that GitHub cannot build, one thing after the other:
//!
//! ```text
//! another build → a commit of the same files (twice) → a workflow that publishes the same files
//! ```
//!
//! A commit whose build has failed stays failed, however often it is built, while a new one on top of it works: that is what
//! rescue commits are for. They say what they are in a trailer, are made with author and date of the commit they rescue, and
//! are counted on the remote, so that no process that died can have made one that is not known.

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};
use crate::ports::World;
use crate::ports::forge::Repository;
use crate::ports::git::Draft;
use crate::request::task::Task;
use crate::stages::commit::Commit;
use crate::stages::deploy::{self, Outcome, Push, Target, Trouble};
use crate::stages::remote::{
    self, Base, GENERATOR_TRAILER, RESCUE_TRAILER, RUN_TRAILER, SENDER_TRAILER, TASK_TRAILER,
    WORKFLOW_TRAILER, value_of,
};
use crate::values::{RelPath, Sha};

/// How many commits may follow one whose build fails.
const MOST_RESCUES: usize = 2;
/// The workflow that publishes a site where GitHub's own builds fail.
const WORKFLOW_PATH: &str = ".github/workflows/llmdeploy-pages.yml";
const WORKFLOW: &str = include_str!("rescue/pages.yml");

/// What was tried for a page, on record after each step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remedies {
    /// What failed and what was done about it, in order.
    pub story: Vec<String>,
    /// The newest commit whose build was asked for again.
    rebuilt: Option<Rebuilt>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Rebuilt {
    sha: Sha,
    /// The build that had failed by then.
    build: String,
}

/// How to go on.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Wait for the same commit.
    Wait,
    /// Wait for this commit of the run instead.
    Commit(Sha),
    /// Nothing is left to be tried now.
    GiveUp,
}

impl Remedies {
    /// The build of this commit that had failed when another one was asked for.
    #[must_use]
    pub fn failed_before(&self, sha: &Sha) -> Option<&str> {
        let known = self.rebuilt.as_ref().filter(|r| r.sha == *sha);
        known.map(|r| r.build.as_str())
    }

    fn tell(&mut self, world: &World, what: String) {
        world.progress.warn(&what);
        if !self.story.contains(&what) {
            self.story.push(what);
        }
    }
}

/// Does the next thing about a build that failed. `save` puts the remedies on record. `begins`: nothing was done in this walk
/// yet. Then, when nothing else is left, a build is asked for once more: what stands in the way may be mended.
///
/// # Errors
/// The forge's, git's, and `save`'s.
#[expect(
    clippy::too_many_arguments,
    reason = "each is a thing of its own, and there is one caller"
)]
pub fn next(
    world: &World,
    task: &Task,
    target: &Target<'_>,
    push: &Push,
    trouble: &Trouble,
    begins: bool,
    remedies: &mut Remedies,
    save: &dyn Fn(&Remedies) -> Result<()>,
) -> Result<Next> {
    let short = push.sha.short();
    let failed = match &trouble.build {
        Some(_) => format!("the page of {short} could not be built: {}", trouble.reason),
        None => format!("the page of {short} is not built: {}", trouble.reason),
    };
    let Some((repository, base)) = look(world, target, push)? else {
        return Ok(Next::GiveUp);
    };
    if let Some(newest) = base.commit_of(&task.id())
        && newest.sha != push.sha
    {
        // Made by a process that died before it could note it.
        return Ok(Next::Commit(newest.sha.clone()));
    }
    let by_workflow = base
        .entry(&push.sha)
        .is_some_and(|tip| value_of(&tip.message, WORKFLOW_TRAILER).is_some());
    // A site that waits for a workflow has no builds to ask for.
    let has_builds = !by_workflow && trouble.build.as_deref() != Some("");
    let rebuild = |remedies: &mut Remedies| {
        let asked = target.forge.rebuild(world, &push.name)?;
        remedies.tell(world, format!("{failed}; {asked}"));
        remedies.rebuilt = Some(Rebuilt {
            sha: push.sha.clone(),
            build: trouble.build.clone().unwrap_or_default(),
        });
        save(remedies).map(|()| Next::Wait)
    };
    if has_builds && remedies.rebuilt.is_none() {
        return rebuild(remedies);
    }
    // A later round is on top, whose own run sees to it.
    if base.tip != push.sha || by_workflow {
        return Ok(Next::GiveUp);
    }
    let before = base.rescues(&task.id());
    if has_builds && before < MOST_RESCUES {
        let commit = on_top(world, target, &base, task, &Extra::Rescue(before + 1))?;
        let Some(sha) = bring(world, task, target, &commit, repository, push)? else {
            return Ok(Next::GiveUp);
        };
        let what = format!("{failed}; {} is a commit of the same files", sha.short());
        remedies.tell(world, what);
        return save(remedies).map(|()| Next::Commit(sha));
    }
    if trouble.build.is_none() {
        return Ok(Next::GiveUp);
    }
    match hand_to_workflow(world, task, target, push, repository, &base) {
        Ok(Some(sha)) => {
            let what = format!(
                "{failed}; a workflow publishes the site now ({WORKFLOW_PATH}, {})",
                sha.short()
            );
            remedies.tell(world, what);
            save(remedies).map(|()| Next::Commit(sha))
        }
        Ok(None) => Ok(Next::GiveUp),
        Err(e) if e.code.is_pending() => Err(e),
        Err(e) => {
            let what = format!("{failed}; no workflow can publish the site either: {e}");
            remedies.tell(world, what);
            save(remedies)?;
            if begins && has_builds {
                rebuild(remedies)
            } else {
                Ok(Next::GiveUp)
            }
        }
    }
}

/// The branch as it is now, if the push is part of it.
fn look(world: &World, target: &Target<'_>, push: &Push) -> Result<Option<(Repository, Base)>> {
    let Some(repository) = target.forge.find(world, &push.name)? else {
        return Ok(None);
    };
    let base = remote::survey(world, &repository, target.git_dir)?;
    Ok(base
        .filter(|b| b.entry(&push.sha).is_some())
        .map(|base| (repository, base)))
}

/// GitHub's setting first: a workflow that runs before it is refused its deployment.
fn hand_to_workflow(
    world: &World,
    task: &Task,
    target: &Target<'_>,
    push: &Push,
    repository: Repository,
    base: &Base,
) -> Result<Option<Sha>> {
    target.forge.set_workflow(world, &push.name, true)?;
    let commit = on_top(world, target, base, task, &Extra::Workflow)?;
    let brought = bring(world, task, target, &commit, repository, push);
    if brought.as_ref().is_err_and(|e| !e.code.is_pending()) {
        // Without the workflow nothing would ever be published.
        target.forge.set_workflow(world, &push.name, false)?;
    }
    brought
}

enum Extra {
    Rescue(usize),
    Workflow,
}

/// A commit on the branch's tip by the same author and of the same date, so that it is the same whoever makes it.
fn on_top(
    world: &World,
    target: &Target<'_>,
    base: &Base,
    task: &Task,
    extra: &Extra,
) -> Result<Commit> {
    let failed = base
        .entry(&base.tip)
        .ok_or_else(|| Error::new(Code::Internal, "the tip is not part of its own history"))?;
    let subject = failed.message.lines().next().unwrap_or_default();
    let (why, trailer, value) = match extra {
        Extra::Rescue(n) => ("These are the same files", RESCUE_TRAILER, n.to_string()),
        Extra::Workflow => (
            "This adds a workflow that publishes them",
            WORKFLOW_TRAILER,
            "workflow".to_owned(),
        ),
    };
    let copied = |key: &str| {
        value_of(&failed.message, key).map_or_else(String::new, |v| format!("{key}{v}\n"))
    };
    let message = format!(
        "{subject}\n\nGitHub could not build the page of {}. {why}.\n\n{}{}{}{trailer}{value}\n{RUN_TRAILER}{}\n",
        failed.sha.short(),
        copied(TASK_TRAILER),
        copied(SENDER_TRAILER),
        copied(GENERATOR_TRAILER),
        task.id(),
    );
    let (author, date) = world.git.author(target.git_dir, &base.tip)?;
    let path = RelPath::parse(WORKFLOW_PATH).map_err(|why| Error::new(Code::Internal, why))?;
    let write = match extra {
        Extra::Workflow if !deploy::has_workflow(world, target.git_dir, &base.tip)? => {
            [(path, WORKFLOW.as_bytes())].into()
        }
        _ => std::collections::BTreeMap::new(),
    };
    let draft = Draft {
        parent: Some(&base.tip),
        author: &author,
        date,
        message: &message,
        write: &write,
        delete: &[],
    };
    Ok(Commit {
        sha: world.git.commit(target.git_dir, &draft)?,
        parent: Some(base.tip.clone()),
    })
}

/// Pushes it. `None`: somebody else's commit is on the branch meanwhile.
fn bring(
    world: &World,
    task: &Task,
    target: &Target<'_>,
    commit: &Commit,
    repository: Repository,
    push: &Push,
) -> Result<Option<Sha>> {
    Ok(
        match deploy::push(world, task, target, commit, Some(repository))? {
            Outcome::Pushed(pushed) if pushed.sha != push.sha => Some(pushed.sha),
            Outcome::Pushed(_) | Outcome::Moved(..) | Outcome::OtherSender => None,
        },
    )
}
