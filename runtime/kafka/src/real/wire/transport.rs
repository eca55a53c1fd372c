//! How bytes get to a broker: over TCP, in the plain or through [`super::tls`].

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::Deadline;

/// A two-way stream of bytes.
pub(crate) trait Transport: Send {
    /// Sends all of `bytes`.
    fn send(&mut self, bytes: &[u8], timeout: Duration) -> io::Result<()>;
    /// Reads what is there, waiting at most `timeout`: `TimedOut` if nothing came, 0 if the peer closed.
    fn receive(&mut self, into: &mut [u8], timeout: Duration) -> io::Result<usize>;
}

/// Connects to the first address of `host` that takes it.
pub(crate) fn connect(host: &str, port: u16, deadline: Deadline) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, at_least_a_moment(deadline.remaining())) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl Transport for TcpStream {
    fn send(&mut self, bytes: &[u8], timeout: Duration) -> io::Result<()> {
        self.set_write_timeout(Some(at_least_a_moment(timeout)))?;
        self.write_all(bytes)
    }

    fn receive(&mut self, into: &mut [u8], timeout: Duration) -> io::Result<usize> {
        self.set_read_timeout(Some(at_least_a_moment(timeout)))?;
        loop {
            match self.read(into) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(io::ErrorKind::TimedOut.into()),
                other => return other,
            }
        }
    }
}

/// Sockets take no time-out of zero.
pub(super) fn at_least_a_moment(timeout: Duration) -> Duration {
    timeout.max(Duration::from_millis(1))
}
