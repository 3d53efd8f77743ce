//! One function per subcommand: from its arguments to its document.

mod detach;
mod doctor;
mod manual;
mod new;
mod runs;
mod schema;

use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::CommandFactory as _;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::cli::{Check, Cli, Command, Generate, Global, Notify, TaskArg, Walk};
use crate::config::{self, Environment};
use crate::error::{Code, Error, OrCode, Result};
use crate::ports::process::Children;
use crate::progress::{Progress, Stage};
use crate::report::view::{self, View};
use crate::report::{self, Out};
use crate::request::task::{MAX_BYTES, Task};
use crate::run::document::{
    CheckDocument, CommitDocument, ErrorDocument, Failure, GenerateDocument, RunDocument, Status,
    Version,
};
use crate::run::{self, Goal, Setup};
use crate::stages::notify::{Payload, Receipt};

pub use self::detach::is_child as is_detached;

type Said = (Arc<dyn Progress>, Children);

/// Does what is asked for and prints its document. What is given back is the exit status, or an error for standard error.
///
/// # Errors
/// Whatever the command says of itself.
pub fn run(cli: &Cli, out: &Out, progress: Arc<dyn Progress>, children: Children) -> Result<u8> {
    let (global, said) = (&cli.global, (progress, children));
    out.begin(bare(cli.command.name(), None));
    if let Command::Run(args)
    | Command::Deploy(args)
    | Command::Commit(args)
    | Command::Generate(Generate { walk: args, .. }) = &cli.command
        && args.model.print_prompt
    {
        return print_prompt(out, global, args, said).map_or(Ok(0), Err);
    }
    let error = match &cli.command {
        Command::Status(args) => return runs::status(out, global, args),
        Command::Doctor(args) => return doctor::doctor(out, global, args, said),
        Command::New(args) => new::new(out, global, args, &said.1),
        Command::Prune(args) => runs::prune(out, global, args),
        Command::Completions(args) => manual::completions(out, args),
        Command::Man(args) => manual::man(out, args),
        Command::Schema(args) => schema::schema(out, args),
        Command::Notify(args) if args.retry => runs::retry(out, global, args, said),
        Command::Run(args) if args.detach && !detach::is_child() => {
            detach::parent(out, global, args)
        }
        Command::Run(args) if args.detach => detach::child(out, global, args, said),
        Command::Run(args) => walk_to(out, global, args, Goal::Notify, said),
        Command::Deploy(args) => walk_to(out, global, args, Goal::Deploy, said),
        Command::Commit(args) => commit(out, global, args, said),
        Command::Check(args) => check(out, global, args, said),
        Command::Generate(args) => generate(out, global, args, said),
        Command::Notify(args) => notify(out, global, args, said),
    };
    error.map_or(Ok(0), Err)
}

fn walk_to(out: &Out, global: &Global, args: &Walk, goal: Goal, said: Said) -> Option<Error> {
    print(
        out,
        view::result,
        match begin(out, global, args, goal, said) {
            Ok((setup, task)) => run::run(&setup, &task, goal, &|| ()),
            Err(e) => (
                RunDocument {
                    error: Failure::before(&e),
                    ..RunDocument::default()
                },
                Some(e),
            ),
        },
    )
}

/// The prompt is text that was asked for, as help is: it stands in the place of the document.
fn print_prompt(out: &Out, global: &Global, args: &Walk, said: Said) -> Option<Error> {
    match begin(out, global, args, Goal::Generate, said)
        .and_then(|(setup, task)| run::prompt(&setup, &task))
    {
        Ok(text) => {
            out.text(&text);
            None
        }
        Err(e) => print(out, view::nothing, (ErrorDocument::of(&e), Some(e))),
    }
}

fn commit(out: &Out, global: &Global, args: &Walk, said: Said) -> Option<Error> {
    print(
        out,
        view::committed,
        match begin(out, global, args, Goal::Commit, said) {
            Ok((setup, task)) => run::commit(&setup, &task),
            Err(e) => (
                CommitDocument {
                    error: Failure::before(&e),
                    ..CommitDocument::default()
                },
                Some(e),
            ),
        },
    )
}

