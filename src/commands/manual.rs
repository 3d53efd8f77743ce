//! What is made from the description of the command line itself: completions for shells, manual pages, and the answer to
//! a secret that was given as a flag.

use anyhow::Context;
use clap::CommandFactory as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::cli::{Cli, Completions, Man};
use crate::error::{Code, Error, OrCode, Result};
use crate::report::Out;
use crate::run::document::ErrorDocument;

pub fn completions(out: &Out, args: &Completions) -> Option<Error> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "llmdeploy", &mut script);
    out.text(&String::from_utf8_lossy(&script));
    None
}

pub fn man(out: &Out, args: &Man) -> Option<Error> {
    match page(args.command.as_deref()) {
        Ok(page) => {
            out.text(&page);
            None
        }
        Err(e) => {
            out.document(&ErrorDocument::of(&e));
            Some(e)
        }
    }
}

fn page(command: Option<&str>) -> Result<String> {
    let mut whole = Cli::command();
    // Hands the options that hold everywhere, the version and the full names down to the subcommands.
    whole.build();
    let described = match command {
        None => whole,
        Some(name) => whole.find_subcommand(name).cloned().ok_or_else(|| {
            let names: Vec<_> = whole
                .get_subcommands()
                .map(clap::Command::get_name)
                .collect();
            Error::new(Code::Usage, format!("no command is called {name}"))
                .hint(format!("one of {}", names.join(", ")))
        })?,
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(described)
        .render(&mut page)
        .context("writing the manual page")
        .or_code(Code::Internal)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

/// Where a secret belongs that somebody tried to give as a flag.
pub fn secret_flag(error: &clap::Error) -> Option<String> {
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let variable = match flag.trim_start_matches('-') {
        "token" | "gh-token" | "github-token" => "GH_TOKEN",
        "key" | "api-key" | "openai-key" | "openai-api-key" => "OPENAI_API_KEY",
        "secret" | "shared-secret" => "LLMDEPLOY_SECRET",
        _ => return None,
    };
    Some(format!(
        "set {variable} in the environment: a secret on the command line is seen by every user of this machine"
    ))
}
