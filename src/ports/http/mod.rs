//! HTTP, one request at a time: with time-outs, without following redirects, with a limit on what is read, and the status
//! as a value. What is worth a second try is decided by the callers, by the numbers in `retry`.

mod url;

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use ureq::http::Uri;
use ureq::tls::{PemItem, RootCerts, TlsConfig};
use ureq::unversioned::transport::DefaultConnector;

use super::address::{PrivateAddress, PublicOnly, is_local_host, resolves_to_private};
pub use url::{Hosts, Url};

use crate::progress::Progress;

/// Sent with every request; GitHub refuses one without, others like to know whom to write to.
pub const USER_AGENT: &str = concat!("llmdeploy/", env!("CARGO_PKG_VERSION"));

/// What an API answer may weigh. Everything we ask for is a few kilobytes.
pub const ANSWER_LIMIT: u64 = 8 << 20;

pub struct Http {
    through_proxy: ureq::Agent,
    direct: ureq::Agent,
    /// Connects to public addresses only.
    public: ureq::Agent,
    proxy: Option<ureq::Proxy>,
    progress: Arc<dyn Progress>,
}

/// Which addresses a request may be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    Anywhere,
    /// Never a private, loopback or link-local one, by whatever name.
    PublicOnly,
}

pub struct Request<'a> {
    pub method: &'a str,
    pub url: &'a str,
    pub headers: &'a [(&'a str, &'a str)],
    pub body: Option<&'a [u8]>,
    /// For the whole exchange, the body included.
    pub timeout: Duration,
    /// Bytes of the answer's body; more is an error.
    pub limit: u64,
}

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(k, _)| k.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }

    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// An answer that is still coming.
pub struct Stream {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Box<dyn Read + Send>,
}

impl Stream {
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(k, _)| k.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }
}

/// An answer that is larger than the caller wants to read; asking again will not help.
#[derive(Debug)]
pub struct TooLarge {
    pub limit: u64,
}

impl std::fmt::Display for TooLarge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the answer is larger than {} bytes", self.limit)
    }
}

impl std::error::Error for TooLarge {}

impl Http {
    /// `ca_file`: certificates in PEM to trust instead of the built-in ones (`SSL_CERT_FILE`, as curl, git and Go read it).
    ///
    /// # Errors
    /// The file cannot be read or holds no certificate.
    pub fn new(
        ca_file: Option<&std::path::Path>,
        progress: Arc<dyn Progress>,
    ) -> anyhow::Result<Self> {
        let tls = match ca_file {
            Some(file) => TlsConfig::builder().root_certs(roots(file)?).build(),
            None => TlsConfig::default(),
        };
        let config = |proxy: Option<ureq::Proxy>| {
            ureq::Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .user_agent(USER_AGENT)
                .tls_config(tls.clone())
                .proxy(proxy)
                .timeout_connect(Some(Duration::from_secs(10)))
                // Servers drop idle connections after 5 s (node) and more; a POST on such a one would fail for nothing.
                .max_idle_age(Duration::from_secs(3))
                .build()
        };
        let proxy = ureq::Proxy::try_from_env();
        let public = ureq::Agent::with_parts(
            config(None),
            DefaultConnector::default(),
            PublicOnly::default(),
        );
        Ok(Self {
            through_proxy: config(proxy.clone()).into(),
            direct: config(None).into(),
            public,
            proxy,
            progress,
        })
    }

    /// Makes one request.
    ///
    /// # Errors
    /// No complete answer: not connected, timed out, reset, cut off, larger than the limit.
    pub fn send(&self, request: &Request<'_>) -> anyhow::Result<Response> {
        self.send_within(Reach::Anywhere, request)
    }

    /// As [`Http::send`], to an address within `reach`.
    ///
    /// # Errors
    /// As [`Http::send`], and [`PrivateAddress`].
    pub fn send_within(&self, reach: Reach, request: &Request<'_>) -> anyhow::Result<Response> {
        self.send_by(self.agent_within(reach, request.url)?, request, true)
    }

    /// Makes one request of which only status and headers matter: the body is what has come of it.
    ///
    /// # Errors
    /// No answer: not connected, timed out, reset; [`PrivateAddress`].
    pub fn send_for_status(&self, reach: Reach, request: &Request<'_>) -> anyhow::Result<Response> {
        self.send_by(self.agent_within(reach, request.url)?, request, false)
    }

    /// A proxy looks names up itself, so names that are private here are refused before it is asked.
    fn agent_within(&self, reach: Reach, url: &str) -> anyhow::Result<&ureq::Agent> {
        if reach == Reach::Anywhere {
            return Ok(self.agent(url));
        }
        let failed = || masked(url);
        let uri: Uri = url.parse().with_context(failed)?;
        if uri.host().is_none_or(is_local_host) {
            return Err(PrivateAddress).with_context(failed);
        }
        match &self.proxy {
            Some(proxy) if !proxy.is_no_proxy(&uri) => {
                if uri.host().is_none_or(resolves_to_private) {
                    return Err(PrivateAddress).with_context(failed);
                }
                Ok(&self.through_proxy)
            }
            _ => Ok(&self.public),
        }
    }

