//! The line between people and the program: a TCP proxy that cuts, swallows, delays and repeats requests, and finds the program again
//! wherever it was started anew. It can also be told to lie, which the witness must notice.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use assay_core::chance::SeededChance;

/// Longest that either end is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a line does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Through,
    /// Cut before anything is handed on.
    CutBefore,
    /// Handed on, and cut from both ends at once.
    CutUnder,
    /// Handed on and answered, but the answer is not handed on.
    CutAfter,
    /// Half open: nothing is handed on, and nothing is said.
    Swallow,
    /// Handed on after a while, when another request may have overtaken it or its sender given up.
    Late,
    /// Handed on, and once more later.
    Again,
}

/// What a line is told to do wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Answers "saved" itself, without passing the save on.
    Swear,
    /// Shows the page that it saw first.
    OldPage,
    /// Passes a save on once more under another number.
    OtherNumber,
}

/// How often each thing was done.
#[derive(Debug, Default)]
pub struct Done {
    pub through: AtomicUsize,
    pub cut: AtomicUsize,
    pub swallowed: AtomicUsize,
    pub late: AtomicUsize,
    pub again: AtomicUsize,
    /// Answers of the program.
    pub answers: AtomicUsize,
}

pub struct Line {
    pub address: SocketAddr,
    server: Mutex<Option<SocketAddr>>,
    bad: AtomicBool,
    lie: Mutex<Option<Lie>>,
    /// The first answer to each request for a page, for [`Lie::OldPage`].
    pages: Mutex<Vec<(String, Vec<u8>)>>,
    chance: SeededChance,
    pub done: Done,
}

