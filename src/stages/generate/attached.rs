//! The attachments in their places.

use std::collections::{BTreeMap, BTreeSet};

use super::place;
use crate::error::Result;
use crate::request::required;
use crate::request::task::{Source, Task};
use crate::values::RelPath;

/// An attachment in its place.
pub struct Attached<'a> {
    pub media_type: &'a str,
    pub bytes: &'a [u8],
    /// The task holds the bytes, so they need not be stored.
    pub in_task: bool,
}

pub type Placed<'a> = BTreeMap<RelPath, Attached<'a>>;

/// The attachments that the task wants corrected, by their places. Each stands where it is called so or, unless something stands there,
/// among the assets.
pub fn to_change<'a>(task: &Task, attachments: &'a Placed<'_>) -> BTreeSet<&'a RelPath> {
    let changed = required::to_change(task, task.attachments.iter().map(|a| &a.name));
    let is_changed = |path: &&RelPath| {
        let asset = path.as_str().strip_prefix("assets/");
        changed.contains(*path)
            || asset.is_some_and(|name| {
                changed.iter().any(|c| c.as_str() == name)
                    && !attachments.keys().any(|p| p.as_str() == name)
            })
    };
    attachments.keys().filter(is_changed).collect()
}

/// All of them, in their places. `downloaded` gives the bytes of one that is only named in the task, by its place and number; without
/// bytes it is left out.
///
/// # Errors
/// `invalid_task` where files cannot stand beside each other.
pub fn placed<'a>(
    task: &'a Task,
    downloaded: impl Fn(&RelPath, usize) -> Option<&'a [u8]>,
) -> Result<Placed<'a>> {
    let mut attachments = Placed::new();
    for (n, (path, attachment)) in place::paths(task)?
        .iter()
        .zip(&task.attachments)
        .enumerate()
    {
        let (bytes, in_task) = match &attachment.source {
            Source::Bytes(bytes) => (Some(bytes.as_slice()), true),
            Source::Https(_) => (downloaded(path, n), false),
        };
        if let Some(bytes) = bytes {
            attachments.insert(
                path.clone(),
                Attached {
                    media_type: &attachment.media_type,
                    bytes,
                    in_task,
                },
            );
        }
    }
    Ok(attachments)
}
