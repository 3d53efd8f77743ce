//! The command line: clap types, no I/O.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

const EXIT_STATUS: &str = "\
Exit status:
  0         done
  1         failed; a rerun alone will not help
  2         usage, or the task is invalid
  3         checks failed under --checks require (nothing was pushed)
  4         not allowed: secret mismatch, token missing, rejected or lacking rights
  75        not finished; run the same command again and it goes on from there
  130, 143  ended by SIGINT, SIGTERM; the same rerun goes on

Waiting times (environment, milliseconds):
  LLMDEPLOY_RETRY_BASE_MS  first pause of every back-off (1000)
  LLMDEPLOY_POLL_MS        first pause between two looks at a page (2000)
  LLMDEPLOY_TIMEOUT_MS     longest wait for one answer (15000)
  LLMDEPLOY_MODEL_TIMEOUT_MS  longest wait for the first word of a model (as long as there is time)
  LLMDEPLOY_MODEL_IDLE_MS     longest silence in the middle of a model's answer (120000)";

const STATUS_EXIT: &str = "\
Exit status:
  0   finished (of all runs: every one)
  75  on the way
  1   failed, or unknown";

/// Turns a task - a JSON file with a brief, checks and attachments - into a live GitHub Pages site, and reports it.
#[derive(Debug, Parser)]
#[command(name = "llmdeploy", version, after_help = EXIT_STATUS, propagate_version = true, arg_required_else_help = true)]
#[command(disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Args, Clone, Debug)]
pub struct Global {
    /// Where runs are kept [default: `$XDG_STATE_HOME/llmdeploy`, else ~/.local/state/llmdeploy]
    #[arg(long, global = true, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// File with environment variables [default: .env, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Show requests and git commands
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Print the JSON document on a terminal too
    #[arg(long, global = true)]
    pub json: bool,
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        help = "Colour on a terminal"
    )]
    pub color: Color,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// The whole walk: generate, check, commit, deploy, notify; prints the result
    #[command(after_help = format!("Example:\n  llmdeploy run task.json\n  llmdeploy run --local ./sites --no-notify - < task.json\n\n{EXIT_STATUS}"))]
    Run(Walk),
    /// Makes the app and writes it to a folder; touches no forge, tells nobody
    #[command(after_help = format!("Example:\n  llmdeploy generate task.json -o preview\n\n{EXIT_STATUS}"))]
    Generate(Generate),
    /// Runs the task's checks on the generated app, on your own files (--site) or on the deployed page (--live)
    #[command(after_help = format!("Example:\n  llmdeploy check task.json --site public\n  llmdeploy check task.json --live\n\n{EXIT_STATUS}"))]
    Check(Check),
    /// The walk up to the local git commit
    #[command(after_help = format!("Example:\n  llmdeploy commit task.json\n\n{EXIT_STATUS}"))]
    Commit(Walk),
    /// The walk up to a live page, no notification
    #[command(after_help = format!("Example:\n  llmdeploy deploy task.json\n\n{EXIT_STATUS}"))]
    Deploy(Walk),
    /// Sends the notification of one task again, or with --retry every one that was not accepted yet
    #[command(after_help = format!("Example:\n  llmdeploy notify task.json\n  llmdeploy notify task.json --result result.json\n  llmdeploy notify --retry\n  llmdeploy notify task.json --give-up\n\n{EXIT_STATUS}"))]
    Notify(Notify),
    /// What became of one run, or of all
    #[command(after_help = format!("Example:\n  llmdeploy status task.json\n  llmdeploy status 3f2a\n  llmdeploy status --email me@example.com --task demo\n  llmdeploy status\n\n{STATUS_EXIT}"))]
    Status(Status),
    /// Writes a task from flags, files turned into data URIs
    #[command(after_help = format!("Example:\n  llmdeploy new --brief 'Show data.csv as a table' --attach data.csv\n  llmdeploy new --brief 'Add a total' --round 2 --from task.json -o task-2.json\n\n{EXIT_STATUS}"))]
    New(New),
    /// Is this machine ready: git, GitHub token, language models, browser, state directory, clock
    #[command(
        after_help = "Example:\n  llmdeploy doctor\n  llmdeploy doctor task.json\n\nExit status:\n  0  ready\n  1  something is missing\n  4  something is not allowed: token or key missing, refused or lacking rights"
    )]
    Doctor(Doctor),
    /// Drops finished runs from the state directory, never pending ones
    #[command(after_help = format!("Example:\n  llmdeploy prune --older-than 30d\n\n{EXIT_STATUS}"))]
    Prune(Prune),
    /// Prints a script that completes commands, flags and files in a shell
    #[command(
        after_help = "Example:\n  llmdeploy completions bash > ~/.local/share/bash-completion/completions/llmdeploy"
    )]
    Completions(Completions),
    /// Prints the manual page of llmdeploy, or of one of its commands
    #[command(
        after_help = "Example:\n  llmdeploy man > llmdeploy.1\n  llmdeploy man run > llmdeploy-run.1"
    )]
    Man(Man),
    /// Prints the JSON Schema (2020-12) of a task, or of what llmdeploy prints
    #[command(
        after_help = "Example:\n  llmdeploy schema task > task.schema.json\n  llmdeploy schema result > result.schema.json"
    )]
    Schema(Schema),
}

