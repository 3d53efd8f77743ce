//! Parse, run, report, exit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;

use llmdeploy::cli::Cli;
use llmdeploy::commands;
use llmdeploy::error::{Code, Error};
use llmdeploy::ports::askpass;
use llmdeploy::ports::process::Children;
use llmdeploy::report::{self, Out};
use llmdeploy::run::document::Failure;

fn main() -> ExitCode {
    // git calls this program back to ask for the token.
    if let Ok(invitation) = std::env::var(askpass::VARIABLE) {
        let prompt = std::env::args().nth(1).unwrap_or_default();
        return if askpass::ask(&invitation, &prompt).is_ok() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
    }
    let parsed = Cli::try_parse();
    let detached = commands::is_detached();
    let out = Arc::new(Out::new(parsed.as_ref().ok().map(|c| &c.global), detached));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(e) => return commands::refuse(&out, &e),
    };
    let progress = report::progress(&cli.global, detached);
    let children = Children::default();
    commands::end_on_signals(&out, &children);
    let ended = catch_unwind(AssertUnwindSafe(|| {
        commands::run(&cli, &out, Arc::clone(&progress), children)
    }))
    .unwrap_or_else(|_| {
        let error = Error::new(Code::Internal, "this is a fault of llmdeploy itself")
            .hint("please report it, with what stands above");
        out.failed(&Failure::of(&error, None));
        Err(error)
    });
    let ended = ended.and_then(|status| out.require_written().map(|()| status));
    // A spinner is taken off the terminal before anything else is said.
    drop(progress);
    ended.map_or_else(
        |e| {
            report::error(&e, cli.global.color);
            ExitCode::from(e.code.exit_status())
        },
        ExitCode::from,
    )
}
