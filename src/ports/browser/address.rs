//! Which hosts a page from somebody else may reach: the public ones.

use std::net::IpAddr;

use crate::ports::address::is_public;

/// Whether the host of a URL (a name, an IPv4 address, or an IPv6 address in brackets) is one that no page may reach: this
/// machine, a private network, or a name that only means something in one.
#[must_use]
pub fn is_local_host(host: &str) -> bool {
    let bare = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .trim_end_matches('.')
        .to_ascii_lowercase();
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return !is_public(ip);
    }
    // Names without a dot and these suffixes are never public (RFC 6761, 6762, 8375, and ICANN's `internal`).
    let private = [
        "localhost",
        "local",
        "internal",
        "lan",
        "intranet",
        "home.arpa",
        "localdomain",
    ];
    !bare.contains('.')
        || private.iter().any(|p| {
            bare.strip_suffix(p)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
}

/// Scheme, `host:port` as written (without a user), and the path with its query, of a URL that a browser has normalised.
#[must_use]
pub fn parts(url: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let rest = rest.split('#').next().unwrap_or_default();
    let (authority, path) = rest
        .find(['/', '?'])
        .map_or((rest, "/"), |at| rest.split_at(at));
    Some((
        scheme,
        authority.rsplit('@').next().unwrap_or_default(),
        path,
    ))
}

/// The host of `host:port`, brackets kept.
#[must_use]
pub fn host(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_in_parts() {
        assert_eq!(
            parts("https://u:p@a.b:8/c?d#e"),
            Some(("https", "a.b:8", "/c?d"))
        );
        assert_eq!(parts("http://[::1]:80"), Some(("http", "[::1]:80", "/")));
        assert_eq!(
            (host("[::1]:80"), host("[::1]"), host("a:1"), host("a")),
            ("[::1]", "[::1]", "a", "a")
        );
    }

    #[test]
    fn local_hosts() {
        for host in [
            "localhost",
            "LOCALHOST.",
            "x.localhost",
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:10.0.0.1]",
            "[fd00::1]",
            "[fe80::1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "printer",
            "nas.local",
            "metadata.google.internal",
            "router.lan",
            "255.255.255.255",
            "",
        ] {
            assert!(is_local_host(host), "{host}");
        }
        for host in [
            "cdn.jsdelivr.net",
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "[2606:4700::1111]",
            "localhost.example.com",
            "mylan.com",
            "local.dev",
        ] {
            assert!(!is_local_host(host), "{host}");
        }
    }
}
