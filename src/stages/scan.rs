//! The last look before a commit: no secret may become public. Our own secrets are searched for in every common encoding,
//! other people's by the shapes that their issuers gave them.

use std::collections::BTreeMap;

use memchr::memmem;

use crate::error::{Code, Error, Result};
use crate::secret::Secret;
use crate::values::{RelPath, sha256_hex};

/// What to look for, beside the known shapes.
#[derive(Clone, Default)]
pub struct Options {
    /// Our own: tokens, keys, the shared secret.
    pub own: Vec<(&'static str, Secret)>,
    /// SHA-256 (hex) of values that may be published (`--allow-secret`).
    pub allowed: Vec<String>,
}

/// Tokens as their issuers shape them: a beginning, then at least so many of these characters.
/// Sources: the issuers' documents and GitHub's list of supported secret scanning patterns.
struct Shape {
    name: &'static str,
    prefix: &'static str,
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

const SHAPES: [Shape; 38] = [
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

/// Refuses files, and texts that become public beside them, that hold a secret. A text comes with what it is called.
///
/// # Errors
/// `secret_found`, with file, line and the masked value.
pub fn require_clean(
    files: &BTreeMap<RelPath, &[u8]>,
    texts: &[(&str, &str)],
    options: &Options,
) -> Result<()> {
    let needles: Vec<(&str, Vec<u8>)> = options
        .own
        .iter()
        .flat_map(|(name, secret)| secret.spellings().into_iter().map(move |e| (*name, e)))
        .collect();
    let names: String = files.keys().map(|p| format!("{p}\n")).collect();
    let texts = texts
        .iter()
        .copied()
        .chain([("a file's name", names.as_str())])
        .map(|(name, text)| (name, text.as_bytes()));
    let places = files
        .iter()
        .map(|(path, bytes)| (path.as_str(), *bytes))
        .chain(texts);
    for (place, bytes) in places {
        for (name, needle) in &needles {
            if let Some(at) = memmem::find(bytes, needle) {
                let message = format!("{place}:{}: holds {name} (redacted)", line(bytes, at));
                return Err(Error::new(Code::SecretFound, message)
                    .hint("take it out of the task; nothing was pushed"));
            }
        }
        if let Some(found) = known_shape(bytes, options) {
            let message = format!(
                "{place}:{}: looks like a {}: {}",
                line(bytes, found.at),
                found.name,
                masked(found.value)
            );
            let digest = sha256_hex(found.value);
            return Err(Error::new(Code::SecretFound, message).hint(format!(
                "take it out; nothing was pushed. If it may be public: --allow-secret {digest}"
            )));
        }
    }
    Ok(())
}

struct Found<'a> {
    name: &'static str,
    at: usize,
    value: &'a [u8],
}

fn known_shape<'a>(bytes: &'a [u8], options: &Options) -> Option<Found<'a>> {
    let allowed = |value: &[u8]| {
        !options.allowed.is_empty()
            && options
                .allowed
                .iter()
                .any(|a| a.eq_ignore_ascii_case(&sha256_hex(value)))
    };
    for Shape {
        name,
        prefix,
        tail,
        min,
    } in &SHAPES
    {
        for at in memmem::find_iter(bytes, prefix) {
            let start = at + prefix.len();
            let length = bytes[start..].iter().take_while(|b| tail(**b)).count();
            // In the middle of a longer word it is chance: base64 holds every short sequence somewhere.
            let inside = at
                .checked_sub(1)
                .and_then(|n| bytes.get(n))
                .is_some_and(|b| alnum(*b) || matches!(b, b'_' | b'+'));
            let value = &bytes[at..start + length];
            if length >= *min && !inside && !allowed(value) {
                return Some(Found { name, at, value });
            }
        }
    }
    private_key(bytes).filter(|found| !allowed(found.value))
}

/// `-----BEGIN … PRIVATE KEY-----`, whatever kind, with a body.
fn private_key(bytes: &[u8]) -> Option<Found<'_>> {
    memmem::find_iter(bytes, b"-----BEGIN ").find_map(|at| {
        let header = bytes.get(at..(at + 80).min(bytes.len()))?;
        let end = at + memmem::find(header, b"PRIVATE KEY")?;
        let gap = bytes.get(at + 11..end)?;
        gap.iter()
            .all(|b| b.is_ascii_uppercase() || matches!(b, b' ' | b'0'..=b'9'))
            .then_some(())?;
        let close = memmem::find(bytes.get(end..)?, b"-----END").map_or(bytes.len(), |n| end + n);
        Some(Found {
            name: "private key",
            at,
            value: bytes.get(at..close)?,
        })
    })
}

