//! The app: the files of the site, and how they came to be.
//!
//! Whatever makes the files, the rest is the same for all: attachments byte for byte where the task names them, a complete
//! LICENSE, a README that knows every round, `.nojekyll`. Attachments are never altered and win over everything else.

pub mod asked;
mod attached;
mod download;
mod fallback;
mod license;
pub mod llm;
mod model;
use crate::request::place;
mod site;
mod template;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use self::attached::{Placed, to_change};
pub use self::fallback::Fallback;
pub use self::license::{is_mit, mit};
use self::model::Asked;
use crate::error::{Code, Error, Result};
use crate::ports::World;
use crate::ports::git::TreeEntry;
use crate::ports::http::Hosts;
pub use crate::ports::llm::Usage;
use crate::request::task::{Source, Task};
use crate::stages::remote::Base;
use crate::stages::scan;
use crate::text::cut;
use crate::values::{FileSet, RelPath, Sha, sha256_hex};

/// What the user wants of this stage.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Files of the user's own, in the place of generation.
    pub site: Option<PathBuf>,
    /// Whom to ask for the app; `None`: the template makes it.
    pub model: Option<llm::Model>,
    /// Why no language model is asked; it becomes the fallback reason. `None`: the user wants none.
    pub no_model: Option<String>,
    /// `LLMDEPLOY_FETCH_HOSTS`: hosts that attachments may come from though their addresses are private.
    pub private_hosts: Option<Hosts>,
    /// A template instead of a model is a failure.
    pub no_fallback: bool,
    /// What of it the user has said.
    pub flags: asked::Flags,
}

impl Options {
    /// Under `--no-fallback` there must be a model to ask, or files of the user's own.
    ///
    /// # Errors
    /// `bad_key` where none is set up, `llm_failed` where none is wanted.
    pub fn require_model(&self) -> Result<()> {
        if !self.no_fallback || self.model.is_some() || self.site.is_some() {
            return Ok(());
        }
        let (code, hint) = match &self.no_model {
            Some(_) => Fallback::NoModel.refusal(),
            None => (Code::LlmFailed, "leave out --no-llm or --no-fallback"),
        };
        let reason = self.no_model.as_deref().unwrap_or("--no-llm was given");
        let message = format!("no language model can make the app: {reason}");
        Err(Error::new(code, message).hint(hint))
    }
}

/// How the files came to be, as the result tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generator {
    pub kind: Kind,
    pub model: Option<String>,
    /// Answers of a model; `None` where only the commit is known.
    pub attempts: Option<u32>,
    pub usage: Option<Usage>,
    pub fallback_reason: Option<String>,
    /// Attachments that the brief asks to be changed and the model has changed. All others stand byte for byte.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed_attachments: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Llm,
    Template,
    Site,
    Replay,
}

impl Generator {
    fn by(kind: Kind) -> Self {
        Self {
            kind,
            model: None,
            attempts: Some(0),
            usage: None,
            fallback_reason: None,
            changed_attachments: vec![],
        }
    }

    /// Says that the template stands in for a model, if it does: nobody should find out from the page.
    #[must_use]
    pub fn instead(&self) -> Option<String> {
        let reason = self.fallback_reason.as_ref()?;
        let how = if self.lacks_model() {
            format!("; {}", fallback::SET_UP)
        } else {
            String::new()
        };
        (self.kind == Kind::Template).then(|| {
            format!(
                "no language model made this app, the plain template is submitted: {reason}{how}"
            )
        })
    }

    /// Whether none is set up, which whoever runs it knows after one line; anything else is news.
    #[must_use]
    pub fn lacks_model(&self) -> bool {
        self.fallback_reason
            .as_ref()
            .is_some_and(|why| why.ends_with("is not set"))
    }

    /// For the commit's trailer.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.kind {
            Kind::Llm => "llm",
            Kind::Template => "template",
            Kind::Site => "site",
            Kind::Replay => "replay",
        }
    }

    /// What the trailer of a commit says, where nothing else is known any more.
    #[must_use]
    pub fn from_trailer(name: &str) -> Option<Self> {
        [Kind::Llm, Kind::Template, Kind::Site, Kind::Replay]
            .into_iter()
            .map(|kind| Self {
                attempts: None,
                ..Self::by(kind)
            })
            .find(|g| g.name() == name)
    }
}

