//! What went wrong with one exchange, and of which kind it is: what passes, what another request may avoid, and what stays.
//!
//! Servers agree on little: a missing model is 400, 403 or 404, a wrong key 400, 401 or 403, spent credit 402 or 429. So the words of
//! the answer count beside its status.

use std::time::Duration;

use serde_json::Value;

use super::Cause;
use crate::text::head;

/// What is kept of an error's body.
pub(super) const EXCERPT: usize = 2000;

/// What went wrong with one exchange.
#[derive(Clone, Debug, Default)]
pub(super) struct Trouble {
    /// The status that the answer has, or that the error inside it names; `None` where none came.
    pub status: Option<u16>,
    pub code: Option<String>,
    pub param: Option<String>,
    /// For people.
    pub message: String,
    /// What the body says, for those who learn from it.
    pub body: String,
    pub wait: Option<Duration>,
    /// `x-should-retry`.
    pub should_retry: Option<bool>,
    /// The model, or a filter before or behind it, will not.
    pub declined: bool,
    /// An answer that is none.
    pub garbled: bool,
    /// Why nothing came at all.
    pub silence: Option<Silence>,
}

/// Why nothing came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// No host of that name.
    NoHost,
    /// Nobody listens there, or it is no server of the kind.
    NotConnected,
    /// Connected, and nothing was said for as long as was waited.
    TimedOut,
    /// The connection was lost.
    Lost,
}

/// What is to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The same request may succeed a while later.
    Passing,
    /// This endpoint is of no use any more.
    Out(Cause),
}

impl Trouble {
    pub(super) fn silent(error: &anyhow::Error) -> Self {
        let silence = match error.downcast_ref::<ureq::Error>() {
            Some(ureq::Error::HostNotFound) => Silence::NoHost,
            Some(ureq::Error::Io(e)) if e.kind() != std::io::ErrorKind::ConnectionRefused => {
                Silence::Lost
            }
            Some(
                ureq::Error::Io(_)
                | ureq::Error::ConnectionFailed
                | ureq::Error::Tls(_)
                | ureq::Error::Rustls(_)
                | ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve),
            ) => Silence::NotConnected,
            Some(ureq::Error::Timeout(_)) => Silence::TimedOut,
            _ => Silence::Lost,
        };
        Self {
            message: format!("no answer: {}", error.root_cause()),
            silence: Some(silence),
            ..Self::default()
        }
    }

    pub(super) fn declined(message: String) -> Self {
        Self {
            declined: true,
            message,
            ..Self::default()
        }
    }

    /// An answer that is no answer.
    pub(super) fn garbled(status: Option<u16>, message: String) -> Self {
        Self {
            status,
            message,
            garbled: true,
            ..Self::default()
        }
    }

    pub(super) fn text(&self) -> String {
        format!("{} {}", self.message, self.body).to_ascii_lowercase()
    }

    /// Whether the server says that there is no such model.
    pub(super) fn names_no_model(&self) -> bool {
        let code = self.code.as_deref().unwrap_or_default();
        if matches!(
            code,
            "model_not_found"
                | "model_not_available"
                | "model_decommissioned"
                | "invalid_model"
                | "DeploymentNotFound"
        ) {
            return true;
        }
        let text = self.text();
        let says = |words: &[&str]| words.iter().any(|w| text.contains(w));
        let gone = says(&[
            "not found",
            "not exist",
            "doesn't exist",
            "no such model",
            "unknown model",
            "invalid model",
            "not a valid model",
            "decommissioned",
            "no longer available",
            "has been deprecated",
            "no endpoints found for",
            "not available in your",
            "is not available",
        ]);
        match self.status {
            Some(404 | 410) => text.contains("model") || says(&["no endpoints found for"]),
            Some(400 | 403 | 422) => {
                gone && (text.contains("model") || says(&["no endpoints found for"]))
            }
            // Some local servers raise an exception of theirs.
            Some(500) => says(&["model not found", "no such model"]),
            _ => false,
        }
    }

    /// Whether nobody there knows the path that was asked.
    pub(super) fn names_no_path(&self) -> bool {
        let text = self.text();
        match self.status {
            Some(404 | 405) => !self.names_no_model(),
            Some(300..400) => true,
            // LM Studio: "Unexpected endpoint or method. (POST /chat/completions). Returning 200 anyway".
            _ => {
                text.contains("unexpected endpoint")
                    || self.garbled
                        && (self.body.trim_start().starts_with('<') || text.contains("is running"))
            }
        }
    }

    /// Whether the key is refused.
    fn names_key(&self) -> bool {
        let text = self.text();
        let says = |words: &[&str]| words.iter().any(|w| text.contains(w));
        match self.status {
            Some(401) => true,
            Some(403) => !self.names_no_model(),
            Some(400) => says(&[
                "api key not valid",
                "api_key_invalid",
                "invalid api key",
                "incorrect api key",
            ]),
            _ => false,
        }
    }

    fn names_credit(&self) -> bool {
        let code = self.code.as_deref().unwrap_or_default();
        self.status == Some(402)
            || matches!(
                code,
                "insufficient_quota"
                    | "billing_hard_limit_reached"
                    | "insufficient_credits"
                    | "billing_not_active"
            )
    }

    pub(super) fn kind(&self) -> Kind {
        if self.names_credit() {
            return Kind::Out(Cause::Credit);
        }
        if self.names_no_model() {
            return Kind::Out(Cause::Model);
        }
        if self.names_key() {
            return Kind::Out(Cause::Key);
        }
        let passes = match (self.status, self.silence) {
            (_, Some(Silence::TimedOut)) => false,
            (None, _) => true,
            (Some(status), _) => {
                matches!(status, 408 | 409 | 423 | 425 | 429 | 500..) || self.garbled
            }
        };
        if self.should_retry.unwrap_or(passes) {
            return Kind::Passing;
        }
        Kind::Out(if self.names_no_path() {
            Cause::Address
        } else if self.silence.is_some() || self.status.is_some_and(|s| s >= 500 || s == 429) {
            Cause::Outage
        } else {
            Cause::Refused
        })
    }
}