    /// A request to this machine, with what it carries, must not make a detour over somebody else's.
    fn agent(&self, url: &str) -> &ureq::Agent {
        let local = url
            .parse::<Uri>()
            .is_ok_and(|uri| uri.host().is_some_and(is_loopback));
        if local {
            &self.direct
        } else {
            &self.through_proxy
        }
    }

    fn send_by(
        &self,
        agent: &ureq::Agent,
        request: &Request<'_>,
        whole: bool,
    ) -> anyhow::Result<Response> {
        let started = Instant::now();
        let result = exchange(agent, request, whole);
        let outcome = match &result {
            Ok(r) => r.status.to_string(),
            Err(e) => format!("{e:#}"),
        };
        self.progress.trace(&format!(
            "{} {} → {outcome} ({} ms)",
            request.method,
            masked(request.url),
            started.elapsed().as_millis()
        ));
        result
    }

    /// Makes one request whose answer is read bit by bit as it comes. `idle`: the longest silence, before the answer and in
    /// it. `timeout` and `limit` hold for the whole; reading on after either is an error.
    ///
    /// # Errors
    /// No answer at all.
    pub fn stream(&self, request: &Request<'_>, idle: Duration) -> anyhow::Result<Stream> {
        let started = Instant::now();
        let result = begin(self.agent(request.url), request, Some(idle));
        let outcome = match &result {
            Ok(r) => r.status().as_u16().to_string(),
            Err(e) => format!("{e:#}"),
        };
        self.progress.trace(&format!(
            "{} {} → {outcome} ({} ms)",
            request.method,
            masked(request.url),
            started.elapsed().as_millis()
        ));
        let response = result?;
        let (status, headers) = (response.status().as_u16(), headers(&response));
        Ok(Stream {
            status,
            headers,
            body: Box::new(response.into_body().into_reader().take(request.limit)),
        })
    }
}

fn begin(
    agent: &ureq::Agent,
    request: &Request<'_>,
    idle: Option<Duration>,
) -> anyhow::Result<ureq::http::Response<ureq::Body>> {
    let uri: Uri = request
        .url
        .parse()
        .with_context(|| format!("{:?} is not a URL", masked(request.url)))?;
    let mut builder = ureq::http::Request::builder()
        .method(request.method)
        .uri(uri);
    for (name, value) in request.headers {
        builder = builder.header(*name, *value);
    }
    match request.body {
        Some(body) => run(agent, builder.body(body)?, request.timeout, idle),
        None => run(agent, builder.body(())?, request.timeout, idle),
    }
    .with_context(|| format!("{} {}", request.method, masked(request.url)))
}

fn exchange(agent: &ureq::Agent, request: &Request<'_>, whole: bool) -> anyhow::Result<Response> {
    let failed = || format!("{} {}", request.method, masked(request.url));
    let mut response = begin(agent, request, None)?;
    let headers = headers(&response);
    let mut body = Vec::new();
    let read = response
        .body_mut()
        .as_reader()
        .take(request.limit + 1)
        .read_to_end(&mut body);
    if whole {
        read.with_context(failed)?;
    }
    if whole && body.len() as u64 > request.limit {
        return Err(anyhow::Error::new(TooLarge {
            limit: request.limit,
        })
        .context(failed()));
    }
    Ok(Response {
        status: response.status().as_u16(),
        headers,
        body,
    })
}

fn run<B: ureq::AsSendBody>(
    agent: &ureq::Agent,
    request: ureq::http::Request<B>,
    timeout: Duration,
    idle: Option<Duration>,
) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
    agent.run(
        agent
            .configure_request(request)
            .timeout_global(Some(timeout))
            .timeout_per_read(idle)
            .build(),
    )
}

fn headers(response: &ureq::http::Response<ureq::Body>) -> Vec<(String, String)> {
    response
        .headers()
        .iter()
        .map(|(k, v)| {
            (
                k.to_string(),
                String::from_utf8_lossy(v.as_bytes()).into_owned(),
            )
        })
        .collect()
}

fn roots(file: &std::path::Path) -> anyhow::Result<RootCerts> {
    let pem = std::fs::read(file)
        .with_context(|| format!("reading the certificates in {}", file.display()))?;
    let certificates: Vec<_> = ureq::tls::parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(c)) => Some(c),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        bail!("{} holds no certificate", file.display());
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

/// Whether the host is this machine: `localhost`, 127.0.0.0/8 or `[::1]`.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

/// Scheme, host and path of a URL; what may be confidential (user, query, fragment) is left out.
#[must_use]
pub fn masked(url: &str) -> String {
    let plain = url.split(['?', '#']).next().unwrap_or_default();
    match plain.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
            format!(
                "{scheme}://{}{path}",
                authority.rsplit('@').next().unwrap_or_default()
            )
        }
        None => plain.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback() {
        for host in [
            "localhost",
            "LOCALHOST",
            "127.0.0.1",
            "127.8.9.1",
            "[::1]",
            "::1",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "localhost.example.com",
            "127.0.0.1.example.com",
            "128.0.0.1",
            "0.0.0.0",
            "10.0.0.1",
            "[::2]",
            "",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn masking() {
        assert_eq!(
            masked("https://user:pw@host:1/p?key=1#f"),
            "https://host:1/p"
        );
        assert_eq!(masked("https://host?key=1"), "https://host");
    }
}
