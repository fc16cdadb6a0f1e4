//! Answers in gzip for whoever can read it.
//!
//! tower-http's layer makes a compressor for every answer, a quarter of a megabyte each time by zlib's own formula, and 8 % of
//! the server's CPU in a profile (docs/performance.md); here each thread has one that is set back. Every body of this server stands in memory as a whole.

use std::cell::RefCell;

use axum::{
    body::{Body, HttpBody, to_bytes},
    extract::Request,
    http::{HeaderMap, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use flate2::{Compress, Compression, FlushCompress, Status};

use crate::error::Fault;

/// Smallest answer that is compressed, in bytes: a smaller one fits into one packet as it is.
const FROM: u64 = 1024;
/// Window of gzip in bits: 32 KiB.
const WINDOW: u8 = 15;

thread_local! {
    // Pages are small: the fastest level saves a tenth of the CPU and costs a few hundred bytes.
    static COMPRESSOR: RefCell<Compress> = RefCell::new(Compress::new_gzip(Compression::fast(), WINDOW));
}

/// The layer.
pub(crate) async fn compress(request: Request, next: Next) -> Response {
    let wanted = takes_gzip(request.headers());
    let mut response = next.run(request).await;
    let Some(size) = response.body().size_hint().exact().filter(|size| *size >= FROM) else { return response };
    if response.headers().contains_key(header::CONTENT_ENCODING) || !is_worth(response.headers()) {
        return response;
    }
    response.headers_mut().append(header::VARY, HeaderValue::from_static("accept-encoding"));
    if !wanted {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // A body of known size is there already; one that is not is no answer of ours.
    let Ok(plain) = to_bytes(body, usize::try_from(size).unwrap_or(usize::MAX)).await else {
        return Fault::internal("the body of an answer could not be read".to_owned()).into_response();
    };
    match COMPRESSOR.with_borrow_mut(|compressor| gzip(compressor, &plain)) {
        Some(packed) => {
            parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(packed.len()));
            Response::from_parts(parts, Body::from(packed))
        }
        None => Response::from_parts(parts, Body::from(plain)),
    }
}

/// Whether the client takes gzip: it is named, or everything is, and not with a weight of 0 (RFC 9110, section 12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let mut anything = false;
    for value in headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()) {
        for coding in value.split(',') {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
            let refused = weight
                .trim()
                .strip_prefix(['q', 'Q'])
                .and_then(|weight| weight.strip_prefix('='))
                .is_some_and(|weight| weight.trim().parse() == Ok(0.0_f32));
            match name.trim() {
                name if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => return !refused,
                "*" => anything = !refused,
                _ => {}
            }
        }
    }
    anything
}

/// Pictures of dots and archives are compressed already.
fn is_worth(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.starts_with("text/")
        || kind.starts_with("image/svg+xml")
        || kind.contains("json")
        || kind.contains("javascript")
        || kind.contains("xml")
}

/// The bytes in gzip; `None` where the compressor fails, which it has no reason to.
fn gzip(compressor: &mut Compress, plain: &[u8]) -> Option<Vec<u8>> {
    compressor.reset();
    let mut packed = Vec::with_capacity(plain.len() / 2 + 64);
    loop {
        let read = usize::try_from(compressor.total_in()).ok()?;
        match compressor.compress_vec(plain.get(read..)?, &mut packed, FlushCompress::Finish).ok()? {
            Status::StreamEnd => return Some(packed),
            Status::Ok | Status::BufError => packed.reserve(plain.len() / 4 + 64),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use axum::{Router, middleware::from_fn, routing::get};
    use flate2::read::GzDecoder;
    use tower::ServiceExt;

    use super::*;

    fn plain(gzip: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        GzDecoder::new(gzip).read_to_end(&mut plain).unwrap();
        plain
    }

    #[test]
    fn one_compressor_serves_one_answer_after_another() {
        let mut compressor = Compress::new_gzip(Compression::fast(), WINDOW);
        let noise: Vec<u8> = (0..200_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for text in [b"a".repeat(5000).as_slice(), b"", &noise, b"the last"] {
            let packed = gzip(&mut compressor, text).unwrap();
            assert_eq!(plain(&packed), text);
            assert_eq!(packed, gzip(&mut compressor, text).unwrap(), "nothing of the one before is left");
        }
    }

    #[test]
    fn gzip_is_for_those_who_take_it() {
        let takes = |value: &str| takes_gzip(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, value.parse().unwrap())]));
        for yes in ["gzip", "br, GZIP", "deflate;q=0.5, gzip;q=0.1", "*", "x-gzip", "gzip;q=1, *;q=0"] {
            assert!(takes(yes), "{yes}");
        }
        for no in ["", "identity", "br", "gzip;q=0", "gzip; Q=0.0", "*;q=0", "gzip;q=0, *", "gzipped"] {
            assert!(!takes(no), "{no}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[tokio::test]
    async fn what_is_small_or_packed_goes_out_as_it_is() {
        let text = || "words and words ".repeat(100);
        let app = Router::new()
            .route("/page", get(move || async move { ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], text()) }))
            .route("/small", get(|| async { ([(header::CONTENT_TYPE, "text/html")], "words") }))
            .route("/dots", get(move || async move { ([(header::CONTENT_TYPE, "image/png")], text()) }))
            .route("/packed", get(move || async move { ([(header::CONTENT_TYPE, "text/css"), (header::CONTENT_ENCODING, "br")], text()) }))
            .layer(from_fn(compress));
        let ask = async |path: &str, takes: &str| {
            let request = Request::builder().uri(path).header(header::ACCEPT_ENCODING, takes).body(Body::empty()).unwrap();
            let (parts, body) = app.clone().oneshot(request).await.unwrap().into_parts();
            let named = |name| parts.headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap().to_owned());
            let body = to_bytes(body, usize::MAX).await.unwrap();
            assert_eq!(named(header::CONTENT_LENGTH).unwrap_or_default(), body.len().to_string(), "{path}");
            (named(header::CONTENT_ENCODING), named(header::VARY), body)
        };
        let (encoding, vary, body) = ask("/page", "gzip").await;
        assert_eq!((encoding.as_deref(), vary.as_deref()), (Some("gzip"), Some("accept-encoding")));
        assert!(body.len() < 200 && plain(&body) == text().as_bytes());
        let (encoding, vary, body) = ask("/page", "identity").await;
        assert_eq!((encoding, vary.as_deref()), (None, Some("accept-encoding")), "a cache must not hand it to others");
        assert_eq!(body, text());
        for (path, kept) in [("/small", None), ("/dots", None), ("/packed", Some("br"))] {
            let (encoding, vary, _) = ask(path, "gzip").await;
            assert_eq!((encoding.as_deref(), vary), (kept, None), "{path}");
        }
    }
}
