//! The addresses of a page's requests, in parts. A page from somebody else may reach public hosts only.

pub use crate::ports::address::is_local_host;

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
}
