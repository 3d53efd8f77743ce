//! The task: JSON in, validated value out. Pure: nothing is read or asked here, and every error names its field.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{data_uri, named};
use crate::content;
use crate::error::{Code, Error, Result};
use crate::ports::address::is_local_host;
use crate::ports::http::{Hosts, Reach, Url};
use crate::secret::Secret;
use crate::values::{Places, RelPath, RunId, sha256_hex};

/// The most bytes a task may have.
pub const MAX_BYTES: usize = 64 << 20;

#[derive(Debug)]
pub struct Task {
    pub email: String,
    pub task: String,
    pub round: u64,
    pub nonce: String,
    pub brief: String,
    pub checks: Vec<Check>,
    pub attachments: Vec<Attachment>,
    pub evaluation_url: Option<Url>,
    /// What the sender showed; compared in [`Task::admit`], and kept only to be scanned for.
    pub secret: Option<Secret>,
    content: Content,
    /// Where its attachments stand, once that was found out; see `generate::place`.
    pub(super) places: OnceLock<Vec<RelPath>>,
}

/// A check as the task gives it. On record it looks as in a task: a string, or an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Value", into = "Value")]
pub enum Check {
    /// `{"js": …}`, or a string that begins with `js:`. The expression.
    Js(String),
    /// Any other string.
    Text(String),
    /// Anything else, as JSON: a check for a person.
    Other(String),
}

impl Check {
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Js(text) | Self::Text(text) | Self::Other(text) => text,
        }
    }
}

impl From<Value> for Check {
    fn from(value: Value) -> Self {
        match value {
            Value::String(text) => match text.trim_start().split_once(':') {
                Some((prefix, js)) if prefix.eq_ignore_ascii_case("js") => {
                    Self::Js(js.trim().to_owned())
                }
                _ => Self::Text(text),
            },
            Value::Object(object) if object.get("js").is_some_and(Value::is_string) => {
                Self::Js(object["js"].as_str().unwrap_or_default().trim().to_owned())
            }
            other => Self::Other(other.to_string()),
        }
    }
}

impl From<Check> for Value {
    fn from(check: Check) -> Self {
        match check {
            Check::Js(code) => json!({"js": code}),
            Check::Text(text) => Self::String(text),
            // What it was read from, or as near as can be.
            Check::Other(text) => serde_json::from_str(&text).unwrap_or(Self::Null),
        }
    }
}

#[derive(Debug)]
pub struct Attachment {
    pub name: RelPath,
    /// As the URI says, often odd or empty.
    pub media_type: String,
    pub source: Source,
}

#[derive(Debug)]
pub enum Source {
    Bytes(Vec<u8>),
    /// To be downloaded while generating.
    Https(Url),
}

/// What a task says, as digests, so that the same run with other content can be told and named. The secret is no content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    pub brief: String,
    pub checks: String,
    /// By name.
    pub attachments: BTreeMap<String, String>,
    pub evaluation_url: String,
}

impl Content {
    /// The fields in which the other differs.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut fields = Vec::new();
        for (name, one, two) in [
            ("brief", &self.brief, &other.brief),
            ("checks", &self.checks, &other.checks),
            (
                "evaluation_url",
                &self.evaluation_url,
                &other.evaluation_url,
            ),
        ] {
            if one != two {
                fields.push(name.to_owned());
            }
        }
        let names = self
            .attachments
            .keys()
            .chain(other.attachments.keys())
            .collect::<std::collections::BTreeSet<_>>();
        fields.extend(
            names
                .into_iter()
                .filter(|n| self.attachments.get(*n) != other.attachments.get(*n))
                .map(|n| format!("attachment {n}")),
        );
        fields
    }

    /// One digest each of brief, checks and attachments, short enough for a trailer. The evaluation URL stays out of what is
    /// public: it may hold a key.
    #[must_use]
    pub fn public_digests(&self) -> String {
        let files: String = self
            .attachments
            .iter()
            .map(|(name, digest)| format!("{name}\0{digest}\0"))
            .collect();
        format!(
            "brief={} checks={} attachments={}",
            self.brief,
            self.checks,
            short_digest(files.as_bytes())
        )
    }
}

