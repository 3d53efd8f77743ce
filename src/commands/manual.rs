//! What is made from the description of the command line itself: completions for shells, manual pages, and the answer to
//! a secret that was given as a flag.

use anyhow::Context;
use clap::CommandFactory as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::cli::{Cli, Completions, Man};
use crate::error::{Code, Error, OrCode, Result};
use crate::report::{Out, view};
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
            out.show(&ErrorDocument::of(&e), view::nothing);
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

/// What clap says, all of its first paragraph on one line, and its tips: `the following required arguments were not provided:
/// --brief <TEXT>`.
pub fn in_a_line(said: &str) -> (String, Option<String>) {
    let joined = |paragraph: &str| {
        let lines: Vec<_> = paragraph.lines().map(str::trim).collect();
        lines.join(" ")
    };
    let mut paragraphs = said.split("\n\n");
    let first = joined(paragraphs.next().unwrap_or_default());
    let tips: Vec<_> = paragraphs
        .filter(|p| p.trim_start().starts_with("tip: "))
        .map(|p| joined(p).trim_start_matches("tip: ").to_owned())
        .collect();
    let message = first.strip_prefix("error: ").unwrap_or(&first).to_owned();
    (message, (!tips.is_empty()).then(|| tips.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[test]
    fn all_that_clap_says_stands_in_the_message() {
        let said = |args: &[&str]| {
            let error = Cli::try_parse_from([&["llmdeploy"], args].concat()).unwrap_err();
            in_a_line(&error.render().to_string())
        };
        let (message, tip) = said(&["new"]);
        assert_eq!(
            message,
            "the following required arguments were not provided: --brief <TEXT>"
        );
        assert_eq!(tip, None);
        let (message, tip) = said(&["run", "--fersh"]);
        assert_eq!(message, "unexpected argument '--fersh' found");
        assert_eq!(tip.as_deref(), Some("a similar argument exists: '--fresh'"));
        let (message, tip) = said(&["satus"]);
        assert_eq!(message, "unrecognized subcommand 'satus'");
        assert_eq!(
            tip.as_deref(),
            Some("a similar subcommand exists: 'status'")
        );
        let (message, _) = said(&["run", "--checks", "maybe"]);
        assert!(
            message.contains("[possible values: auto, require, off]"),
            "{message}"
        );
    }
}