fn line(bytes: &[u8], at: usize) -> usize {
    memchr::memchr_iter(b'\n', bytes.get(..at).unwrap_or_default()).count() + 1
}

/// Enough to recognise the kind, not enough to use it.
fn masked(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    let shown: String = text.chars().take(4).collect();
    format!("{shown}… ({} characters)", text.chars().count())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

    use super::*;
    use crate::values::hex;

    fn scan(text: &[u8], options: &Options) -> Result<()> {
        let path = RelPath::parse("a/b.txt").unwrap();
        require_clean(&[(path, text)].into(), &[], options)
    }

    fn own(secret: &str) -> Options {
        Options {
            own: vec![("the shared secret", Secret::new(secret).unwrap())],
            allowed: vec![],
        }
    }

    #[test]
    fn own_secrets_in_every_encoding() {
        let secret = "S3cret/P+ss&w\"rd";
        let percent: String = secret.bytes().map(|b| format!("%{b:02x}")).collect();
        let mut texts = vec![
            secret.to_owned(),
            secret.chars().rev().collect(),
            hex(secret.as_bytes()),
            hex(secret.as_bytes()).to_uppercase(),
            percent,
            "S3cret%2FP%2Bss%26w%22rd".to_owned(),
            "S3cret%2fP%2bss%26w%22rd".to_owned(),
            serde_json::to_string(secret).unwrap(),
            "S3cret/P+ss&amp;w&quot;rd".to_owned(),
        ];
        for around in ["", "x", "xy", "xyz"] {
            texts.push(STANDARD_NO_PAD.encode(format!("{around}{secret}{around}")));
            texts.push(URL_SAFE_NO_PAD.encode(format!("{around}{secret}{around}")));
        }
        for text in texts {
            let error =
                scan(format!("one\ntwo {text} three").as_bytes(), &own(secret)).unwrap_err();
            assert!(
                error.code == Code::SecretFound && error.one_line().contains("a/b.txt:2"),
                "{text}: {error}"
            );
            assert!(!error.one_line().contains(secret) && !error.hint.unwrap().contains(secret));
        }
        let wide: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(scan(&wide, &own(secret)).is_err());
        assert!(scan(b"nothing of that kind", &own(secret)).is_ok());
        assert!(scan(b"a short secret is no needle", &own("short")).is_ok());
    }

    #[test]
    fn known_shapes() {
        for (prefix, tail) in [
            ("ghp_", 36),
            ("github_pat_", 60),
            ("sk-", 48),
            ("sk-ant-", 40),
            ("AKIA", 16),
            ("AIza", 35),
            ("xoxb-", 24),
            ("npm_", 36),
            ("hf_", 34),
        ] {
            let token = format!("{prefix}{}", "A1".repeat(tail)[..tail].to_owned());
            let error = scan(
                format!("x\n\nkey='{token}'").as_bytes(),
                &Options::default(),
            )
            .unwrap_err();
            assert!(
                error.one_line().contains(":3:") && !error.one_line().contains(&token),
                "{error}"
            );
            let allowed = Options {
                own: vec![],
                allowed: vec![sha256_hex(token.as_bytes())],
            };
            assert!(scan(format!("key='{token}'").as_bytes(), &allowed).is_ok());
            assert!(
                scan(format!("abc{token}").as_bytes(), &Options::default()).is_ok(),
                "inside a word: {prefix}"
            );
            assert!(scan(format!("{prefix}short").as_bytes(), &Options::default()).is_ok());
        }
        for kind in ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "] {
            let key = ["-----BEGIN ", kind, "PRIVATE", " KEY-----\nMIIB\n-----END "].concat();
            assert!(scan(key.as_bytes(), &Options::default()).is_err(), "{kind}");
        }
        assert!(scan(b"-----BEGIN CERTIFICATE-----\nMIIB", &Options::default()).is_ok());
    }
}
