//! How git gets the token: never through argv, environment, URL or config.
//!
//! git runs `$GIT_ASKPASS "Password for 'https://x-access-token@github.com': "`. That program is this binary again. In its
//! environment it finds an address on loopback and a one-time word; it sends the word and the prompt there, and the parent,
//! which has listened all the while, answers with the token if the word is right, was not used before, and the prompt names
//! the forge's own host.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use subtle::ConstantTimeEq;

use crate::secret::Secret;
use crate::values::hex;

/// Where the helper finds address and word: `127.0.0.1:PORT/WORD`.
pub const VARIABLE: &str = "LLMDEPLOY_ASKPASS";
/// The user in the remote's URL. GitHub takes any name with a token; this is the one its documents use.
pub const USER: &str = "x-access-token";

/// A conversation on loopback takes microseconds; whoever connects and stays silent is dropped.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest line that is read: a prompt holds a URL.
const MAX_LINE: u64 = 8192;

/// The listening side. It ends when dropped.
pub struct Server {
    address: SocketAddr,
    word: String,
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// Listens for one helper that asks for the password of `authority` (host, and port if the URL has one).
    ///
    /// # Errors
    /// No loopback port or no randomness to be had.
    pub fn start(authority: &str, token: &Secret) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .context("listening on loopback for git's askpass")?;
        let address = listener.local_addr()?;
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|e| anyhow::anyhow!("no random bytes: {e}"))?;
        let word = hex(&random);
        let over = Arc::new(AtomicBool::new(false));
        let door = Door {
            word: word.clone(),
            authority: authority.to_owned(),
            token: token.clone(),
            over: Arc::clone(&over),
        };
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if door.over.load(Ordering::Acquire) {
                    break;
                }
                // One that breaks off is no reason to stop listening.
                let _ = door.answer(stream);
            }
        });
        Ok(Self {
            address,
            word,
            over,
            thread: Some(thread),
        })
    }

    /// The value of [`VARIABLE`] for the child.
    #[must_use]
    pub fn invitation(&self) -> String {
        format!("{}/{}", self.address, self.word)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        // Wakes the thread from its accept.
        let _ = TcpStream::connect_timeout(&self.address, PATIENCE);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Door {
    word: String,
    authority: String,
    token: Secret,
    over: Arc<AtomicBool>,
}

impl Door {
    fn answer(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut line = String::new();
        BufReader::new(&stream)
            .take(MAX_LINE)
            .read_line(&mut line)?;
        let (word, prompt) = line.trim_end().split_once(' ').unwrap_or_default();
        let known: bool = word.as_bytes().ct_eq(self.word.as_bytes()).into();
        if known && asks_for(prompt, &self.authority) {
            // git asks once per process; a second asker is not git.
            self.over.store(true, Ordering::Release);
            stream.write_all(self.token.reveal().as_bytes())?;
        }
        stream.shutdown(Shutdown::Both)
    }
}

/// Whether git's prompt asks for the password of `x-access-token` at exactly this host and port.
fn asks_for(prompt: &str, authority: &str) -> bool {
    let quoted = prompt
        .strip_prefix("Password for '")
        .and_then(|rest| rest.split('\'').next());
    let rest = quoted.and_then(|url| {
        url.strip_prefix("https://")
            .or_else(|| url.strip_prefix("http://"))
    });
    rest.and_then(|r| r.split('/').next())
        .and_then(|a| a.strip_prefix(USER)?.strip_prefix('@'))
        .is_some_and(|a| a == authority)
}

/// The helper's side: hands the prompt to the parent and prints its answer.
///
/// # Errors
/// The parent is not there, or refuses.
pub fn ask(invitation: &str, prompt: &str) -> anyhow::Result<()> {
    let (address, word) = invitation.split_once('/').context("not an invitation")?;
    let address: SocketAddr = address.parse().context("not an address")?;
    anyhow::ensure!(address.ip().is_loopback(), "not on loopback");
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)
        .context("the parent does not listen any more")?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream
        .write_all(format!("{word} {}\n", prompt.replace(['\r', '\n'], " ").trim()).as_bytes())?;
    let mut token = String::new();
    stream
        .take(MAX_LINE)
        .read_to_string(&mut token)
        .context("the parent does not answer")?;
    anyhow::ensure!(!token.is_empty(), "the parent refused");
    let mut out = io::stdout().lock();
    writeln!(out, "{token}")
        .and_then(|()| out.flush())
        .context("git does not listen")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talk(server: &Server, word: &str, prompt: &str) -> String {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream
            .write_all(format!("{word} {prompt}\n").as_bytes())
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn only_the_right_word_for_the_right_host_and_only_once() {
        let server =
            Server::start("forge.example:8443", &Secret::new("the-token").unwrap()).unwrap();
        let good = "Password for 'https://x-access-token@forge.example:8443': ";
        let word = server.word.clone();
        assert_eq!(talk(&server, "guess", good), "");
        assert_eq!(
            talk(
                &server,
                &word,
                "Password for 'https://x-access-token@evil.example': "
            ),
            ""
        );
        assert_eq!(
            talk(
                &server,
                &word,
                "Password for 'https://x-access-token@forge.example:8443.evil.example': "
            ),
            ""
        );
        assert_eq!(
            talk(
                &server,
                &word,
                "Username for 'https://forge.example:8443': "
            ),
            ""
        );
        assert_eq!(talk(&server, &word, good), "the-token");
        // The door is closed now: whatever comes next gets no token, or no connection.
        if let Ok(mut stream) = TcpStream::connect(server.address) {
            let _ = stream.write_all(format!("{word} {good}\n").as_bytes());
            let mut answer = String::new();
            let _ = stream.read_to_string(&mut answer);
            assert_eq!(answer, "");
        }
    }

    #[test]
    fn prompts() {
        assert!(asks_for(
            "Password for 'https://x-access-token@github.com': ",
            "github.com"
        ));
        assert!(!asks_for(
            "Password for 'https://x-access-token@github.com.evil.example': ",
            "github.com"
        ));
        assert!(!asks_for(
            "Password for 'https://other@github.com': ",
            "github.com"
        ));
        assert!(!asks_for(
            "Password for 'https://github.com': ",
            "github.com"
        ));
        assert!(!asks_for("", "github.com"));
    }
}
