//! Language models behind an OpenAI-compatible `POST {base}/chat/completions`. Takes texts and images, gives back a text.
//!
//! ```text
//! client   whose turn it is, how long to wait, when to give up
//!   request  what is asked, without what the server has refused (ladder)
//!   answer   what comes back, as it comes (pace, sse); what went wrong (trouble, wait)
//! ```
//!
//! What a server cannot do is found out by asking it and remembered for the run. What the text means is none of this room's business,
//! and neither is keeping or replaying calls.

mod answer;
mod client;
mod ladder;
pub mod listing;
mod pace;
mod request;
mod sse;
mod trouble;
mod wait;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::client::{Ask, Client};
use super::http::{Url, is_loopback};
use crate::secret::Secret;

/// A model at a server.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub model: String,
    /// Without a slash at the end.
    pub base: Url,
    /// Only ever the key that was given for this very server.
    pub key: Option<Secret>,
}

impl Endpoint {
    /// `model`, `model@base-url` or `model@base-url#KEY_VARIABLE`, whose key `key_of` gives. A server without a variable and with
    /// another scheme, host or port than `home` gets no key: it is not for it.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(
        text: &str,
        home: &Endpoint,
        key_of: &dyn Fn(&str) -> Result<Secret, String>,
    ) -> Result<Self, String> {
        // A model's name may hold an @ itself (`@cf/meta/llama`, `model@version`).
        let at = text.find("@http://").or_else(|| text.find("@https://"));
        let (model, base, variable) = match at {
            Some(at) => {
                let (base, variable) = match text[at + 1..].split_once('#') {
                    Some((base, variable)) => (base, Some(variable.trim())),
                    None => (&text[at + 1..], None),
                };
                (&text[..at], base_url(base)?, variable)
            }
            None => (text, home.base.clone(), None),
        };
        if model.trim().is_empty() {
            return Err("names no model".to_owned());
        }
        let own = base.https == home.base.https && base.authority == home.base.authority;
        Ok(Self {
            model: model.trim().to_owned(),
            key: match variable {
                Some(variable) => Some(key_of(variable)?),
                None => home.key.clone().filter(|_| own),
            },
            base,
        })
    }

    /// A server of somebody else's wants a key; one on this machine does not.
    #[must_use]
    pub fn usable(&self) -> bool {
        self.key.is_some() || is_loopback(&self.base.host)
    }
}

/// The base URL of a server, without a slash at the end: https, or plain http to this machine. The address of the call itself, as many
/// documents show it, is taken back to the base.
///
/// # Errors
/// Says what is wrong with it.
pub fn base_url(text: &str) -> Result<Url, String> {
    if text.contains(['?', '#']) {
        return Err("must not carry a query".to_owned());
    }
    let base = text.trim().trim_end_matches('/');
    let base = ["/chat/completions", "/completions", "/chat"]
        .iter()
        .find_map(|call| base.strip_suffix(call))
        .unwrap_or(base);
    Url::parse_safe(base.trim_end_matches('/'))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    System,
    User,
    Assistant,
}

#[derive(Clone, Debug)]
pub struct Message {
    pub role: Role,
    pub text: String,
    pub images: Vec<Image>,
}

impl Message {
    #[must_use]
    pub fn new(role: Role, text: String) -> Self {
        Self {
            role,
            text,
            images: vec![],
        }
    }
}

#[derive(Clone, Debug)]
pub struct Image {
    pub media_type: String,
    pub bytes: Vec<u8>,
}

/// Tokens, as the server counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub total_tokens: u64,
}

/// What a model said.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answer {
    pub text: String,
    pub model: String,
    /// `None` where the server does not say.
    pub usage: Option<Usage>,
    /// `stop`, `length`, …; `None` where the connection broke in the middle.
    pub finish: Option<String>,
    /// Requests it took, those that came to nothing included.
    pub requests: u32,
}

/// How long servers are waited for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Patience {
    /// A request that fails for now is made again for at most so long (`--patience`); `None`: as long as there is time.
    pub longest: Option<Duration>,
    /// The first word of an answer is waited for at most so long (`LLMDEPLOY_MODEL_TIMEOUT_MS`); `None`: as long as there is time.
    pub first_word: Option<Duration>,
    /// The longest silence in the middle of an answer (`LLMDEPLOY_MODEL_IDLE_MS`).
    pub idle: Duration,
}

/// Why no endpoint is of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Out of service, overloaded, not reached: it may pass.
    Outage,
    /// The key is refused.
    Key,
    /// There is no such model.
    Model,
    /// There is no such server, or it does not know the path.
    Address,
    /// Its credit is spent.
    Credit,
    /// It takes no request of ours.
    Refused,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The model or its filter will not: asking again will not help, and asking another is not for us to decide.
    Declined(String),
    /// No endpoint is in service.
    Unavailable(Cause, String),
    /// The time is up.
    Late,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Declined(why) | Self::Unavailable(_, why) => f.write_str(why),
            Self::Late => f.write_str("no answer in time"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stays_with_its_server() {
        let home = Endpoint {
            model: "a".to_owned(),
            base: base_url("https://api.example/v1/").unwrap(),
            key: Secret::new("k"),
        };
        let key_of = |name: &str| {
            let key = (name == "THEIRS").then(|| Secret::new("theirs"));
            key.flatten().ok_or_else(|| "is not set".to_owned())
        };
        let parse = |text| Endpoint::parse(text, &home, &key_of).unwrap();
        for theirs in [
            "b@https://other.example/v1#THEIRS",
            "b@https://api.example/v1/# THEIRS ",
            "b@http://127.0.0.1:8080/v1#THEIRS",
        ] {
            let parsed = parse(theirs);
            assert_eq!(parsed.key.unwrap().reveal(), "theirs");
            let bare = theirs.split(['@', '#']).nth(1).unwrap();
            assert_eq!(parsed.base, base_url(bare).unwrap());
        }
        assert!(parse("b").key.is_some() && parse("b@https://api.example/v2").key.is_some());
        for other in [
            "b@https://other.example/v1",
            "b@http://127.0.0.1:8080/v1",
            "b@https://api.example:8443/v1",
            "b@https://api.example.evil.example/v1",
        ] {
            assert!(parse(other).key.is_none(), "{other}");
        }
        assert_eq!(
            parse("@cf/meta/llama@https://x.example/v1").model,
            "@cf/meta/llama"
        );
        assert_eq!(parse("m@2024").model, "m@2024");
        for base in [
            "https://x.example/v1",
            "https://x.example/v1/",
            "https://x.example/v1/chat/completions",
        ] {
            assert_eq!(base_url(base).unwrap().as_str(), "https://x.example/v1");
        }
        for bad in [
            "@https://x.example",
            "m@http://x.example/v1",
            "m@https://u:p@x.example",
            "m@https://x.example?k=v",
            "m@https://x.example#",
            "m@https://x.example#OTHER",
        ] {
            assert!(Endpoint::parse(bad, &home, &key_of).is_err(), "{bad}");
        }
    }
}
