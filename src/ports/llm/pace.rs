//! The body of an answer as it comes, with a clock: before the first word a model may be silent for minutes, behind it only shortly.
//!
//! A time-out of the connection cannot tell the two apart, nor does it end where a server sends nothing but signs of life. So the body
//! is read in a thread of its own, which ends with the connection.

use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Instant;

use super::answer::Pace;

/// A body without its coding (RFC 9110, 8.4.1); `None`: one that is not known here.
pub(super) fn decoded(encoding: &str, body: Box<dyn Read + Send>) -> Option<Box<dyn Read + Send>> {
    match encoding.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Some(body),
        "gzip" | "x-gzip" => Some(Box::new(flate2::read::MultiGzDecoder::new(body))),
        "deflate" => Some(Box::new(Deflated::Unknown(Some(BufReader::new(body))))),
        _ => None,
    }
}

/// `deflate` is in the format of zlib, but some servers send it bare.
enum Deflated {
    Unknown(Option<BufReader<Box<dyn Read + Send>>>),
    Known(Box<dyn Read + Send>),
}

impl Read for Deflated {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Self::Unknown(body) = self
            && let Some(mut body) = body.take()
        {
            // Its first byte names the method, 8, and a window of at most 32 KiB (RFC 1950).
            let zlib = body
                .fill_buf()
                .is_ok_and(|b| b.first().is_some_and(|b| b & 0x8f == 0x08));
            *self = Self::Known(if zlib {
                Box::new(flate2::bufread::ZlibDecoder::new(body))
            } else {
                Box::new(flate2::bufread::DeflateDecoder::new(body))
            });
        }
        match self {
            Self::Known(body) => body.read(buffer),
            Self::Unknown(_) => Ok(0),
        }
    }
}

pub(super) struct Paced {
    parts: Receiver<io::Result<Vec<u8>>>,
    current: Cursor<Vec<u8>>,
    pace: Pace,
    heard: bool,
}

impl Paced {
    pub(super) fn new(mut body: Box<dyn Read + Send>, pace: Pace) -> Self {
        let (send, parts) = sync_channel(64);
        std::thread::spawn(move || {
            let mut buffer = vec![0; 16 << 10];
            loop {
                let part = match body.read(&mut buffer) {
                    Ok(0) => return,
                    Ok(n) => Ok(buffer[..n].to_vec()),
                    Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                    Err(e) => Err(e),
                };
                let last = part.is_err();
                if send.send(part).is_err() || last {
                    return;
                }
            }
        });
        Self {
            parts,
            current: Cursor::default(),
            pace,
            heard: false,
        }
    }

    /// Gives back what was read from it.
    pub(super) fn unread(&mut self, mut bytes: Vec<u8>) {
        let at = usize::try_from(self.current.position()).unwrap_or(0);
        bytes.extend_from_slice(self.current.get_ref().get(at..).unwrap_or_default());
        self.current = Cursor::new(bytes);
    }

    /// The first word is there.
    pub(super) fn heard(&mut self) {
        self.heard = true;
    }
}

impl Read for Paced {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let n = self.current.read(buffer)?;
            if n > 0 || buffer.is_empty() {
                return Ok(n);
            }
            let wait = if self.heard {
                self.pace.idle
            } else {
                self.pace.first.saturating_duration_since(Instant::now())
            };
            match self.parts.recv_timeout(wait) {
                Ok(part) => self.current = Cursor::new(part?),
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
                Err(RecvTimeoutError::Timeout) => {
                    let message = if self.heard {
                        "nothing more came"
                    } else {
                        "the model said nothing"
                    };
                    let message = format!("{message} for as long as is waited");
                    return Err(io::Error::new(ErrorKind::TimedOut, message));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    struct Slow(Vec<(u64, &'static str)>);

    impl Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            let (ms, text) = self.0.remove(0);
            std::thread::sleep(Duration::from_millis(ms));
            buffer[..text.len()].copy_from_slice(text.as_bytes());
            Ok(text.len())
        }
    }

    fn paced(parts: Vec<(u64, &'static str)>, first: u64, idle: u64) -> Paced {
        let pace = Pace {
            first: Instant::now() + Duration::from_millis(first),
            idle: Duration::from_millis(idle),
        };
        Paced::new(Box::new(Slow(parts)), pace)
    }

    #[test]
    fn the_first_word_may_take_its_time_and_signs_of_life_are_none() {
        let mut body = paced(vec![(200, "a"), (0, "b")], 60_000, 50);
        let mut buffer = [0; 8];
        assert_eq!(body.read(&mut buffer).unwrap(), 1);
        body.heard();
        body.unread(b"x".to_vec());
        let mut rest = String::new();
        body.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "xb");
        let mut body = paced(vec![(100, ":\n"); 50], 300, 60_000);
        let error = body.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let mut body = paced(vec![(0, "a"), (60_000, "b")], 60_000, 50);
        body.heard();
        let error = body.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }
}