/// Where a file comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    Llm,
    Template,
    Attachment,
    Tool,
    Site,
    /// Was on the remote and stays as it is.
    Kept,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileInfo {
    pub path: String,
    pub bytes: u64,
    pub origin: Origin,
}

/// What is recorded of an app.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    pub generator: Generator,
    /// The commit it was made for.
    pub base: Option<Sha>,
    /// All files of the site, by path.
    pub files: Vec<FileInfo>,
    /// SHA-256 of the files that are stored beside the record.
    pub stored: BTreeMap<RelPath, String>,
    /// Digest of the directory given with `--site`.
    pub site: Option<String>,
    /// Files on the remote that go.
    #[serde(default)]
    pub deleted: Vec<RelPath>,
    /// What was asked for; not known of an app by an earlier version, or found on the remote.
    #[serde(default)]
    pub asked: Option<asked::Wish>,
    /// The template stands in for a model that gave no answer at all.
    #[serde(default)]
    pub unanswered: bool,
    /// Why the template stands in for a model; `None`: it does not, or none was wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Fallback>,
}

/// The files to write, beside those that stay.
#[derive(Debug)]
pub struct App {
    pub record: Record,
    /// Without the attachments that the task itself holds.
    pub stored: FileSet,
}

impl App {
    /// Everything to write: stored files and attachments.
    ///
    /// # Errors
    /// As [`place::paths`].
    pub fn files<'a>(&'a self, task: &'a Task) -> Result<BTreeMap<RelPath, &'a [u8]>> {
        let mut files: BTreeMap<RelPath, &[u8]> = self
            .stored
            .iter()
            .map(|(path, bytes)| (path.clone(), bytes.as_slice()))
            .collect();
        let attached: BTreeSet<&str> = (self.record.files.iter())
            .filter(|f| f.origin == Origin::Attachment)
            .map(|f| f.path.as_str())
            .collect();
        for (path, attachment) in place::paths(task)?.iter().zip(&task.attachments) {
            if let Source::Bytes(bytes) = &attachment.source
                && attached.contains(path.as_str())
            {
                files.insert(path.clone(), bytes);
            }
        }
        Ok(files)
    }

    /// The app that a commit holds, wherever it was made: all its files stay as they are. `trailer`: how they came to be;
    /// where it says nothing they are files as good as the user's own.
    #[must_use]
    pub fn committed(commit: &Sha, tree: &[TreeEntry], trailer: &str) -> Self {
        let file = |entry: &TreeEntry| FileInfo {
            path: entry.path.clone(),
            bytes: entry.bytes,
            origin: Origin::Kept,
        };
        let record = Record {
            generator: Generator::from_trailer(trailer)
                .unwrap_or_else(|| Generator::by(Kind::Site)),
            base: Some(commit.clone()),
            files: tree.iter().map(file).collect(),
            stored: BTreeMap::new(),
            site: None,
            deleted: vec![],
            asked: None,
            unanswered: false,
            fallback: None,
        };
        Self {
            record,
            stored: FileSet::new(),
        }
    }
}

type Made = BTreeMap<RelPath, (Origin, Vec<u8>)>;

/// What the stage needs to know beside the task.
pub struct Brief<'a> {
    /// The repository's name.
    pub repo: &'a str,
    /// Seconds since 1970, for the licence's year.
    pub started_at: u64,
    /// What is on the remote, with the repository it was fetched into.
    pub base: Option<(&'a Base, &'a Path)>,
    /// Where calls to a language model are kept.
    pub calls: &'a Path,
    /// What is known here of earlier rounds.
    pub earlier: &'a [llm::Earlier],
    /// What no file of a model may hold.
    pub scan: &'a scan::Options,
    /// Sees what is wrong with an app that a model has made.
    pub judge: Option<&'a llm::Judge<'a>>,
}

/// What is told of the files beside the files.
struct How {
    generator: Generator,
    site: Option<String>,
    deleted: Vec<RelPath>,
    fallback: Option<Fallback>,
}

/// Makes the app.
///
/// # Errors
/// `invalid_task` where files cannot stand beside each other or a download is refused, `network`, `llm_failed` under
/// `--no-fallback`, `usage` for a `--site` that cannot be published, `git_failed`.
pub fn app(world: &World, task: &Task, options: &Options, brief: &Brief<'_>) -> Result<App> {
    options.require_model()?;
    let mut app = make(world, task, options, brief)?;
    app.record.asked = Some(options.wish());
    Ok(app)
}