fn check(out: &Out, global: &Global, args: &Check, said: Said) -> Option<Error> {
    let (document, error) = match begin(out, global, &args.walk, Goal::Check, said) {
        Ok((setup, task)) => run::check(&setup, &task, args.live),
        Err(e) => (
            CheckDocument {
                error: Failure::before(&e),
                ..CheckDocument::default()
            },
            Some(e),
        ),
    };
    print(out, view::checked, (document, error))
}

fn generate(out: &Out, global: &Global, args: &Generate, said: Said) -> Option<Error> {
    print(
        out,
        view::generated,
        match begin(out, global, &args.walk, Goal::Generate, said) {
            Ok((setup, task)) => run::generate(&setup, &task, args.output.as_deref()),
            Err(e) => (
                GenerateDocument {
                    error: Failure::before(&e),
                    ..GenerateDocument::default()
                },
                Some(e),
            ),
        },
    )
}

fn notify(out: &Out, global: &Global, args: &Notify, said: Said) -> Option<Error> {
    let begun = admitted(out, global, &args.task)
        .and_then(|(env, task)| Ok((config::notify(&env, global, args, &task, said)?, task)));
    match (begun, &args.result) {
        (Ok((setup, task)), None) if args.give_up => {
            print(out, view::result, run::give_up(&setup, &task))
        }
        (Ok((setup, task)), None) => print(out, view::result, run::notify_again(&setup, &task)),
        (Ok((setup, task)), Some(file)) => {
            print(out, view::result, notify_result(&setup, &task, file))
        }
        (Err(e), _) => print(
            out,
            view::result,
            (
                RunDocument {
                    error: Failure::before(&e),
                    ..RunDocument::default()
                },
                Some(e),
            ),
        ),
    }
}

/// The result is given back as it was, with what became of the notification.
fn notify_result(setup: &Setup, task: &Task, file: &Path) -> (Map<String, Value>, Option<Error>) {
    let not_one = format!(
        "--result {} is not the result of a page that is there",
        file.display()
    );
    let read = std::fs::read(file)
        .with_context(|| format!("reading --result {}", file.display()))
        .or_code(Code::Usage);
    let parsed = read.and_then(|bytes| {
        serde_json::from_slice::<Map<String, Value>>(&bytes)
            .context(not_one.clone())
            .or_code(Code::Usage)
    });
    let mut document = map(&run::identity(task));
    document.extend(parsed.as_ref().cloned().unwrap_or_default());
    let payload = parsed.and_then(|map| {
        serde_json::from_value::<Payload>(map.into())
            .context(not_one)
            .or_code(Code::Usage)
    });
    let mut receipt = None;
    let sent = payload
        .map_err(|e| e.hint("give what `run` or `deploy` printed"))
        .and_then(|payload| {
            run::notify_result(setup, task, &payload, receipt.insert(Receipt::default()))
        });
    if receipt.is_some() {
        document.insert("notification".to_owned(), json!(receipt));
    }
    let (status, error) = match sent {
        Ok(()) => (Status::Notified, None),
        Err(e) if e.code.is_pending() => (Status::Pending, Some(e)),
        Err(e) => (Status::Failed, Some(e)),
    };
    document.insert("status".to_owned(), json!(status));
    document.insert(
        "error".to_owned(),
        json!(error.as_ref().map(|e| Failure::of(e, Some(Stage::Notify)))),
    );
    (document, error)
}

fn print<T: Serialize>(
    out: &Out,
    view: View,
    (document, error): (T, Option<Error>),
) -> Option<Error> {
    out.show(&document, view);
    error
}

/// The setup of a walk, and the task of somebody who may send one.
fn begin(out: &Out, global: &Global, args: &Walk, goal: Goal, said: Said) -> Result<(Setup, Task)> {
    let (env, task) = admitted(out, global, &args.task)?;
    Ok((config::walk(&env, global, args, goal, &task, said)?, task))
}

fn admitted(out: &Out, global: &Global, arg: &TaskArg) -> Result<(Environment, Task)> {
    let env = Environment::read(global.env_file.as_deref())?;
    let task = Task::parse(&read(arg.task.as_deref())?)?;
    task.admit(&env.admission()?)?;
    out.known(map(&run::identity(&task)));
    Ok((env, task))
}

