//! Answers for the page as GitHub Pages would give them, from the files of the app.
//!
//! Facts from <https://docs.github.com/en/pages> and from asking it: `index.html` for a folder, a redirect to the slash, `x.html`
//! for `/x`, `404.html` with its status for the rest, names in their exact case, and every file readable from any origin.

use std::collections::BTreeMap;

use crate::ports::browser::address;
use crate::ports::browser::tab::{Answer, Asked, Host, Route};
use crate::text::percent_decoded;
use crate::values::RelPath;

/// What Pages says where there is neither the file nor a `404.html`.
const NOT_FOUND: &str = "<!DOCTYPE html><html><head><title>Site not found &middot; GitHub Pages</title></head><body><h1>404</h1>\
<p><strong>File not found</strong></p></body></html>";

/// A site at its address.
pub struct Site<'a> {
    files: &'a BTreeMap<RelPath, &'a [u8]>,
    /// `https` and `owner.github.io`.
    scheme: String,
    authority: String,
    /// `/repo/`
    prefix: String,
    offline: bool,
    /// The real thing: what is home is asked for there.
    live: bool,
}

impl<'a> Site<'a> {
    /// `url`: the page's address, ending in a slash.
    #[must_use]
    pub fn new(
        files: &'a BTreeMap<RelPath, &'a [u8]>,
        url: &str,
        offline: bool,
        live: bool,
    ) -> Self {
        let (scheme, authority, path) =
            address::parts(url).unwrap_or(("https", "owner.github.io", "/"));
        let path = path.split('?').next().unwrap_or("/");
        let prefix = path.rfind('/').map_or("/", |at| &path[..=at]).to_owned();
        Self {
            files,
            scheme: scheme.to_ascii_lowercase(),
            authority: authority.to_ascii_lowercase(),
            prefix,
            offline,
            live,
        }
    }

    /// The authority that must be reached directly, for a live page on this machine.
    #[must_use]
    pub fn direct(&self) -> Option<String> {
        (self.live && address::is_local_host(address::host(&self.authority)))
            .then(|| self.authority.clone())
    }

    /// The status that a link to this URL would get; `None` for one that leads elsewhere, be it to another project of the owner's.
    #[must_use]
    pub fn status(&self, url: &str) -> Option<u16> {
        let path = address::parts(url).map_or("/", |(_, _, path)| path);
        let inside = path.starts_with(&self.prefix) || path == self.prefix.trim_end_matches('/');
        (!self.live && self.is_home(url) && inside).then(|| self.answer(url).status)
    }

    fn answer(&self, url: &str) -> Answer {
        let path = address::parts(url).map_or("/", |(_, _, path)| path);
        let (path, query) = path
            .split_once('?')
            .map_or((path, ""), |(path, query)| (path, query));
        if format!("{path}/") == self.prefix {
            return redirect(
                &format!("{}://{}{}", self.scheme, self.authority, self.prefix),
                query,
            );
        }
        let Some(inside) = path.strip_prefix(self.prefix.as_str()) else {
            return file(404, "404.html", NOT_FOUND.as_bytes());
        };
        let name = percent_decoded(inside);
        let folder = name.is_empty() || name.ends_with('/');
        let candidates = if folder {
            vec![format!("{name}index.html")]
        } else {
            vec![name.clone(), format!("{name}.html")]
        };
        if let Some((name, bytes)) = candidates.iter().find_map(|n| Some((n, self.get(n)?))) {
            return file(200, name, bytes);
        }
        if !folder && self.get(&format!("{name}/index.html")).is_some() {
            return redirect(
                &format!("{}://{}{path}/", self.scheme, self.authority),
                query,
            );
        }
        file(
            404,
            "404.html",
            self.get("404.html").unwrap_or(NOT_FOUND.as_bytes()),
        )
    }

    fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.files.get(&RelPath::parse(name).ok()?).copied()
    }
}

impl Host for Site<'_> {
    fn route(&self, asked: &Asked<'_>) -> Route {
        if self.is_home(asked.url) {
            return match asked.method {
                _ if self.live => Route::Network,
                "GET" => Route::Answer(self.answer(asked.url)),
                "HEAD" => Route::Answer(Answer {
                    body: Vec::new(),
                    ..self.answer(asked.url)
                }),
                _ => Route::Answer(Answer {
                    status: 405,
                    headers: headers("text/html; charset=utf-8"),
                    body: Vec::new(),
                }),
            };
        }
        let Some((scheme, authority, _)) = address::parts(asked.url) else {
            return Route::Refuse;
        };
        match scheme {
            "http" | "https" if address::is_local_host(address::host(authority)) => Route::Refuse,
            "http" | "https" if self.offline => Route::Offline,
            "http" | "https" => Route::Network,
            _ => Route::Refuse,
        }
    }

    fn is_home(&self, url: &str) -> bool {
        address::parts(url).is_some_and(|(scheme, authority, _)| {
            scheme == self.scheme && authority.eq_ignore_ascii_case(&self.authority)
        })
    }
}

