//! Between this stage and the language model: what the model is given, and what becomes of what it gives.

use super::attached::{Attached, Placed, to_change};
use super::llm::{self, Context, Earlier, Model, Outcome, Shown};
use super::{Brief, Fallback, Generator, Kind, Made, Origin, template};
use crate::error::Result;
use crate::ports::World;
use crate::request::task::Task;
use crate::values::RelPath;

/// What came of asking a model.
pub(super) enum Asked {
    Made {
        made: Made,
        deleted: Vec<RelPath>,
        generator: Generator,
    },
    /// No model helps; the template is next. The generator says why and what it has cost.
    Nothing {
        cause: Fallback,
        generator: Generator,
        /// None has answered at all, so it may do so later.
        unanswered: bool,
    },
}

/// Asks for the app.
pub(super) fn ask(
    world: &World,
    task: &Task,
    model: &Model,
    brief: &Brief<'_>,
    attachments: &Placed<'_>,
) -> Result<Asked> {
    let context = context(world, task, model, brief, attachments)?;
    let outcome = llm::make(&context)?;
    let (candidate, tally) = match outcome {
        Outcome::Made(candidate, tally) => (candidate, tally),
        Outcome::Nothing(cause, why, tally) => {
            let template = Generator::by(Kind::Template);
            let generator = Generator {
                attempts: Some(tally.attempts),
                usage: tally.usage,
                fallback_reason: Some(why),
                ..template
            };
            return Ok(Asked::Nothing {
                cause,
                generator,
                unanswered: tally.attempts > 0 && tally.model.is_none(),
            });
        }
    };
    let kind = if model.replay.is_some() {
        Kind::Replay
    } else {
        Kind::Llm
    };
    let changed = attachments
        .keys()
        .filter(|path| candidate.files.contains_key(path))
        .map(ToString::to_string)
        .collect();
    let generator = Generator {
        model: tally.model,
        attempts: Some(tally.attempts),
        usage: tally.usage,
        changed_attachments: changed,
        ..Generator::by(kind)
    };
    let origin = |path: &RelPath| {
        if candidate.converted.contains(path) {
            Origin::Tool
        } else {
            Origin::Llm
        }
    };
    let made = candidate
        .files
        .iter()
        .map(|(path, bytes)| (path.clone(), (origin(path), bytes.clone())))
        .collect();
    Ok(Asked::Made {
        made,
        deleted: candidate.deleted.into_iter().collect(),
        generator,
    })
}

/// The first request, for people to read.
pub(super) fn prompt(
    world: &World,
    task: &Task,
    model: &Model,
    brief: &Brief<'_>,
    attachments: &Placed<'_>,
) -> Result<String> {
    llm::prompt(&context(world, task, model, brief, attachments)?)
}

fn context<'a>(
    world: &'a World,
    task: &'a Task,
    model: &'a Model,
    brief: &'a Brief<'_>,
    attachments: &'a Placed<'_>,
) -> Result<Context<'a>> {
    let changed = to_change(task, attachments);
    let shown = |(path, a): (&'a RelPath, &'a Attached<'_>)| Shown {
        path,
        media_type: a.media_type,
        bytes: a.bytes,
        to_change: changed.contains(path),
    };
    let (earlier, template_page) = earlier(world, task, brief)?;
    Ok(Context {
        world,
        task,
        model,
        repo: brief.repo,
        base: brief.base,
        attachments: attachments.iter().map(shown).collect(),
        earlier,
        template_page,
        calls: brief.calls,
        scan: brief.scan,
        judge: brief.judge,
    })
}

/// The rounds before this one: those that were worked on here, with their checks; after the state directory was lost, as the
/// README or the template's page on the remote tells them. And whether the page is the template's.
fn earlier(world: &World, task: &Task, brief: &Brief<'_>) -> Result<(Vec<Earlier>, bool)> {
    let mut all: Vec<Earlier> = brief.earlier.to_vec();
    let mut template_page = false;
    if let Some((base, git_dir)) = brief.base {
        let read = base.read(world, git_dir, &["README.md", "index.html"])?;
        let text = |n: usize| read.get(n).and_then(Option::as_ref);
        let page = text(1).and_then(|page| template::made_here(page));
        template_page = page.is_some();
        let told = text(0)
            .map(|readme| template::briefs(&String::from_utf8_lossy(readme)))
            .unwrap_or_default();
        for round in page.unwrap_or_default().into_iter().chain(told) {
            if !all.iter().any(|e| e.round == round.round) {
                all.push(Earlier {
                    round: round.round,
                    brief: round.brief,
                    checks: vec![],
                    destination: None,
                });
            }
        }
    }
    all.retain(|e| e.round < task.round);
    all.sort_by_key(|e| e.round);
    Ok((all, template_page))
}