impl Command {
    /// As it is called on the command line.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::Generate(_) => "generate",
            Self::Check(_) => "check",
            Self::Commit(_) => "commit",
            Self::Deploy(_) => "deploy",
            Self::Notify(_) => "notify",
            Self::Status(_) => "status",
            Self::New(_) => "new",
            Self::Doctor(_) => "doctor",
            Self::Prune(_) => "prune",
            Self::Completions(_) => "completions",
            Self::Man(_) => "man",
            Self::Schema(_) => "schema",
        }
    }
}

/// At most a year: beyond that no clock can be set.
fn seconds() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(..=31_536_000)
}

/// Where the task comes from.
#[derive(Args, Clone, Debug)]
pub struct TaskArg {
    /// Task file, or - for standard input; left out: standard input, unless that is a terminal
    #[arg(value_name = "TASK")]
    pub task: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub struct Generate {
    #[command(flatten)]
    pub walk: Walk,
    /// Folder to write the app to [default: ./<repository>]
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub struct Check {
    #[command(flatten)]
    pub walk: Walk,
    /// The deployed page rather than the app
    #[arg(long, conflicts_with = "site")]
    pub live: bool,
}

#[derive(Args, Debug)]
pub struct Notify {
    #[command(flatten)]
    pub task: TaskArg,
    /// A result that `run` or `deploy` printed; no saved state is needed then
    #[arg(long, value_name = "FILE")]
    pub result: Option<PathBuf>,
    /// Send every notification that was not accepted yet, for cron
    #[arg(long, conflicts_with_all = ["task", "result"])]
    pub retry: bool,
    /// End a notification that will never be accepted: nothing is sent, and --retry leaves it
    #[arg(long, conflicts_with_all = ["result", "retry", "notify_for"])]
    pub give_up: bool,
    /// Go on trying for so long [default: 600; with --retry: 60]
    #[arg(long, value_name = "SECS", value_parser = seconds())]
    pub notify_for: Option<u64>,
}

#[derive(Args, Debug)]
pub struct Status {
    /// Task file, - for standard input, or a run's id or the beginning of one; left out: all runs
    #[arg(value_name = "TASK|RUN", conflicts_with = "email")]
    pub file: Option<PathBuf>,
    #[arg(
        long,
        value_name = "E",
        requires = "task",
        help = "Of the run: who sent the task"
    )]
    pub email: Option<String>,
    #[arg(
        long,
        value_name = "T",
        requires = "email",
        help = "Of the run: the task's id"
    )]
    pub task: Option<String>,
    #[arg(
        long,
        value_name = "N",
        requires = "email",
        help = "Of the run: its nonce; left out: whatever it is"
    )]
    pub nonce: Option<String>,
    #[arg(
        long,
        value_name = "R",
        requires = "email",
        help = "Of the run: its round [default: 1; without a nonce: whatever it is]"
    )]
    pub round: Option<u64>,
    /// Write the dashboard, a page of its own, to FILE; - is standard output, in place of the document
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Give the dashboard a form that sends new tasks to the service at this address (`URL/api-endpoint`)
    #[arg(long, value_name = "URL", requires = "html")]
    pub endpoint: Option<String>,
}