fn short_digest(bytes: &[u8]) -> String {
    let mut digest = sha256_hex(bytes);
    digest.truncate(16);
    digest
}

/// Who may send tasks.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    /// `LLMDEPLOY_SECRET`, else `secret`.
    pub secret: Option<Secret>,
    /// `LLMDEPLOY_NOTIFY_HOSTS`: the only hosts that `evaluation_url` may name.
    pub notify_hosts: Option<Hosts>,
}

impl Admission {
    /// Which addresses the evaluator at this URL may have. A shared secret means that tasks come from others, who must not reach
    /// the hosts around this machine; without one they are the user's own business.
    ///
    /// # Errors
    /// Says why the host may not be told at all.
    pub fn reach(&self, url: &Url) -> std::result::Result<Reach, String> {
        match &self.notify_hosts {
            Some(hosts) if hosts.contains(url) => Ok(Reach::Anywhere),
            Some(_) => Err(format!(
                "the host {} is not in LLMDEPLOY_NOTIFY_HOSTS",
                url.authority
            )),
            None if self.secret.is_none() => Ok(Reach::Anywhere),
            None if is_local_host(&url.host) => Err(format!(
                "the host {} is private, and tasks that a shared secret admits come from others",
                url.authority
            )),
            None => Ok(Reach::PublicOnly),
        }
    }
}

/// The fields as they stand in the text; what they hold is looked at one by one, so that an error can name its field.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    email: Option<&'a RawValue>,
    task: Option<&'a RawValue>,
    brief: Option<&'a RawValue>,
    round: Option<&'a RawValue>,
    nonce: Option<&'a RawValue>,
    secret: Option<&'a RawValue>,
    evaluation_url: Option<&'a RawValue>,
    checks: Option<&'a RawValue>,
    attachments: Option<&'a RawValue>,
    wait_for_result: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct AttachmentFields<'a> {
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    url: Option<&'a RawValue>,
}

