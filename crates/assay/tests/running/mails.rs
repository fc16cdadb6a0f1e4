//! Where mails go in tests of `serve`.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, reason = "shared by tests that each use a part")]

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// A mail server that takes everything and keeps the texts.
#[derive(Clone, Default)]
pub struct Mails(Arc<Mutex<Vec<String>>>);

impl Mails {
    pub fn start() -> (Self, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (mails, port) = (Self::default(), listener.local_addr().unwrap().port());
        let taken = mails.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let taken = taken.clone();
                // The program may be killed in the middle of a mail.
                thread::spawn(move || drop(taken.talk(stream)));
            }
        });
        (mails, port)
    }

    fn talk(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut out = stream.try_clone()?;
        out.write_all(b"220 mails\r\n")?;
        let (mut text, mut inside) = (String::new(), false);
        for line in BufReader::new(stream).lines() {
            let answer: &[u8] = match (inside, line?.as_str()) {
                (true, ".") => {
                    inside = false;
                    self.0.lock().unwrap().push(std::mem::take(&mut text).replace("=\n", ""));
                    b"250 kept\r\n"
                }
                (true, line) => {
                    text.push_str(line);
                    text.push('\n');
                    continue;
                }
                (false, "DATA") => {
                    inside = true;
                    b"354 go on\r\n"
                }
                (false, "QUIT") => return out.write_all(b"221 bye\r\n"),
                _ => b"250 ok\r\n",
            };
            out.write_all(answer)?;
        }
        Ok(())
    }

    pub fn to(&self, address: &str) -> Vec<String> {
        self.0.lock().unwrap().iter().filter(|mail| mail.contains(&format!("To: {address}"))).cloned().collect()
    }
}
