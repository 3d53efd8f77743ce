//! HTTP/1.1 on the wire: reading one request, writing one answer.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use serde_json::Value;

const HEAD_LIMIT: usize = 128 * 1024;
const BODY_LIMIT: usize = 512 * 1024 * 1024;

/// A request before it is known what it is for.
pub struct Incoming {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub close: bool,
}

/// An answer before it is written.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Given: sent instead of `body`, chunked, each part after its pause.
    pub parts: Option<Vec<(Duration, Vec<u8>)>>,
}

impl Answer {
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
        Answer {
            status,
            headers: vec![("Content-Type".to_owned(), content_type.to_owned())],
            body: body.into(),
            parts: None,
        }
    }

    pub fn json(status: u16, body: &Value) -> Answer {
        Answer::new(status, "application/json; charset=utf-8", body.to_string())
    }

    pub fn text(status: u16, body: &str) -> Answer {
        Answer::new(status, "text/plain; charset=utf-8", body)
    }

    pub fn empty(status: u16) -> Answer {
        Answer {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            parts: None,
        }
    }

    pub fn with(mut self, name: &str, value: impl Into<String>) -> Answer {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// Reads one request, all but its very last byte, which stays in the kernel's buffer: closing
/// the socket then makes a reset, the only way to one without `SO_LINGER`. `finish` takes it.
pub fn read(stream: &mut TcpStream) -> io::Result<Option<Incoming>> {
    let Some(head) = read_head(stream)? else {
        return Ok(None);
    };
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default().to_owned();
    let mut words = first.split(' ');
    let method = words.next().unwrap_or_default().to_owned();
    let target = words.next().unwrap_or_default().to_owned();
    let version = words.next().unwrap_or_default().to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        .collect();
    let header = |name: &str| {
        headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map_or("", |(_, value)| value.as_str())
    };
    let close = version == "HTTP/1.0" || header("connection").eq_ignore_ascii_case("close");
    let chunked = header("transfer-encoding")
        .to_ascii_lowercase()
        .contains("chunked");
    let length: usize = header("content-length").parse().unwrap_or(0);
    let mut body = Vec::new();
    if chunked || length > 0 {
        finish(stream)?;
        if header("expect").eq_ignore_ascii_case("100-continue") {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        if chunked {
            read_chunks(stream, &mut body)?;
        } else if length <= BODY_LIMIT {
            body.resize(length - 1, 0);
            stream.read_exact(&mut body)?;
            let mut last = [0];
            if stream.peek(&mut last)? == 0 {
                return Ok(None);
            }
            body.push(last[0]);
        } else {
            return Ok(None);
        }
    }
    Ok(Some(Incoming {
        method,
        target,
        headers,
        body,
        close,
    }))
}

/// Takes the byte that `read` left.
pub fn finish(stream: &mut TcpStream) -> io::Result<()> {
    stream.read_exact(&mut [0])
}

/// Everything up to the blank line, whose last byte is left unread.
fn read_head(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    let mut window = [0; 4096];
    loop {
        let seen = stream.peek(&mut window)?;
        if seen == 0 || head.len() > HEAD_LIMIT {
            return Ok(None);
        }
        let before = head.len();
        head.extend_from_slice(&window[..seen]);
        let from = before.saturating_sub(3);
        if let Some(at) = head[from..].windows(4).position(|four| four == b"\r\n\r\n") {
            let end = from + at + 3;
            stream.read_exact(&mut window[..end - before])?;
            head.truncate(from + at);
            return Ok(Some(head));
        }
        stream.read_exact(&mut window[..seen])?;
    }
}

fn read_chunks(stream: &mut TcpStream, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let line = read_line(stream)?;
        let digits = line.split(';').next().unwrap_or_default().trim().to_owned();
        let size = usize::from_str_radix(&digits, 16)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "chunk size"))?;
        if body.len() + size > BODY_LIMIT {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "body too large"));
        }
        if size == 0 {
            // Trailers are not used by anyone here: the blank line follows, its end left unread.
            return stream.read_exact(&mut [0]);
        }
        let start = body.len();
        body.resize(start + size, 0);
        stream.read_exact(&mut body[start..])?;
        stream.read_exact(&mut [0; 2])?;
    }
}

fn read_line(stream: &mut TcpStream) -> io::Result<String> {
    let mut line = Vec::new();
    let mut byte = [0];
    while !line.ends_with(b"\r\n") {
        stream.read_exact(&mut byte)?;
        line.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}

/// How much of an answer reaches the client.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    Whole,
    Half,
}

pub fn write(
    out: &mut impl Write,
    answer: &Answer,
    head_only: bool,
    close: bool,
    extent: Extent,
) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {} {}\r\n", answer.status, reason(answer.status));
    for (name, value) in &answer.headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    let bodiless = head_only || answer.status == 204 || answer.status == 304;
    match &answer.parts {
        Some(_) => head.push_str("Transfer-Encoding: chunked\r\n"),
        None if answer.status == 204 || answer.status == 304 => {}
        None => head.extend(["Content-Length: ", &answer.body.len().to_string(), "\r\n"]),
    }
    head.push_str(if close {
        "Connection: close\r\n\r\n"
    } else {
        "\r\n"
    });
    let half = extent == Extent::Half;
    let Some(parts) = &answer.parts else {
        let mut bytes = head.into_bytes();
        if !bodiless {
            let end = if half {
                answer.body.len() / 2
            } else {
                answer.body.len()
            };
            bytes.extend_from_slice(&answer.body[..end]);
        }
        out.write_all(&bytes)?;
        return out.flush();
    };
    out.write_all(head.as_bytes())?;
    out.flush()?;
    let end = if half { parts.len() / 2 } else { parts.len() };
    for (pause, part) in &parts[..end] {
        thread::sleep(*pause);
        if !part.is_empty() {
            let mut chunk = format!("{:x}\r\n", part.len()).into_bytes();
            chunk.extend_from_slice(part);
            chunk.extend_from_slice(b"\r\n");
            out.write_all(&chunk)?;
            out.flush()?;
        }
    }
    if !half {
        out.write_all(b"0\r\n\r\n")?;
    }
    out.flush()
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        413 => "Payload Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}

/// Percent-decoding; what is not an escape stays as it is.
pub fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = text
            .get(at + 1..at + 3)
            .filter(|_| bytes[at] == b'%')
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        out.push(escape.unwrap_or(bytes[at]));
        at += if escape.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}
