//! One page in a context of its own: no cookies, storage or workers of another. Every request that it or anything it starts
//! makes is answered, passed on or refused here; nothing it opens stays open.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::record::{Failure, Record, Why, exception, shown};
use super::session::{Browser, Incoming};
use super::{ANSWER, address};

/// What is waiting is taken in for so long after the time is up; a page can send without end.
const GRACE: Duration = Duration::from_millis(200);

/// The window of the checks, in CSS pixels, and of the screen: Playwright's, with which most evaluators look at pages.
const VIEWPORT: (u32, u32) = (1280, 720);

/// A request of the page.
pub struct Asked<'a> {
    pub method: &'a str,
    pub url: &'a str,
}

/// What becomes of it.
pub enum Route {
    Answer(Answer),
    Network,
    /// There is no network.
    Offline,
    /// Not to be reached by a page.
    Refuse,
}

pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Who answers.
pub trait Host {
    fn route(&self, asked: &Asked<'_>) -> Route;
    /// Whether the page may go there itself.
    fn is_home(&self, url: &str) -> bool;
}

pub struct Tab<'a> {
    browser: &'a mut Browser,
    host: &'a dyn Host,
    context: String,
    /// The page's session; empty until it is attached.
    session: String,
    frame: String,
    /// Sessions of workers, which may do something at any time.
    workers: HashSet<String>,
    /// Requests under way, by session and number.
    open: HashMap<(String, String), (String, String)>,
    /// Requests that were refused, by number, with the reason.
    refused: HashMap<String, Why>,
    /// Web sockets, by session and number.
    sockets: HashSet<(String, String)>,
    /// Sessions of windows that the page opened, which are closed and reach nothing.
    windows: HashSet<String>,
    awaited: BTreeSet<u64>,
    answers: HashMap<u64, Result<Value, String>>,
    pub loaded: bool,
    pub record: Record,
}

