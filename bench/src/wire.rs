//! HTTP/1.1 on the wire: one request, and its answer read to the last byte. Heads and sizes of chunks are read by `httparse`.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Longest answer that is read, in bytes; a page is some thousands.
pub(crate) const MOST_BYTES: usize = 8 * 1024 * 1024;

/// A connection that ended; nothing of an answer was read yet, or something.
pub(crate) struct Broken {
    pub(crate) untouched: bool,
    pub(crate) why: String,
}

/// What the driver needs of an answer's head.
#[derive(Debug, Default)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) location: String,
    pub(crate) content_type: String,
    pub(crate) encoding: String,
    pub(crate) cookies: Vec<String>,
    pub(crate) length: Option<usize>,
    pub(crate) chunked: bool,
    pub(crate) closes: bool,
}

/// One request and its answer over a connection.
pub(crate) async fn converse(mut stream: TcpStream, request: &[u8]) -> Result<(TcpStream, Head, Vec<u8>), Broken> {
    let mut bytes = Vec::with_capacity(8 * 1024);
    let broken = |untouched: bool, why: String| Broken { untouched, why };
    stream.write_all(request).await.map_err(|e| broken(true, e.to_string()))?;
    let mut head: Option<(usize, Head)> = None;
    loop {
        if head.is_none() {
            head = parse_head(&bytes).map_err(|why| broken(false, why))?;
        }
        let mut ended = None;
        if let Some((start, head)) = &head {
            ended = body(head, bytes.get(*start..).unwrap_or_default()).map_err(|why| broken(false, why))?;
        }
        if let Some(body) = ended {
            let (_, head) = head.unwrap_or_default();
            return Ok((stream, head, body));
        }
        if bytes.len() > MOST_BYTES {
            return Err(broken(false, format!("more than {MOST_BYTES} bytes")));
        }
        let read = stream.read_buf(&mut bytes).await.map_err(|e| broken(bytes.is_empty(), e.to_string()))?;
        if read == 0 {
            return Err(broken(bytes.is_empty(), "the connection ended".to_owned()));
        }
    }
}

/// The head, once all of it is there, and where the body begins.
fn parse_head(bytes: &[u8]) -> Result<Option<(usize, Head)>, String> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let start = match response.parse(bytes).map_err(|e| e.to_string())? {
        httparse::Status::Complete(start) => start,
        httparse::Status::Partial => return Ok(None),
    };
    let mut head = Head { status: response.code.unwrap_or_default(), ..Head::default() };
    for header in response.headers.iter() {
        let value = String::from_utf8_lossy(header.value).into_owned();
        match header.name.to_ascii_lowercase().as_str() {
            "location" => head.location = value,
            "content-type" => head.content_type = value,
            "content-encoding" => head.encoding = value,
            "set-cookie" => head.cookies.push(value),
            "content-length" => head.length = Some(value.parse().map_err(|_| format!("a Content-Length of {value:?}"))?),
            "transfer-encoding" => head.chunked = value.eq_ignore_ascii_case("chunked"),
            "connection" => head.closes = value.eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    if matches!(head.status, 204 | 304) {
        head.length = Some(0);
    }
    Ok(Some((start, head)))
}

/// The body, once all of it is there. An answer without a length would end with its connection; the server sends none such.
fn body(head: &Head, bytes: &[u8]) -> Result<Option<Vec<u8>>, String> {
    match head.length {
        _ if head.chunked => dechunked(bytes),
        Some(length) => Ok(bytes.get(..length).map(<[u8]>::to_vec)),
        None => Err("an answer of unknown length".to_owned()),
    }
}

/// The content of chunks, once the last one is there; trailers are not asked for, so there are none.
fn dechunked(mut bytes: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let mut plain = Vec::new();
    loop {
        let (start, size) = match httparse::parse_chunk_size(bytes).map_err(|_| "a broken chunk".to_owned())? {
            httparse::Status::Complete(found) => found,
            httparse::Status::Partial => return Ok(None),
        };
        let size = usize::try_from(size).ok().filter(|size| *size <= MOST_BYTES).ok_or("a chunk that is too large")?;
        // Every chunk ends with an empty line, the last one too.
        let Some(content) = bytes.get(start..start + size + 2) else { return Ok(None) };
        if size == 0 {
            return Ok(Some(plain));
        }
        plain.extend_from_slice(&content[..size]);
        bytes = &bytes[start + size + 2..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_joined_only_when_the_last_one_is_there() {
        let whole = b"4\r\nWiki\r\n6;x=y\r\npedia \r\n0\r\n\r\n";
        assert_eq!(dechunked(whole), Ok(Some(b"Wikipedia ".to_vec())));
        for cut in 0..whole.len() {
            assert_eq!(dechunked(&whole[..cut]), Ok(None), "cut at {cut}");
        }
        assert!(dechunked(b"zz\r\n").is_err());
        assert!(dechunked(b"FFFFFFFFFFFFFFFF\r\n").is_err());
    }

    #[test]
    fn a_head_says_how_its_body_ends() {
        let head = |text: &str| parse_head(text.as_bytes()).unwrap().unwrap().1;
        let ok = head("HTTP/1.1 200 OK\r\ncontent-LENGTH: 3\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\n\r\nabc");
        assert_eq!((ok.status, ok.length, ok.cookies.len(), ok.closes), (200, Some(3), 2, false));
        assert_eq!(body(&ok, b"ab"), Ok(None));
        assert_eq!(body(&ok, b"abc"), Ok(Some(b"abc".to_vec())));
        assert!(head("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n").chunked);
        assert_eq!(head("HTTP/1.1 304 X\r\n\r\n").length, Some(0));
        assert!(body(&head("HTTP/1.1 200 OK\r\n\r\n"), b"").is_err());
        assert!(parse_head(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n").unwrap().is_none());
    }
}
