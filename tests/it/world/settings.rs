//! What a test can turn: everything healthy and immediate unless it says otherwise.

use std::time::Duration;

use super::evaluator::EvalAnswer;
use super::log::Match;
use super::script::{LlmAnswer, LlmHandler};

/// The right a fine-grained token lacks for some requests.
#[derive(Clone, Debug)]
pub struct Lacking {
    pub on: Match,
    /// Value of `X-Accepted-GitHub-Permissions`, such as `pages=write`.
    pub accepted: String,
}

#[derive(Clone, Debug)]
pub enum TokenKind {
    Classic,
    FineGrained { lacking: Vec<Lacking> },
}

#[allow(
    clippy::struct_excessive_bools,
    reason = "independent switches, not a state machine"
)]
pub struct Settings {
    /// Before each request is handled.
    pub latency: Duration,

    /// How long a build takes.
    pub pages_build: Duration,
    /// How many questions after the build are answered "not yet" before it can be done.
    pub pages_build_polls: usize,
    /// How long after the build the old content is still served.
    pub pages_stale: Duration,
    /// Builds end with this message.
    pub pages_error: Option<String>,
    /// Of so many commits; the builds of later ones end well.
    pub pages_failing: usize,
    /// How long a 404 is remembered for the very same URL.
    pub pages_cached_404: Duration,
    /// Sites are of `build_type` `workflow`, whatever was asked for.
    pub pages_workflow: bool,

    /// How long a repository that was just created answers 404.
    pub fresh_404: Duration,
    /// Scopes of the classic token.
    pub scopes: Vec<String>,
    pub token_kind: TokenKind,
    /// When the token ends, as GitHub writes it.
    pub token_expires: Option<String>,
    /// Seconds that GitHub's clock is ahead of this machine's.
    pub clock_off: u64,
    /// The token was revoked: every use answers 401.
    pub token_revoked: bool,
    /// This organisation asks for SAML sign-on.
    pub sso: Option<String>,
    /// Organisations where the token may create repositories.
    pub orgs: Vec<String>,
    /// What is left of the hourly allowance; counts down.
    pub rate_remaining: u64,

    /// Every push is refused because of a secret found at `push_protection_at`.
    pub push_protection: bool,
    pub push_protection_at: (String, u32),
    /// Pushes whose commits carry an address other than the noreply one are refused.
    pub private_email: bool,
    pub push_403: bool,
    pub push_auth_fail: bool,
    /// Given: the `clone_url` of every repository body; `{owner}` and `{name}` are filled in.
    pub clone_url_override: Option<String>,

    /// These must stand in no request at all: the shared secret of the task and the like.
    pub secrets: Vec<String>,

    /// Answers of the evaluator, one for each attempt; then `eval_default`.
    pub eval: Vec<EvalAnswer>,
    pub eval_default: EvalAnswer,

    /// Given: asked for as bearer token.
    pub llm_key: Option<String>,
    /// Answers of the model, one for each request; then `llm_handler`.
    pub llm: Vec<LlmAnswer>,
    pub llm_handler: Option<LlmHandler>,
    /// Parameters this server does not know; such a request uses up no answer.
    pub llm_refuses: Vec<String>,
    pub llm_models: Vec<String>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            latency: Duration::ZERO,
            pages_build: Duration::ZERO,
            pages_build_polls: 0,
            pages_stale: Duration::ZERO,
            pages_error: None,
            pages_failing: usize::MAX,
            pages_cached_404: Duration::from_secs(10),
            pages_workflow: false,
            fresh_404: Duration::ZERO,
            scopes: vec!["repo".to_owned(), "workflow".to_owned()],
            token_kind: TokenKind::Classic,
            token_expires: None,
            clock_off: 0,
            token_revoked: false,
            sso: None,
            orgs: Vec::new(),
            rate_remaining: 5000,
            push_protection: false,
            push_protection_at: ("index.html".to_owned(), 1),
            private_email: false,
            push_403: false,
            push_auth_fail: false,
            clone_url_override: None,
            secrets: Vec::new(),
            eval: Vec::new(),
            eval_default: EvalAnswer::status(200),
            llm_key: None,
            llm: Vec::new(),
            llm_handler: None,
            llm_refuses: Vec::new(),
            llm_models: vec!["gpt-4o-mini".to_owned()],
        }
    }
}