fn make(world: &World, task: &Task, options: &Options, brief: &Brief<'_>) -> Result<App> {
    let downloaded = download::attachments(world, task, options.private_hosts.as_ref())?;
    let attachments = attached::placed(task, |_, n| downloaded.get(n)?.as_deref())?;
    if let Some(dir) = &options.site {
        let files = site::read(dir)?;
        let mut generator = Generator::by(Kind::Site);
        let other = |path: &&RelPath| {
            attachments
                .get(*path)
                .zip(files.get(*path))
                .is_some_and(|(given, own)| given.bytes != own.as_slice())
        };
        let changed = to_change(task, &attachments);
        for path in attachments.keys().filter(other) {
            // Corrected, as the task wants it; anything else is published as it was given.
            if changed.contains(path) {
                generator.changed_attachments.push(path.to_string());
            } else {
                world.progress.warn(&format!(
                    "--site {}: {path} is not the attachment, which takes its place",
                    dir.display()
                ));
            }
        }
        let how = How {
            generator,
            site: Some(site::digest(&files)),
            deleted: vec![],
            fallback: None,
        };
        let made = files
            .into_iter()
            .map(|(path, bytes)| (path, (Origin::Site, bytes)))
            .collect();
        return finish(world, task, brief, attachments, made, how);
    }
    let (fallback, generator, unanswered) = match &options.model {
        Some(model) => match model::ask(world, task, model, brief, &attachments)? {
            Asked::Made {
                made,
                deleted,
                generator,
            } => {
                let how = How {
                    generator,
                    site: None,
                    deleted,
                    fallback: None,
                };
                return finish(world, task, brief, attachments, made, how);
            }
            Asked::Nothing {
                cause,
                generator,
                unanswered,
            } => (Some(cause), generator, unanswered),
        },
        None => {
            let generator = Generator {
                fallback_reason: options.no_model.clone(),
                ..Generator::by(Kind::Template)
            };
            let cause = options.no_model.as_ref().map(|_| Fallback::NoModel);
            (cause, generator, false)
        }
    };
    if let (Some(cause), true) = (fallback, options.no_fallback) {
        let reason = generator.fallback_reason.unwrap_or_default();
        let (code, hint) = cause.refusal();
        let message = format!("no language model made the app: {reason}");
        return Err(Error::new(code, message).hint(hint));
    }
    if let Some(line) = generator.instead() {
        world.progress.warn(&line);
    }
    let mut made = Made::new();
    if let Some(page) = page(world, task, brief, &attachments)? {
        made.insert(known("index.html")?, (Origin::Template, page.into_bytes()));
    }
    let how = How {
        generator,
        site: None,
        deleted: vec![],
        fallback,
    };
    let mut app = finish(world, task, brief, attachments, made, how)?;
    app.record.unanswered = unanswered;
    Ok(app)
}

/// What a language model would be asked first, as text.
///
/// # Errors
/// As [`app`].
pub fn prompt(world: &World, task: &Task, options: &Options, brief: &Brief<'_>) -> Result<String> {
    let downloaded = download::attachments(world, task, options.private_hosts.as_ref())?;
    let model = options.model.clone().unwrap_or_default();
    model::prompt(
        world,
        task,
        &model,
        brief,
        &attached::placed(task, |_, n| downloaded.get(n)?.as_deref())?,
    )
}

/// The same app on other ground: what was made stays, LICENSE and README are brought in line with what is there now.
///
/// # Errors
/// `invalid_task`, `git_failed`.
pub fn onto(world: &World, task: &Task, app: &App, brief: &Brief<'_>) -> Result<App> {
    let origins: BTreeMap<&str, Origin> = app
        .record
        .files
        .iter()
        .map(|f| (f.path.as_str(), f.origin))
        .collect();
    let attachments = attached::placed(task, |path, _| {
        Some(app.stored.get(path).map(Vec::as_slice).unwrap_or_default())
    })?;
    let remade = |path: &RelPath, origin| {
        origin == Origin::Attachment || origin == Origin::Tool && is_tool_file(path.as_str())
    };
    let by_us = |path: &RelPath| {
        origins
            .get(path.as_str())
            .filter(|o| !remade(path, **o))
            .copied()
    };
    let made: Made = app
        .stored
        .iter()
        .filter_map(|(path, bytes)| Some((path.clone(), (by_us(path)?, bytes.clone()))))
        .collect();
    let Record {
        generator,
        site,
        deleted,
        asked,
        fallback,
        ..
    } = app.record.clone();
    let how = How {
        generator,
        site,
        deleted,
        fallback,
    };
    let mut app = finish(world, task, brief, attachments, made, how)?;
    app.record.asked = asked;
    Ok(app)
}

