//! An address that requests go to, and lists of hosts that the user allows.

use ureq::http::Uri;

use super::is_loopback;

/// A URL to talk to, `http` or `https`, with a host and without a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    text: String,
    pub https: bool,
    pub host: String,
    /// Host and port as written.
    pub authority: String,
    port: Option<u16>,
}

impl Url {
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let uri: Uri = text
            .parse()
            .map_err(|_| "not an http or https URL".to_owned())?;
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err("not an http or https URL".to_owned()),
        };
        let (Some(authority), Some(host)) = (uri.authority(), uri.host().filter(|h| !h.is_empty()))
        else {
            return Err("not an http or https URL".to_owned());
        };
        if authority.as_str().contains('@') {
            return Err("must not carry a user or password".to_owned());
        }
        // Whoever looks the name up could undo an escape that we do not.
        if host.contains('%') && !host.starts_with('[') {
            return Err("has an escape in its host".to_owned());
        }
        let port = authority.as_str()[host.len()..].trim_start_matches(':');
        let port = match port {
            "" => None,
            port => Some(
                port.parse()
                    .map_err(|_| "has a port that is none".to_owned())?,
            ),
        };
        let (host, authority) = (
            host.to_ascii_lowercase(),
            authority.as_str().to_ascii_lowercase(),
        );
        Ok(Self {
            text: text.to_owned(),
            https,
            host,
            authority,
            port,
        })
    }

    /// As [`Url::parse`], for hosts that are sent a token: https, or this machine.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse_safe(text: &str) -> Result<Self, String> {
        let url = Self::parse(text)?;
        if url.https || is_loopback(&url.host) {
            Ok(url)
        } else {
            Err("plain http is only allowed to this machine; use https".to_owned())
        }
    }

    /// As written, or the scheme's own.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(if self.https { 443 } else { 80 })
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Where a redirect leads from here: a `Location` may be relative (RFC 3986, 5.2). Whether to go there is for the caller to say.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn join(&self, location: &str) -> Result<Self, String> {
        let scheme = if self.https { "https" } else { "http" };
        let named = |scheme: &str| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        };
        let before = |marks: &[char]| self.text.split(marks).next().unwrap_or_default().to_owned();
        let bare = before(&['?', '#']);
        let path = bare.splitn(4, '/').nth(3).unwrap_or_default();
        let origin = format!("{scheme}://{}", self.authority);
        let text = match location {
            "" => return Err("no address".to_owned()),
            l if l.split_once(':').is_some_and(|(scheme, _)| named(scheme)) => l.to_owned(),
            l if l.starts_with("//") => format!("{scheme}:{l}"),
            l if l.starts_with('/') => format!("{origin}{l}"),
            l if l.starts_with('?') => format!("{origin}/{path}{l}"),
            l if l.starts_with('#') => before(&['#']),
            l => format!("{origin}/{}", beside(path, l)),
        };
        Self::parse(&text)
    }
}

/// Hosts that the user allows, with any port or with one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts(Vec<(String, Option<u16>)>);

impl Hosts {
    /// Of a comma list of `host` and `host:port`.
    ///
    /// # Errors
    /// Says which entry is none, or that there is none at all.
    pub fn parse(list: &str) -> Result<Self, String> {
        let entries = list.split(',').map(str::trim).filter(|e| !e.is_empty());
        let hosts: Vec<_> = entries.map(host_and_port).collect::<Result<_, _>>()?;
        if hosts.is_empty() {
            return Err("names no host".to_owned());
        }
        Ok(Self(hosts))
    }

    /// Whether the list names the host of this URL. Names are compared as they are written: `127.1` is not `127.0.0.1`.
    #[must_use]
    pub fn contains(&self, url: &Url) -> bool {
        self.0.iter().any(|(host, port)| {
            host.trim_end_matches('.') == url.host.trim_end_matches('.')
                && port.is_none_or(|p| p == url.port())
        })
    }
}