impl<'a> Tab<'a> {
    /// Opens an empty page. `script` runs before any of each document it will show.
    ///
    /// # Errors
    /// The browser has ended or hangs.
    pub fn open(
        browser: &'a mut Browser,
        host: &'a dyn Host,
        script: &str,
    ) -> anyhow::Result<Self> {
        let mut tab = Self {
            browser,
            host,
            context: String::new(),
            session: String::new(),
            frame: String::new(),
            workers: HashSet::new(),
            open: HashMap::new(),
            refused: HashMap::new(),
            sockets: HashSet::new(),
            windows: HashSet::new(),
            awaited: BTreeSet::new(),
            answers: HashMap::new(),
            loaded: false,
            record: Record::default(),
        };
        let attach = json!({"autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true});
        tab.browser_call("Target.setAutoAttach", &attach)?;
        let context = tab.browser_call(
            "Target.createBrowserContext",
            &json!({"disposeOnDetach": true}),
        )?;
        context["browserContextId"]
            .as_str()
            .unwrap_or_default()
            .clone_into(&mut tab.context);
        let deny =
            json!({"behavior": "deny", "browserContextId": tab.context, "eventsEnabled": true});
        tab.browser.send("", "Browser.setDownloadBehavior", &deny)?;
        tab.browser_call(
            "Target.createTarget",
            &json!({"url": "about:blank", "browserContextId": tab.context}),
        )?;
        let until = Instant::now() + ANSWER;
        while tab.session.is_empty() {
            if !tab.pump(until)? {
                return Err(tab.browser.hung("Target.attachedToTarget"));
            }
        }
        tab.send(
            "Page.addScriptToEvaluateOnNewDocument",
            &json!({"source": script}),
        )?;
        tab.send(
            "Emulation.setFocusEmulationEnabled",
            &json!({"enabled": true}),
        )?;
        let (width, height) = VIEWPORT;
        let metrics = json!({
            "width": width, "height": height, "screenWidth": width, "screenHeight": height, "deviceScaleFactor": 1, "mobile": false,
        });
        tab.send("Emulation.setDeviceMetricsOverride", &metrics)?;
        let tree = match tab.call("Page.getFrameTree", &json!({}), ANSWER)? {
            Some(Ok(tree)) => tree,
            None => return Err(tab.browser.hung("Page.getFrameTree")),
            Some(Err(e)) => return Err(anyhow!("the browser opens no page: {e}")),
        };
        tree["frameTree"]["frame"]["id"]
            .as_str()
            .unwrap_or_default()
            .clone_into(&mut tab.frame);
        Ok(tab)
    }

    /// Ends the page and all that it started.
    ///
    /// # Errors
    /// The browser has ended.
    pub fn close(mut self) -> anyhow::Result<Record> {
        // What is said while it ends is of no interest.
        let record = std::mem::take(&mut self.record);
        self.browser_call(
            "Target.disposeBrowserContext",
            &json!({"browserContextId": self.context}),
        )?;
        Ok(record)
    }

    /// Sends a call to the page without waiting; [`Tab::take`] gives the answer when it is there.
    ///
    /// # Errors
    /// The browser has ended.
    pub fn post(&mut self, method: &str, params: &Value) -> anyhow::Result<u64> {
        let session = self.session.clone();
        let id = self.browser.send(&session, method, params)?;
        self.awaited.insert(id);
        Ok(id)
    }

    /// As [`Tab::post`], where the answer does not matter.
    ///
    /// # Errors
    /// The browser has ended.
    pub fn send(&mut self, method: &str, params: &Value) -> anyhow::Result<()> {
        let session = self.session.clone();
        self.browser.send(&session, method, params).map(drop)
    }

    /// Whether there is an answer to take.
    #[must_use]
    pub fn has(&self, id: u64) -> bool {
        self.answers.contains_key(&id)
    }

    pub fn take(&mut self, id: u64) -> Option<Result<Value, String>> {
        self.answers.remove(&id)
    }

    /// Waits for an answer of the page; it may be blocked, so that none in time (`None`) is no failure of the browser.
    ///
    /// # Errors
    /// The browser has ended.
    pub fn call(
        &mut self,
        method: &str,
        params: &Value,
        limit: Duration,
    ) -> anyhow::Result<Option<Result<Value, String>>> {
        let id = self.post(method, params)?;
        let until = Instant::now() + limit;
        loop {
            if let Some(answer) = self.take(id) {
                return Ok(Some(answer));
            }
            if self.record.gone.is_some() || !self.pump(until)? {
                return Ok(None);
            }
        }
    }

    /// A page that does not answer may be blocked; a browser that does not has hung.
    ///
    /// # Errors
    /// The browser has ended or hangs.
    pub fn require_browser(&mut self) -> anyhow::Result<()> {
        self.browser_call("Browser.getVersion", &json!({}))
            .map(drop)
    }

    fn browser_call(&mut self, method: &str, params: &Value) -> anyhow::Result<Value> {
        let id = self.browser.send("", method, params)?;
        self.awaited.insert(id);
        let until = Instant::now() + ANSWER;
        loop {
            if let Some(answer) = self.take(id) {
                return answer.map_err(|e| anyhow!("the browser refuses {method}: {e}"));
            }
            if !self.pump(until)? {
                return Err(self.browser.hung(method));
            }
        }
    }

    /// Handles what comes next; `false` when nothing came until then, or when the page keeps us busy beyond it.
    ///
    /// # Errors
    /// The browser has ended.
    pub fn pump(&mut self, until: Instant) -> anyhow::Result<bool> {
        if Instant::now() > until + GRACE {
            return Ok(false);
        }
        match self.browser.receive(until)? {
            Some(Incoming::Answer { id, result }) => {
                if self.awaited.remove(&id) {
                    self.answers.insert(id, result);
                }
                Ok(true)
            }
            Some(Incoming::Event {
                session,
                method,
                params,
            }) => self.on_event(&session, &method, &params).map(|()| true),
            None => Ok(false),
        }
    }

    /// Whether the page waits for the network, or has something running beside it.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        !(self.open.is_empty() && self.sockets.is_empty() && self.workers.is_empty())
    }

    /// Requests to elsewhere that have not been answered: URL and resource type.
    pub fn unanswered(&self) -> impl Iterator<Item = (&str, &str)> {
        self.open
            .values()
            .map(|(url, resource)| (url.as_str(), resource.as_str()))
            .filter(|(url, _)| !self.host.is_home(url))
    }

    fn on_event(&mut self, session: &str, method: &str, params: &Value) -> anyhow::Result<()> {
        let text = |key: &str| params[key].as_str().unwrap_or_default();
        let main = session == self.session && !session.is_empty();
        match method {
            "Target.attachedToTarget" => return self.on_attached(session, params),
            "Target.detachedFromTarget" => {
                self.workers.remove(text("sessionId"));
                self.sockets
                    .retain(|(session, _)| session != text("sessionId"));
                self.open
                    .retain(|(session, _), _| session != text("sessionId"));
                if text("sessionId") == self.session {
                    self.record
                        .gone
                        .get_or_insert_with(|| "the page closed itself".to_owned());
                }
            }
            "Inspector.targetCrashed" if main => {
                self.record.gone = Some("the page crashed".to_owned());
            }
            "Fetch.requestPaused" => return self.on_request(session, params),
            "Page.javascriptDialogOpening" => {
                self.record
                    .attempts
                    .add(&format!("{}: {}", text("type"), text("message")));
                let accept = text("type") == "beforeunload";
                self.browser.send(
                    session,
                    "Page.handleJavaScriptDialog",
                    &json!({"accept": accept}),
                )?;
            }
            "Page.loadEventFired" if main => self.loaded = true,
            "Page.frameNavigated" if main && params["frame"]["parentId"].is_null() => {
                self.loaded = false;
                // What the document before had asked for is of no interest any more; its own request is done.
                self.open.retain(|(owner, _), _| owner != session);
            }
            "Page.windowOpen" => self
                .record
                .attempts
                .add(&format!("window: {}", text("url"))),
            "Browser.downloadWillBegin" => self
                .record
                .attempts
                .add(&format!("download of {}", text("url"))),
            "Network.requestWillBeSent" => {
                let url = params["request"]["url"].as_str().unwrap_or_default();
                if !url.starts_with("data:") && !url.starts_with("blob:") {
                    let key = (session.to_owned(), text("requestId").to_owned());
                    self.open
                        .insert(key, (url.to_owned(), text("type").to_owned()));
                }
            }
            "Network.responseReceived" => {
                let response = &params["response"];
                if let Some(status) = response["status"].as_u64().filter(|s| *s >= 400) {
                    let url = response["url"].as_str().unwrap_or_default();
                    self.fail(url, text("type"), Why::Status(status), &status.to_string());
                }
            }
            "Network.loadingFinished" => drop(
                self.open
                    .remove(&(session.to_owned(), text("requestId").to_owned())),
            ),
            "Network.loadingFailed" => self.on_failed(session, params),
            "Network.webSocketCreated" => drop(
                self.sockets
                    .insert((session.to_owned(), text("requestId").to_owned())),
            ),
            "Network.webSocketClosed" => drop(
                self.sockets
                    .remove(&(session.to_owned(), text("requestId").to_owned())),
            ),
            "Network.webSocketFrameError" => self
                .record
                .console
                .add(&format!("WebSocket: {}", text("errorMessage"))),
            "Runtime.consoleAPICalled" if matches!(text("type"), "error" | "assert") => {
                let words: Vec<String> = params["args"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(shown)
                    .collect();
                self.record.console.add(&words.join(" "));
            }
            // What failed to load is told as a request.
            "Log.entryAdded"
                if params["entry"]["level"] == "error"
                    && params["entry"]["source"] != "network" =>
            {
                self.record
                    .console
                    .add(params["entry"]["text"].as_str().unwrap_or_default());
            }
            "Runtime.exceptionThrown" => self
                .record
                .exceptions
                .add(&exception(&params["exceptionDetails"])),
            _ => {}
        }
        Ok(())
    }

    fn on_attached(&mut self, parent: &str, params: &Value) -> anyhow::Result<()> {
        let info = &params["targetInfo"];
        let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        let (session, kind, target) = (
            text(&params["sessionId"]),
            text(&info["type"]),
            text(&info["targetId"]),
        );
        // The browser's own pages (an omnibox nobody sees) stay where they wait: their hundreds of requests are not the page's.
        if info["browserContextId"] != self.context.as_str() || kind == "browser_ui" {
            return Ok(());
        }
        let ours = self.session.is_empty() && kind == "page" && info["openerId"].is_null();
        if kind == "page" && !ours {
            self.windows.insert(session.clone());
            self.browser.send(
                &session,
                "Fetch.enable",
                &json!({"patterns": [{"urlPattern": "*"}]}),
            )?;
            // Its opener shares its process, and waits with it as long as it waits for the debugger.
            self.browser
                .send(&session, "Runtime.runIfWaitingForDebugger", &json!({}))?;
            self.browser
                .send("", "Target.closeTarget", &json!({"targetId": target}))?;
            return Ok(());
        }
        if ours {
            self.session.clone_from(&session);
        }
        if kind.ends_with("worker") && kind != "service_worker" && !parent.is_empty() {
            self.workers.insert(session.clone());
        }
        // Those that a kind of target does not know are answered with an error that nobody waits for.
        let attach = json!({"autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true});
        for (method, params) in [
            ("Fetch.enable", json!({"patterns": [{"urlPattern": "*"}]})),
            ("Page.enable", json!({})),
            ("Network.enable", json!({})),
            ("Runtime.enable", json!({})),
            ("Log.enable", json!({})),
            ("Inspector.enable", json!({})),
            ("Target.setAutoAttach", attach),
            ("Runtime.runIfWaitingForDebugger", json!({})),
        ] {
            self.browser.send(&session, method, &params)?;
        }
        Ok(())
    }

    fn on_request(&mut self, session: &str, params: &Value) -> anyhow::Result<()> {
        let (id, request) = (&params["requestId"], &params["request"]);
        let url = request["url"].as_str().unwrap_or_default();
        let top = params["resourceType"] == "Document" && params["frameId"] == self.frame.as_str();
        let leaves = top && !self.host.is_home(url);
        if leaves {
            self.record.left_for.get_or_insert_with(|| url.to_owned());
            self.record.attempts.add(&format!("leaving for {url}"));
        }
        let route = if leaves || self.windows.contains(session) {
            Route::Refuse
        } else {
            self.host.route(&Asked {
                method: request["method"].as_str().unwrap_or("GET"),
                url,
            })
        };
        let (reason, why) = match route {
            Route::Answer(answer) => {
                // A page that asks for more than the browser can take in is refused the rest.
                if self.browser.takes_more() {
                    let headers: Vec<Value> = answer
                        .headers
                        .iter()
                        .map(|(k, v)| json!({"name": k, "value": v}))
                        .collect();
                    let body = STANDARD.encode(&answer.body);
                    let answer = json!({"requestId": id, "responseCode": answer.status, "responseHeaders": headers, "body": body});
                    return self
                        .browser
                        .send(session, "Fetch.fulfillRequest", &answer)
                        .map(drop);
                }
                ("Aborted", Why::Failed)
            }
            Route::Network => {
                return self
                    .browser
                    .send(session, "Fetch.continueRequest", &json!({"requestId": id}))
                    .map(drop);
            }
            Route::Offline => ("InternetDisconnected", Why::Unreachable),
            Route::Refuse => ("BlockedByClient", Why::Refused),
        };
        self.refused.insert(
            params["networkId"].as_str().unwrap_or_default().to_owned(),
            why,
        );
        self.browser
            .send(
                session,
                "Fetch.failRequest",
                &json!({"requestId": id, "errorReason": reason}),
            )
            .map(drop)
    }

    fn on_failed(&mut self, session: &str, params: &Value) {
        let id = params["requestId"].as_str().unwrap_or_default();
        let Some((url, resource)) = self.open.remove(&(session.to_owned(), id.to_owned())) else {
            return;
        };
        let error = params["errorText"]
            .as_str()
            .unwrap_or_default()
            .trim_start_matches("net::");
        let (why, text) = match self.refused.remove(id) {
            Some(Why::Refused) => (Why::Refused, "refused: not to be reached by a page"),
            Some(why) => (why, error),
            // The page itself gave it up.
            None if params["canceled"] == true => return,
            None => (Why::of(error), error),
        };
        self.fail(&url, &resource, why, text);
    }

    fn fail(&mut self, url: &str, resource: &str, why: Why, text: &str) {
        // The browser asks for it by itself; no page is worse for not having one.
        if address::parts(url).is_none_or(|(_, _, path)| path != "/favicon.ico") {
            self.record.fail(Failure {
                url: url.to_owned(),
                resource: resource.to_owned(),
                why,
                text: text.to_owned(),
            });
        }
    }
}
