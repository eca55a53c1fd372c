//! TLS, by the OpenSSL that librdkafka uses too: what one client accepts, the other does.

use std::fmt;
use std::io;
use std::net::TcpStream;
use std::time::Duration;

use openssl::error::ErrorStack;
use openssl::ssl::{Error as TlsError, ErrorCode, HandshakeError, SslStream};
use openssl::x509::X509VerifyResult;

use super::transport::{Transport, at_least_a_moment};
use super::{Deadline, transport};
use crate::real::security::Tls;
use crate::{Error, ErrorKind, Result};

/// The broker ended the connection with an alert: our certificate, or its absence, does not please it.
#[derive(Debug)]
pub(super) struct Alert(String);

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the broker refuses the TLS connection: {}", self.0)?;
        if self.0.contains("certificate required") || self.0.contains("bad certificate") {
            f.write_str("; it wants a client certificate that it knows: see ssl.keystore.location")?;
        }
        Ok(())
    }
}

impl std::error::Error for Alert {}

/// A connection with TLS on it; the handshake is done.
pub(crate) struct TlsTransport(SslStream<TcpStream>);

/// Shakes hands over `stream`.
///
/// # Errors
/// `Handshake` if a certificate is not accepted; `Unreachable` if the connection ends or time runs out meanwhile.
pub(super) fn start(
    tls: &Tls,
    host: &str,
    stream: TcpStream,
    deadline: Deadline,
    at: &str,
) -> Result<Box<dyn Transport>> {
    let unreachable = |why: &str| Error::new(ErrorKind::Unreachable, format!("{at}: TLS handshake: {why}"));
    let refused = |why: String| Error::new(ErrorKind::Handshake, format!("{at}: {why}"));
    let timeout = Some(at_least_a_moment(deadline.remaining()));
    let timed = stream
        .set_read_timeout(timeout)
        .and_then(|()| stream.set_write_timeout(timeout));
    timed.map_err(|error| unreachable(&error.to_string()))?;
    let configuration = tls.connector.configure().map_err(|error| refused(reasons(&error)))?;
    let configuration = configuration.verify_hostname(tls.check_name);
    match configuration.connect(host, stream) {
        Ok(stream) => Ok(Box::new(TlsTransport(stream))),
        Err(HandshakeError::SetupFailure(error)) => Err(refused(reasons(&error))),
        Err(HandshakeError::WouldBlock(_)) => Err(unreachable("no answer in time")),
        Err(HandshakeError::Failure(middle)) => {
            let verdict = middle.ssl().verify_result();
            if verdict != X509VerifyResult::OK {
                return Err(refused(not_trusted(verdict, host)));
            }
            match middle.error().ssl_error() {
                Some(error) if is_plaintext(error) => Err(refused(
                    "what answers there does not speak TLS: is this the port of a listener with SSL?".to_owned(),
                )),
                Some(error) => Err(refused(Alert(reasons(error)).to_string())),
                // Also what a listener without TLS does with the first message of a handshake.
                None => Err(unreachable(
                    "the connection was closed; is this the port of a listener with SSL?",
                )),
            }
        }
    }
}

/// Why we do not accept the broker's certificate, and what to do about it.
fn not_trusted(verdict: X509VerifyResult, host: &str) -> String {
    // OpenSSL's X509_V_ERR_…
    const HAS_EXPIRED: i32 = 10;
    const NOT_YET_VALID: i32 = 9;
    const HOST_MISMATCH: i32 = 62;
    const IP_MISMATCH: i32 = 64;
    let why = verdict.error_string();
    match verdict.as_raw() {
        HAS_EXPIRED | NOT_YET_VALID => {
            format!(
                "the broker's certificate, or one above it, is out of its time ({why}): renew it, and check this machine's clock"
            )
        }
        HOST_MISMATCH | IP_MISMATCH => format!(
            "the broker's certificate is not for {host} ({why}): connect by a name that it is for, or have that name put into it \
             (an empty ssl.endpoint.identification.algorithm switches the check off)"
        ),
        _ => format!(
            "the broker's certificate is of no authority that is trusted ({why}): put the one that signed it into ssl.truststore.location"
        ),
    }
}

fn is_plaintext(error: &ErrorStack) -> bool {
    let reasons = reasons(error);
    reasons.contains("wrong version number") || reasons.contains("packet length too long")
}

fn reasons(error: &ErrorStack) -> String {
    let reasons: Vec<&str> = error.errors().iter().filter_map(|error| error.reason()).collect();
    if reasons.is_empty() {
        "OpenSSL gives no reason".to_owned()
    } else {
        reasons.join(", ")
    }
}

/// OpenSSL's verdict as what a transport says.
fn io_error(error: &TlsError) -> io::Error {
    match error.code() {
        ErrorCode::WANT_READ | ErrorCode::WANT_WRITE => io::ErrorKind::TimedOut.into(),
        ErrorCode::ZERO_RETURN => io::ErrorKind::UnexpectedEof.into(),
        _ => match (error.io_error(), error.ssl_error()) {
            (Some(error), _) => error.kind().into(),
            (None, Some(stack)) if reasons(stack).contains("alert") => io::Error::other(Alert(reasons(stack))),
            (None, Some(stack)) if !reasons(stack).contains("unexpected eof") => {
                io::Error::new(io::ErrorKind::InvalidData, reasons(stack))
            }
            (None, _) => io::ErrorKind::UnexpectedEof.into(),
        },
    }
}

impl Transport for TlsTransport {
    fn send(&mut self, mut bytes: &[u8], timeout: Duration) -> io::Result<()> {
        let deadline = Deadline::after(timeout);
        while !bytes.is_empty() {
            let left = Some(at_least_a_moment(deadline.remaining()));
            self.0.get_ref().set_write_timeout(left)?;
            self.0.get_ref().set_read_timeout(left)?;
            let count = self.0.ssl_write(bytes).map_err(|error| io_error(&error))?;
            bytes = &bytes[count..];
        }
        Ok(())
    }

    fn receive(&mut self, into: &mut [u8], timeout: Duration) -> io::Result<usize> {
        let timeout = Some(transport::at_least_a_moment(timeout));
        self.0.get_ref().set_read_timeout(timeout)?;
        match self.0.ssl_read(into) {
            Ok(count) => Ok(count),
            Err(error) => match io_error(&error) {
                error if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                error => Err(error),
            },
        }
    }
}

/// What the broker says about our certificate, if that is what went wrong: in TLS 1.3 it is heard only after the handshake.
pub(super) fn alert_of(error: &io::Error) -> Option<&Alert> {
    error.get_ref()?.downcast_ref()
}