impl Line {
    /// Takes connections from now on, until the process ends.
    pub fn start(seed: [u8; 32]) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let line = Arc::new(Self {
            address: listener.local_addr().unwrap(),
            server: Mutex::new(None),
            bad: AtomicBool::new(false),
            lie: Mutex::new(None),
            pages: Mutex::default(),
            chance: SeededChance::new(seed),
            done: Done::default(),
        });
        let taken = Arc::clone(&line);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let line = Arc::clone(&taken);
                // A cut line says nothing.
                thread::spawn(move || drop(line.carry(stream)));
            }
        });
        line
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where the program is now, if it is anywhere.
    pub fn lead_to(&self, server: Option<&str>) {
        *self.server.lock().unwrap() = server.map(|url| url.trim_start_matches("http://").parse().unwrap());
    }

    /// From now on faults happen, or none.
    pub fn be_bad(&self, bad: bool) {
        self.bad.store(bad, Ordering::SeqCst);
    }

    pub fn lie(&self, lie: Option<Lie>) {
        *self.lie.lock().unwrap() = lie;
    }

    fn fate(&self) -> Fate {
        if !self.bad.load(Ordering::SeqCst) {
            return Fate::Through;
        }
        match self.chance.below(100) {
            0..4 => Fate::CutBefore,
            4..8 => Fate::CutUnder,
            8..15 => Fate::CutAfter,
            15..17 => Fate::Swallow,
            17..21 => Fate::Late,
            21..30 => Fate::Again,
            _ => Fate::Through,
        }
    }

    /// One connection carries one request.
    fn carry(&self, mut person: TcpStream) -> io::Result<()> {
        person.set_read_timeout(Some(PATIENCE))?;
        let request = read_request(&mut person)?;
        let lie = *self.lie.lock().unwrap();
        if let Some(lie) = lie {
            return self.deceive(&mut person, lie, &request);
        }
        let fate = self.fate();
        let count = match fate {
            Fate::Through => &self.done.through,
            Fate::CutBefore | Fate::CutUnder | Fate::CutAfter => &self.done.cut,
            Fate::Swallow => &self.done.swallowed,
            Fate::Late => &self.done.late,
            Fate::Again => &self.done.again,
        };
        count.fetch_add(1, Ordering::SeqCst);
        let pause = Duration::from_millis(self.chance.below(1500) as u64);
        match fate {
            Fate::CutBefore => Ok(()),
            Fate::Swallow => person.read_to_end(&mut Vec::new()).map(drop),
            Fate::CutUnder => {
                let mut server = self.server()?;
                server.write_all(&request)?;
                person.shutdown(Shutdown::Both)?;
                server.shutdown(Shutdown::Both)
            }
            Fate::CutAfter => self.ask(&request).map(drop),
            Fate::Through => person.write_all(&self.ask(&request)?),
            Fate::Late => {
                thread::sleep(pause);
                let answer = self.ask(&request)?;
                person.write_all(&answer)
            }
            Fate::Again => {
                person.write_all(&self.ask(&request)?)?;
                drop(person);
                thread::sleep(pause);
                self.ask(&request).map(drop)
            }
        }
    }

    fn server(&self) -> io::Result<TcpStream> {
        // A program that is being started anew is waited for a while, as a kernel does that asks again.
        let found = (0..30).find_map(|_| {
            let server = *self.server.lock().unwrap();
            if server.is_none() {
                thread::sleep(Duration::from_millis(50));
            }
            server
        });
        let address = found.ok_or(io::ErrorKind::NotConnected)?;
        let server = TcpStream::connect_timeout(&address, PATIENCE)?;
        server.set_read_timeout(Some(PATIENCE))?;
        Ok(server)
    }

    /// The whole answer. The program is asked to close the connection then.
    fn ask(&self, request: &[u8]) -> io::Result<Vec<u8>> {
        let mut server = self.server()?;
        server.write_all(request)?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer)?;
        // A program that was killed in the middle of it.
        if answer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.done.answers.fetch_add(1, Ordering::SeqCst);
        Ok(answer)
    }

    fn deceive(&self, person: &mut TcpStream, lie: Lie, request: &[u8]) -> io::Result<()> {
        let text = String::from_utf8_lossy(request).into_owned();
        let is_save = text.starts_with("POST ") && text.contains("/answer HTTP");
        let first = text.lines().next().unwrap_or_default().to_owned();
        match lie {
            Lie::Swear if is_save => {
                let body: serde_json::Value = serde_json::from_str(text.split("\r\n\r\n").nth(1).unwrap_or_default())?;
                let told = serde_json::json!({ "saved": true, "revision": body["base_revision"].as_i64().unwrap_or(0) + 1, "at": "12:00" });
                let told = told.to_string();
                let head =
                    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close", told.len());
                person.write_all(format!("{head}\r\n\r\n{told}").as_bytes())
            }
            Lie::OldPage if text.starts_with("GET /attempts/") => {
                let known = self.pages.lock().unwrap().iter().find(|(page, _)| *page == first).map(|(_, answer)| answer.clone());
                let answer = match known {
                    Some(answer) => answer,
                    None => {
                        let answer = self.ask(request)?;
                        self.pages.lock().unwrap().push((first, answer.clone()));
                        answer
                    }
                };
                person.write_all(&answer)
            }
            Lie::OtherNumber if is_save => {
                let answer = self.ask(request)?;
                let mark = "\"counter\":";
                let number = text.split(mark).nth(1).and_then(|rest| rest.split([',', '}']).next()).unwrap_or_default().to_owned();
                // As long as before, so that the head stays true.
                let other = format!("{}9", &number[..number.len() - 1]);
                self.ask(text.replace(&format!("{mark}{number}"), &format!("{mark}{other}")).as_bytes())?;
                person.write_all(&answer)
            }
            _ => person.write_all(&self.ask(request)?),
        }
    }
}

/// A whole request, with two lines more in its head: it is the only one on its connection, and comes from a place of its own.
fn read_request(person: &mut TcpStream) -> io::Result<Vec<u8>> {
    let (mut read, mut part) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
            let length = head.split("content-length:").nth(1).and_then(|rest| rest.lines().next()?.trim().parse().ok()).unwrap_or(0);
            if read.len() >= end + 4 + length {
                let port = person.peer_addr()?.port().to_be_bytes();
                let more = format!("\r\nconnection: close\r\nx-forwarded-for: 10.0.{}.{}", port[0], port[1]);
                read.splice(end..end, more.into_bytes());
                return Ok(read);
            }
        }
        match person.read(&mut part)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => read.extend_from_slice(&part[..count]),
        }
    }
}
