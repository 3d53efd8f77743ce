//! A small world for the tool to live in: GitHub (REST, git, Pages), an evaluator, and an
//! OpenAI-compatible endpoint, all on the loopback and all particular about what they are sent.
//!
//! `World::start()` gives one; everything else is in `Handle`, which `World` dereferences to and
//! which hooks are given.
#![allow(dead_code)]

mod bodies;
mod clock;
mod evaluator;
mod faults;
mod git;
mod github;
mod handle;
mod http;
mod llm;
mod log;
mod pages;
mod refusals;
mod repos;
mod script;
mod server;
mod settings;
mod sites;
mod state;
mod store;
mod tls;

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::net::{TcpListener, TcpStream};
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

#[allow(unused_imports, reason = "for the tests that use the module")]
pub use self::{
    evaluator::EvalAnswer,
    faults::{Fault, Kind},
    log::{Entry, Match, Service},
    script::{LlmAnswer, LlmBody, LlmHandler},
    settings::{Lacking, Settings, TokenKind},
};

use self::faults::Hook;
use self::store::Repo;

/// Where everything listens.
struct Ports {
    api: u16,
    pages: u16,
    eval: u16,
    llm: u16,
}

struct Inner {
    ports: Ports,
    root: PathBuf,
    login: String,
    user_id: u64,
    token: String,
    fine_token: String,
    born: Instant,
    ids: AtomicU64,
    stopping: AtomicBool,
    busy: AtomicUsize,
    asked_llm: AtomicUsize,
    settings: Mutex<Settings>,
    repos: Mutex<Vec<Repo>>,
    journal: Mutex<Vec<Entry>>,
    unexpected: Mutex<Vec<String>>,
    notifications: Mutex<Vec<Value>>,
    faults: Mutex<Vec<Fault>>,
    hooks: Mutex<Vec<Hook>>,
    misses: Mutex<HashMap<String, Instant>>,
    streams: Mutex<HashMap<u64, TcpStream>>,
    tls: Mutex<Option<tls::Tls>>,
}

/// The world from inside and outside; cheap to clone.
#[derive(Clone)]
pub struct Handle(Arc<Inner>);

/// A running world. Dropping it stops its threads and removes its files.
pub struct World {
    handle: Handle,
    listeners: Vec<(u16, JoinHandle<()>)>,
    dir: tempfile::TempDir,
}

/// A panic in one thread has its own report; the others go on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Letters and digits nobody can foresee.
fn random(length: usize) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut text = String::new();
    while text.len() < length {
        let mut bits = RandomState::new().build_hasher().finish();
        for _ in 0..10 {
            text.push(char::from(LETTERS[usize::try_from(bits % 62).unwrap_or(0)]));
            bits /= 62;
        }
    }
    text.truncate(length);
    text
}

impl World {
    pub fn start() -> World {
        let dir = tempfile::Builder::new()
            .prefix("world-")
            .tempdir()
            .expect("temp dir");
        let root = dir.path().canonicalize().expect("temp dir has a path");
        let doors: Vec<(Service, TcpListener)> =
            [Service::Api, Service::Pages, Service::Eval, Service::Llm]
                .into_iter()
                .map(|service| (service, TcpListener::bind("127.0.0.1:0").expect("a port")))
                .collect();
        let ports: Vec<u16> = doors
            .iter()
            .map(|(_, door)| door.local_addr().expect("an address").port())
            .collect();
        // Put together here, so that no scanner takes this file for a leak.
        let token = ["gh", "p_"].concat() + &random(36);
        let fine_token = ["github", "_pat_"].concat() + &random(22) + "_" + &random(59);
        let handle = Handle(Arc::new(Inner {
            ports: Ports {
                api: ports[0],
                pages: ports[1],
                eval: ports[2],
                llm: ports[3],
            },
            root,
            login: "octo-dev".to_owned(),
            user_id: 583_231,
            token,
            fine_token,
            born: Instant::now(),
            ids: AtomicU64::new(1_296_269),
            stopping: AtomicBool::new(false),
            busy: AtomicUsize::new(0),
            asked_llm: AtomicUsize::new(0),
            settings: Mutex::default(),
            repos: Mutex::default(),
            journal: Mutex::default(),
            unexpected: Mutex::default(),
            notifications: Mutex::default(),
            faults: Mutex::default(),
            hooks: Mutex::default(),
            misses: Mutex::default(),
            streams: Mutex::default(),
            tls: Mutex::default(),
        }));
        let listeners = doors
            .into_iter()
            .map(|(service, door)| {
                let port = door.local_addr().expect("an address").port();
                let handle = handle.clone();
                (
                    port,
                    thread::spawn(move || server::listen(&handle, service, &door)),
                )
            })
            .collect();
        World {
            handle,
            listeners,
            dir,
        }
    }

    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

impl Deref for World {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let inner = &self.handle.0;
        inner.stopping.store(true, Ordering::SeqCst);
        // A listener wakes up by being called.
        for (port, thread) in self.listeners.drain(..) {
            let _ = TcpStream::connect(("127.0.0.1", port));
            let _ = thread.join();
        }
        let tls = lock(&inner.tls).take();
        if let Some(tls) = tls {
            tls.stop();
        }
        for stream in lock(&inner.streams).values() {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
        // A push that is under way writes into the folder that is about to go.
        let patience = Instant::now() + Duration::from_secs(5);
        while inner.busy.load(Ordering::SeqCst) > 0 && Instant::now() < patience {
            thread::sleep(Duration::from_millis(2));
        }
    }
}
