//! The environment and the file behind it, and how far each is trusted. `.env` in the working directory may have come with a
//! checkout: it may carry secrets and harmless choices, but it may not say where the user's own secrets go or what is run.

use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

use crate::disk::{self, Links};
use crate::error::{Code, Error, OrCode, Result};
use crate::journal::files;
use crate::ports::http::Hosts;
use crate::request::task::Admission;
use crate::secret::Secret;

/// The most bytes of a file of settings.
const LIMIT: u64 = 1 << 20;
/// The most lines of one value.
const LONGEST_VALUE: usize = 200;

/// Where a setting stands, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    WorkingDirectory,
    /// The environment, `--env-file`, or what an earlier process has handed over.
    Environment,
}

/// What `.env` in the working directory may do with a setting.
enum Rule {
    Secret,
    Harmless,
    /// An address: only where the first of these secrets that is set does not come from a stronger place.
    Address(&'static [&'static str]),
    /// It names a program, a directory, a proxy, certificates or allowed hosts.
    Never,
}

const TOKEN: &[&str] = &["GH_TOKEN", "GITHUB_TOKEN"];
const KEY: &[&str] = &["OPENAI_API_KEY"];

/// Every setting there is.
const SETTINGS: [(&str, Rule); 33] = [
    ("LLMDEPLOY_SECRET", Rule::Secret),
    ("secret", Rule::Secret),
    ("GH_TOKEN", Rule::Secret),
    ("GITHUB_TOKEN", Rule::Secret),
    ("OPENAI_API_KEY", Rule::Secret),
    ("GITHUB_OWNER", Rule::Harmless),
    ("OPENAI_MODEL", Rule::Harmless),
    ("REQUIRE_GITHUB_TOKEN_ON_STARTUP", Rule::Harmless),
    ("LLMDEPLOY_RETRY_BASE_MS", Rule::Harmless),
    ("LLMDEPLOY_POLL_MS", Rule::Harmless),
    ("LLMDEPLOY_TIMEOUT_MS", Rule::Harmless),
    ("LLMDEPLOY_MODEL_TIMEOUT_MS", Rule::Harmless),
    ("LLMDEPLOY_MODEL_IDLE_MS", Rule::Harmless),
    ("GITHUB_API_URL", Rule::Address(TOKEN)),
    ("OPENAI_BASE_URL", Rule::Address(KEY)),
    ("OPENAI_FALLBACK_MODELS", Rule::Address(KEY)),
    ("LLMDEPLOY_BROWSER", Rule::Never),
    ("LLMDEPLOY_STATE_DIR", Rule::Never),
    ("XDG_STATE_HOME", Rule::Never),
    ("HOME", Rule::Never),
    ("USERPROFILE", Rule::Never),
    ("SSL_CERT_FILE", Rule::Never),
    ("SSL_CERT_DIR", Rule::Never),
    ("LLMDEPLOY_NOTIFY_HOSTS", Rule::Never),
    ("LLMDEPLOY_FETCH_HOSTS", Rule::Never),
    ("http_proxy", Rule::Never),
    ("HTTP_PROXY", Rule::Never),
    ("https_proxy", Rule::Never),
    ("HTTPS_PROXY", Rule::Never),
    ("all_proxy", Rule::Never),
    ("ALL_PROXY", Rule::Never),
    ("no_proxy", Rule::Never),
    ("NO_PROXY", Rule::Never),
];

/// A variable of a file.
struct Variable {
    line: usize,
    name: String,
    value: String,
    /// Its value is made from another variable's, such as `$NAME` of the environment.
    borrowed: bool,
}

/// The environment, with a file behind it. An empty variable counts as unset.
pub struct Environment {
    /// Of `--env-file`, or handed over by an earlier process: as good as the environment.
    given: HashMap<String, String>,
    /// Of `.env` in the working directory, with their lines.
    found: HashMap<String, (usize, String)>,
}

