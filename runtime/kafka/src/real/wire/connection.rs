//! One connection to one broker: version negotiation, login, framing, correlation.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use rustc_hash::FxHashMap;

use super::{Deadline, Settings, Transport, login, tls, transport};
use crate::real::security::Credentials;
use crate::{Error, ErrorKind, Result};

/// A frame longer than this is no answer of Kafka's (librdkafka's own bound).
const LONGEST_FRAME: usize = 100_000_000;
/// Headers of flexible versions (KIP-482).
const FLEXIBLE_REQUEST_HEADER: i16 = 2;
const FLEXIBLE_RESPONSE_HEADER: i16 = 1;
/// The first ApiVersions that carries the client's name; Kafka 2.4.
const API_VERSIONS: i16 = 3;

/// An open, negotiated connection, logged in where that is asked for.
pub(crate) struct Connection {
    settings: Arc<Settings>,
    transport: Box<dyn Transport>,
    /// The epoch of the credentials that it was made with.
    epoch: u64,
    /// When its login has to be renewed, if ever.
    renew_at: Option<Instant>,
    /// Versions are known, and nothing was answered since.
    untried: bool,
    address: String,
    client_id: StrBytes,
    versions: FxHashMap<i16, (i16, i16)>,
    inbox: BytesMut,
    next_correlation: i32,
}

/// A request on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    correlation: i32,
    version: i16,
}

impl Connection {
    /// Connects, asks for the broker's versions, and logs in.
    ///
    /// # Errors
    /// `Unreachable` if nobody is there, `Handshake` and `Authentication` if one of the sides does not accept the other.
    pub(crate) fn open(settings: &Arc<Settings>, host: &str, port: u16, deadline: Deadline) -> Result<Self> {
        let security = &settings.security;
        let credentials = security.current();
        let opened = Self::open_with(settings, &credentials, host, port, deadline);
        if opened.is_ok() && (credentials.tls.is_some() || credentials.sasl.is_some()) {
            security.accepted();
        }
        opened.map_err(|error| security.judge(error))
    }

    fn open_with(
        settings: &Arc<Settings>,
        credentials: &Credentials,
        host: &str,
        port: u16,
        deadline: Deadline,
    ) -> Result<Self> {
        let address = format!("{host}:{port}");
        let stream = transport::connect(host, port, deadline)
            .map_err(|error| Error::new(ErrorKind::Unreachable, format!("{address}: {}", plain(&error))))?;
        let transport: Box<dyn Transport> = match &credentials.tls {
            None => Box::new(stream),
            Some(tls) => tls::start(tls, host, stream, deadline, &address)?,
        };
        let mut connection = Self {
            settings: Arc::clone(settings),
            transport,
            epoch: credentials.epoch,
            renew_at: None,
            untried: false,
            address,
            client_id: StrBytes::from_string(settings.client_id.clone()),
            versions: FxHashMap::default(),
            inbox: BytesMut::new(),
            next_correlation: 0,
        };
        connection.negotiate(deadline)?;
        if let Some(sasl) = &credentials.sasl {
            connection.renew_at = login::log_in(&mut connection, sasl, deadline)?;
        }
        connection.untried = credentials.sasl.is_none();
        Ok(connection)
    }

    /// Whether it was made with the credentials that are in force now.
    pub(crate) fn is_current(&self) -> bool {
        self.epoch == self.settings.security.epoch()
    }

    /// Logs in anew before the session's time is over. Nothing may be under way.
    fn renew(&mut self, deadline: Deadline) -> Result<()> {
        if self.renew_at.is_none_or(|due| Instant::now() < due) {
            return Ok(());
        }
        let settings = Arc::clone(&self.settings);
        let credentials = settings.security.current();
        if let Some(sasl) = &credentials.sasl {
            // A broker takes the same user only: another one needs another connection.
            let renewed = login::log_in(self, sasl, deadline);
            self.renew_at = renewed.map_err(|error| {
                let error = settings.security.judge(error.context("renewing the login"));
                if error.kind() == ErrorKind::Authentication {
                    error
                } else {
                    Error::new(ErrorKind::Retriable, error.to_string())
                }
            })?;
        }
        Ok(())
    }

