//! One HTTP request: what a token endpoint takes. Without proxies, redirects and kept connections.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use openssl::ssl::SslConnector;

use crate::{Error, ErrorKind, Result};

/// A token is a few kilobytes.
const LONGEST_ANSWER: u64 = 1 << 20;

/// `http://host:port/path?query` in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) secure: bool,
    host: String,
    port: u16,
    path: String,
}

impl Url {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.trim().split_once("://")?;
        let secure = match &*scheme.to_ascii_lowercase() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(at);
        // A user in the address would be a secret in it.
        if authority.contains('@') {
            return None;
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, port.parse().ok()?),
            _ => (authority, if secure { 443 } else { 80 }),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        (!host.is_empty()).then(|| Self {
            secure,
            host: host.to_owned(),
            port,
            path,
        })
    }
}

/// Sends a form and gives back the status and the body.
///
/// # Errors
/// `Unreachable` if the server is not there or does not answer in time, `Handshake` if its certificate is not accepted. No error
/// shows what was sent.
pub(super) fn post_form(
    url: &Url,
    tls: &SslConnector,
    authorization: &str,
    form: &str,
    timeout: Duration,
) -> Result<(u16, Vec<u8>)> {
    let deadline = Instant::now() + timeout;
    let failed = |error: std::io::Error| {
        let why = match error.kind() {
            std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => "no answer in time".to_owned(),
            _ => error.to_string(),
        };
        Error::new(ErrorKind::Unreachable, why)
    };
    let stream = connect(url, deadline).map_err(failed)?;
    let request = format!(
        "POST {} HTTP/1.1\r\nHost: {}:{}\r\nAuthorization: {authorization}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Accept: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{form}",
        url.path,
        url.host,
        url.port,
        form.len(),
    );
    let answer = if url.secure {
        let mut stream = tls.connect(&url.host, stream).map_err(|error| {
            let text = format!("the TLS connection is refused: {error}");
            Error::new(ErrorKind::Handshake, text)
        })?;
        converse(&mut stream, &request)
    } else {
        let mut stream = stream;
        converse(&mut stream, &request)
    };
    let answer = answer.map_err(failed)?;
    parse(&answer).ok_or_else(|| Error::new(ErrorKind::Unreachable, "what answers does not speak HTTP"))
}

fn connect(url: &Url, deadline: Instant) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address");
    for address in (&*url.host, url.port).to_socket_addrs()? {
        let left = deadline
            .saturating_duration_since(Instant::now())
            .max(Duration::from_millis(1));
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) => {
                // Each read may take as long as the whole should; a server that trickles is none to wait for.
                stream.set_read_timeout(Some(left))?;
                stream.set_write_timeout(Some(left))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn converse(stream: &mut (impl Read + Write), request: &str) -> std::io::Result<Vec<u8>> {
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    while (answer.len() as u64) < LONGEST_ANSWER && !is_whole(&answer) {
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            // Some servers end TLS connections without saying so.
            Err(_) if parse(&answer).is_some() => break,
            Err(error) => return Err(error),
        }
    }
    Ok(answer)
}

struct Head<'a> {
    status: u16,
    length: Option<usize>,
    chunked: bool,
    body: &'a [u8],
}

fn head(answer: &[u8]) -> Option<Head<'_>> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let text = std::str::from_utf8(&answer[..end]).ok()?;
    let mut lines = text.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let value = |wanted: &str| {
        let mut named = text.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
        named.find_map(|(name, value)| name.trim().eq_ignore_ascii_case(wanted).then_some(value.trim()))
    };
    Some(Head {
        status,
        length: value("content-length").and_then(|length| length.parse().ok()),
        chunked: value("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")),
        body: &answer[end + 4..],
    })
}

fn is_whole(answer: &[u8]) -> bool {
    head(answer).is_some_and(|head| match head.length {
        _ if head.chunked => unchunked(head.body).is_some(),
        Some(length) => head.body.len() >= length,
        None => false,
    })
}

fn parse(answer: &[u8]) -> Option<(u16, Vec<u8>)> {
    let head = head(answer)?;
    let body = if head.chunked {
        unchunked(head.body)?
    } else {
        let length = head.length.unwrap_or(head.body.len()).min(head.body.len());
        head.body[..length].to_vec()
    };
    Some((head.status, body))
}

fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..end]).ok()?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        rest = &rest[end + 2..];
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

/// A value as forms carry it.
pub(super) fn form_encoded(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte as char),
            b' ' => out.push('+'),
            _ => _ = write!(out, "%{byte:02X}"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_apart() {
        let url = |secure, host: &str, port, path: &str| {
            Some(Url {
                secure,
                host: host.to_owned(),
                port,
                path: path.to_owned(),
            })
        };
        let table = [
            (
                "https://idp.example/realms/a/token?x=1",
                url(true, "idp.example", 443, "/realms/a/token?x=1"),
            ),
            ("http://127.0.0.1:8080", url(false, "127.0.0.1", 8080, "/")),
            ("http://[::1]:8080/t", url(false, "::1", 8080, "/t")),
            ("file:///etc/token", None),
            ("https://user:hush@idp/t", None),
            ("idp.example/t", None),
            ("http:///t", None),
        ];
        for (text, expected) in table {
            assert_eq!(Url::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn bodies_come_whole_or_in_chunks() {
        let table: &[(&str, Option<(u16, &str)>)] = &[
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", Some((200, "{}"))),
            ("HTTP/1.0 401 No\r\n\r\n{}", Some((401, "{}"))),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1;x=y\r\nd\r\n0\r\n\r\n",
                Some((200, "abcd")),
            ),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", None),
            ("SSH-2.0\r\n\r\n", None),
        ];
        for (answer, expected) in table {
            let expected = expected.map(|(status, body)| (status, body.as_bytes().to_vec()));
            assert_eq!(parse(answer.as_bytes()), expected, "{answer}");
        }
        assert_eq!(form_encoded("a b&c=ü"), "a+b%26c%3D%C3%BC");
    }
}
