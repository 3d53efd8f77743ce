//! Facts from the web: the model names an address, the tool gets it. So figures come from their source and are not made up.
//!
//! The model has read attachments and pages by strangers, so what it names is not trusted: https only, public addresses only, a
//! limit on everything, nothing of ours in the request. `LLMDEPLOY_FETCH_HOSTS` narrows it to the hosts listed, and is the way to allow a
//! private one, also over plain http.

use std::time::{Duration, Instant};

use crate::ports::World;
use crate::ports::http::{Hosts, Reach, Request, Response, TooLarge, Url};

/// Addresses in one turn, and turns.
pub const AT_ONCE: usize = 5;
pub const TURNS: u32 = 2;
const TIMEOUT: Duration = Duration::from_secs(20);
const LIMIT: u64 = 1 << 20;
const REDIRECTS: u32 = 2;
/// Some sources (SEC, Wikipedia) ask for a name that says what it is.
const USER_AGENT: &str = concat!(
    "llmdeploy/",
    env!("CARGO_PKG_VERSION"),
    " (command-line tool; reads public facts for a static page, a few requests per page)"
);

/// The text at an address.
///
/// # Errors
/// Says, for the model to read, why there is none.
pub fn get(
    world: &World,
    hosts: Option<&Hosts>,
    address: &str,
    until: Instant,
) -> Result<String, String> {
    let mut url = Url::parse(address)?;
    let mut redirects = 0;
    loop {
        let listed = hosts.is_some_and(|hosts| hosts.contains(&url));
        if hosts.is_some() && !listed {
            return Err(format!(
                "{} is not among the hosts that may be asked",
                url.authority
            ));
        }
        if !url.https && !listed {
            return Err("only https addresses are fetched".to_owned());
        }
        let timeout = TIMEOUT
            .min(world.clock.left(Some(until)))
            .max(Duration::from_millis(1));
        let headers = [
            ("User-Agent", USER_AGENT),
            ("Accept", "application/json, text/*;q=0.9, */*;q=0.5"),
        ];
        let request = Request {
            method: "GET",
            url: url.as_str(),
            headers: &headers,
            body: None,
            timeout,
            limit: LIMIT,
        };
        let reach = if listed {
            Reach::Anywhere
        } else {
            Reach::PublicOnly
        };
        let response = world.http.send_within(reach, &request).map_err(|e| {
            match e.downcast_ref::<TooLarge>() {
                Some(_) => format!("larger than {} KiB", LIMIT >> 10),
                None => format!("no answer: {}", e.root_cause()),
            }
        })?;
        match response.status {
            200 => return text(&response),
            301 | 302 | 303 | 307 | 308 if redirects < REDIRECTS => {
                redirects += 1;
                url = url
                    .join(response.header("location").unwrap_or_default())
                    .map_err(|_| "redirects to something that is no web address".to_owned())?;
            }
            status => return Err(format!("answered {status}")),
        }
    }
}

fn text(response: &Response) -> Result<String, String> {
    super::material::text(&response.body).ok_or_else(|| "not text".to_owned())
}
