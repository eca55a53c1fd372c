//! Access-control lists and users of a broker.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::alter_user_scram_credentials_request::ScramCredentialUpsertion;
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::{
    AlterUserScramCredentialsRequest, CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest,
};
use kafka_protocol::protocol::StrBytes;
use openssl::hash::MessageDigest;

use crate::wire::ask;
use crate::{Broker, wait_until};

/// One line of an access-control list that allows something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allow<'a> {
    Topic(Operation, &'a str),
    /// Every topic whose name begins so.
    Topics(Operation, &'a str),
    Group(Operation, &'a str),
    /// Every transactional id that begins so.
    TransactionalIds(Operation, &'a str),
}

/// The numbers of `AclOperation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Read = 3,
    Write = 4,
    Create = 5,
    Delete = 6,
    Describe = 8,
    DescribeConfigs = 10,
}

const ANY: i8 = 1;
const LITERAL: i8 = 3;
const PREFIXED: i8 = 4;
const ALLOW: i8 = 3;

impl Allow<'_> {
    fn line(self, principal: &str) -> AclCreation {
        let (kind, name, pattern, operation) = match self {
            Allow::Topic(operation, name) => (2, name, LITERAL, operation),
            Allow::Topics(operation, prefix) => (2, prefix, PREFIXED, operation),
            Allow::Group(operation, name) => (3, name, LITERAL, operation),
            Allow::TransactionalIds(operation, prefix) => (5, prefix, PREFIXED, operation),
        };
        AclCreation::default()
            .with_resource_type(kind)
            .with_resource_name(text(name))
            .with_resource_pattern_type(pattern)
            .with_principal(text(principal))
            .with_host(text("*"))
            .with_operation(operation as i8)
            .with_permission_type(ALLOW)
    }
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// Allows `principal` (`User:name`) all of it, and waits until the broker knows.
///
/// # Panics
/// If the broker refuses.
pub fn allow(broker: &Broker, principal: &str, lines: &[Allow<'_>]) {
    let before = count(broker, principal);
    let creations = lines.iter().map(|line| line.line(principal)).collect();
    let answer = ask(broker, &CreateAclsRequest::default().with_creations(creations), 3);
    for result in answer.results {
        assert_eq!(result.error_code, 0, "{principal}: {:?}", result.error_message);
    }
    wait_until("the broker knows its list", Duration::from_secs(10), || {
        (count(broker, principal) >= before + lines.len()).then_some(())
    });
}

/// Takes everything from `principal`.
///
/// # Panics
/// If the broker refuses.
pub fn take_away(broker: &Broker, principal: &str) {
    let filter = DeleteAclsFilter::default()
        .with_resource_type_filter(ANY)
        .with_resource_name_filter(None)
        .with_pattern_type_filter(ANY)
        .with_principal_filter(Some(text(principal)))
        .with_host_filter(None)
        .with_operation(ANY)
        .with_permission_type(ANY);
    let answer = ask(broker, &DeleteAclsRequest::default().with_filters(vec![filter]), 3);
    for result in answer.filter_results {
        assert_eq!(result.error_code, 0, "{principal}: {:?}", result.error_message);
    }
    wait_until("the broker knows its list", Duration::from_secs(10), || {
        (count(broker, principal) == 0).then_some(())
    });
}

fn count(broker: &Broker, principal: &str) -> usize {
    let request = DescribeAclsRequest::default()
        .with_resource_type_filter(ANY)
        .with_resource_name_filter(None)
        .with_pattern_type_filter(ANY)
        .with_principal_filter(Some(text(principal)))
        .with_host_filter(None)
        .with_operation(ANY)
        .with_permission_type(ANY);
    let answer = ask(broker, &request, 3);
    assert_eq!(answer.error_code, 0, "{:?}", answer.error_message);
    answer.resources.iter().map(|resource| resource.acls.len()).sum()
}

/// Gives a SCRAM-SHA-512 user another password.
///
/// # Panics
/// If the broker refuses.
pub fn set_scram_password(broker: &Broker, user: &str, password: &str) {
    const SHA_512: i8 = 2;
    const ROUNDS: i32 = 4096;
    let salt = b"a salt of the tests";
    let mut salted = vec![0; 64];
    openssl::pkcs5::pbkdf2_hmac(
        password.as_bytes(),
        salt,
        ROUNDS as usize,
        MessageDigest::sha512(),
        &mut salted,
    )
    .expect("OpenSSL can do that");
    let upsertion = ScramCredentialUpsertion::default()
        .with_name(text(user))
        .with_mechanism(SHA_512)
        .with_iterations(ROUNDS)
        .with_salt(Bytes::from_static(salt))
        .with_salted_password(Bytes::from(salted));
    let request = AlterUserScramCredentialsRequest::default().with_upsertions(vec![upsertion]);
    for result in ask(broker, &request, 0).results {
        assert_eq!(result.error_code, 0, "{user}: {:?}", result.error_message);
    }
}