/// Some servers send an `error` that says that there is none.
fn is_no_error(error: &Value) -> bool {
    match error {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Number(number) => number.as_u64() == Some(0),
        Value::Array(list) => list.iter().all(is_no_error),
        Value::Object(map) => {
            let code = map.get("code");
            map.values().all(is_no_error)
                || code.is_some_and(|c| c.as_u64() == Some(0) || c.as_str() == Some("0"))
        }
        Value::Bool(true) => false,
    }
}

/// The error that a body carries, whatever the status it came with.
pub(super) fn error_of(value: &Value) -> Option<Trouble> {
    // Google answers with a list that holds the object.
    let value = value.get(0).unwrap_or(value);
    let error = value.get("error").filter(|e| !is_no_error(e))?;
    let text = |v: &Value| v.as_str().map(str::to_owned);
    let code = text(&error["code"]);
    let kind = text(&error["type"]);
    let number = |v: &Value| {
        v.as_u64()
            .or_else(|| v.as_str()?.parse().ok())
            .and_then(|n| u16::try_from(n).ok())
            .filter(|n| (400..600).contains(n))
    };
    let message = text(&error["message"])
        .or_else(|| text(error))
        .unwrap_or_else(|| error.to_string());
    let named = code.iter().chain(&kind).find_map(|name| status_of(name));
    let status = number(&error["code"])
        .or_else(|| number(&error["status"]))
        .or_else(|| number(&value["status"]))
        .or(named)
        .unwrap_or(502);
    let filtered = [&code, &kind]
        .into_iter()
        .flatten()
        .any(|c| matches!(c.as_str(), "content_filter" | "content_policy_violation"));
    let code = if kind.as_deref() == Some("insufficient_quota") {
        kind
    } else {
        code
    };
    Some(Trouble {
        status: Some(status),
        code,
        param: text(&error["param"]),
        message: head(&message, 200).to_owned(),
        body: head(&value.to_string(), EXCERPT).to_owned(),
        wait: super::wait::in_text(&value.to_string()),
        declined: filtered,
        ..Trouble::default()
    })
}