#[derive(Args, Debug)]
pub struct New {
    /// What the app is to do
    #[arg(long, value_name = "TEXT")]
    pub brief: String,
    /// A file, or a folder with all that is in it (repeatable)
    #[arg(long, value_name = "FILE|DIR")]
    pub attach: Vec<PathBuf>,
    /// A check as it stands in a task: `js: EXPRESSION`, or a sentence (repeatable)
    #[arg(long, value_name = "EXPR", allow_hyphen_values = true)]
    pub check: Vec<String>,
    /// Who sends the task [default: git's user.email]
    #[arg(long, value_name = "E")]
    pub email: Option<String>,
    /// The task's id [default: the first words of the brief]
    #[arg(long, value_name = "T")]
    pub task: Option<String>,
    /// [default: a random one]
    #[arg(long, value_name = "N")]
    pub nonce: Option<String>,
    /// [default: 1, or with --from the one after that task's]
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u64).range(1..))]
    pub round: Option<u64>,
    /// Take e-mail, id, secret and evaluation URL from this task
    #[arg(long, value_name = "TASK")]
    pub from: Option<PathBuf>,
    /// Where the result is to be sent
    #[arg(long, value_name = "URL")]
    pub evaluation_url: Option<String>,
    /// File to write, never one that is there; - for standard output, the secret included [default: ./<task>.json]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub struct Doctor {
    /// Look at this task's evaluation URL too; - for standard input
    #[arg(value_name = "TASK")]
    pub task: Option<PathBuf>,
    /// User or organisation that owns the repositories [default: `$GITHUB_OWNER`, else the token's user]
    #[arg(long, value_name = "NAME")]
    pub owner: Option<String>,
    /// Model to look for [default: `$OPENAI_MODEL`, else gpt-4o-mini]
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
}

#[derive(Args, Debug)]
pub struct Prune {
    /// Only runs that ended longer ago, e.g. 30d, 12h, 2weeks
    #[arg(long, value_name = "AGE", value_parser = humantime::parse_duration)]
    pub older_than: std::time::Duration,
}

