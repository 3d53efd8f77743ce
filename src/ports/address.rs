//! Which addresses belong to the public Internet. A stranger's task or a model that names an address must not reach this machine
//! or its neighbours (server-side request forgery), whatever name it gives them: the address that a name resolves to is judged in
//! the very lookup that the connection is made with, so that a name cannot change between the two.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Gives back public addresses only.
#[derive(Debug, Default)]
pub(super) struct PublicOnly(DefaultResolver);

impl Resolver for PublicOnly {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.0.resolve(uri, config, timeout)?;
        let mut public = self.empty();
        for address in found.iter().filter(|a| is_public(a.ip())) {
            public.push(*address);
        }
        if public.is_empty() {
            return Err(ureq::Error::Other(Box::new(PrivateAddress)));
        }
        Ok(public)
    }
}

/// A host that was not connected to, since its address is not public. Asking again will not help.
#[derive(Debug)]
pub struct PrivateAddress;

impl PrivateAddress {
    /// Whether this is why a request was not made.
    #[must_use]
    pub fn is_cause_of(error: &anyhow::Error) -> bool {
        error.chain().any(|cause| {
            cause.is::<Self>()
                || matches!(cause.downcast_ref(), Some(ureq::Error::Other(inner)) if inner.is::<Self>())
        })
    }
}

impl fmt::Display for PrivateAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("its address is private, loopback or link-local")
    }
}

impl std::error::Error for PrivateAddress {}

/// Whether a host is a private address or is known here under one. Behind a proxy the proxy looks names up, so one that cannot
/// be looked up here counts as public.
pub(super) fn resolves_to_private(host: &str) -> bool {
    let name = host.trim_end_matches('.');
    (name, 443)
        .to_socket_addrs()
        .is_ok_and(|mut all| all.any(|a| !is_public(a.ip())))
}

/// Whether the host of a URL (a name, an IPv4 address in any spelling, or an IPv6 address in brackets) says by itself that it is
/// not public: this machine, a private network, or a name that only means something in one. Nothing is looked up.
#[must_use]
pub fn is_local_host(host: &str) -> bool {
    let bare = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .trim_end_matches('.')
        .to_ascii_lowercase();
    if let Some(ip) = ipv4_of_any_spelling(&bare) {
        return !is_public_v4(ip);
    }
    // A scope (`fe80::1%eth0`) is a network card of this machine.
    let (bare, scoped) = bare
        .split_once('%')
        .map_or((bare.as_str(), false), |(ip, _)| (ip, true));
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return scoped || !is_public(ip);
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

/// `127.1`, `2130706433`, `0x7f.0.0.1`, `0177.0.0.1`: resolvers and browsers read all of these as an address.
/// Source: the WHATWG URL standard, "IPv4 parser"; the manual of `inet_aton`.
fn ipv4_of_any_spelling(host: &str) -> Option<Ipv4Addr> {
    let number = |part: &str| match part {
        "0x" | "0X" => Some(0),
        _ if part.starts_with("0x") || part.starts_with("0X") => {
            u32::from_str_radix(&part[2..], 16).ok()
        }
        _ if part.len() > 1 && part.starts_with('0') => u32::from_str_radix(&part[1..], 8).ok(),
        _ => part.parse().ok(),
    };
    let parts: Vec<u32> = host.split('.').map(number).collect::<Option<_>>()?;
    let (last, bytes) = parts.split_last()?;
    if bytes.len() > 3 || bytes.iter().any(|b| *b > 255) {
        return None;
    }
    // The last part fills what the others leave.
    let free = 32 - 8 * bytes.len();
    if u64::from(*last) >> free != 0 {
        return None;
    }
    let address = bytes
        .iter()
        .zip([24, 16, 8])
        .fold(*last, |all, (byte, shift)| all | byte << shift);
    Some(Ipv4Addr::from(address))
}

/// Whether an address is neither reserved for a special purpose nor private.
/// Source: the IANA special-purpose address registries (RFC 6890).
#[must_use]
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_broadcast()
        || ip.is_documentation()
        || ip.is_multicast()
        || a == 0
        || a >= 240
        || (a, b & 0xc0) == (100, 64)
        || (a, b, c) == (192, 0, 0)
        || (a, b, c) == (192, 88, 99)
        || (a, b & 0xfe) == (198, 18);
    !special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let parts = ip.segments();
    // An IPv4 address in IPv6 clothes: mapped, compatible, NAT64, 6to4.
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => embedded(high, low),
        [0x2001, second, ..] if second == 0xdb8 || second < 0x200 => false,
        // For documentation (RFC 9637).
        [0x3fff, second, ..] if second < 0x1000 => false,
        // Global unicast is 2000::/3; all else is local, multicast or not given out.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_in_every_disguise() {
        for ip in [
            "127.0.0.1",
            "127.9.9.9",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "192.0.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "192.0.2.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "3fff::1",
            "2001::1",
        ] {
            assert!(!is_public(ip.parse().unwrap()), "{ip}");
        }
        for ip in [
            "1.1.1.1",
            "93.184.216.34",
            "172.32.0.1",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
        ] {
            assert!(is_public(ip.parse().unwrap()), "{ip}");
        }
        assert!(resolves_to_private("127.0.0.1") && resolves_to_private("localhost."));
    }

    #[test]
    fn local_hosts() {
        for host in [
            "localhost",
            "LOCALHOST.",
            "x.localhost",
            "127.0.0.1",
            "127.0.0.1.",
            "127.1",
            "127.0.1",
            "2130706433",
            "017700000001",
            "0177.0.0.1",
            "0x7f000001",
            "0x7F.0x0.0.01",
            "0",
            "0x",
            "167772161",
            "0251.0376.0251.0376",
            "127.9.9.9",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.168.257",
            "169.254.169.254",
            "100.64.0.1",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:10.0.0.1]",
            "[fd00::1]",
            "[fe80::1]",
            "[fe80::1%25eth0]",
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
            "134744072",
            "8.8.2056",
            "172.32.0.1",
            "100.128.0.1",
            "[2606:4700::1111]",
            "localhost.example.com",
            "mylan.com",
            "local.dev",
            "10.example",
        ] {
            assert!(!is_local_host(host), "{host}");
        }
    }
}