impl Task {
    /// Reads a task. Texts are borrowed from the bytes until they are decoded, so that the task is not held three times.
    ///
    /// # Errors
    /// `invalid_task`, naming the field.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > MAX_BYTES {
            return Err(invalid(format!(
                "the task is larger than {} MiB",
                MAX_BYTES >> 20
            )));
        }
        // PowerShell writes UTF-16.
        let text = &*content::text::unicode(bytes);
        if text.trim_ascii().is_empty() {
            return Err(invalid("the task is empty"));
        }
        // A struct may be read from an array too, its fields by their order: a list of tasks would be one with odd fields.
        if let Some(kind) = not_an_object(text) {
            return Err(invalid(format!(
                "not a task: {kind} where an object is due"
            )));
        }
        let fields: Fields<'_> =
            serde_json::from_slice(text).map_err(|e| invalid(format!("not a task: {e}")))?;
        let email = required("email", fields.email)?;
        let task = required("task", fields.task)?;
        let brief = required("brief", fields.brief)?;
        let round = match fields.round {
            Some(raw) => raw
                .get()
                .parse()
                .ok()
                .filter(|n| *n >= 1)
                .ok_or_else(|| invalid("round: not an integer of at least 1"))?,
            None => 1,
        };
        let nonce = string("nonce", fields.nonce)?
            .unwrap_or_default()
            .into_owned();
        let secret = string("secret", fields.secret)?.and_then(|s| Secret::new(&s));
        // Forms send the empty text for a field that was left out.
        let evaluation_url = string("evaluation_url", fields.evaluation_url)?
            .filter(|url| !url.trim().is_empty())
            .map(|url| Url::parse(&url).map_err(|why| invalid(format!("evaluation_url: {why}"))))
            .transpose()?;
        if let Some(raw) = fields.wait_for_result {
            let _: bool = serde_json::from_str(raw.get())
                .map_err(|_| invalid("wait_for_result: not true or false"))?;
        }
        let checks = checks(fields.checks)?;
        let (attachments, digests) = attachments(fields.attachments)?;
        let content = Content {
            brief: short_digest(brief.as_bytes()),
            // As it has been since the first run was recorded: in another form every known run would be one of other content.
            checks: short_digest(
                checks
                    .iter()
                    .map(|c| format!("{c:?}\0"))
                    .collect::<String>()
                    .as_bytes(),
            ),
            attachments: digests,
            evaluation_url: short_digest(
                evaluation_url.as_ref().map_or("", Url::as_str).as_bytes(),
            ),
        };
        Ok(Self {
            email,
            task,
            round,
            nonce,
            brief,
            checks,
            attachments,
            evaluation_url,
            secret,
            content,
            places: OnceLock::new(),
        })
    }

    /// Whether this sender may send this task.
    ///
    /// # Errors
    /// `unauthorized` for a missing, wrong or unexpected secret, `invalid_task` for a host that may not be notified.
    pub fn admit(&self, admission: &Admission) -> Result<()> {
        match (&admission.secret, &self.secret) {
            (Some(ours), Some(theirs)) if ours.equals(theirs.reveal()) => {}
            (Some(_), Some(_)) => {
                return Err(
                    Error::new(Code::Unauthorized, "secret: not the one that is set here")
                        .hint("compare it with LLMDEPLOY_SECRET (or `secret`)"),
                );
            }
            (Some(_), None) => {
                return Err(
                    Error::new(Code::Unauthorized, "secret: missing, and one is set here").hint(
                        "add it to the task, or unset LLMDEPLOY_SECRET for tasks of your own",
                    ),
                );
            }
            (None, Some(_)) => {
                return Err(Error::new(Code::Unauthorized, "secret: the task carries one, but none is set here to compare it with")
                    .hint("set LLMDEPLOY_SECRET to the secret you share with the sender, or take it out of a task of your own"));
            }
            (None, None) => {}
        }
        let Some(url) = &self.evaluation_url else {
            return Ok(());
        };
        admission.reach(url).map(drop).map_err(|why| {
            Error::new(Code::InvalidTask, format!("evaluation_url: {why}")).hint(format!(
                "if it is to be told, list it: LLMDEPLOY_NOTIFY_HOSTS={}",
                url.authority
            ))
        })
    }

    #[must_use]
    pub fn id(&self) -> RunId {
        RunId::of(&self.email, &self.task, self.round, &self.nonce)
    }

    #[must_use]
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// Whether brief or a check names a file by this path: as a word of its own, not as part of a longer path or name.
    #[must_use]
    pub fn names(&self, path: &RelPath) -> bool {
        self.texts()
            .any(|text| named::names_file(text, path.as_str()))
    }

    /// Which of the attachments are named so.
    #[must_use]
    pub(super) fn named(&self) -> Vec<bool> {
        let names: Vec<&str> = self.attachments.iter().map(|a| a.name.as_str()).collect();
        named::named(self.texts(), &names)
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.brief.as_str()).chain(self.checks.iter().map(Check::text))
    }
}

fn invalid(message: impl Display) -> Error {
    Error::new(Code::InvalidTask, message.to_string())
        .hint("correct the task and run the same command again; examples/ shows the shape")
}

/// What JSON begins with, where that is no object.
fn not_an_object(json: &[u8]) -> Option<&'static str> {
    match json.trim_ascii_start().first()? {
        b'[' => Some("an array"),
        b'"' => Some("a string"),
        b'0'..=b'9' | b'-' => Some("a number"),
        _ => None,
    }
}

