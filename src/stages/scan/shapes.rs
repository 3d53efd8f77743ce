//! Secrets as their issuers shape them: a beginning, then at least so many of certain characters.
//! Sources: the issuers' documents and GitHub's list of supported secret scanning patterns.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use memchr::memmem;
use serde_json::Value;

use super::placeholder::is_placeholder;

pub(super) struct Shape {
    pub(super) name: &'static str,
    pub(super) prefix: &'static str,
    tail: fn(u8) -> bool,
    min: usize,
}

const fn shape(
    name: &'static str,
    prefix: &'static str,
    tail: fn(u8) -> bool,
    min: usize,
) -> Shape {
    Shape {
        name,
        prefix,
        tail,
        min,
    }
}

fn alnum(b: u8) -> bool {
    b.is_ascii_alphanumeric()
}

fn word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')
}

fn dotted(b: u8) -> bool {
    word(b) || b == b'.'
}

fn upper(b: u8) -> bool {
    b.is_ascii_uppercase() || b.is_ascii_digit()
}

fn hexadecimal(b: u8) -> bool {
    b.is_ascii_hexdigit()
}

fn path(b: u8) -> bool {
    alnum(b) || b == b'/'
}

pub(super) const SHAPES: [Shape; 38] = [
    shape("GitHub token", "ghp_", alnum, 36),
    shape("GitHub OAuth token", "gho_", alnum, 36),
    shape("GitHub user token", "ghu_", alnum, 36),
    shape("GitHub server token", "ghs_", dotted, 36),
    shape("GitHub refresh token", "ghr_", alnum, 36),
    shape("GitHub fine-grained token", "github_pat_", word, 22),
    shape("GitLab token", "glpat-", dotted, 20),
    shape("OpenAI key", "sk-proj-", word, 20),
    shape("OpenAI key", "sk-svcacct-", word, 20),
    shape("OpenAI key", "sk-admin-", word, 20),
    shape("Anthropic key", "sk-ant-", word, 20),
    shape("OpenRouter key", "sk-or-v1-", word, 20),
    shape("OpenAI key", "sk-", alnum, 32),
    shape("AWS access key", "AKIA", upper, 16),
    shape("AWS temporary access key", "ASIA", upper, 16),
    shape("Google API key", "AIza", word, 35),
    shape("Google OAuth secret", "GOCSPX-", word, 28),
    shape("Google OAuth token", "ya29.", word, 30),
    shape("Slack bot token", "xoxb-", word, 20),
    shape("Slack user token", "xoxp-", word, 20),
    shape("Slack app token", "xapp-", word, 20),
    shape("Slack token", "xoxa-", word, 20),
    shape("Slack token", "xoxs-", word, 20),
    shape("Slack webhook", "hooks.slack.com/services/", path, 30),
    shape("Stripe key", "sk_live_", alnum, 16),
    shape("Stripe restricted key", "rk_live_", alnum, 16),
    shape("Stripe webhook secret", "whsec_", alnum, 32),
    shape("SendGrid key", "SG.", dotted, 60),
    shape("npm token", "npm_", alnum, 36),
    shape("PyPI token", "pypi-AgE", word, 50),
    shape("Hugging Face token", "hf_", alnum, 30),
    shape("Groq key", "gsk_", alnum, 40),
    shape("xAI key", "xai-", alnum, 60),
    shape("DigitalOcean token", "dop_v1_", hexadecimal, 64),
    shape("Shopify token", "shpat_", hexadecimal, 32),
    shape("Databricks token", "dapi", hexadecimal, 32),
    shape("Linear key", "lin_api_", alnum, 32),
    shape("Age secret key", "AGE-SECRET-KEY-1", upper, 58),
];

impl Shape {
    /// The name and the value that begins at the prefix, if it is one.
    pub(super) fn at<'b>(&self, bytes: &'b [u8], at: usize) -> Option<(&'static str, &'b [u8])> {
        let start = at + self.prefix.len();
        let tail = bytes.get(start..)?;
        let length = tail.iter().take_while(|b| (self.tail)(**b)).count();
        // In the middle of a longer word it is chance: base64 holds every short sequence somewhere.
        let inside = at
            .checked_sub(1)
            .and_then(|n| bytes.get(n))
            .is_some_and(|b| alnum(*b) || matches!(b, b'_' | b'+'));
        let value = bytes.get(at..start + length)?;
        let real = length >= self.min && !inside && !is_placeholder(&tail[..length]);
        real.then_some((self.name, value))
    }
}

/// `-----BEGIN … PRIVATE KEY-----`, whatever kind, with a body.
pub(super) fn private_key(bytes: &[u8], at: usize) -> Option<(&'static str, &[u8])> {
    let header = bytes.get(at..(at + 80).min(bytes.len()))?;
    let end = at + memmem::find(header, b"PRIVATE KEY")?;
    let gap = bytes.get(at + 11..end)?;
    gap.iter()
        .all(|b| b.is_ascii_uppercase() || matches!(b, b' ' | b'0'..=b'9'))
        .then_some(())?;
    let rest = bytes.get(end + 11..)?;
    let close = memmem::find(rest, b"-----END").unwrap_or(rest.len());
    let body: Vec<u8> = rest[..close]
        .iter()
        .copied()
        .filter(|b| alnum(*b))
        .collect();
    // `-----BEGIN PRIVATE KEY-----\n...\n-----END` is how documents show one.
    (!body.is_empty() && !is_placeholder(&body)).then_some(())?;
    Some(("private key", bytes.get(at..end + 11 + close)?))
}

/// A JSON Web Token: three parts in base64 whose first two are JSON, the first with an algorithm (RFC 7519).
pub(super) fn json_web_token(bytes: &[u8], at: usize) -> Option<(&'static str, &[u8])> {
    let inside = at
        .checked_sub(1)
        .and_then(|n| bytes.get(n))
        .is_some_and(|b| dotted(*b));
    let rest = bytes.get(at..)?;
    let length = rest.iter().take_while(|b| dotted(**b)).count();
    let value = rest.get(..length)?;
    let mut parts = value.split(|b| *b == b'.');
    let (head, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
    let json = |part: &[u8]| -> Option<Value> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
    };
    let (head, claims) = (json(head)?, json(claims)?);
    let signed = head["alg"].is_string() && head["alg"] != "none" && signature.len() >= 16;
    // The example of jwt.io and of RFC 7519, and keys that are made to be published.
    let documented =
        claims["name"] == "John Doe" || claims["iss"] == "joe" || claims["role"] == "anon";
    (!inside && signed && claims.is_object() && !documented && !is_placeholder(signature))
        .then_some(("JSON Web Token", value))
}
