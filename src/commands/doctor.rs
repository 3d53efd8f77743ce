//! `doctor`: is this machine ready for a run.

use super::{Said, read};
use crate::cli::{Doctor, Global};
use crate::config::{self, Environment};
use crate::error::Result;
use crate::report::{Out, view};
use crate::request::task::Task;
use crate::run::doctor::{self, DoctorDocument, Tools};
use crate::run::document::Failure;

/// 0: ready; 1: not; 4: something is not allowed.
pub fn doctor(out: &Out, global: &Global, args: &Doctor, said: Said) -> Result<u8> {
    let tools = tools(global, args, said).inspect_err(|e| {
        let document = DoctorDocument {
            error: Some(Failure::of(e, None)),
            ..DoctorDocument::default()
        };
        out.show(&document, view::nothing);
    })?;
    let (document, status) = doctor::examine(&tools);
    if out.is_for_a_person() {
        out.text(&document.table(out.terminal().colour));
    } else {
        out.document(&document);
    }
    Ok(status)
}

fn tools(global: &Global, args: &Doctor, said: Said) -> Result<Tools> {
    let env = Environment::read(global.env_file.as_deref())?;
    let task = match &args.task {
        Some(file) => {
            let task = Task::parse(&read(Some(file))?)?;
            task.admit(&env.admission()?)?;
            Some(task)
        }
        None => None,
    };
    config::doctor(&env, global, args, task.as_ref(), said)
}