fn host_and_port(entry: &str) -> Result<(String, Option<u16>), String> {
    let bare_ipv6 = entry.parse::<std::net::Ipv6Addr>().is_ok();
    let text = if bare_ipv6 {
        format!("https://[{entry}]")
    } else {
        format!("https://{entry}")
    };
    Url::parse(&text)
        .ok()
        .filter(|url| url.authority.len() + "https://".len() == text.len())
        .map(|url| (url.host, url.port))
        .ok_or_else(|| format!("{entry:?} is not a host or host:port"))
}

/// A path relative to another one: the last part of `path` is the file in whose place `location` stands.
fn beside(path: &str, location: &str) -> String {
    let (there, query) = location.split_at(location.find(['?', '#']).unwrap_or(location.len()));
    let mut parts: Vec<&str> = path
        .rsplit_once('/')
        .map(|(folder, _)| folder.split('/').collect())
        .unwrap_or_default();
    for part in there.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    if there.ends_with("/..") || matches!(there, "." | "..") || there.ends_with("/.") {
        parts.push("");
    }
    format!("{}{query}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        assert!(
            Url::parse("https://api.github.com").is_ok()
                && Url::parse("http://a.example/x?y").is_ok()
        );
        for bad in [
            "",
            "ftp://a",
            "a.example",
            "https://",
            "file:///etc/passwd",
            "http:///x",
            "https://u:p@h/",
            "https://h:99999/",
            "https://h:x/",
            "https://%31%32%37.0.0.1/",
            "/path",
        ] {
            assert!(Url::parse(bad).is_err(), "{bad}");
        }
        assert!(
            Url::parse_safe("http://127.0.0.1:80/").is_ok()
                && Url::parse_safe("http://api.example/").is_err()
        );
    }

    #[test]
    fn lists_of_hosts() {
        let hosts = Hosts::parse("a.example, B.example:8443,,::1,[2001:db8::1]:80").unwrap();
        for (url, listed) in [
            ("https://a.example/x", true),
            ("http://A.EXAMPLE.:81/", true),
            ("https://b.example:8443/", true),
            ("https://b.example/", false),
            ("http://[::1]:7/", true),
            ("http://[2001:db8::1]/", true),
            ("https://[2001:db8::1]/", false),
            ("https://x.a.example/", false),
            ("https://a.example.evil.example/", false),
        ] {
            assert_eq!(hosts.contains(&Url::parse(url).unwrap()), listed, "{url}");
        }
        for bad in [
            "",
            " , ",
            "https://a.example",
            "a.example/x",
            "u@a.example",
            "a:b",
            "a b",
        ] {
            assert!(Hosts::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn where_a_redirect_leads() {
        let at = Url::parse("https://x.example/a/b/data.json?y=2").unwrap();
        for (location, url) in [
            ("data2.json", "https://x.example/a/b/data2.json"),
            ("?x=1", "https://x.example/a/b/data.json?x=1"),
            ("./c.json?z=a/..", "https://x.example/a/b/c.json?z=a/.."),
            ("../c.json", "https://x.example/a/c.json"),
            ("../../../c.json", "https://x.example/c.json"),
            ("c/d:e", "https://x.example/a/b/c/d:e"),
            ("..", "https://x.example/a/"),
            ("#part", "https://x.example/a/b/data.json?y=2"),
            ("/c", "https://x.example/c"),
            ("//y.example/c", "https://y.example/c"),
            ("http://y.example/c", "http://y.example/c"),
        ] {
            assert_eq!(at.join(location).unwrap().as_str(), url, "{location}");
        }
        assert_eq!(
            Url::parse("https://x.example")
                .unwrap()
                .join("c")
                .unwrap()
                .as_str(),
            "https://x.example/c"
        );
        assert!(at.join("").is_err() && at.join("mailto:a@b.example").is_err());
    }
}