impl Environment {
    /// Reads `--env-file`, or `.env` in the working directory if there is one.
    ///
    /// # Errors
    /// `config` for a file that does not read, or that sets what it may not. What it holds is not shown: it is made of secrets.
    pub fn read(file: Option<&Path>) -> Result<Self> {
        let mut env = Self {
            given: HashMap::new(),
            found: HashMap::new(),
        };
        if let Some(file) = file {
            let text = text(file, Links::Follow)?.ok_or_else(|| {
                Error::new(
                    Code::Config,
                    format!("--env-file: there is no {}", file.display()),
                )
            })?;
            env.given = variables(file, &text)?
                .into_iter()
                .map(|v| (v.name, v.value))
                .collect();
            return Ok(env);
        }
        let path = Path::new(".env");
        let Some(text) = text(path, Links::Refuse)? else {
            return Ok(env);
        };
        let all = variables(path, &text)?;
        for Variable {
            line, name, value, ..
        } in &all
        {
            let rule = SETTINGS.iter().find(|(n, _)| n == name);
            if !value.trim().is_empty() && matches!(rule, Some((_, Rule::Never))) {
                return Err(refused(
                    *line,
                    name,
                    "may not be set by a file that happens to lie in the working directory",
                ));
            }
        }
        for v in &all {
            let ours = SETTINGS.iter().any(|(name, _)| *name == v.name);
            if v.borrowed && ours {
                return Err(refused(
                    v.line,
                    &v.name,
                    "takes the value of another variable, which could be a secret of the environment",
                ));
            }
            // A name that a list of ours mentions must not lend a secret of the environment either.
            if !v.borrowed {
                env.found.insert(v.name.clone(), (v.line, v.value.clone()));
            }
        }
        env.check_addresses()?;
        Ok(env)
    }

    /// With variables that an earlier process has handed over; they stand for its environment.
    ///
    /// # Errors
    /// `config`: `.env` has changed since, and names an address for one of them.
    pub fn with(mut self, handed: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        self.given.extend(handed);
        self.check_addresses()?;
        Ok(self)
    }

    /// No secret goes to an address of a weaker place than its own.
    fn check_addresses(&self) -> Result<()> {
        for (name, rule) in &SETTINGS {
            if let Rule::Address(secrets) = rule
                && let Some((value, Place::WorkingDirectory)) = self.located(&[name])
                // Mere names of models lead nowhere, and a server with a key of its own gets that one.
                && (*name != "OPENAI_FALLBACK_MODELS" || leads_away(&value))
                && let Some((_, Place::Environment)) = self.located(secrets)
            {
                let line = self.found.get(*name).map_or(0, |(line, _)| *line);
                return Err(refused(
                    line,
                    name,
                    &format!(
                        "would send the {} of the environment to an address that this file names",
                        secrets.join(" or ")
                    ),
                ));
            }
        }
        Ok(())
    }

    /// The secrets of this process's environment, by the names of their variables. No child may see them.
    #[must_use]
    pub fn secrets(&self) -> BTreeMap<String, Option<String>> {
        let list = self.list("OPENAI_FALLBACK_MODELS").unwrap_or_default();
        let fallbacks = list
            .iter()
            .filter_map(|model| Some(model.split_once('#')?.1.trim()))
            .filter(|name| is_variable(name));
        SETTINGS
            .iter()
            .filter(|(_, rule)| matches!(rule, Rule::Secret))
            .map(|(name, _)| *name)
            .chain(fallbacks)
            .map(|name| (name.to_owned(), std::env::var(name).ok()))
            .collect()
    }