fn finish(
    world: &World,
    task: &Task,
    brief: &Brief<'_>,
    mut attachments: Placed<'_>,
    mut made: Made,
    how: How,
) -> Result<App> {
    attachments.retain(|path, _| {
        !how.generator
            .changed_attachments
            .iter()
            .any(|c| c == path.as_str())
    });
    add_tool_files(world, task, brief, &attachments, &mut made, &how)?;
    made.retain(|path, _| !attachments.contains_key(path));
    place::check(made.keys().chain(attachments.keys()))?;
    Ok(collect(brief, how, &attachments, made))
}

/// The template's page, or `None` where a page by somebody else stays.
fn page(
    world: &World,
    task: &Task,
    brief: &Brief<'_>,
    attachments: &Placed<'_>,
) -> Result<Option<String>> {
    let round = this_round(task);
    let mut rounds = Vec::new();
    let mut kept: Vec<(String, Vec<u8>)> = Vec::new();
    if let Some((base, git_dir)) = brief.base
        && let Some(old) = base
            .read(world, git_dir, &["index.html"])?
            .into_iter()
            .next()
            .flatten()
    {
        let Some(earlier) = template::made_here(&old) else {
            return Ok(None);
        };
        rounds = earlier
            .into_iter()
            .filter(|r| r.round != round.round)
            .collect();
        let others: Vec<&str> = base
            .files
            .iter()
            .map(|f| f.path.as_str())
            .filter(|p| !is_tool_file(p) && !attachments.keys().any(|a| a.as_str() == *p))
            .collect();
        kept = others
            .iter()
            .map(ToString::to_string)
            .zip(base.read(world, git_dir, &others)?.into_iter().flatten())
            .collect();
    }
    rounds.push(round);
    rounds.sort_by_key(|r| r.round);
    let mut assets = assets(attachments);
    assets.extend(kept.iter().map(|(path, bytes)| template::Asset {
        path,
        media_type: "",
        bytes: Cow::Borrowed(bytes.as_slice()),
    }));
    Ok(Some(template::page(&template::Site {
        task: &task.task,
        repo: brief.repo,
        rounds,
        assets,
    })))
}

fn assets<'a>(attachments: &'a Placed<'a>) -> Vec<template::Asset<'a>> {
    attachments
        .iter()
        .map(|(path, a)| template::Asset {
            path: path.as_str(),
            media_type: a.media_type,
            bytes: Cow::Borrowed(a.bytes),
        })
        .collect()
}

/// Characters of a brief that page and README show. More than anybody reads, and a brief of 60 MiB is not held in five copies.
const SHOWN_BRIEF: usize = 100_000;

fn this_round(task: &Task) -> template::Round {
    template::Round {
        round: task.round,
        brief: cut(&task.brief, SHOWN_BRIEF),
    }
}

/// Files of a repository that are not content of the page.
fn is_tool_file(path: &str) -> bool {
    matches!(path, "index.html" | "README.md" | "LICENSE" | ".nojekyll")
}

