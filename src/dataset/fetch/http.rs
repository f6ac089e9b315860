//! One file over HTTP: ranges, retries, timeouts.

use std::{
    fs::{self, OpenOptions},
    io::{Read as _, Write as _},
    path::Path,
    thread,
    time::Duration,
};

use ureq::{Agent, Body, http::Response};

use super::{FetchError, Progress};

/// How long to wait and how often to try.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpOptions {
    /// Attempts in a row that bring no new byte before giving up, at least 1.
    pub max_attempts: u32,
    /// Wait before the second attempt; doubles with each further one, up to a minute. A server's `Retry-After` wins.
    pub first_wait: Duration,
    /// For a connection to be made.
    pub connect_timeout: Duration,
    /// For the next bytes to come.
    pub read_timeout: Duration,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            max_attempts: 5,
            first_wait: Duration::from_millis(500),
            connect_timeout: Duration::from_secs(20),
            read_timeout: Duration::from_secs(60),
        }
    }
}

const MAX_WAIT: Duration = Duration::from_secs(60);

/// What a download took.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Transfer {
    /// Bytes received, also those that a restart threw away.
    pub(super) received: u64,
    /// Bytes on disk when the last range request that was granted began; 0 if the file came in one piece.
    pub(super) resumed_from: u64,
}

enum Failure {
    /// Worth another attempt, after the server's own waiting time if it stated one.
    Passing {
        problem: String,
        status: Option<u16>,
        retry_after: Option<Duration>,
    },
    Final(FetchError),
}

impl Failure {
    fn passing(problem: impl ToString) -> Self {
        Self::Passing {
            problem: problem.to_string(),
            status: None,
            retry_after: None,
        }
    }
}

pub(super) struct Http {
    agent: Agent,
    options: HttpOptions,
}

impl Http {
    pub(super) fn new(options: &HttpOptions) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(options.connect_timeout))
            .timeout_recv_response(Some(options.read_timeout))
            .timeout_per_read(Some(options.read_timeout))
            // A range and a length count encoded bytes, a hash the decoded ones.
            .accept_encoding("identity")
            .build();
        Self {
            agent: config.into(),
            options: options.clone(),
        }
    }

    /// Completes the file `part`, going on where it ends. `Ok` says that the server has no more, not that the bytes are
    /// right.
    pub(super) fn download(
        &self,
        url: &str,
        part: &Path,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Transfer, FetchError> {
        let mut transfer = Transfer::default();
        let (mut failures, mut furthest) = (0, length(part));
        loop {
            let failure = match self.attempt(url, part, &mut transfer, progress) {
                Ok(()) => return Ok(transfer),
                Err(Failure::Final(error)) => return Err(error),
                Err(failure) => failure,
            };
            let Failure::Passing {
                problem,
                status,
                retry_after,
            } = failure
            else {
                continue;
            };
            // Counted by the furthest byte ever reached: a server without ranges that always breaks at the same place
            // makes no progress.
            failures = if length(part) > furthest { 1 } else { failures + 1 };
            furthest = furthest.max(length(part));
            if failures >= self.options.max_attempts {
                let url = url.to_owned();
                return Err(match status {
                    Some(status) => FetchError::Status {
                        url,
                        status,
                        hint: hint(status),
                    },
                    None => FetchError::Connection {
                        url,
                        problem,
                        attempts: failures,
                    },
                });
            }
            let doubled = self.options.first_wait.saturating_mul(1 << (failures - 1).min(16));
            let wait = retry_after.unwrap_or(doubled).min(MAX_WAIT);
            progress(Progress::Retry {
                problem: &problem,
                attempt: failures + 1,
                wait,
            });
            thread::sleep(wait);
        }
    }

    fn attempt(
        &self,
        url: &str,
        part: &Path,
        transfer: &mut Transfer,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), Failure> {
        let have = length(part);
        let mut request = self.agent.get(url);
        if have > 0 {
            request = request.header("Range", format!("bytes={have}-"));
        }
        let mut response = request.call().map_err(|error| connection(url, error))?;
        let start = match response.status().as_u16() {
            200 => 0,
            206 if have > 0 && range_start(&response) == Some(have) => have,
            // Nothing beyond what is there: it is complete, or of another version, which the hash will tell.
            416 if have > 0 => {
                transfer.resumed_from = have;
                return Ok(());
            }
            206 => {
                remove(part)?;
                return Err(Failure::passing("the server sent another range than asked for"));
            }
            status => return Err(refused(url, status, &response)),
        };
        transfer.resumed_from = start;
        let io = |source| Failure::Final(FetchError::io(part, source));
        let mut file = OpenOptions::new().create(true).append(true).open(part).map_err(io)?;
        if start == 0 && have > 0 {
            file.set_len(0).map_err(io)?;
        }
        let length = response.body().content_length();
        let mut body = response.body_mut().as_reader();
        let mut buffer = vec![0; 1 << 16];
        let mut received = 0;
        loop {
            let num_bytes = body.read(&mut buffer).map_err(Failure::passing)?;
            let Some(bytes @ [_, ..]) = buffer.get(..num_bytes) else {
                break;
            };
            file.write_all(bytes).map_err(io)?;
            received += num_bytes as u64;
            transfer.received += num_bytes as u64;
            progress(Progress::Bytes {
                done: start + received,
                total: length.map(|length| start + length),
            });
        }
        match length {
            Some(length) if received != length => Err(Failure::passing(format!(
                "the connection ended after {received} of {length} bytes"
            ))),
            _ => Ok(()),
        }
    }
}

fn length(part: &Path) -> u64 {
    fs::metadata(part).map_or(0, |metadata| metadata.len())
}

fn remove(part: &Path) -> Result<(), Failure> {
    fs::remove_file(part).map_err(|source| Failure::Final(FetchError::io(part, source)))
}

/// First byte of `Content-Range: bytes 100-199/200`.
fn range_start(response: &Response<Body>) -> Option<u64> {
    let range = response.headers().get("Content-Range")?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split_once('-')?.0.trim().parse().ok()
}

fn connection(url: &str, error: ureq::Error) -> Failure {
    match error {
        // Certificates, addresses and redirect loops do not get better by waiting.
        ureq::Error::Io(_) | ureq::Error::Timeout(_) | ureq::Error::Protocol(_) | ureq::Error::ConnectionFailed => {
            Failure::passing(error)
        }
        _ => {
            let (url, problem) = (url.to_owned(), error.to_string());
            Failure::Final(FetchError::Connection {
                url,
                problem,
                attempts: 1,
            })
        }
    }
}

fn refused(url: &str, status: u16, response: &Response<Body>) -> Failure {
    match status {
        408 | 425 | 429 | 500 | 502 | 503 | 504 => {
            let seconds = || response.headers().get("Retry-After")?.to_str().ok()?.parse().ok();
            let problem = format!("HTTP status {status}");
            Failure::Passing {
                problem,
                status: Some(status),
                retry_after: seconds().map(Duration::from_secs),
            }
        }
        _ => Failure::Final(FetchError::Status {
            url: url.to_owned(),
            status,
            hint: hint(status),
        }),
    }
}

fn hint(status: u16) -> &'static str {
    match status {
        401 | 403 | 407 => {
            "the files need an account or a signed agreement; download them by hand and fetch from that folder"
        }
        404 | 410 => "no such file there; check the base address, the version in it and the path",
        429 | 500.. => "the server is overloaded or broken; try again later, what has come is kept",
        _ => "the server does not serve this; check the base address",
    }
}
