//! The only way from the browser to the network: a proxy of our own on the loopback that knows `CONNECT` and nothing else.
//!
//! Interception alone would not do: web sockets pass it by, and a public name may resolve to a private address. Here every
//! connection is looked at after its name was resolved, and made to the very address that was looked at.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use base64::Engine as _;

use super::address;
use crate::ports::address::is_public;

/// What a request's head may weigh. The browser sends a few hundred bytes.
const HEAD_LIMIT: u64 = 16 << 10;
const CONNECT: Duration = Duration::from_secs(10);

/// Opens the gate and gives its address. It stays until the process ends; a connection is a thread or two, and the browser
/// makes few of them.
///
/// # Errors
/// No port to listen on.
pub fn open(proxy: Option<&str>) -> anyhow::Result<SocketAddr> {
    let listener =
        TcpListener::bind("127.0.0.1:0").context("listening on the loopback for the browser")?;
    let address = listener.local_addr()?;
    let proxy = proxy.map(Proxy::parse).transpose()?;
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let proxy = proxy.clone();
            // One that fails is answered with a status; there is nobody else to tell.
            thread::spawn(move || drop(pass(&stream, proxy.as_ref())));
        }
    });
    Ok(address)
}

/// The user's own proxy.
#[derive(Clone)]
struct Proxy {
    authority: String,
    /// Value of `Proxy-Authorization`.
    authorization: Option<String>,
}

impl Proxy {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let rest = match text.split_once("://") {
            Some(("http", rest)) => rest,
            None => text,
            Some((scheme, _)) => bail!(
                "a {scheme} proxy is not supported for the browser; use --offline or an http one"
            ),
        };
        let rest = rest.split(['/', '?']).next().unwrap_or_default();
        let (user, authority) = rest
            .rsplit_once('@')
            .map_or((None, rest), |(user, host)| (Some(user), host));
        let authority = if authority.contains(':') {
            authority.to_owned()
        } else {
            format!("{authority}:80")
        };
        let authorization = user.map(|u| {
            format!(
                "Basic {}",
                base64::engine::general_purpose::STANDARD.encode(crate::text::percent_decoded(u))
            )
        });
        Ok(Self {
            authority,
            authorization,
        })
    }
}

fn pass(browser: &TcpStream, proxy: Option<&Proxy>) -> anyhow::Result<()> {
    browser.set_read_timeout(Some(CONNECT))?;
    let mut head = BufReader::new(browser.try_clone()?.take(HEAD_LIMIT));
    let mut line = String::new();
    head.read_line(&mut line)?;
    let target = line
        .split(' ')
        .nth(1)
        .filter(|_| line.starts_with("CONNECT "))
        .unwrap_or_default()
        .to_owned();
    while head.read_line(&mut line)? > 2 {}
    let answer = |status: &str| {
        (&mut &*browser)
            .write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes())
    };
    let server = match reach(&target, proxy) {
        Ok(Some(server)) => server,
        Ok(None) => return Ok(answer("403 Forbidden")?),
        Err(e) => {
            answer("502 Bad Gateway")?;
            return Err(e);
        }
    };
    (&mut &*browser).write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
    browser.set_read_timeout(None)?;
    let (from, to) = (browser.try_clone()?, server.try_clone()?);
    thread::spawn(move || splice(&from, &to));
    splice(&server, browser);
    Ok(())
}

/// A connection to `host:port`; `None` where no page may go.
fn reach(target: &str, proxy: Option<&Proxy>) -> anyhow::Result<Option<TcpStream>> {
    let Some((host, _)) = target.rsplit_once(':') else {
        return Ok(None);
    };
    if address::is_local_host(host) {
        return Ok(None);
    }
    if let Some(proxy) = proxy {
        let mut stream = connect(proxy.authority.to_socket_addrs()?)?;
        let authorization = proxy
            .authorization
            .iter()
            .map(|a| format!("Proxy-Authorization: {a}\r\n"))
            .collect::<String>();
        write!(
            stream,
            "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}\r\n"
        )?;
        let mut head = Vec::new();
        // Byte by byte, so that nothing of what follows is taken.
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.extend(byte);
            if head.len() as u64 > HEAD_LIMIT {
                bail!("the proxy's answer does not end");
            }
        }
        if head.split(|b| *b == b' ').nth(1) != Some(b"200") {
            bail!("the proxy refuses {target}");
        }
        stream.set_read_timeout(None)?;
        return Ok(Some(stream));
    }
    let addresses: Vec<SocketAddr> = target.to_socket_addrs()?.collect();
    if addresses.iter().any(|a| !is_public(a.ip())) {
        return Ok(None);
    }
    let stream = connect(addresses.into_iter())?;
    stream.set_read_timeout(None)?;
    Ok(Some(stream))
}

fn connect(addresses: impl Iterator<Item = SocketAddr>) -> anyhow::Result<TcpStream> {
    let mut last = None;
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => {
                stream.set_read_timeout(Some(CONNECT))?;
                return Ok(stream);
            }
            Err(e) => last = Some(e),
        }
    }
    Err(last.map_or_else(|| anyhow::anyhow!("no address"), Into::into))
}

fn splice(mut from: &TcpStream, mut to: &TcpStream) {
    // The end of one side is the end of the other; whoever still writes hears of it.
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(gate: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(gate).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line
    }

    #[test]
    fn nothing_local_is_reached() {
        let gate = open(None).unwrap();
        for target in [
            "127.0.0.1:80",
            "localhost:80",
            "[::1]:443",
            "10.0.0.1:443",
            "169.254.169.254:80",
            "nonsense",
        ] {
            assert!(
                ask(gate, &format!("CONNECT {target} HTTP/1.1\r\n\r\n"))
                    .starts_with("HTTP/1.1 403"),
                "{target}"
            );
        }
        assert!(ask(gate, "GET http://127.0.0.1/ HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 403"));
    }

    #[test]
    fn the_users_proxy_is_asked() {
        let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://me:p%40ss@{}", proxy.local_addr().unwrap());
        let seen = thread::spawn(move || {
            let (mut stream, _) = proxy.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap())
                .lines()
                .map_while(Result::ok);
            let head: Vec<String> = lines.by_ref().take_while(|l| !l.is_empty()).collect();
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            head
        });
        let gate = open(Some(&url)).unwrap();
        assert!(ask(gate, "CONNECT cdn.example:443 HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200"));
        let head = seen.join().unwrap();
        assert_eq!(head[0], "CONNECT cdn.example:443 HTTP/1.1");
        assert!(
            head.iter()
                .any(|l| l == "Proxy-Authorization: Basic bWU6cEBzcw=="),
            "{head:?}"
        );
    }
}
