//! What can go wrong, as users and scripts see it: a code, an exit status, a cause and the next command to type.
//!
//! Inside a function `anyhow` carries the chain of causes; where the kind of failure is known the chain is given its
//! [`Code`]. There is no blanket conversion on purpose: whoever raises an error says which kind it is.

use std::fmt;

use serde::{Deserialize, Serialize};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The error codes of the result JSON (`error.code`), in the contract's spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    Usage,
    InvalidTask,
    Config,
    Unauthorized,
    MissingToken,
    BadToken,
    BadKey,
    Forbidden,
    NameTaken,
    GitMissing,
    GitFailed,
    PushRejected,
    SecretFound,
    LlmFailed,
    ChecksFailed,
    RateLimited,
    Network,
    PagesFailed,
    PagesPending,
    NotifyPending,
    Busy,
    State,
    Internal,
}

impl Code {
    /// The exit status that goes with the code. 75 is `EX_TEMPFAIL` of sysexits.h: the same command again goes on.
    #[must_use]
    pub fn exit_status(self) -> u8 {
        match self {
            Self::Usage | Self::InvalidTask | Self::Config => 2,
            Self::ChecksFailed => 3,
            Self::Unauthorized
            | Self::MissingToken
            | Self::BadToken
            | Self::BadKey
            | Self::Forbidden => 4,
            Self::RateLimited
            | Self::Network
            | Self::PagesFailed
            | Self::PagesPending
            | Self::NotifyPending
            | Self::Busy => 75,
            Self::NameTaken
            | Self::GitMissing
            | Self::GitFailed
            | Self::PushRejected
            | Self::SecretFound
            | Self::LlmFailed
            | Self::State
            | Self::Internal => 1,
        }
    }

    /// Whether the same command run again goes on by itself.
    #[must_use]
    pub fn is_pending(self) -> bool {
        self.exit_status() == 75
    }
}

/// An error at the edge: one kind, the chain of causes, and what to do about it.
#[derive(Debug)]
pub struct Error {
    pub code: Code,
    pub source: anyhow::Error,
    pub hint: Option<String>,
}

impl Error {
    pub fn new(
        code: Code,
        message: impl fmt::Display + fmt::Debug + Send + Sync + 'static,
    ) -> Self {
        Self {
            code,
            source: anyhow::Error::msg(message),
            hint: None,
        }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says what was being done, in front of the cause.
    #[must_use]
    pub fn context(mut self, what: impl fmt::Display + Send + Sync + 'static) -> Self {
        self.source = self.source.context(what);
        self
    }

    /// The chain in one line, outermost first.
    #[must_use]
    pub fn one_line(&self) -> String {
        format!("{:#}", self.source)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.one_line())
    }
}

/// Gives a failure its [`Code`].
pub trait OrCode<T> {
    /// # Errors
    /// The same failure, with a code.
    fn or_code(self, code: Code) -> Result<T>;
}

impl<T, E: Into<anyhow::Error>> OrCode<T> for std::result::Result<T, E> {
    fn or_code(self, code: Code) -> Result<T> {
        self.map_err(|e| Error {
            code,
            source: e.into(),
            hint: None,
        })
    }
}