    /// Which settings `.env` in the working directory gives, for the user to see; names only.
    pub(super) fn note(&self) -> Option<String> {
        let names: Vec<_> = SETTINGS
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| matches!(self.located(&[name]), Some((_, Place::WorkingDirectory))))
            .collect();
        (!names.is_empty()).then(|| format!(".env was read; it sets {}", names.join(", ")))
    }

    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.located(&[name]).map(|(value, _)| value)
    }

    /// The first of these that is set in the strongest place, and which place that is.
    pub(super) fn located(&self, names: &[&str]) -> Option<(String, Place)> {
        let first = |place, value: &dyn Fn(&str) -> Option<String>| {
            names
                .iter()
                .find_map(|name| value(name).filter(|v| !v.trim().is_empty()))
                .map(|value| (value, place))
        };
        first(Place::Environment, &|name| std::env::var(name).ok())
            .or_else(|| first(Place::Environment, &|name| self.given.get(name).cloned()))
            .or_else(|| {
                first(Place::WorkingDirectory, &|name| {
                    self.found.get(name).map(|(_, value)| value.clone())
                })
            })
    }

    /// The key that `OPENAI_FALLBACK_MODELS` names for one of its servers.
    ///
    /// # Errors
    /// Says why there is none, or why it may not go there.
    pub(super) fn fallback_key(&self, name: &str) -> std::result::Result<Secret, String> {
        let unset = || format!("names the variable {name:?} for its key, which is not set");
        let list = "OPENAI_FALLBACK_MODELS";
        let (value, place) = Some(name)
            .filter(|name| is_variable(name))
            .and_then(|name| self.located(&[name]))
            .ok_or_else(unset)?;
        if let Some((_, Place::WorkingDirectory)) = self.located(&[list])
            && place == Place::Environment
        {
            let line = self.found.get(list).map_or(0, |(line, _)| *line);
            return Err(format!(
                "(.env, line {line}) would send {name} of the environment to an address that this file names"
            ));
        }
        Secret::new(value.trim()).ok_or_else(unset)
    }

    /// A token: what a file or a copy has added around it is taken off.
    pub(super) fn token(&self, names: &[&str]) -> Option<Secret> {
        self.located(names).and_then(|(v, _)| Secret::new(v.trim()))
    }

    pub(super) fn list(&self, name: &str) -> Option<Vec<String>> {
        self.get(name).map(|v| {
            v.split(',')
                .map(str::trim)
                .filter(|h| !h.is_empty())
                .map(ToOwned::to_owned)
                .collect()
        })
    }

    pub(super) fn milliseconds(&self, name: &str, default: u64) -> Result<Duration> {
        let Some(value) = self.get(name) else {
            return Ok(Duration::from_millis(default));
        };
        let number = value
            .trim()
            .parse()
            .ok()
            .filter(|n| (1..=3_600_000).contains(n));
        number.map(Duration::from_millis).ok_or_else(|| {
            Error::new(
                Code::Config,
                format!("{name}: {value:?} is not a number of milliseconds"),
            )
            .hint(format!("e.g. {name}={default}"))
        })
    }

    /// Hosts that are allowed. A list that is there and empty is not taken for none: it would allow what it was meant to forbid.
    pub(super) fn hosts(&self, name: &str) -> Result<Option<Hosts>> {
        let value = std::env::var_os(name)
            .map(|value| value.to_string_lossy().into_owned())
            .or_else(|| self.given.get(name).cloned());
        value
            .map(|list| Hosts::parse(&list))
            .transpose()
            .map_err(|why| {
                Error::new(Code::Config, format!("{name}: {why}")).hint(format!(
                    "e.g. {name}=evaluator.example,127.0.0.1:8080, or unset it"
                ))
            })
    }

    /// Who may send tasks.
    ///
    /// # Errors
    /// `config`: a list of hosts that is none.
    pub fn admission(&self) -> Result<Admission> {
        // The secret is compared as it is: white space may be part of it.
        let secret = self.located(&["LLMDEPLOY_SECRET", "secret"]);
        Ok(Admission {
            secret: secret.and_then(|(s, _)| Secret::new(&s)),
            notify_hosts: self.hosts("LLMDEPLOY_NOTIFY_HOSTS")?,
        })
    }

    /// Where runs are kept; absolute. It need not be there, and where it is, it is the user's own.
    ///
    /// # Errors
    /// `config`: no home. `state`: somebody else can write there.
    pub fn state_dir(&self, flag: Option<&PathBuf>) -> Result<PathBuf> {
        let given = flag
            .cloned()
            .or_else(|| self.get("LLMDEPLOY_STATE_DIR").map(PathBuf::from));
        // The XDG specification: a relative path is invalid and to be ignored.
        let xdg = || {
            self.get("XDG_STATE_HOME")
                .map(PathBuf::from)
                .filter(|p| p.is_absolute())
                .map(|p| p.join("llmdeploy"))
        };
        let home = || {
            self.get("HOME")
                .or_else(|| self.get("USERPROFILE"))
                .map(|h| Path::new(&h).join(".local/state/llmdeploy"))
        };
        let dir = given.or_else(xdg).or_else(home).ok_or_else(|| {
            Error::new(Code::Config, "no state directory: HOME is not set")
                .hint("use --state-dir DIR or LLMDEPLOY_STATE_DIR")
        })?;
        let dir = std::path::absolute(&dir)
            .with_context(|| format!("the state directory {}", dir.display()))
            .or_code(Code::Config)?;
        files::require_own(&dir)?;
        Ok(dir)
    }
}

