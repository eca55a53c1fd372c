//! One request over the plain listener: for what rdkafka's admin client does not know.

use std::io::{Read, Write};
use std::net::TcpStream;

use bytes::{Buf, BufMut, BytesMut};
use kafka_protocol::messages::{RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, HeaderVersion, Request, encode_request_header_into_buffer};

use crate::Broker;

/// Asks in this version.
///
/// # Panics
/// If the broker does not answer, or not in this version.
pub fn ask<R: Request>(broker: &Broker, request: &R, version: i16) -> R::Response {
    let mut frame = BytesMut::new();
    frame.put_i32(0);
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version);
    encode_request_header_into_buffer(&mut frame, &header).expect("a valid header");
    request.encode(&mut frame, version).expect("a valid request");
    let length = i32::try_from(frame.len() - 4).expect("a short request");
    frame[..4].copy_from_slice(&length.to_be_bytes());
    let mut stream = TcpStream::connect(broker.bootstrap()).expect("the broker listens");
    stream.write_all(&frame).expect("the broker takes the request");
    let mut length = [0; 4];
    stream.read_exact(&mut length).expect("the broker answers");
    let mut answer = vec![0; usize::try_from(i32::from_be_bytes(length)).expect("a length")];
    stream.read_exact(&mut answer).expect("the broker answers");
    let mut answer = bytes::Bytes::from(answer);
    ResponseHeader::decode(&mut answer, R::Response::header_version(version)).expect("a header");
    let decoded = R::Response::decode(&mut answer, version).expect("an answer to this request");
    assert!(!answer.has_remaining(), "the answer is longer than it should be");
    decoded
}