fn string<'a>(field: &str, raw: Option<&'a RawValue>) -> Result<Option<Cow<'a, str>>> {
    /// Borrows where the text has no escapes.
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    let Some(raw) = raw else { return Ok(None) };
    let text: Text<'a> =
        serde_json::from_str(raw.get()).map_err(|_| invalid(format!("{field}: not a string")))?;
    Ok(Some(text.0))
}

fn required(field: &str, raw: Option<&RawValue>) -> Result<String> {
    let text = string(field, raw)?.ok_or_else(|| invalid(format!("{field}: missing")))?;
    if text.trim().is_empty() {
        Err(invalid(format!("{field}: empty")))
    } else {
        Ok(text.into_owned())
    }
}

fn list<'a>(field: &str, raw: Option<&'a RawValue>) -> Result<Vec<&'a RawValue>> {
    raw.map_or(Ok(Vec::new()), |raw| {
        serde_json::from_str(raw.get()).map_err(|_| invalid(format!("{field}: not an array")))
    })
}

fn checks(raw: Option<&RawValue>) -> Result<Vec<Check>> {
    // The text of what is no check for a machine stays as it was written.
    let read = |raw: &RawValue| match serde_json::from_str::<Value>(raw.get()).map(Check::from) {
        Ok(Check::Other(_)) | Err(_) => Check::Other(raw.get().to_owned()),
        Ok(check) => check,
    };
    Ok(list("checks", raw)?.into_iter().map(read).collect())
}

fn attachments(raw: Option<&RawValue>) -> Result<(Vec<Attachment>, BTreeMap<String, String>)> {
    let mut all: Vec<Attachment> = Vec::new();
    let mut places = Places::default();
    let mut digests = BTreeMap::new();
    for (n, raw) in list("attachments", raw)?.into_iter().enumerate() {
        let not_one = |why: String| {
            invalid(format!(
                "attachments[{n}]: not an object with name and url: {why}"
            ))
        };
        if let Some(kind) = not_an_object(raw.get().as_bytes()) {
            return Err(not_one(kind.to_owned()));
        }
        let fields: AttachmentFields<'_> =
            serde_json::from_str(raw.get()).map_err(|e| not_one(e.to_string()))?;
        let name = required(&format!("attachments[{n}].name"), fields.name)?;
        let name =
            RelPath::name(&name).map_err(|why| invalid(format!("attachments[{n}].name: {why}")))?;
        places.take(&name, n).map_err(|clash| {
            let how = if clash.same {
                "is the same as"
            } else {
                "cannot be a file and a folder at once with"
            };
            invalid(format!(
                "attachments[{n}].name: {:?} {how} attachments[{}].name",
                name.as_str(),
                clash.with
            ))
        })?;
        let field = format!("attachments[{n}].url");
        let url =
            string(&field, fields.url)?.ok_or_else(|| invalid(format!("{field}: missing")))?;
        let (media_type, source, digest) = source(&field, &url)?;
        digests.insert(name.to_string(), digest);
        all.push(Attachment {
            name,
            media_type,
            source,
        });
    }
    Ok((all, digests))
}

fn source(field: &str, url: &str) -> Result<(String, Source, String)> {
    let scheme = url
        .trim_start()
        .split(':')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    match scheme.as_str() {
        "data" => {
            let (media_type, bytes) =
                data_uri::read(url).map_err(|why| invalid(format!("{field}: {why}")))?;
            let digest = short_digest(&bytes);
            Ok((media_type, Source::Bytes(bytes), digest))
        }
        "https" => {
            let url = Url::parse(url.trim()).map_err(|why| invalid(format!("{field}: {why}")))?;
            let digest = short_digest(url.as_str().as_bytes());
            Ok((String::new(), Source::Https(url), digest))
        }
        _ => Err(invalid(format!("{field}: not a data: or https: URL"))),
    }
}

#[cfg(test)]
mod tests;