fn file(status: u16, name: &str, bytes: &[u8]) -> Answer {
    let mut headers = headers(media_type(name));
    headers.push(("Content-Length".to_owned(), bytes.len().to_string()));
    Answer {
        status,
        headers,
        body: bytes.to_vec(),
    }
}

fn headers(media_type: &str) -> Vec<(String, String)> {
    [
        ("Content-Type", media_type),
        ("Access-Control-Allow-Origin", "*"),
        ("Cache-Control", "max-age=600"),
        ("Server", "GitHub.com"),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .into()
}

fn redirect(to: &str, query: &str) -> Answer {
    let location = if query.is_empty() {
        to.to_owned()
    } else {
        format!("{to}?{query}")
    };
    let mut headers = headers("text/html; charset=utf-8");
    headers.push(("Location".to_owned(), location));
    Answer {
        status: 301,
        headers,
        body: Vec::new(),
    }
}

/// As Pages types files (the `mime-db` of the time); text is UTF-8.
fn media_type(name: &str) -> &'static str {
    let extension = name
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .rsplit_once('.')
        .map_or("", |(_, e)| e)
        .to_ascii_lowercase();
    match extension.as_str() {
        "html" | "htm" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "application/javascript; charset=utf-8",
        "json" | "map" => "application/json; charset=utf-8",
        "webmanifest" => "application/manifest+json; charset=utf-8",
        "txt" | "log" | "text" => "text/plain; charset=utf-8",
        "md" | "markdown" => "text/markdown; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "tsv" => "text/tab-separated-values; charset=utf-8",
        "xml" => "application/xml",
        "yml" | "yaml" => "text/yaml; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/vnd.microsoft.icon",
        "bmp" => "image/bmp",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "gz" => "application/gzip",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "wasm" => "application/wasm",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "ttf" => "font/ttf",
        "otf" => "font/otf",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        "ogg" => "audio/ogg",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(url: &str) -> (u16, String) {
        let path = |p: &str| RelPath::parse(p).unwrap();
        let files: BTreeMap<RelPath, &[u8]> = [
            (path("index.html"), b"home".as_slice()),
            (path("about.html"), b"about"),
            (path("docs/index.html"), b"docs"),
            (path("a b.txt"), b"ab"),
            (path("404.html"), b"lost"),
        ]
        .into();
        let site = Site::new(&files, "https://owner.github.io/repo/", false, false);
        let Route::Answer(answer) = site.route(&Asked { method: "GET", url }) else {
            panic!("{url} is home")
        };
        let location = answer
            .headers
            .iter()
            .find(|(k, _)| k == "Location")
            .map(|(_, v)| v.clone());
        (
            answer.status,
            location.unwrap_or_else(|| String::from_utf8(answer.body).unwrap()),
        )
    }

    #[test]
    fn as_pages_does() {
        for (path, expected, body) in [
            ("/repo/", 200, "home"),
            ("/repo/?a=b", 200, "home"),
            ("/repo/index.html#x", 200, "home"),
            ("/repo", 301, "https://owner.github.io/repo/"),
            ("/repo?x=1", 301, "https://owner.github.io/repo/?x=1"),
            ("/repo/about", 200, "about"),
            ("/repo/docs", 301, "https://owner.github.io/repo/docs/"),
            ("/repo/docs/", 200, "docs"),
            ("/repo/a%20b.txt", 200, "ab"),
            ("/repo/Index.html", 404, "lost"),
            ("/repo/../index.html", 404, "lost"),
            ("/", 404, NOT_FOUND),
            ("/other/", 404, NOT_FOUND),
            ("/repository/", 404, NOT_FOUND),
        ] {
            assert_eq!(
                status(&format!("https://owner.github.io{path}")),
                (expected, body.to_owned()),
                "{path}"
            );
        }
    }

    #[test]
    fn what_is_elsewhere() {
        let none = BTreeMap::new();
        let route = |offline, url: &str| {
            Site::new(&none, "https://owner.github.io/repo/", offline, false)
                .route(&Asked { method: "GET", url })
        };
        assert!(matches!(
            route(false, "https://cdn.example.com/x.js"),
            Route::Network
        ));
        assert!(matches!(
            route(true, "https://cdn.example.com/x.js"),
            Route::Offline
        ));
        for local in [
            "http://127.0.0.1:8000/",
            "http://localhost/",
            "https://[::1]/",
            "file:///etc/passwd",
            "ftp://x.example/",
            "http://10.0.0.1/",
        ] {
            assert!(matches!(route(false, local), Route::Refuse), "{local}");
        }
        let live = Site::new(&none, "http://127.0.0.1:8000/o/r/", false, true);
        assert!(matches!(
            live.route(&Asked {
                method: "GET",
                url: "http://127.0.0.1:8000/o/r/x"
            }),
            Route::Network
        ));
        assert!(matches!(
            live.route(&Asked {
                method: "GET",
                url: "http://127.0.0.1:8001/"
            }),
            Route::Refuse
        ));
        assert_eq!(live.direct().as_deref(), Some("127.0.0.1:8000"));
    }
}
