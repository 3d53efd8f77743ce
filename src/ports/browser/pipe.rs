//! The `DevTools` pipe: JSON messages, each ended by a NUL byte, in both directions.

use std::io::{BufRead, BufReader, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How many messages wait for us before the browser has to, and how many bytes. A page that floods its console is slowed down by it.
const WAITING: usize = 4096;
const WAITING_BYTES: usize = 16 << 20;
/// A longer message is dropped. The longest that is wanted is a screenshot, some 6 MiB; a page can say gigabytes in one.
const LONGEST: usize = 32 << 20;
/// A turn of the reader while it waits for us.
const TURN: Duration = Duration::from_millis(1);

pub struct Pipe {
    outbox: Sender<Vec<u8>>,
    inbox: Receiver<(usize, Value)>,
    /// Bytes that wait to be written, and bytes that wait to be taken in.
    unsent: Arc<AtomicUsize>,
    unread: Arc<AtomicUsize>,
}

/// The browser closed the pipe: it has ended.
#[derive(Debug)]
pub struct Closed;

impl Pipe {
    /// A thread for each direction, so that we never wait for the browser while it waits for us.
    pub fn open(mut to: impl Write + Send + 'static, from: impl Read + Send + 'static) -> Self {
        let (outbox, out) = mpsc::channel::<Vec<u8>>();
        let (into, inbox) = mpsc::sync_channel(WAITING);
        let (unsent, unread) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (sent, waiting) = (Arc::clone(&unsent), Arc::clone(&unread));
        thread::spawn(move || {
            for message in out {
                if to.write_all(&message).and_then(|()| to.flush()).is_err() {
                    return;
                }
                sent.fetch_sub(message.len(), Ordering::Relaxed);
            }
            // The channel is closed: `to` is dropped, and the browser ends.
        });
        thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut message = Vec::new();
            while next(&mut from, &mut message).is_ok_and(|n| n > 0) {
                // What is no JSON was too long, or a fault of the browser's; the answer it was is then found missing.
                if let Some(value) = parse(&message) {
                    waiting.fetch_add(message.len(), Ordering::Relaxed);
                    if into.send((message.len(), value)).is_err() {
                        return;
                    }
                }
                // Ours is the only other one; without it nobody will ever take anything in.
                while waiting.load(Ordering::Relaxed) > WAITING_BYTES
                    && Arc::strong_count(&waiting) > 1
                {
                    thread::sleep(TURN);
                }
                message.clear();
                message.shrink_to(1 << 20);
            }
        });
        Self {
            outbox,
            inbox,
            unsent,
            unread,
        }
    }

    /// Bytes that the browser has not taken yet.
    pub fn unsent(&self) -> usize {
        self.unsent.load(Ordering::Relaxed)
    }

    /// # Errors
    /// The browser has ended.
    pub fn send(&self, message: &Value) -> Result<(), Closed> {
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.unsent.fetch_add(bytes.len(), Ordering::Relaxed);
        self.outbox.send(bytes).map_err(|_| Closed)
    }

    /// The next message, or `None` when there is none until then.
    ///
    /// # Errors
    /// The browser has ended.
    pub fn receive(&self, until: Instant) -> Result<Option<Value>, Closed> {
        // A message that is there is taken even when the time is up.
        let left = until
            .saturating_duration_since(Instant::now())
            .max(Duration::from_micros(1));
        match self.inbox.recv_timeout(left) {
            Ok((bytes, message)) => {
                self.unread.fetch_sub(bytes, Ordering::Relaxed);
                Ok(Some(message))
            }
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(Closed),
        }
    }
}

/// Reads up to the next NUL, and gives back how many bytes that were; of a message over [`LONGEST`] none are kept.
fn next(from: &mut impl BufRead, message: &mut Vec<u8>) -> std::io::Result<usize> {
    let mut read = from.take(LONGEST as u64 + 1).read_until(0, message)?;
    if read > LONGEST && message.last() != Some(&0) {
        read += from.skip_until(0)?;
        message.clear();
    }
    if message.last() == Some(&0) {
        message.pop();
    }
    Ok(read)
}

/// A string of a page's may hold half a surrogate pair (`title[0]` of an emoji); JSON readers do not take the escape of one.
fn parse(message: &[u8]) -> Option<Value> {
    serde_json::from_slice(message)
        .or_else(|_| serde_json::from_slice(&without_halves(message)))
        .ok()
}

/// Escapes of half a pair become U+FFFD.
fn without_halves(message: &[u8]) -> Vec<u8> {
    let unit = |at: usize| {
        let digits = message.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut out = Vec::with_capacity(message.len());
    let mut at = 0;
    while let Some(byte) = message.get(at) {
        let (high, low) = (unit(at), unit(at + 6));
        let taken = match (high, low) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                out.extend_from_slice(b"\\ufffd");
                at += 6;
                continue;
            }
            // The escape of a backslash is two.
            _ if *byte == b'\\' => 2,
            _ => 1,
        };
        out.extend_from_slice(message.get(at..at + taken).unwrap_or(&message[at..]));
        at += taken;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_message_without_end_is_dropped() {
        let long = std::io::repeat(b'x').take(3 * LONGEST as u64);
        let from = (&b"\""[..]).chain(long).chain(&b"\"\0{\"id\":2}\0"[..]);
        let pipe = Pipe::open(std::io::sink(), from);
        let next = pipe
            .receive(Instant::now() + Duration::from_secs(60))
            .unwrap()
            .unwrap();
        assert_eq!(next.get("id"), Some(&json!(2)));
    }

    #[test]
    fn messages_end_with_nul_and_the_end_is_noticed() {
        let from: &[u8] = b"{\"id\":1}\0not json\0{\"id\":2}\0";
        let pipe = Pipe::open(std::io::sink(), from);
        let soon = || Instant::now() + Duration::from_secs(10);
        assert_eq!(pipe.receive(soon()).unwrap(), Some(json!({"id": 1})));
        assert_eq!(pipe.receive(soon()).unwrap(), Some(json!({"id": 2})));
        assert!(pipe.receive(soon()).is_err());
    }

    #[test]
    fn half_a_pair_is_no_reason_to_lose_an_answer() {
        let text = |json: &str| {
            parse(json.as_bytes()).map(|v| v["v"].as_str().unwrap_or_default().to_owned())
        };
        assert_eq!(text(r#"{"v":"a\ud83db"}"#).as_deref(), Some("a\u{fffd}b"));
        assert_eq!(
            text(r#"{"v":"\udc00\ud83d\ude80\ud83d"}"#).as_deref(),
            Some("\u{fffd}🚀\u{fffd}")
        );
        assert_eq!(
            text(r#"{"v":"\\ud83d \ud83d"}"#).as_deref(),
            Some("\\ud83d \u{fffd}")
        );
        assert_eq!(text(r#"{"v":"\ud83d"#), None);
    }
}