/// The status that goes with a code or type, where an error names no number.
fn status_of(name: &str) -> Option<u16> {
    Some(match name {
        "rate_limit_exceeded" | "rate_limit_error" | "requests" | "tokens" => 429,
        "insufficient_quota" | "insufficient_credits" | "billing_hard_limit_reached" => 402,
        "invalid_api_key" | "authentication_error" => 401,
        "permission_error" => 403,
        "model_not_found" | "not_found_error" => 404,
        "invalid_request_error" | "context_length_exceeded" | "unsupported_parameter" => 400,
        "server_error" | "api_error" | "overloaded_error" => 503,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_error_counts_as_the_status_it_names() {
        let status = |v: Value| error_of(&v).unwrap().status;
        assert_eq!(
            status(json!({"error": {"code": 429, "message": "slow down"}})),
            Some(429)
        );
        assert_eq!(
            status(json!({"error": {"code": "402", "message": "x"}})),
            Some(402)
        );
        assert_eq!(
            status(json!({"error": {"type": "insufficient_quota"}})),
            Some(402)
        );
        assert_eq!(status(json!({"error": "odd"})), Some(502));
        assert!(error_of(&json!({"error": null, "choices": []})).is_none());
    }

    #[test]
    fn an_error_that_says_nothing_is_none() {
        for none in [
            json!(null),
            json!(false),
            json!(""),
            json!({}),
            json!([]),
            json!(0),
            json!({"code": 0}),
            json!({"code": "0", "message": "success"}),
            json!({"code": null, "message": ""}),
        ] {
            assert!(error_of(&json!({"error": none})).is_none(), "{none}");
        }
        for some in [
            json!(true),
            json!("x"),
            json!({"code": 1}),
            json!({"message": "x"}),
        ] {
            assert!(error_of(&json!({"error": some})).is_some(), "{some}");
        }
    }

    #[test]
    fn what_servers_say_is_of_a_kind() {
        let kind = |status: u16, code: &str, message: &str| {
            Trouble {
                status: Some(status),
                code: (!code.is_empty()).then(|| code.to_owned()),
                message: message.to_owned(),
                ..Trouble::default()
            }
            .kind()
        };
        for (status, code, message) in [
            (429, "rate_limit_exceeded", "slow down"),
            (503, "", "Loading model"),
            (529, "overloaded_error", "Overloaded"),
            (500, "", "internal"),
            (502, "", "<html>"),
        ] {
            assert_eq!(kind(status, code, message), Kind::Passing, "{message}");
        }
        for (cause, status, code, message) in [
            (
                Cause::Credit,
                429,
                "insufficient_quota",
                "You exceeded your quota",
            ),
            (Cause::Credit, 402, "", "Payment required"),
            (
                Cause::Key,
                401,
                "invalid_api_key",
                "Incorrect API key provided",
            ),
            (Cause::Key, 403, "", "Forbidden"),
            (
                Cause::Key,
                400,
                "",
                "API key not valid. Please pass a valid API key.",
            ),
            (
                Cause::Model,
                404,
                "model_not_found",
                "The model `x` does not exist",
            ),
            (
                Cause::Model,
                404,
                "",
                "model \"x\" not found, try pulling it first",
            ),
            (Cause::Model, 400, "", "x/y is not a valid model ID"),
            (Cause::Model, 400, "", "Model Not Exist"),
            (
                Cause::Model,
                403,
                "model_not_found",
                "Project does not have access to model x",
            ),
            (Cause::Model, 404, "", "No endpoints found for x/y."),
            (
                Cause::Model,
                400,
                "model_decommissioned",
                "The model `x` has been decommissioned",
            ),
            (Cause::Address, 404, "", "Not Found"),
            (Cause::Address, 405, "", "Method Not Allowed"),
            (Cause::Address, 301, "", "moved"),
            (Cause::Refused, 400, "", "Bad request"),
        ] {
            assert_eq!(kind(status, code, message), Kind::Out(cause), "{message}");
        }
        let said = |status, should_retry| Trouble {
            status: Some(status),
            should_retry: Some(should_retry),
            ..Trouble::default()
        };
        assert_eq!(said(503, false).kind(), Kind::Out(Cause::Outage));
        assert_eq!(said(400, true).kind(), Kind::Passing);
    }
}
