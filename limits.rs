//! What GitHub and Pages do not take, told before anything is pushed, and what must not be published by accident.

use crate::error::{Code, Error, Result};
use crate::ports::World;
use crate::ports::forge::Limits;
use crate::request::task::Task;
use crate::stages::generate::{App, Origin};
use crate::values::RelPath;

/// The file that moves a site to another domain.
const CNAME: &str = "CNAME";

/// Refuses an app that the forge would refuse, and one that moves the page to another domain where nobody asks for it.
/// `there`: whether the remote has a file of this path already.
///
/// # Errors
/// `invalid_task` for a `CNAME`, `push_rejected` for what is too large.
pub fn require(
    world: &World,
    task: &Task,
    app: &App,
    limits: Option<&Limits>,
    there: &dyn Fn(&str) -> Result<bool>,
) -> Result<()> {
    let written = app.record.files.iter().filter(|f| f.origin != Origin::Kept);
    let cname = written.clone().find(|f| f.path.eq_ignore_ascii_case(CNAME));
    if let Some(file) = cname {
        let asked = RelPath::parse(CNAME).is_ok_and(|path| task.names(&path));
        if !asked && !there(CNAME)? {
            let message = format!(
                "{} would move the page to another domain, and neither the brief nor a check asks for it",
                file.path
            );
            return Err(Error::new(Code::InvalidTask, message)
                .hint("take the file out, or name CNAME in the brief"));
        }
    }
    let Some(limits) = limits else { return Ok(()) };
    let too_large = |what: String| {
        Err(Error::new(Code::PushRejected, what).hint(
            "nothing was pushed: take it out of the task or the site, and run again with --fresh",
        ))
    };
    for file in written {
        if file.bytes > limits.file {
            return too_large(format!(
                "{} has {}: GitHub takes no file over {} (GH001)",
                file.path,
                megabytes(file.bytes),
                megabytes(limits.file)
            ));
        }
        if file.bytes > limits.large_file {
            world.progress.warn(&format!(
                "{} has {}: GitHub recommends at most {} a file",
                file.path,
                megabytes(file.bytes),
                megabytes(limits.large_file)
            ));
        }
    }
    let all: u64 = app.record.files.iter().map(|f| f.bytes).sum();
    if all > limits.site {
        return too_large(format!(
            "the site has {}: Pages publishes at most {}",
            megabytes(all),
            megabytes(limits.site)
        ));
    }
    Ok(())
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1 << 20))
}
