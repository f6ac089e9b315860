//! Fetching, against a small server that cuts connections, ignores ranges, refuses and lies.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use recoup::dataset::fetch::{
    AcceptedHash, FetchError, FetchPlan, FetchReport, FileSpec, HttpOptions, Outcome, Progress, Source, fetch,
    fetch_hash_list, parse_sha256sums,
};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// What the server does with one address. Each list is used up, one entry per request.
#[derive(Clone, Default)]
struct Page {
    bytes: Vec<u8>,
    ignores_ranges: bool,
    /// Close after so many bytes of the body.
    cuts: Vec<usize>,
    /// Answer with this status instead; 503 asks to wait a second.
    statuses: Vec<u16>,
    /// Stop talking after the header.
    stalls: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Request {
    path: String,
    range: Option<String>,
    sent: usize,
}

struct Server {
    url: String,
    pages: Arc<Mutex<BTreeMap<String, Page>>>,
    log: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    fn new(pages: impl IntoIterator<Item = (&'static str, Page)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/base", listener.local_addr().unwrap());
        let pages = pages
            .into_iter()
            .map(|(path, page)| (format!("/base/{path}"), page))
            .collect();
        let pages: Arc<Mutex<BTreeMap<String, Page>>> = Arc::new(Mutex::new(pages));
        let log = Arc::new(Mutex::new(Vec::new()));
        let server = Self {
            url,
            pages: pages.clone(),
            log: log.clone(),
        };
        // Ends with the test binary.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (pages, log) = (pages.clone(), log.clone());
                thread::spawn(move || answer(stream.unwrap(), &pages, &log));
            }
        });
        server
    }

    fn log(&self) -> Vec<Request> {
        self.log.lock().unwrap().clone()
    }

    fn set(&self, path: &str, page: Page) {
        self.pages.lock().unwrap().insert(format!("/base/{path}"), page);
    }
}

fn answer(mut stream: TcpStream, pages: &Mutex<BTreeMap<String, Page>>, log: &Mutex<Vec<Request>>) {
    let lines: Vec<String> = BufReader::new(stream.try_clone().unwrap())
        .lines()
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .collect();
    let Some(path) = lines.first().and_then(|line| line.split(' ').nth(1)).map(str::to_owned) else {
        return;
    };
    let header = |name: &str| {
        lines
            .iter()
            .find_map(|l| l.to_lowercase().strip_prefix(name).map(|v| v.trim().to_owned()))
    };
    let range = header("range:");
    let (page, cut, status) = {
        let mut pages = pages.lock().unwrap();
        let page = pages.get_mut(&path);
        let next = |list: &mut Vec<usize>| (!list.is_empty()).then(|| list.remove(0));
        match page {
            None => (Page::default(), None, Some(404)),
            Some(page) if !page.statuses.is_empty() => (Page::default(), None, Some(page.statuses.remove(0))),
            Some(page) => {
                let cut = next(&mut page.cuts);
                (page.clone(), cut, None)
            }
        }
    };
    let start = match (&range, page.ignores_ranges) {
        (Some(range), false) => range
            .strip_prefix("bytes=")
            .unwrap()
            .trim_end_matches('-')
            .parse()
            .unwrap(),
        _ => 0,
    };
    let total = page.bytes.len();
    let status = status.unwrap_or(match start {
        0 => 200,
        _ if start < total => 206,
        _ => 416,
    });
    let body = if status < 300 {
        &page.bytes[start..]
    } else {
        b"<html>no</html>"
    };
    let mut head = format!(
        "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    if status == 206 {
        head += &format!("Content-Range: bytes {start}-{}/{total}\r\n", total - 1);
    }
    if status == 503 {
        head += "Retry-After: 1\r\n";
    }
    let sent = cut.unwrap_or(body.len()).min(body.len());
    // Before the bytes: the client may be done, and the test read the log, before this thread goes on.
    log.lock().unwrap().push(Request { path, range, sent });
    stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    match page.stalls {
        true => thread::sleep(Duration::from_secs(5)),
        false => drop(stream.write_all(&body[..sent])),
    }
}

fn bytes(len: usize) -> Vec<u8> {
    let mut state = 12345_u32;
    let next = |_| {
        state = state.wrapping_mul(1664525).wrapping_add(1013904223);
        (state >> 24) as u8
    };
    (0..len).map(next).collect()
}

