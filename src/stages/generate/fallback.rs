//! Why the template stands in where a language model was wanted.

use serde::{Deserialize, Serialize};

use crate::error::Code;
use crate::ports::llm::{Cause, Failure};

/// Kept with the app: whether a rerun may do better depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fallback {
    /// None is set up.
    NoModel,
    /// Out of service, overloaded, not reached, or late.
    Outage,
    /// The key is refused.
    Key,
    /// There is no such model.
    Model,
    /// There is no such server, or it does not know the path.
    Address,
    /// The credit is spent.
    Credit,
    /// `--max-tokens-total`, `--max-cost`.
    Budget,
    /// The model, its filter or its server will not take the request.
    Declined,
    /// It answered, with nothing that can be published.
    Unusable,
}

impl Fallback {
    #[must_use]
    pub fn of(failure: &Failure) -> Self {
        match failure {
            Failure::Late => Self::Outage,
            Failure::Declined(_) => Self::Declined,
            Failure::Unavailable(cause, _) => match cause {
                Cause::Outage => Self::Outage,
                Cause::Key => Self::Key,
                Cause::Model => Self::Model,
                Cause::Address => Self::Address,
                Cause::Credit => Self::Credit,
                Cause::Refused => Self::Declined,
            },
        }
    }

    /// Whether the same command may get an answer later, with nothing changed.
    #[must_use]
    pub fn may_pass(self) -> bool {
        self == Self::Outage
    }

    /// The error that it is under `--no-fallback`, and what to do about it.
    #[must_use]
    pub fn refusal(self) -> (Code, &'static str) {
        match self {
            Self::NoModel => (Code::BadKey, SET_UP),
            Self::Key => (
                Code::BadKey,
                "set a key that this server takes: OPENAI_API_KEY, or the variable named in OPENAI_FALLBACK_MODELS",
            ),
            Self::Model => (
                Code::Config,
                "set a model that is there: OPENAI_MODEL or --model",
            ),
            Self::Address => (
                Code::Config,
                "set OPENAI_BASE_URL to the address that /chat/completions is below, e.g. https://api.openai.com/v1",
            ),
            _ => (
                Code::LlmFailed,
                "run without --no-fallback to use the template",
            ),
        }
    }
}

/// How to have a model.
pub const SET_UP: &str =
    "to use a model set OPENAI_API_KEY, or OPENAI_BASE_URL to a server on this machine";