    fn negotiate(&mut self, deadline: Deadline) -> Result<()> {
        self.versions
            .insert(ApiKey::ApiVersions as i16, (API_VERSIONS, API_VERSIONS));
        let request = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str("millrace"))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        let not_kafka = |connection: &Self, what: &str| {
            Error::new(
                ErrorKind::Fatal,
                format!(
                    "{}: {what}; is this Kafka's port, and the listener's security protocol the one configured?",
                    connection.address
                ),
            )
        };
        let answer: ApiVersionsResponse = match self.exchange(&request, API_VERSIONS, deadline) {
            Ok(answer) => answer,
            Err(error) if error.kind() == ErrorKind::Fatal => {
                return Err(not_kafka(self, "what answers does not speak Kafka's protocol"));
            }
            Err(error) => return Err(error.context("handshake")),
        };
        if answer.error_code != 0 {
            return Err(Error::new(
                ErrorKind::Config,
                format!("{}: the broker is older than Kafka 2.4", self.address),
            ));
        }
        self.versions = answer
            .api_keys
            .iter()
            .map(|api| (api.api_key, (api.min_version, api.max_version)))
            .collect();
        Ok(())
    }

    /// `host:port`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The newest version of `R` that the broker, the crate and `newest` have in common.
    pub(crate) fn version<R: Request>(&self, newest: i16) -> Result<i16> {
        let missing = || {
            let name = ApiKey::try_from(R::KEY).map_or_else(|()| R::KEY.to_string(), |key| format!("{key:?}"));
            Error::new(
                ErrorKind::Config,
                format!(
                    "{}: the broker does not offer a version of {name} that this client speaks",
                    self.address
                ),
            )
        };
        let (min, max) = self.versions.get(&R::KEY).copied().ok_or_else(missing)?;
        let version = newest.min(max).min(R::VERSIONS.max);
        if version < min || version < R::VERSIONS.min {
            Err(missing())
        } else {
            Ok(version)
        }
    }

    /// Sends and waits for the answer. After an error the connection must be dropped.
    pub(crate) fn call<R: Request>(&mut self, request: &R, newest: i16, deadline: Deadline) -> Result<R::Response> {
        self.renew(deadline)?;
        self.exchange(request, newest, deadline)
    }

    /// As [`Self::call`], while the login is under way.
    pub(super) fn exchange<R: Request>(&mut self, request: &R, newest: i16, deadline: Deadline) -> Result<R::Response> {
        let sent = self.send_now(request, newest, deadline)?;
        match self.receive::<R>(sent, deadline)? {
            Some(answer) => Ok(answer),
            None => Err(self.late()),
        }
    }

    /// Asks what the protocol crate does not know: a request of a flexible version, by its body's bytes; those of the answer's body.
    /// `None` if the broker does not know it either. After an error the connection must be dropped.
    pub(crate) fn call_raw(
        &mut self,
        key: i16,
        version: i16,
        body: &[u8],
        deadline: Deadline,
    ) -> Result<Option<Bytes>> {
        match self.versions.get(&key) {
            Some((min, max)) if (*min..=*max).contains(&version) => {}
            _ => return Ok(None),
        }
        self.renew(deadline)?;
        let sent = self.send_frame(key, version, FLEXIBLE_REQUEST_HEADER, deadline, |frame| {
            frame.put_slice(body);
            Ok(())
        })?;
        let answer = self.receive_frame(key, sent, FLEXIBLE_RESPONSE_HEADER, deadline)?;
        answer.map_or_else(|| Err(self.late()), |body| Ok(Some(body)))
    }

    /// Sends a request; no other may be under way.
    pub(crate) fn send<R: Request>(&mut self, request: &R, newest: i16, deadline: Deadline) -> Result<Sent> {
        self.renew(deadline)?;
        self.send_now(request, newest, deadline)
    }

    fn send_now<R: Request>(&mut self, request: &R, newest: i16, deadline: Deadline) -> Result<Sent> {
        let version = self.version::<R>(newest)?;
        self.send_frame(R::KEY, version, R::header_version(version), deadline, |frame| {
            request.encode(frame, version).map_err(|error| error.to_string())
        })
    }

    /// The answer to the oldest request that was not answered yet, or `None` by the deadline.
    pub(crate) fn receive<R: Request>(&mut self, sent: Sent, deadline: Deadline) -> Result<Option<R::Response>> {
        let header = R::Response::header_version(sent.version);
        let Some(mut body) = self.receive_frame(R::KEY, sent, header, deadline)? else {
            return Ok(None);
        };
        R::Response::decode(&mut body, sent.version)
            .map(Some)
            .map_err(|error| self.undecodable(R::KEY, error))
    }

    fn send_frame(
        &mut self,
        key: i16,
        version: i16,
        header_version: i16,
        deadline: Deadline,
        body: impl FnOnce(&mut BytesMut) -> Result<(), String>,
    ) -> Result<Sent> {
        let correlation = self.next_correlation;
        self.next_correlation = self.next_correlation.wrapping_add(1);
        let mut frame = BytesMut::with_capacity(256);
        frame.put_i32(0);
        let header = RequestHeader::default()
            .with_request_api_key(key)
            .with_request_api_version(version)
            .with_correlation_id(correlation)
            .with_client_id(Some(self.client_id.clone()));
        header
            .encode(&mut frame, header_version)
            .map_err(|error| error.to_string())
            .and_then(|()| body(&mut frame))
            .map_err(|error| Error::new(ErrorKind::Fatal, format!("cannot encode request {key}: {error}")))?;
        let length = i32::try_from(frame.len() - 4)
            .map_err(|_| Error::new(ErrorKind::Fatal, format!("request {key} is over 2 GiB")))?;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.transport
            .send(&frame, deadline.remaining())
            .map_err(|error| self.broken(&error))?;
        Ok(Sent { correlation, version })
    }

    /// The body of the next answer.
    fn receive_frame(
        &mut self,
        key: i16,
        sent: Sent,
        header_version: i16,
        deadline: Deadline,
    ) -> Result<Option<Bytes>> {
        let Some(mut frame) = self.frame(deadline)? else {
            return Ok(None);
        };
        if frame.len() < 4 {
            return Err(self.undecodable(key, "too short"));
        }
        let header =
            ResponseHeader::decode(&mut frame, header_version).map_err(|error| self.undecodable(key, error))?;
        if header.correlation_id != sent.correlation {
            return Err(self.undecodable(key, "it answers another request"));
        }
        self.untried = false;
        Ok(Some(frame))
    }

    fn undecodable(&self, key: i16, what: impl std::fmt::Display) -> Error {
        let text = format!("{}: undecodable answer to request {key}: {what}", self.address);
        Error::new(ErrorKind::Fatal, text)
    }

    fn late(&self) -> Error {
        Error::new(ErrorKind::Retriable, format!("{}: no answer in time", self.address))
    }

    fn frame(&mut self, deadline: Deadline) -> Result<Option<Bytes>> {
        let mut chunk = [0; 16 * 1024];
        loop {
            if let Some(length) = self.inbox.first_chunk::<4>().map(|bytes| i32::from_be_bytes(*bytes)) {
                let length = usize::try_from(length)
                    .ok()
                    .filter(|length| *length <= LONGEST_FRAME)
                    .ok_or_else(|| {
                        Error::new(
                            ErrorKind::Fatal,
                            format!("{}: the answer is no Kafka frame", self.address),
                        )
                    })?;
                if self.inbox.len() >= 4 + length {
                    self.inbox.advance(4);
                    return Ok(Some(self.inbox.split_to(length).freeze()));
                }
                self.inbox.reserve(4 + length - self.inbox.len());
            }
            match self.transport.receive(&mut chunk, deadline.remaining()) {
                Ok(0) => return Err(self.broken(&io::Error::from(io::ErrorKind::UnexpectedEof))),
                Ok(count) => self.inbox.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    if deadline.passed() {
                        return Ok(None);
                    }
                }
                Err(error) => return Err(self.broken(&error)),
            }
        }
    }

    fn broken(&self, error: &io::Error) -> Error {
        if let Some(alert) = tls::alert_of(error) {
            return Error::new(ErrorKind::Handshake, format!("{}: {alert}", self.address));
        }
        let mut text = format!("{}: {}", self.address, plain(error));
        if self.untried && error.kind() == io::ErrorKind::UnexpectedEof {
            text.push_str("; does this listener ask for a login? (security.protocol is set to one without SASL)");
        }
        Error::new(ErrorKind::Retriable, text)
    }
}