#[derive(Args, Debug)]
pub struct Completions {
    /// The shell to write it for
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

#[derive(Args, Debug)]
pub struct Man {
    /// The command; left out: llmdeploy as a whole
    #[arg(value_name = "COMMAND")]
    pub command: Option<String>,
}

#[derive(Args, Debug)]
pub struct Schema {
    /// Which of the two
    #[arg(value_name = "WHAT")]
    pub of: SchemaOf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// A task
    Task,
    /// The result of a run; the documents of the other commands stand in its $defs
    Result,
}

/// The options of the walk.
#[derive(Args, Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct Walk {
    #[command(flatten)]
    pub task: TaskArg,
    /// Deploy without an account: DIR/<repository>.git and the page in DIR/<repository>/
    #[arg(long, value_name = "DIR", help_heading = "Where to")]
    pub local: Option<PathBuf>,
    /// User or organisation that owns the repository [default: `$GITHUB_OWNER`, else the token's user]
    #[arg(long, value_name = "NAME", help_heading = "Where to")]
    pub owner: Option<String>,
    /// Name of the repository [default: from the task id]
    #[arg(long, value_name = "NAME", help_heading = "Where to")]
    pub repo: Option<String>,
    /// A repository of its own, with a suffix where the name is in use already (round 1)
    #[arg(long, conflicts_with = "repo", help_heading = "Where to")]
    pub new_repo: bool,
    /// Work on a repository that somebody else has filled
    #[arg(long, help_heading = "Where to")]
    pub adopt: bool,
    #[command(flatten)]
    pub model: ModelArgs,
    /// Forget what is known of this run and make it anew
    #[arg(long, help_heading = "What")]
    pub fresh: bool,
    /// Your own files in the place of generation
    #[arg(long, value_name = "DIR", help_heading = "What")]
    pub site: Option<PathBuf>,
    /// Run the task's checks: auto deploys the best anyway, require pushes nothing unless all pass
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "What"
    )]
    pub checks: Checks,
    /// Give the checks of a page so long
    #[arg(long, value_name = "SECS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=600), help_heading = "What")]
    pub check_timeout: u64,
    /// Write a picture of the page (PNG, 1280 x 800)
    #[arg(long, value_name = "FILE", help_heading = "What")]
    pub screenshot: Option<PathBuf>,
    /// Judge the page without any network
    #[arg(long, help_heading = "What")]
    pub offline: bool,
    /// A value that looks like a secret but may be published, by its SHA-256 (repeatable)
    #[arg(long, value_name = "SHA256", help_heading = "What")]
    pub allow_secret: Vec<String>,
    /// Wait for the page at most so long
    #[arg(long, value_name = "SECS", default_value_t = 300, value_parser = seconds(), help_heading = "How long")]
    pub pages_timeout: u64,
    /// The notification goes out within so long, whether the page is live or not
    #[arg(long, value_name = "SECS", default_value_t = 600, value_parser = seconds(), help_heading = "How long")]
    pub deadline: u64,
    /// Go on trying to notify for so long
    #[arg(long, value_name = "SECS", default_value_t = 600, value_parser = seconds(), help_heading = "How long")]
    pub notify_for: u64,
    /// With --local: notify an evaluator on another machine too, which cannot open the page
    #[arg(long, conflicts_with = "no_notify", help_heading = "How long")]
    pub notify: bool,
    /// Do not send the notification
    #[arg(long, help_heading = "How long")]
    pub no_notify: bool,
    /// Check the task, then go on in a process of its own; `status` follows it
    #[arg(long, help_heading = "How long")]
    pub detach: bool,
}

/// Whether and how a language model is asked.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Language model")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct ModelArgs {
    /// Model to ask [default: `$OPENAI_MODEL`, else gpt-4o-mini]
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Ask no language model; use the template
    #[arg(long, conflicts_with_all = ["model", "replay", "record"])]
    pub no_llm: bool,
    /// Fail rather than use the template when no language model helps
    #[arg(long)]
    pub no_fallback: bool,
    /// Ask a model that is overloaded, loading or out of service again for at most so long [default: as long as the deadline leaves time to deploy]
    #[arg(long, value_name = "SECS", value_parser = seconds())]
    pub patience: Option<u64>,
    /// How often the model is told what is wrong with its app [default: 2]
    #[arg(long, value_name = "N")]
    pub repairs: Option<u32>,
    /// Fetch nothing from the web for the model
    #[arg(long)]
    pub no_fetch: bool,
    /// Make no further call once so many tokens are spent
    #[arg(long, value_name = "N")]
    pub max_tokens_total: Option<u64>,
    /// Write each call to a file, for --replay
    #[arg(long, value_name = "DIR")]
    pub record: Option<PathBuf>,
    /// Answer calls from files, without a model, a key or a network
    #[arg(long, value_name = "DIR", conflicts_with_all = ["record", "model"])]
    pub replay: Option<PathBuf>,
    /// Print what the model would be asked first, as text instead of the JSON document, and stop there
    #[arg(long)]
    pub print_prompt: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Checks {
    Auto,
    Require,
    Off,
}