/// Whether the environment can be asked for a variable of that name.
fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Whether a list of fallback models names a server that the home server's key could be meant for.
fn leads_away(list: &str) -> bool {
    list.split(',')
        .any(|m| m.contains("@http") && !m.contains('#'))
}

fn refused(line: usize, name: &str, why: &str) -> Error {
    Error::new(Code::Config, format!(".env, line {line}: {name} {why}")).hint(format!(
        "if you trust it, set {name} in the environment, or name the file: --env-file .env"
    ))
}

/// `None` if there is no such file.
fn text(path: &Path, links: Links) -> Result<Option<String>> {
    let wrong = |why: String| {
        Error::new(Code::Config, format!("{}: {why}", path.display()))
            .hint("move it away, or name the settings' file: --env-file FILE")
    };
    let bytes = match disk::read(path, links, LIMIT) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(wrong(e.to_string())),
    };
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8 text".to_owned()))?;
    Ok(Some(
        text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned(),
    ))
}

/// What a file sets, line by line.
fn variables(path: &Path, text: &str) -> Result<Vec<Variable>> {
    // `$` is hidden in a second reading, which so takes nothing from other variables.
    let hidden = text.replace("\\$", "\u{2}").replace('$', "\u{1}");
    let lines: Vec<&str> = hidden.split_inclusive('\n').collect();
    let mut literal = Vec::new();
    let mut at = 0;
    let mut stuck = None;
    while at < lines.len() {
        let ends = (at + 1..=lines.len()).take(LONGEST_VALUE);
        let mut chunk = String::new();
        let mut read = None;
        for end in ends {
            chunk.push_str(lines[end - 1]);
            let pairs: std::result::Result<Vec<_>, _> =
                dotenvy::from_read_iter(chunk.as_bytes()).collect();
            if let Ok(pairs) = pairs {
                read = Some((end, pairs));
                break;
            }
            // Only a quote that is still open goes on in the next line.
            if !chunk.contains(['"', '\'']) {
                break;
            }
        }
        let Some((end, pairs)) = read else {
            stuck = Some(at + 1);
            break;
        };
        literal.extend(pairs.into_iter().map(|(_, value)| (at + 1, value)));
        at = end;
    }
    let broken = |line: usize| {
        Error::new(
            Code::Config,
            format!("{}, line {line}: it does not read", path.display()),
        )
        .hint("a line is NAME=value; quote a value with spaces, quotes or $ in single quotes")
    };
    if let Some(line) = stuck {
        return Err(broken(line));
    }
    let mut all = Vec::new();
    for (pair, (line, literal)) in dotenvy::from_read_iter(text.as_bytes()).zip(literal) {
        let (name, value) = pair.map_err(|_| broken(line))?;
        let plain = literal.replace('\u{1}', "$");
        all.push(Variable {
            line,
            name,
            borrowed: value != plain.replace('\u{2}', "$")
                && value != plain.replace('\u{2}', "\\$"),
            value,
        });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(usize, String, String, bool)>> {
        let all = variables(Path::new("x.env"), text)?;
        Ok(all
            .into_iter()
            .map(|v| (v.line, v.name, v.value, v.borrowed))
            .collect())
    }

    #[test]
    fn lines_are_counted_and_loans_are_seen() {
        let all =
            read("# one\n\nA=1\nexport B='x\ny $HOME'\nC=\"\\$5\"\nD=$HOME\nE=${A}\nF='\\$'\n")
                .unwrap();
        let home = std::env::var("HOME").unwrap_or_default();
        let expected = [
            (3, "A", "1", false),
            (4, "B", "x\ny $HOME", false),
            (6, "C", "$5", false),
            (7, "D", home.as_str(), true),
            (8, "E", "1", true),
            (9, "F", "\\$", false),
        ];
        let expected = expected.map(|(l, n, v, b)| (l, n.to_owned(), v.to_owned(), b));
        assert_eq!(all, expected);
    }

    #[test]
    fn a_line_that_does_not_read_is_named() {
        for (text, line) in [
            ("A=1\nB\n", 2),
            ("# a\n\nA='1\n2'\nthis is 'no line\n", 5),
            ("A=\"open\nB=1\nC=2\n", 1),
            ("A=1\r\nB=two words\r\n", 2),
        ] {
            let error = read(text).unwrap_err();
            assert!(
                error.to_string().contains(&format!("line {line}:")),
                "{text:?}: {error}"
            );
        }
    }
}