fn read(path: Option<&Path>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match path {
        Some(path) if path != Path::new("-") => {
            let shown = format!("reading the task {}", path.display());
            let file = File::open(path)
                .context(shown.clone())
                .or_code(Code::Usage)
                .map_err(|e| e.hint("give a task file, or - for standard input"))?;
            // Room for the whole file at once: growing would hold it twice for a moment.
            bytes.reserve_exact(
                usize::try_from(file.metadata().map_or(0, |m| m.len()))
                    .unwrap_or(0)
                    .min(MAX_BYTES)
                    + 1,
            );
            file.take(MAX_BYTES as u64 + 1)
                .read_to_end(&mut bytes)
                .context(shown)
                .or_code(Code::Usage)?;
        }
        None if std::io::stdin().is_terminal() => {
            return Err(Error::new(Code::Usage, "no task")
                .hint("give a task file, or - for standard input"));
        }
        _ => {
            let stdin = std::io::stdin().lock();
            stdin
                .take(MAX_BYTES as u64 + 1)
                .read_to_end(&mut bytes)
                .context("reading the task from standard input")
                .or_code(Code::Usage)?;
        }
    }
    Ok(bytes)
}

/// A command line that does not parse, or one that asks for help.
#[must_use]
pub fn refuse(out: &Out, error: &clap::Error) -> ExitCode {
    let text = error.render();
    if !error.use_stderr() {
        out.text(&text.to_string());
        return out
            .require_written()
            .map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    let hint = manual::secret_flag(error);
    report::usage(&text.to_string());
    if let Some(hint) = &hint {
        report::usage(&format!("hint: {hint}\n"));
    }
    let (message, tip) = match error.kind() {
        clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            ("no command".to_owned(), None)
        }
        _ => manual::in_a_line(&text.to_string()),
    };
    let error = Error::new(Code::Usage, message).hint(
        hint.or(tip)
            .unwrap_or_else(|| "llmdeploy --help".to_owned()),
    );
    report::annotate(&error);
    // What else there is on the line may be read all the same.
    let read = Cli::command()
        .ignore_errors(true)
        .try_get_matches_from(std::env::args_os());
    let subcommand = read
        .ok()
        .and_then(|m| m.subcommand_name().map(str::to_owned))
        .unwrap_or_default();
    out.show(&bare(&subcommand, Failure::before(&error)), view::nothing);
    ExitCode::from(error.code.exit_status())
}

/// The document of a subcommand that says no more than what went wrong: scripts find the same keys in it as in any other.
fn bare(subcommand: &str, error: Option<Failure>) -> Map<String, Value> {
    match subcommand {
        "run" | "deploy" | "notify" | "status" => map(&RunDocument {
            error,
            ..RunDocument::default()
        }),
        "generate" => map(&GenerateDocument {
            error,
            ..GenerateDocument::default()
        }),
        "check" => map(&CheckDocument {
            error,
            ..CheckDocument::default()
        }),
        "commit" => map(&CommitDocument {
            error,
            ..CommitDocument::default()
        }),
        "doctor" => map(&run::doctor::DoctorDocument {
            error,
            ..Default::default()
        }),
        "new" => map(&new::NewDocument::failed(error)),
        _ => map(&ErrorDocument { v: Version, error }),
    }
}

fn map<T: Serialize>(document: &T) -> Map<String, Value> {
    match serde_json::to_value(document) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// SIGINT and SIGTERM end the process at once, and its children with it. Nothing is cleaned up: the next run recovers.
#[cfg(unix)]
pub fn end_on_signals(out: &Arc<Out>, children: &Children) {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGINT, SIGTERM]) else {
        return;
    };
    let (out, children) = (Arc::clone(out), children.clone());
    std::thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            let name = signal_hook::low_level::signal_name(signal).unwrap_or("a signal");
            let error = Error::new(Code::Internal, format!("ended by {name}"))
                .hint("run the same command again and it goes on from here");
            out.interrupted(Failure::of(&error, None));
            children.terminate();
            std::process::exit(128 + signal);
        }
    });
}

#[cfg(not(unix))]
pub fn end_on_signals(_: &Arc<Out>, _: &Children) {}
