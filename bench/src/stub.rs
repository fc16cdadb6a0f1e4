//! A stand-in for the demo with the same addresses, so that the driver's own judgement is tested without a server.

use std::{
    collections::{HashMap, HashSet},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// What is wrong with the stand-in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Question 7 is answered `saved: false`.
    NotSaved,
    /// The form has 49 questions.
    ShortForm,
    /// Submits are answered 503.
    Busy,
    /// The first save of question 7 is answered 503.
    BusyOnce,
    /// All saves are answered 503.
    AlwaysBusy,
    /// The last question's connection is closed without an answer.
    HangsUp,
    /// Nobody may begin.
    NoBegin,
}

#[derive(Default)]
struct Seen {
    mails: Vec<(String, u32)>,
    /// Revision and counter of the last save, by person and question.
    revisions: HashMap<String, (u32, u64)>,
    begun: HashSet<String>,
    was_busy: bool,
}

/// Starts a stand-in on a free port; its URL.
pub(crate) fn start(fault: Fault) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Seen::default()));
    let origin = url.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (seen, origin) = (seen.clone(), origin.clone());
            thread::spawn(move || serve(stream, &seen, fault, &origin));
        }
    });
    url
}

fn serve(stream: TcpStream, seen: &Mutex<Seen>, fault: Fault, origin: &str) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut stream = stream;
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line.trim().is_empty() {
                break;
            }
            head.push(line.trim().to_owned());
        }
        let header = |name: &str| {
            head.iter().find_map(|l| l.split_once(": ").filter(|(k, _)| k.eq_ignore_ascii_case(name)).map(|(_, v)| v.to_owned()))
        };
        let mut body = vec![0; header("content-length").map_or(0, |v| v.parse().unwrap())];
        reader.read_exact(&mut body).ok()?;
        let body = String::from_utf8(body).unwrap();
        let mut words = head[0].split(' ');
        let (method, path) = (words.next()?, words.next()?);
        if method == "POST" {
            assert_eq!(header("origin").as_deref(), Some(origin), "a POST without the right Origin");
        }
        let cookie = header("cookie").unwrap_or_default();
        let (status, extra, text) = answer(method, path, &body, &cookie, &mut seen.lock().unwrap(), fault)?;
        let length = text.len();
        // In one piece, or the kernel waits 40 ms for an acknowledgement between the pieces.
        stream.write_all(format!("HTTP/1.1 {status} X\r\n{extra}Content-Length: {length}\r\n\r\n{text}").as_bytes()).ok()?;
    }
}

fn answer(method: &str, path: &str, body: &str, cookie: &str, seen: &mut Seen, fault: Fault) -> Option<(u16, String, String)> {
    let plain = |text: String| Some((200, String::new(), text));
    let steps: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (method, steps.as_slice()) {
        ("POST", ["sign-in"]) => {
            let address = body.split(['=', '&']).nth(1)?.replace("%40", "@");
            let token = seen.mails.len() as u32;
            seen.mails.insert(0, (address, token));
            plain("Look into your mail".to_owned())
        }
        ("GET", ["demo", "outbox"]) => {
            plain(seen.mails.iter().map(|(to, token)| format!("<h2>{to}</h2> <pre>http://x/sign-in/T{token}</pre>")).collect())
        }
        ("GET", ["sign-in", _]) => plain("<form method=post><input type=hidden name=next value=\"/me\"><button>".to_owned()),
        ("POST", ["sign-in", token]) if body == "next=%2Fme" => {
            Some((303, format!("Set-Cookie: assay={token}; Path=/; HttpOnly\r\nLocation: /me\r\n"), String::new()))
        }
        _ if cookie.is_empty() => Some((401, String::new(), "<h1>Sign in</h1>".to_owned())),
        ("GET", ["programmes", _, "assessment"]) => plain("<h1>Conditions</h1>".to_owned()),
        ("POST", ["programmes", _, "assessment"]) if fault == Fault::NoBegin => Some((409, String::new(), "<h1>Not yet</h1>".to_owned())),
        ("POST", ["programmes", _, "assessment"]) if !seen.begun.insert(cookie.to_owned()) => {
            Some((409, String::new(), format!("<h1>Still open</h1><a class=button href=\"/attempts/{cookie}\">Continue</a>")))
        }
        ("POST", ["programmes", _, "assessment"]) if body.ends_with("honesty=yes") => {
            Some((303, format!("Location: /attempts/{cookie}/questions/1\r\n"), String::new()))
        }
        ("GET", ["attempts", _, "questions", "50"]) if fault == Fault::HangsUp => None,
        ("GET", ["attempts", _, "questions", number]) => {
            let count = if fault == Fault::ShortForm { 49 } else { 50 };
            let revision = seen.revisions.get(&format!("{cookie} {number}")).map_or(0, |(revision, _)| *revision);
            plain(format!(
                "<title>Question {number} of {count}</title><input type=hidden name=revision value={revision}>\
                 <input type=radio name=choice value=a><input type=radio name=choice value=b>"
            ))
        }
        ("POST", ["attempts", _, "questions", number, "answer"]) => {
            if fault == Fault::NotSaved && *number == "7" {
                return plain("{\"saved\":false}".to_owned());
            }
            if fault == Fault::AlwaysBusy || fault == Fault::BusyOnce && *number == "7" && !std::mem::replace(&mut seen.was_busy, true) {
                return Some((503, "Retry-After: 1\r\n".to_owned(), "<h1>Busy</h1>".to_owned()));
            }
            let json: serde_json::Value = serde_json::from_str(body).unwrap();
            assert!(json["chosen"] == serde_json::json!(["a"]) || json["chosen"] == serde_json::json!(["b"]), "{json}");
            let counter = json["counter"].as_u64().unwrap();
            let (revision, last) = seen.revisions.entry(format!("{cookie} {number}")).or_default();
            if counter > *last {
                (*revision, *last) = (*revision + 1, counter);
            }
            plain(format!("{{\"saved\":true,\"revision\":{revision},\"at\":\"14:02\"}}"))
        }
        ("POST", ["attempts", _, "submit"]) if fault == Fault::Busy => {
            Some((503, "Retry-After: 1\r\n".to_owned(), "<h1>Busy</h1>".to_owned()))
        }
        ("POST", ["attempts", attempt, "submit"]) if body == "confirm=yes" => {
            Some((303, format!("Location: /attempts/{attempt}/result\r\n"), String::new()))
        }
        ("GET", ["attempts", _, "result"]) => plain("<h1>11 of 50</h1>".to_owned()),
        _ => Some((404, String::new(), "<h1>Not here</h1>".to_owned())),
    }
}
