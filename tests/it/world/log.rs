//! What came in: the record of every request, and the patterns that pick some of them.

use std::time::Instant;

use serde_json::Value;

/// Which of the double's services a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    Api,
    Git,
    Pages,
    Eval,
    Llm,
    Other,
}

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Entry {
    pub n: usize,
    pub at: Instant,
    pub service: Service,
    pub method: String,
    /// Without the query.
    pub path: String,
    pub query: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// 0 where no answer was given.
    pub status: u16,
}

impl Entry {
    /// The first header of that name, in whatever case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as JSON; `Null` where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Value of one query parameter, percent-decoded.
    pub fn query_value(&self, name: &str) -> Option<String> {
        self.query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (key == name).then(|| super::http::decode(&value.replace('+', " ")))
        })
    }

    /// `POST /user/repos`, for messages.
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// Picks requests. Every part that is given must hold.
#[derive(Clone, Debug)]
pub struct Match {
    pub service: Service,
    pub method: Option<&'static str>,
    pub path_contains: Option<String>,
    pub query_contains: Option<String>,
    pub body_contains: Option<String>,
    /// For what a substring cannot say, such as "exactly `/repos/o/r`".
    pub shape: Option<fn(&str) -> bool>,
}

impl Match {
    /// Every request to one service.
    pub fn service(service: Service) -> Match {
        Match {
            service,
            method: None,
            path_contains: None,
            query_contains: None,
            body_contains: None,
            shape: None,
        }
    }

    pub fn api(method: &'static str, path_contains: &str) -> Match {
        Match::service(Service::Api)
            .method(method)
            .path(path_contains)
    }

    /// `git-receive-pack` and the like, in path or query: both requests of a push.
    pub fn git(what: &str) -> Match {
        if what.starts_with("git-") {
            return Match {
                query_contains: None,
                ..Match::service(Service::Git)
            }
            .path_or_query(what);
        }
        Match::service(Service::Git).path(what)
    }

    pub fn pages() -> Match {
        Match::service(Service::Pages)
    }

    pub fn eval() -> Match {
        Match::service(Service::Eval)
    }

    /// `GET /user`
    pub fn user() -> Match {
        Match::service(Service::Api)
            .method("GET")
            .shape(|path| path == "/user")
    }

    /// `POST /user/repos`, `POST /orgs/X/repos`
    pub fn create() -> Match {
        Match::service(Service::Api).method("POST").shape(|path| {
            path == "/user/repos" || (path.starts_with("/orgs/") && path.ends_with("/repos"))
        })
    }

    /// `GET /repos/o/r`
    pub fn repo() -> Match {
        Match::service(Service::Api)
            .method("GET")
            .shape(|path| path.starts_with("/repos/") && path.matches('/').count() == 3)
    }

    /// `GET …/info/refs` of a push or a fetch
    pub fn refs() -> Match {
        Match::service(Service::Git)
            .method("GET")
            .path("/info/refs")
    }

    pub fn refs_for_push() -> Match {
        Match::refs().query("git-receive-pack")
    }

    pub fn refs_for_fetch() -> Match {
        Match::refs().query("git-upload-pack")
    }

    /// `POST …/git-receive-pack`
    pub fn push() -> Match {
        Match::service(Service::Git)
            .method("POST")
            .path("/git-receive-pack")
    }

    /// `POST …/git-upload-pack`
    pub fn fetch() -> Match {
        Match::service(Service::Git)
            .method("POST")
            .path("/git-upload-pack")
    }

    /// `POST …/pages`
    pub fn pages_enable() -> Match {
        Match::service(Service::Api)
            .method("POST")
            .shape(|path| path.ends_with("/pages"))
    }

    /// `GET …/pages`
    pub fn pages_get() -> Match {
        Match::service(Service::Api)
            .method("GET")
            .shape(|path| path.ends_with("/pages"))
    }

    /// `PUT …/pages`
    pub fn pages_update() -> Match {
        Match::service(Service::Api)
            .method("PUT")
            .shape(|path| path.ends_with("/pages"))
    }

    /// `POST …/pages/builds`
    pub fn build_request() -> Match {
        Match::service(Service::Api)
            .method("POST")
            .shape(|path| path.ends_with("/pages/builds"))
    }

    /// `GET …/pages/builds/latest`
    pub fn build_status() -> Match {
        Match::service(Service::Api)
            .method("GET")
            .path("/pages/builds/latest")
    }

    /// `GET …/deployments` and their statuses
    pub fn deployments() -> Match {
        Match::service(Service::Api)
            .method("GET")
            .path("/deployments")
    }

    pub fn page() -> Match {
        Match::pages()
    }

    pub fn notify() -> Match {
        Match::service(Service::Eval).method("POST")
    }

    pub fn llm() -> Match {
        Match::service(Service::Llm).method("POST")
    }

    pub fn method(mut self, method: &'static str) -> Match {
        self.method = Some(method);
        self
    }

    pub fn path(mut self, part: &str) -> Match {
        self.path_contains = Some(part.to_owned());
        self
    }

    pub fn query(mut self, part: &str) -> Match {
        self.query_contains = Some(part.to_owned());
        self
    }

    pub fn body(mut self, part: &str) -> Match {
        self.body_contains = Some(part.to_owned());
        self
    }

    pub fn shape(mut self, shape: fn(&str) -> bool) -> Match {
        self.shape = Some(shape);
        self
    }

    /// The advertisement names the service in its query, the exchange in its path: a leading
    /// `?` marks a part that may stand in either.
    fn path_or_query(self, part: &str) -> Match {
        self.path(&format!("?{part}"))
    }

    pub fn hits(&self, entry: &Entry) -> bool {
        self.service == entry.service
            && self.method.is_none_or(|method| method == entry.method)
            && self
                .path_contains
                .as_deref()
                .is_none_or(|part| match part.strip_prefix('?') {
                    Some(part) => entry.path.contains(part) || entry.query.contains(part),
                    None => entry.path.contains(part),
                })
            && self
                .query_contains
                .as_deref()
                .is_none_or(|part| entry.query.contains(part))
            && self
                .body_contains
                .as_deref()
                .is_none_or(|part| String::from_utf8_lossy(&entry.body).contains(part))
            && self.shape.is_none_or(|shape| shape(&entry.path))
    }
}