fn page(bytes: &[u8]) -> Page {
    Page {
        bytes: bytes.to_vec(),
        ..Page::default()
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn options() -> HttpOptions {
    let (short, long) = (Duration::from_millis(300), Duration::from_secs(10));
    HttpOptions {
        max_attempts: 3,
        first_wait: Duration::from_millis(1),
        connect_timeout: long,
        read_timeout: short,
    }
}

fn http() -> Source {
    Source::Http(HttpOptions {
        read_timeout: Duration::from_secs(10),
        ..options()
    })
}

fn once() -> Source {
    Source::Http(HttpOptions {
        max_attempts: 1,
        ..options()
    })
}

/// A plan for one file into a new folder.
fn plan(server: &Server, path: &str, content: &[u8]) -> (TempDir, FetchPlan) {
    let folder = tempfile::tempdir().unwrap();
    let files = vec![FileSpec::new(path, sha256(content))];
    let plan = FetchPlan {
        base_url: server.url.clone(),
        files,
        to: folder.path().join("raw"),
    };
    (folder, plan)
}

fn run(plan: &FetchPlan, source: &Source) -> Result<FetchReport, FetchError> {
    fetch(plan, source, |_| ())
}

fn outcome(report: &FetchReport) -> (Outcome, u64) {
    (report.files[0].outcome, report.files[0].received)
}

fn message(plan: &FetchPlan, source: &Source) -> String {
    run(plan, source).unwrap_err().to_string()
}

fn beside(plan: &FetchPlan, suffix: &str) -> PathBuf {
    plan.to.join(format!("{}{suffix}", plan.files[0].path))
}

#[test]
fn fetches_whole_files_and_skips_those_there() {
    let content = bytes(300_000);
    let server = Server::new([("a/b%20%28c%29.dat", page(&content))]);
    let (_folder, plan) = plan(&server, "a/b (c).dat", &content);
    let mut seen = Vec::new();
    let report = fetch(&plan, &http(), |event| {
        if let Progress::Bytes { done, total } = event {
            seen.push((done, total));
        }
    });
    let report = report.unwrap();
    assert_eq!(outcome(&report), (Outcome::Fetched, 300_000));
    assert_eq!(fs::read(plan.to.join("a/b (c).dat")).unwrap(), content);
    assert!(!beside(&plan, ".part").exists());
    assert!(seen.is_sorted() && seen.iter().all(|(_, total)| *total == Some(300_000)));
    assert_eq!(seen.last().unwrap().0, 300_000);
    let report = run(&plan, &http()).unwrap();
    assert_eq!(outcome(&report), (Outcome::AlreadyThere, 0));
    assert_eq!(
        report.to_string(),
        "1 files verified, 1 of them already there, 0 bytes received"
    );
    assert_eq!(server.log().len(), 1);
}

#[test]
fn a_file_there_with_a_wrong_hash_is_replaced() {
    let content = bytes(1000);
    let server = Server::new([("f", page(&content))]);
    let (_folder, plan) = plan(&server, "f", &content);
    fs::create_dir_all(&plan.to).unwrap();
    fs::write(beside(&plan, ""), "old").unwrap();
    server.set("f", page(b"wrong"));
    assert!(matches!(run(&plan, &http()), Err(FetchError::Rejected { .. })));
    assert_eq!(
        fs::read(beside(&plan, "")).unwrap(),
        b"old",
        "kept until the new one is verified"
    );
    server.set("f", page(&content));
    assert_eq!(outcome(&run(&plan, &http()).unwrap()), (Outcome::Fetched, 1000));
    assert_eq!(fs::read(beside(&plan, "")).unwrap(), content);
}

#[test]
fn cut_connections_go_on_by_range() {
    let content = bytes(500_000);
    let server = Server::new([(
        "f",
        Page {
            cuts: vec![200_000, 100_001],
            ..page(&content)
        },
    )]);
    let (_folder, plan) = plan(&server, "f", &content);
    let mut retries = Vec::new();
    let report = fetch(&plan, &http(), |event| {
        if let Progress::Retry { problem, attempt, .. } = event {
            retries.push((problem.to_owned(), attempt));
        }
    });
    let request = |range: Option<&str>, sent| Request {
        path: "/base/f".into(),
        range: range.map(Into::into),
        sent,
    };
    let expected = [
        request(None, 200_000),
        request(Some("bytes=200000-"), 100_001),
        request(Some("bytes=300001-"), 199_999),
    ];
    assert_eq!(server.log(), expected);
    assert_eq!(outcome(&report.unwrap()), (Outcome::Resumed { from: 300_001 }, 500_000));
    assert_eq!(fs::read(beside(&plan, "")).unwrap(), content);
    // Both brought new bytes, so each is followed by a second attempt.
    assert_eq!(retries.iter().map(|(_, attempt)| *attempt).collect::<Vec<_>>(), [2, 2]);
}

#[test]
fn a_later_call_goes_on_where_the_earlier_one_stopped() {
    let content = bytes(100_000);
    let server = Server::new([(
        "f",
        Page {
            cuts: vec![70_000],
            ..page(&content)
        },
    )]);
    let (_folder, plan) = plan(&server, "f", &content);
    let error = message(&plan, &once());
    assert!(error.starts_with(&format!("{}/f: ", server.url)), "{error}");
    assert!(
        error.contains("(attempts without a new byte: 1); what has come is kept, so try again"),
        "{error}"
    );
    assert_eq!(fs::read(beside(&plan, ".part")).unwrap(), content[..70_000]);
    assert!(!beside(&plan, "").exists());
    assert_eq!(
        outcome(&run(&plan, &once()).unwrap()),
        (Outcome::Resumed { from: 70_000 }, 30_000)
    );
    assert_eq!(server.log()[1].range.as_deref(), Some("bytes=70000-"));
    assert_eq!(fs::read(beside(&plan, "")).unwrap(), content);
}

#[test]
fn a_server_without_ranges_starts_again() {
    let content = bytes(100_000);
    let server = Server::new([(
        "f",
        Page {
            cuts: vec![70_000],
            ignores_ranges: true,
            ..page(&content)
        },
    )]);
    let (_folder, plan) = plan(&server, "f", &content);
    assert_eq!(outcome(&run(&plan, &http()).unwrap()), (Outcome::Fetched, 170_000));
    assert_eq!(fs::read(beside(&plan, "")).unwrap(), content);
    // Always cut at the same place: no new byte, so it ends.
    server.set(
        "f",
        Page {
            cuts: vec![70_000; 9],
            ignores_ranges: true,
            ..page(&content)
        },
    );
    fs::remove_file(beside(&plan, "")).unwrap();
    let before = server.log().len();
    assert!(message(&plan, &http()).contains("(attempts without a new byte: 3)"));
    assert_eq!(server.log().len() - before, 3);
}

#[test]
fn pieces_that_do_not_belong_together_are_fetched_again_whole() {
    let content = bytes(1000);
    let server = Server::new([("f", page(&content))]);
    let (_folder, plan) = plan(&server, "f", &content);
    fs::create_dir_all(&plan.to).unwrap();
    // A stale beginning, and one longer than the file, which the server answers with 416.
    for (stale, received) in [(400, 1600), (2000, 1000)] {
        fs::write(beside(&plan, ".part"), vec![0; stale]).unwrap();
        let mut restarts = 0;
        let report = fetch(&plan, &http(), |event| {
            restarts += usize::from(event == Progress::Restart)
        })
        .unwrap();
        assert_eq!((outcome(&report), restarts), ((Outcome::Fetched, received), 1));
        assert_eq!(fs::read(beside(&plan, "")).unwrap(), content);
        fs::remove_file(beside(&plan, "")).unwrap();
    }
}

#[test]
fn a_complete_part_needs_no_byte() {
    let content = bytes(1000);
    let server = Server::new([("f", page(&content))]);
    let (_folder, plan) = plan(&server, "f", &content);
    fs::create_dir_all(&plan.to).unwrap();
    fs::write(beside(&plan, ".part"), &content).unwrap();
    assert_eq!(
        outcome(&run(&plan, &http()).unwrap()),
        (Outcome::Resumed { from: 1000 }, 0)
    );
    assert_eq!(server.log()[0].range.as_deref(), Some("bytes=1000-"));
}

#[test]
fn wrong_bytes_are_put_aside() {
    let content = bytes(1000);
    let server = Server::new([("f", page(b"other"))]);
    let (_folder, plan) = plan(&server, "f", &content);
    let expected = |found: &[u8], hint| {
        let (found, expected, kept) = (sha256(found), sha256(&content), beside(&plan, ".rejected"));
        format!(
            "f: SHA-256 is {found}, expected {expected}; {hint}; put aside as {}",
            kept.display()
        )
    };
    let changed = "the publisher's file changed, or a cache between gave another; compare before accepting its hash";
    assert_eq!(message(&plan, &http()), expected(b"other", changed));
    assert_eq!(fs::read(beside(&plan, ".rejected")).unwrap(), b"other");
    assert!(!beside(&plan, "").exists() && !beside(&plan, ".part").exists());
    let html = b"\n<!DOCTYPE html>";
    server.set("f", page(html));
    let login = "the server sent a web page; the files may need an account, a log-in or an agreement";
    assert_eq!(message(&plan, &http()), expected(html, login));
    server.set("f", page(&content));
    assert_eq!(outcome(&run(&plan, &http()).unwrap()), (Outcome::Fetched, 1000));
    assert!(!beside(&plan, ".rejected").exists());
}

#[test]
fn wrong_bytes_in_pieces_end_too() {
    let server = Server::new([(
        "f",
        Page {
            cuts: vec![10; 50],
            ..page(&bytes(100))
        },
    )]);
    let (_folder, plan) = plan(&server, "f", b"something else");
    assert!(matches!(run(&plan, &http()), Err(FetchError::Rejected { .. })));
}

#[test]
fn refusals_are_final_and_overload_is_not() {
    let content = bytes(1000);
    let server = Server::new([
        (
            "closed",
            Page {
                statuses: vec![403; 9],
                ..page(&content)
            },
        ),
        (
            "busy",
            Page {
                statuses: vec![500, 503],
                ..page(&content)
            },
        ),
        (
            "broken",
            Page {
                statuses: vec![502; 9],
                ..page(&content)
            },
        ),
    ]);
    let error = |path| {
        let (_folder, plan) = plan(&server, path, &content);
        let before = server.log().len();
        (message(&plan, &http()), server.log().len() - before)
    };
    let hint = "no such file there; check the base address, the version in it and the path";
    assert_eq!(
        error("lost"),
        (format!("{}/lost: HTTP status 404: {hint}", server.url), 1)
    );
    let hint = "the files need an account or a signed agreement; download them by hand and fetch from that folder";
    assert_eq!(
        error("closed"),
        (format!("{}/closed: HTTP status 403: {hint}", server.url), 1)
    );
    let hint = "the server is overloaded or broken; try again later, what has come is kept";
    assert_eq!(
        error("broken"),
        (format!("{}/broken: HTTP status 502: {hint}", server.url), 3)
    );

    let (_folder, plan) = plan(&server, "busy", &content);
    let mut retries = Vec::new();
    let report = fetch(&plan, &http(), |event| {
        if let Progress::Retry { problem, attempt, wait } = event {
            retries.push((problem.to_owned(), attempt, wait));
        }
    });
    assert_eq!(outcome(&report.unwrap()), (Outcome::Fetched, 1000));
    let millis = Duration::from_millis;
    let expected = [
        ("HTTP status 500".into(), 2, millis(1)),
        ("HTTP status 503".into(), 3, millis(1000)),
    ];
    assert_eq!(retries, expected);
}

#[test]
fn silence_and_absence_end_in_time() {
    let content = bytes(1000);
    let server = Server::new([(
        "f",
        Page {
            stalls: true,
            ..page(&content)
        },
    )]);
    let (_folder, plan) = plan(&server, "f", &content);
    let begin = Instant::now();
    let error = message(&plan, &once());
    assert!(error.contains("timeout"), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(3));

    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let plan = FetchPlan {
        base_url: format!("http://127.0.0.1:{port}"),
        ..plan
    };
    let error = message(&plan, &http());
    assert!(error.to_lowercase().contains("connection refused"), "{error}");
    assert!(error.contains("(attempts without a new byte: 3)"), "{error}");
    let plan = FetchPlan {
        base_url: "nonsense".into(),
        ..plan
    };
    assert!(matches!(
        run(&plan, &http()),
        Err(FetchError::Connection { attempts: 1, .. })
    ));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named() {
    let content = bytes(1000);
    let server = Server::new([("f", page(&content))]);
    let (folder, plan) = plan(&server, "f", &content);
    fs::create_dir_all(&plan.to).unwrap();
    fs::write(folder.path().join("f"), &content).unwrap();
    std::os::unix::fs::symlink("/dev/full", beside(&plan, ".part")).unwrap();
    let expected = format!(
        "{}: no space left (No space left on device (os error 28)); free some and try again, what has come is kept",
        beside(&plan, ".part").display()
    );
    assert_eq!(message(&plan, &http()), expected);
    assert_eq!(message(&plan, &Source::LocalDir(folder.path().into())), expected);
}

#[test]
fn a_folder_is_as_good_as_a_server() {
    let content = bytes(1000);
    let server = Server::new([]);
    let (folder, plan) = plan(&server, "a/f", &content);
    let source = Source::LocalDir(folder.path().into());
    let hint = format!(
        "a/f: not in {}; it must hold the files under the paths of the plan",
        folder.path().display()
    );
    assert_eq!(message(&plan, &source), hint);
    fs::create_dir(folder.path().join("a")).unwrap();
    fs::write(folder.path().join("a/f"), "wrong").unwrap();
    let hint = "the folder's file is damaged, edited or of another version; get it again";
    assert_eq!(
        message(&plan, &source),
        format!(
            "a/f: SHA-256 is {}, expected {}; {hint}",
            sha256(b"wrong"),
            sha256(&content)
        )
    );
    fs::write(folder.path().join("a/f"), &content).unwrap();
    let mut permissions = fs::metadata(folder.path().join("a/f")).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(folder.path().join("a/f"), permissions).unwrap();
    assert_eq!(outcome(&run(&plan, &source).unwrap()), (Outcome::Copied, 1000));
    assert!(!fs::metadata(beside(&plan, "")).unwrap().permissions().readonly());
    assert_eq!(server.log(), []);
}

#[test]
fn a_second_hash_is_named_in_the_report() {
    let server = Server::new([("f", page(b"edited"))]);
    let (_folder, mut plan) = plan(&server, "f", b"original");
    let second = AcceptedHash {
        sha256: sha256(b"edited").to_uppercase(),
        reason: None,
    };
    plan.files[0].sha256.push(second);
    assert!(message(&plan, &http()).contains("is accepted without a reason; state it"));
    plan.files[0].sha256[1].reason = Some("line ends differ".into());
    for received in [6, 0] {
        let report = run(&plan, &http()).unwrap();
        assert_eq!(report.files[0].accepted.as_deref(), Some("line ends differ"));
        let (note, there) = (sha256(b"edited"), usize::from(received == 0));
        assert_eq!(
            report.to_string(),
            format!(
                "1 files verified, {there} of them already there, {received} bytes received\n\
                 f: not the publisher's bytes, accepted as {note}: line ends differ"
            )
        );
    }
}

#[test]
fn plans_that_leave_the_folder_are_refused() {
    let server = Server::new([]);
    let (folder, mut plan) = plan(&server, "f", b"");
    let inside = "is not a plain relative path; it must stay inside the folder";
    let plain = "has a backslash, colon or control character; it must be a plain relative path";
    let unfinished = "ends in .part or .rejected, which are for unfinished files";
    for (path, problem) in [
        ("", inside),
        ("../f", inside),
        ("a/../../f", inside),
        ("/etc/f", inside),
        ("a//f", inside),
        ("./f", inside),
        ("a/", inside),
        ("..\\f", plain),
        ("C:f", plain),
        ("a\0f", plain),
        ("f.part", unfinished),
    ] {
        plan.files[0].path = path.into();
        assert_eq!(message(&plan, &http()), format!("file {path:?} of the plan: {problem}"));
        let line = format!("{}  {path}", sha256(b""));
        if !path.is_empty() && path != "./f" {
            let expected = "expected `<64 hexadecimal digits>  <relative path>`";
            let error = parse_sha256sums(&line).unwrap_err().to_string();
            assert_eq!(error, format!("hash list, line 1: path {path:?} {problem}; {expected}"));
        }
    }
    plan.files = vec![FileSpec::new("f", sha256(b"")); 2];
    assert_eq!(message(&plan, &http()), "file \"f\" of the plan: is listed twice");
    plan.files = vec![FileSpec::new("f", "abc")];
    let problem = "\"abc\" is not a SHA-256 of 64 hexadecimal digits";
    assert_eq!(message(&plan, &http()), format!("file \"f\" of the plan: {problem}"));
    plan.files[0].sha256.clear();
    let problem = "no SHA-256 is stated; nothing is fetched without one";
    assert_eq!(message(&plan, &http()), format!("file \"f\" of the plan: {problem}"));
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        0,
        "refused before anything is made"
    );
}

#[test]
fn hash_lists_are_read() {
    let (a, b) = (sha256(b"a"), sha256(b"b"));
    let text = format!("{a}  x/a b.dat\r\n\n{b} *y\n{} ./z", a.to_uppercase());
    let pair = |path: &str, hash: &String| (path.to_owned(), hash.clone());
    assert_eq!(
        parse_sha256sums(&text).unwrap(),
        [pair("x/a b.dat", &a), pair("y", &b), pair("z", &a)]
    );
    let expected = "expected `<64 hexadecimal digits>  <relative path>`";
    for (text, problem) in [
        (format!("{a} x\nabc y"), "line 2: \"abc\" is not a SHA-256"),
        (format!("{a} x\n\n{b} x"), "line 3: path \"x\" is listed twice"),
        ("word".into(), "line 1: \"word\" has no path"),
    ] {
        let error = parse_sha256sums(&text).unwrap_err().to_string();
        assert_eq!(error, format!("hash list, {problem}; {expected}"));
    }
}

#[test]
fn a_hash_list_is_fetched_first() {
    let content = bytes(50);
    let list = format!("{}  f\n", sha256(&content));
    let server = Server::new([("f", page(&content)), ("SHA256SUMS.txt", page(list.as_bytes()))]);
    let text = fetch_hash_list(&server.url, "SHA256SUMS.txt", &http()).unwrap();
    let (_folder, mut plan) = plan(&server, "f", b"");
    plan.files = parse_sha256sums(&text)
        .unwrap()
        .into_iter()
        .map(|(path, hash)| FileSpec::new(path, hash))
        .collect();
    assert_eq!(outcome(&run(&plan, &http()).unwrap()), (Outcome::Fetched, 50));
    assert!(
        fetch_hash_list(&server.url, "lost", &http())
            .unwrap_err()
            .to_string()
            .contains("HTTP status 404")
    );
}

#[test]
fn the_gait_data_verify() {
    let Some(data) = std::env::var_os("RECOUP_TEST_DATA") else {
        println!("skipped: RECOUP_TEST_DATA is not set");
        return;
    };
    let source = Path::new(&data).join("gaitndd");
    let text = fetch_hash_list("", "SHA256SUMS.txt", &Source::LocalDir(source.clone())).unwrap();
    let files: Vec<_> = parse_sha256sums(&text)
        .unwrap()
        .into_iter()
        .map(|(p, h)| FileSpec::new(p, h))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let mut plan = FetchPlan {
        base_url: String::new(),
        files,
        to: folder.path().into(),
    };
    let source = Source::LocalDir(source);
    // One file of this copy is known to differ from the publisher's.
    let found = match run(&plan, &source).unwrap_err() {
        FetchError::Rejected { path, found, .. } if path == "subject-description.txt" => found,
        error => panic!("{error}"),
    };
    let clinical = plan
        .files
        .iter_mut()
        .find(|file| file.path == "subject-description.txt")
        .unwrap();
    clinical.sha256.push(AcceptedHash {
        sha256: found,
        reason: Some("another copy of the table".into()),
    });
    let report = run(&plan, &source).unwrap();
    assert_eq!(report.files.len(), plan.files.len());
    assert_eq!(report.files.iter().filter(|file| file.accepted.is_some()).count(), 1);
    let again = run(&plan, &source).unwrap();
    assert!(again.files.iter().all(|file| file.outcome == Outcome::AlreadyThere));
}