/// LICENSE, README and `.nojekyll`, where neither the user's files nor an attachment are in their place.
fn add_tool_files(
    world: &World,
    task: &Task,
    brief: &Brief<'_>,
    attachments: &Placed<'_>,
    made: &mut Made,
    how: &How,
) -> Result<()> {
    let old = match brief.base {
        Some((base, git_dir)) => {
            base.read(world, git_dir, &["LICENSE", "README.md", ".nojekyll"])?
        }
        None => vec![],
    };
    let old = |n: usize| old.get(n).and_then(Option::as_ref);
    if !old(0).is_some_and(|text| is_mit(text)) {
        made.entry(known("LICENSE")?).or_insert_with(|| {
            (
                Origin::Tool,
                license::mit(brief.repo, brief.started_at).into_bytes(),
            )
        });
    }
    if old(2).is_none() {
        made.entry(known(".nojekyll")?)
            .or_insert((Origin::Tool, Vec::new()));
    }
    let new: Vec<String> = made
        .keys()
        .filter(|p| !is_tool_file(p.as_str()))
        .chain(attachments.keys())
        .map(ToString::to_string)
        .collect();
    let round = this_round(task);
    let by_model = matches!(how.generator.kind, Kind::Llm | Kind::Replay);
    let old_text = old(1).map(|text| String::from_utf8_lossy(text).into_owned());
    if let Some((Origin::Llm, text)) = made.get_mut(&known("README.md")?) {
        // A model's README need not know what was asked for; a later round may have nothing else to learn it from.
        let told = old_text
            .as_deref()
            .map(template::briefs)
            .unwrap_or_default();
        let all = told
            .into_iter()
            .filter(|r| r.round < task.round)
            .map(|r| (r, vec![]))
            .chain([(round, new)]);
        let written = String::from_utf8_lossy(text).into_owned();
        *text = all
            .fold(written, |page, (round, files)| {
                template::readme_round(&page, &round, &files)
            })
            .into_bytes();
        return Ok(());
    }
    let readme = match old_text {
        Some(text) => template::readme_round(&text, &round, &new),
        None => {
            let files: BTreeSet<String> = made
                .keys()
                .chain(attachments.keys())
                .map(ToString::to_string)
                .chain(["README.md".to_owned()])
                .collect();
            let files: Vec<String> = files.into_iter().collect();
            let site = template::Site {
                task: &task.task,
                repo: brief.repo,
                rounds: vec![round],
                assets: assets(attachments),
            };
            if by_model {
                template::readme_plain(&site, &files)
            } else {
                template::readme(&site, &files)
            }
        }
    };
    made.entry(known("README.md")?)
        .or_insert((Origin::Tool, readme.into_bytes()));
    Ok(())
}

fn collect(brief: &Brief<'_>, how: How, attachments: &Placed<'_>, made: Made) -> App {
    let mut files: BTreeMap<String, FileInfo> = BTreeMap::new();
    let mut list = |path: &str, bytes: u64, origin| {
        files.insert(
            path.to_owned(),
            FileInfo {
                path: path.to_owned(),
                bytes,
                origin,
            },
        )
    };
    let How {
        generator,
        site,
        deleted,
        fallback,
    } = how;
    let there: Vec<_> = brief
        .base
        .iter()
        .flat_map(|(base, _)| &base.files)
        .collect();
    // On other ground there may be less to delete than when the app was made.
    let deleted: Vec<RelPath> = deleted
        .into_iter()
        .filter(|d| there.iter().any(|f| f.path == d.as_str()) && !made.contains_key(d))
        .collect();
    for kept in there
        .into_iter()
        .filter(|f| !deleted.iter().any(|d| d.as_str() == f.path))
    {
        list(&kept.path, kept.bytes, Origin::Kept);
    }
    for (path, (origin, bytes)) in &made {
        list(path.as_str(), bytes.len() as u64, *origin);
    }
    let mut stored: FileSet = made
        .into_iter()
        .map(|(path, (_, bytes))| (path, bytes))
        .collect();
    for (path, attached) in attachments {
        list(
            path.as_str(),
            attached.bytes.len() as u64,
            Origin::Attachment,
        );
        if !attached.in_task {
            stored.insert(path.clone(), attached.bytes.to_vec());
        }
    }
    let digests = stored
        .iter()
        .map(|(path, bytes)| (path.clone(), sha256_hex(bytes)))
        .collect();
    let base = brief.base.map(|(base, _)| base.tip.clone());
    App {
        record: Record {
            generator,
            base,
            files: files.into_values().collect(),
            stored: digests,
            site,
            deleted,
            asked: None,
            unanswered: false,
            fallback,
        },
        stored,
    }
}

/// Whether the directory given now is the one the record was made from.
///
/// # Errors
/// `usage`.
pub fn same_site(record: &Record, dir: &Path) -> Result<bool> {
    Ok(record.site.as_deref() == Some(site::digest(&site::read(dir)?).as_str()))
}

/// Whether the files of the directory stand in these, attachments aside, which take their place.
///
/// # Errors
/// `usage`, `invalid_task`.
pub fn same_files(task: &Task, dir: &Path, files: &FileSet) -> Result<bool> {
    let attached = place::paths(task)?;
    let own = site::read(dir)?;
    Ok(own
        .iter()
        .all(|(path, bytes)| attached.contains(path) || files.get(path) == Some(bytes)))
}

/// A path of the tool's own.
fn known(path: &str) -> Result<RelPath> {
    RelPath::parse(path).map_err(|why| Error::new(Code::Internal, format!("{path} {why}")))
}
