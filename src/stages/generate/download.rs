//! Attachments that are not in the task but at an `https:` address. What they hold is published, so a task must not name a page
//! that only this machine and its neighbours can read: public addresses only, at each redirect anew.

use std::time::Duration;

use crate::error::{Code, Error, Result};
use crate::ports::World;
use crate::ports::address::PrivateAddress;
use crate::ports::http::{Hosts, Reach, Request, Response, TooLarge, Url};
use crate::ports::retry;
use crate::request::task::{Source, Task};

/// The most bytes of one download.
const LIMIT: u64 = 25 << 20;
/// The longest one may take.
const TIMEOUT: Duration = Duration::from_secs(60);
const MAX_REDIRECTS: u32 = 5;

/// The bytes of each attachment, `None` for those that the task holds itself. `private`: hosts that may be asked at whatever
/// address.
///
/// # Errors
/// `invalid_task` for an address that is refused or too large, `network`.
pub fn attachments(
    world: &World,
    task: &Task,
    private: Option<&Hosts>,
) -> Result<Vec<Option<Vec<u8>>>> {
    let one = |(n, attachment): (usize, &crate::request::task::Attachment)| match &attachment.source
    {
        Source::Bytes(_) => Ok(None),
        Source::Https(url) => {
            world
                .progress
                .detail(&format!("downloading {}", attachment.name));
            download(world, url, private)
                .map(Some)
                .map_err(|e| e.context(format!("attachments[{n}].url")))
        }
    };
    task.attachments.iter().enumerate().map(one).collect()
}

fn download(world: &World, url: &Url, private: Option<&Hosts>) -> Result<Vec<u8>> {
    let mut at = url.clone();
    let (mut failures, mut redirects) = (0, 0);
    loop {
        let timeout = TIMEOUT
            .min(world.clock.left(None))
            .max(Duration::from_millis(1));
        let headers = [("Accept", "*/*")];
        let request = Request {
            method: "GET",
            url: at.as_str(),
            headers: &headers,
            body: None,
            timeout,
            limit: LIMIT,
        };
        let reach = if private.is_some_and(|hosts| hosts.contains(&at)) {
            Reach::Anywhere
        } else {
            Reach::PublicOnly
        };
        let failure = match world.http.send_within(reach, &request) {
            Ok(response) => match response.status {
                200 => return Ok(response.body),
                301 | 302 | 303 | 307 | 308 if redirects < MAX_REDIRECTS => {
                    redirects += 1;
                    at = target(&at, &response)?;
                    continue;
                }
                429 | 500..=599 => Error::new(
                    Code::Network,
                    format!("{} answered {}", at.authority, response.status),
                ),
                status => {
                    return Err(Error::new(
                        Code::InvalidTask,
                        format!("{} answered {status}", at.authority),
                    )
                    .hint("attach the file as a data: URI instead"));
                }
            },
            Err(source) if source.is::<TooLarge>() => {
                return Err(Error {
                    code: Code::InvalidTask,
                    source,
                    hint: Some(format!("an attachment is at most {} MiB", LIMIT >> 20)),
                });
            }
            Err(source) if PrivateAddress::is_cause_of(&source) => {
                return Err(Error {
                    code: Code::InvalidTask,
                    source,
                    hint: Some(format!(
                        "attach the file as a data: URI; if it may be published, list the host: LLMDEPLOY_FETCH_HOSTS={}",
                        at.authority
                    )),
                });
            }
            Err(source) => Error {
                code: Code::Network,
                source,
                hint: None,
            },
        };
        failures += 1;
        if failures >= retry::TRIES || !world.clock.pause(retry::pause(world.clock.unit, failures))
        {
            return Err(failure.hint("run the same command again; it goes on from here"));
        }
    }
}

fn target(at: &Url, response: &Response) -> Result<Url> {
    let location = response.header("location").unwrap_or_default();
    at.join(location).ok().filter(|u| u.https).ok_or_else(|| {
        Error::new(
            Code::InvalidTask,
            format!("{} redirects to something that is not https", at.authority),
        )
        .hint("attach the file as a data: URI instead")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_may_be_relative_and_stays_https() {
        let at = Url::parse("https://x.example/a/b.csv?c").unwrap();
        let answer = |location: &str| Response {
            status: 302,
            headers: vec![("Location".to_owned(), location.to_owned())],
            body: vec![],
        };
        let to = |location: &str| {
            target(&at, &answer(location))
                .map(|url| url.as_str().to_owned())
                .ok()
        };
        assert_eq!(to("//h.example/x").as_deref(), Some("https://h.example/x"));
        assert_eq!(to("x.csv").as_deref(), Some("https://x.example/a/x.csv"));
        assert_eq!(to("?a").as_deref(), Some("https://x.example/a/b.csv?a"));
        assert_eq!((to("http://x.example/"), to("")), (None, None));
    }
}