/// An I/O error in words, without the operating system's number.
fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "the broker closed the connection".to_owned(),
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => "the connection was reset".to_owned(),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => "no answer in time".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::time::Duration;

    use super::*;
    use crate::real::security::Security;
    use crate::real::wire::timing::Timing;

    /// Serves one connection with `answer`, then closes it.
    fn open_against(answer: &'static [u8]) -> Error {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 512];
            let _ = stream.read(&mut request).unwrap();
            stream.write_all(answer).unwrap();
        });
        let deadline = Deadline::after(Duration::from_secs(5));
        let settings = Settings {
            bootstrap: Vec::new(),
            client_id: "test".to_owned(),
            security: Arc::new(Security::new(&[]).unwrap()),
            timing: Timing::default(),
        };
        let error = Connection::open(&Arc::new(settings), "127.0.0.1", port, deadline)
            .err()
            .unwrap();
        server.join().unwrap();
        error
    }

    /// A broker that takes every login, for a moment; gives back what it was asked.
    fn serve_short_sessions(listener: TcpListener) -> std::thread::JoinHandle<Vec<i16>> {
        use kafka_protocol::messages::api_versions_response::ApiVersion;
        use kafka_protocol::messages::{MetadataResponse, SaslAuthenticateResponse, SaslHandshakeResponse};
        use kafka_protocol::protocol::Encodable;

        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            let mut length = [0; 4];
            while stream.read_exact(&mut length).is_ok() {
                let mut request = vec![0; i32::from_be_bytes(length) as usize];
                stream.read_exact(&mut request).unwrap();
                let mut request = Bytes::from(request);
                let (key, version) = (request.get_i16(), request.get_i16());
                let correlation = request.get_i32();
                asked.push(key);
                let mut answer = BytesMut::new();
                let header = ResponseHeader::default().with_correlation_id(correlation);
                match ApiKey::try_from(key).unwrap() {
                    ApiKey::ApiVersions => {
                        header
                            .encode(&mut answer, ApiVersionsResponse::header_version(version))
                            .unwrap();
                        let known = [(3, 12), (17, 1), (18, 3), (36, 2)]
                            .map(|(key, newest)| ApiVersion::default().with_api_key(key).with_max_version(newest));
                        let body = ApiVersionsResponse::default().with_api_keys(known.to_vec());
                        body.encode(&mut answer, version).unwrap();
                    }
                    ApiKey::SaslHandshake => {
                        header
                            .encode(&mut answer, SaslHandshakeResponse::header_version(version))
                            .unwrap();
                        SaslHandshakeResponse::default().encode(&mut answer, version).unwrap();
                    }
                    ApiKey::SaslAuthenticate => {
                        header
                            .encode(&mut answer, SaslAuthenticateResponse::header_version(version))
                            .unwrap();
                        let body = SaslAuthenticateResponse::default().with_session_lifetime_ms(1);
                        body.encode(&mut answer, version).unwrap();
                    }
                    _ => {
                        header
                            .encode(&mut answer, MetadataResponse::header_version(version))
                            .unwrap();
                        MetadataResponse::default().encode(&mut answer, version).unwrap();
                    }
                }
                stream.write_all(&(answer.len() as i32).to_be_bytes()).unwrap();
                stream.write_all(&answer).unwrap();
            }
            asked
        })
    }

    #[test]
    fn a_login_that_is_bounded_in_time_is_renewed_on_the_connection() {
        use kafka_protocol::messages::MetadataRequest;

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let broker = serve_short_sessions(listener);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let security = Security::new(&[
            pair("security.protocol", "SASL_PLAINTEXT"),
            pair("sasl.mechanism", "PLAIN"),
            pair("sasl.username", "app"),
            pair("sasl.password", "hush"),
        ]);
        let settings = Arc::new(Settings {
            bootstrap: Vec::new(),
            client_id: "test".to_owned(),
            security: Arc::new(security.unwrap()),
            timing: Timing::default(),
        });
        let deadline = Deadline::after(Duration::from_secs(10));
        let mut connection = Connection::open(&settings, "127.0.0.1", port, deadline).unwrap();
        let mut renewed = 0;
        while renewed < 2 {
            let due = connection.renew_at.expect("the session is bounded");
            connection.call(&MetadataRequest::default(), 12, deadline).unwrap();
            renewed += i32::from(connection.renew_at != Some(due));
            assert!(!deadline.passed(), "the login is not renewed");
        }
        drop(connection);
        let asked = broker.join().unwrap();
        let logins = asked.iter().filter(|key| **key == 36).count();
        assert_eq!((asked[0], &asked[1..3], logins), (18, &[17, 36][..], 3));
    }

    #[test]
    fn what_is_not_kafka_is_told_from_a_broker_that_went_away() {
        let http = open_against(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        assert_eq!(http.kind(), ErrorKind::Fatal);
        assert!(http.to_string().contains("does not speak Kafka's protocol"), "{http}");
        let tls_alert = open_against(&[0x15, 3, 3, 0, 2, 2, 10]);
        assert_eq!(tls_alert.kind(), ErrorKind::Fatal);
        let closed = open_against(b"");
        assert_eq!(closed.kind(), ErrorKind::Retriable);
        assert!(closed.to_string().contains("closed the connection"), "{closed}");
    }
}
