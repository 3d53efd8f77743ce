//! The listeners: one thread for each connection, the record, the hooks, and the faults.

use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::faults::{self, Kind, Moment};
use super::http::{self, Answer, Extent, Incoming};
use super::log::{Entry, Service};
use super::{Handle, evaluator, git, github, llm, lock, pages};

pub fn listen(world: &Handle, service: Service, door: &TcpListener) {
    for stream in door.incoming() {
        if world.0.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let world = world.clone();
        thread::spawn(move || connection(&world, service, stream));
    }
}

fn connection(world: &Handle, service: Service, mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let id = world.next_id();
    if let Ok(copy) = stream.try_clone() {
        lock(&world.0.streams).insert(id, copy);
    }
    while let Ok(Some(incoming)) = http::read(&mut stream) {
        let busy = Busy::new(world);
        let open = exchange(world, service, incoming, &mut stream);
        drop(busy);
        if !open || world.0.stopping.load(Ordering::SeqCst) {
            break;
        }
    }
    // The copy goes first: only the last one's end closes the socket.
    lock(&world.0.streams).remove(&id);
}

/// Counts the requests in work, also where one panics.
struct Busy(Handle);

impl Busy {
    fn new(world: &Handle) -> Busy {
        world.0.busy.fetch_add(1, Ordering::SeqCst);
        Busy(world.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.0.busy.fetch_sub(1, Ordering::SeqCst);
    }
}

/// One request and its answer. False: the connection ends here.
fn exchange(world: &Handle, service: Service, incoming: Incoming, stream: &mut TcpStream) -> bool {
    let close = incoming.close;
    let entry = record(world, service, incoming);
    check_secrets(world, &entry);
    run_hooks(world, Moment::Before, &entry);
    let kind = faults::pick(&mut lock(&world.0.faults), &entry);
    match &kind {
        // The request's last byte is still unread, which makes this a reset.
        Some(Kind::Reset) => return false,
        Some(Kind::Hang(time)) => {
            world.pause(*time);
            let _ = http::finish(stream);
            return false;
        }
        Some(Kind::Delay(time)) => world.pause(*time),
        _ => {}
    }
    if http::finish(stream).is_err() {
        return false;
    }
    let answer = if let Some(answer) = kind
        .as_ref()
        .and_then(|kind| faults::canned(kind, entry.service))
    {
        answer
    } else {
        world.pause(world.settings(|settings| settings.latency));
        let answer = dispatch(world, &entry);
        run_hooks(world, Moment::After, &entry);
        answer
    };
    if matches!(kind, Some(Kind::LostAnswer)) {
        let _ = stream.shutdown(Shutdown::Both);
        return false;
    }
    // Noted before it is written, so that whoever has the answer finds it in the record.
    world.answered(&entry, answer.status);
    let extent = if matches!(kind, Some(Kind::CutOff)) {
        Extent::Half
    } else {
        Extent::Whole
    };
    let written = http::write(stream, &answer, entry.method == "HEAD", close, extent);
    if extent == Extent::Half || close || written.is_err() {
        let _ = stream.shutdown(Shutdown::Both);
        return false;
    }
    true
}

pub fn record(world: &Handle, service: Service, incoming: Incoming) -> Entry {
    let (path, query) = incoming
        .target
        .split_once('?')
        .unwrap_or((&incoming.target, ""));
    let is_git = ["/info/refs", "/git-upload-pack", "/git-receive-pack"]
        .iter()
        .any(|end| path.ends_with(end));
    let service = if service == Service::Api && is_git {
        Service::Git
    } else {
        service
    };
    let mut journal = lock(&world.0.journal);
    let entry = Entry {
        n: journal.len(),
        at: Instant::now(),
        service,
        method: incoming.method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers: incoming.headers,
        body: incoming.body,
        status: 0,
    };
    journal.push(entry.clone());
    entry
}

fn run_hooks(world: &Handle, moment: Moment, entry: &Entry) {
    let due = faults::due(&mut lock(&world.0.hooks), moment, entry);
    for action in due {
        let mut action = action.lock().unwrap_or_else(PoisonError::into_inner);
        action(world);
    }
}

fn dispatch(world: &Handle, entry: &Entry) -> Answer {
    match entry.service {
        Service::Api => github::handle(world, entry),
        Service::Git => git::handle(world, entry),
        Service::Pages => pages::handle(world, entry),
        Service::Eval => evaluator::handle(world, entry),
        Service::Llm => llm::handle(world, entry),
        Service::Other => Answer::empty(404),
    }
}

/// No secret goes where it is not for, and none into a URL or a body.
pub fn check_secrets(world: &Handle, entry: &Entry) {
    let forge = matches!(entry.service, Service::Api | Service::Git);
    let mut open = format!(
        "{}?{}\n{}",
        entry.path,
        entry.query,
        String::from_utf8_lossy(&entry.body)
    );
    for (name, value) in &entry.headers {
        // Where the header is for secrets, it is judged by whose they are, below.
        if !name.eq_ignore_ascii_case("authorization") {
            open.extend(["\n", name, ": ", value]);
        }
    }
    let sent = entry.header("authorization").unwrap_or_default();
    for token in [&world.0.token, &world.0.fine_token] {
        let basic = STANDARD.encode(format!("x-access-token:{token}"));
        if open.contains(token.as_str()) || open.contains(&basic) {
            world.odd(entry, "the GitHub token stands in the open");
        }
        if !forge && (sent.contains(token.as_str()) || sent.contains(&basic)) {
            world.odd(
                entry,
                "the GitHub token was sent to a service it is not for",
            );
        }
    }
    if let Some(key) = world
        .settings(|settings| settings.llm_key.clone())
        .filter(|key| !key.is_empty())
    {
        if open.contains(&key) {
            world.odd(entry, "the LLM key stands in the open");
        }
        if entry.service != Service::Llm && sent.contains(&key) {
            world.odd(entry, "the LLM key was sent to a service it is not for");
        }
    }
    let secrets = world.settings(|settings| settings.secrets.clone());
    if secrets
        .iter()
        .any(|secret| open.contains(secret) || sent.contains(secret))
    {
        world.odd(entry, "a secret was sent");
    }
    if sent.is_empty() {
        return;
    }
    if matches!(entry.service, Service::Pages | Service::Other) {
        world.odd(entry, "nobody asked for an Authorization");
    }
}
