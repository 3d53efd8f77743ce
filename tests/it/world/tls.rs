//! Files over HTTPS at `localhost`, under an authority that is made for this world alone.

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::faults::{self, Kind};
use super::http::{self, Answer, Extent, Incoming};
use super::log::Service;
use super::{Handle, lock, server};

/// The HTTPS server, made when first asked for: keys cost time.
pub struct Tls {
    port: u16,
    ca: PathBuf,
    files: HashMap<String, Answer>,
    listener: JoinHandle<()>,
}

impl Tls {
    /// Only after the world is marked as stopping.
    pub fn stop(self) {
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        let _ = self.listener.join();
    }
}

pub fn serve(world: &Handle, path: &str, answer: Answer) -> String {
    let path = format!("/{}", path.trim_start_matches('/'));
    let mut slot = lock(&world.0.tls);
    let tls = slot.get_or_insert_with(|| start(world));
    let url = format!("https://localhost:{}{path}", tls.port);
    tls.files.insert(path, answer);
    url
}

pub fn ca_file(world: &Handle) -> PathBuf {
    lock(&world.0.tls)
        .get_or_insert_with(|| start(world))
        .ca
        .clone()
}

fn start(world: &Handle) -> Tls {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
        .distinguished_name
        .push(DnType::CommonName, "World test authority");
    let key = KeyPair::generate().expect("a key");
    let authority = params.self_signed(&key).expect("an authority");
    let issuer = Issuer::new(params, key);
    let ca = world.0.root.join("ca.pem");
    fs::write(&ca, authority.pem()).expect("authority on disk");

    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let leaf_params = CertificateParams::new(names).expect("good names");
    let leaf_key = KeyPair::generate().expect("a key");
    let leaf = leaf_params
        .signed_by(&leaf_key, &issuer)
        .expect("a certificate");
    let secret = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));
    // Named here, since another crate of the tests may have brought a second provider along.
    let config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], secret)
            .expect("a certificate that fits its key");

    let door = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = door.local_addr().expect("an address").port();
    let (config, world) = (Arc::new(config), world.clone());
    let listener = thread::spawn(move || listen(&world, &door, &config));
    Tls {
        port,
        ca,
        files: HashMap::new(),
        listener,
    }
}

fn listen(world: &Handle, door: &TcpListener, config: &Arc<ServerConfig>) {
    for stream in door.incoming() {
        if world.0.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let (world, config) = (world.clone(), Arc::clone(config));
        thread::spawn(move || {
            let id = world.next_id();
            if let Ok(copy) = stream.try_clone() {
                lock(&world.0.streams).insert(id, copy);
            }
            // A client that trusts nobody hangs up in the middle; that is its right.
            let _ = connection(&world, config, stream);
            lock(&world.0.streams).remove(&id);
        });
    }
}

/// One request, one answer.
fn connection(world: &Handle, config: Arc<ServerConfig>, stream: TcpStream) -> io::Result<()> {
    let session = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(session, stream));
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        lines.push(line.to_owned());
    }
    let mut words = lines
        .first()
        .map(String::as_str)
        .unwrap_or_default()
        .split(' ');
    let (method, target) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let headers = lines.iter().skip(1).filter_map(|line| line.split_once(':'));
    let incoming = Incoming {
        method: method.to_owned(),
        target: target.to_owned(),
        headers: headers
            .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
            .collect(),
        body: Vec::new(),
        close: true,
    };
    let entry = server::record(world, Service::Other, incoming);
    server::check_secrets(world, &entry);
    let kind = faults::pick(&mut lock(&world.0.faults), &entry);
    match &kind {
        Some(Kind::Reset | Kind::LostAnswer) => return Ok(()),
        Some(Kind::Hang(time)) => {
            world.pause(*time);
            return Ok(());
        }
        Some(Kind::Delay(time)) => world.pause(*time),
        _ => {}
    }
    let canned = kind
        .as_ref()
        .and_then(|kind| faults::canned(kind, entry.service));
    let answer = canned.unwrap_or_else(|| {
        let file = lock(&world.0.tls)
            .as_ref()
            .and_then(|tls| tls.files.get(&entry.path).cloned());
        file.unwrap_or_else(|| Answer::text(404, "Not Found\n"))
    });
    world.answered(&entry, answer.status);
    let extent = if matches!(kind, Some(Kind::CutOff)) {
        Extent::Half
    } else {
        Extent::Whole
    };
    let out = stream.get_mut();
    http::write(out, &answer, entry.method == "HEAD", true, extent)?;
    out.conn.send_close_notify();
    out.conn.complete_io(&mut out.sock).map(|_| ())
}
