//! StreamsGroupDescribe (KIP-1071), which the protocol crate lacks: written and read by hand, as far as it is needed.
//!
//! Source: Kafka's `StreamsGroupDescribeRequest.json` and `StreamsGroupDescribeResponse.json`, version 0, flexible.

use bytes::{Buf, BufMut, Bytes};

use super::{is_missing, other};
use crate::log::{DescribedMember, GroupDescription, GroupKind};
use crate::real::wire::{Client, Deadline};
use crate::{Error, ErrorKind, Result};

const STREAMS_GROUP_DESCRIBE: i16 = 89;

/// `None` if the broker knows no such group, or no such groups at all.
pub(super) fn describe(
    client: &mut Client,
    coordinator: i32,
    group: &str,
    deadline: Deadline,
) -> Result<Option<GroupDescription>> {
    let Some(answer) = client.ask_raw(coordinator, STREAMS_GROUP_DESCRIBE, 0, &request(group), deadline)? else {
        return Ok(None);
    };
    let Some((code, description)) = Fields(answer).answer() else {
        let text = format!("group {group}: undecodable answer to StreamsGroupDescribe");
        return Err(Error::new(ErrorKind::Fatal, text));
    };
    Ok((!is_missing(code, group)?).then_some(description))
}

/// GroupIds, IncludeAuthorizedOperations.
fn request(group: &str) -> Vec<u8> {
    let mut body = Vec::new();
    // Lengths are counted from 1, so that 0 is null.
    body.put_u8(2);
    let mut length = group.len() + 1;
    while length > 0x7f {
        body.put_u8(length as u8 | 0x80);
        length >>= 7;
    }
    body.put_u8(length as u8);
    body.put_slice(group.as_bytes());
    body.put_u8(0);
    // No tagged fields.
    body.put_u8(0);
    body
}

/// Reads the answer's fields in their order; `None` where it is cut short.
struct Fields(Bytes);

impl Fields {
    /// The error code and the description of the first group.
    fn answer(&mut self) -> Option<(i16, GroupDescription)> {
        self.skip(4)?; // throttle time
        if self.count()? == 0 {
            return None;
        }
        let code = self.0.try_get_i16().ok()?;
        self.text()?; // error message
        self.text()?; // group id
        let state = self.text()?.unwrap_or_default();
        self.skip(4 + 4)?; // epochs of the group and its assignment
        self.nullable(Self::topology)?;
        let members = self.each(Self::member)?;
        Some((code, other(GroupKind::Streams, &state, members)))
    }

    fn topology(&mut self) -> Option<()> {
        self.skip(4)?; // epoch
        self.each(|fields| {
            fields.text()?; // sub-topology id
            fields.each(Self::text)?; // source topics
            fields.each(Self::text)?; // repartition sink topics
            fields.each(Self::topic)?; // changelogs
            fields.each(Self::topic)?; // repartition source topics
            fields.tags()
        })?;
        self.tags()
    }

    fn topic(&mut self) -> Option<()> {
        self.text()?; // name
        self.skip(4 + 2)?; // partitions, replication factor
        self.each(Self::pair)?; // configs
        self.tags()
    }

    fn pair(&mut self) -> Option<()> {
        self.text()?;
        self.text()?;
        self.tags()
    }

    fn member(&mut self) -> Option<DescribedMember> {
        let member_id = self.text()?.unwrap_or_default();
        self.skip(4)?; // epoch
        let instance_id = self.text()?;
        self.text()?; // rack
        let client_id = self.text()?.unwrap_or_default();
        let host = self.text()?.unwrap_or_default();
        self.skip(4)?; // topology epoch
        self.text()?; // process id
        self.nullable(|endpoint| {
            endpoint.text()?;
            endpoint.skip(2)?; // port
            endpoint.tags()
        })?;
        self.each(Self::pair)?; // client tags
        self.each(Self::task_offset)?; // task offsets
        self.each(Self::task_offset)?; // task end offsets
        self.assignment()?;
        self.assignment()?; // target
        self.skip(1)?; // whether it is classic
        self.tags()?;
        Some(DescribedMember {
            member_id,
            instance_id,
            client_id,
            host,
            metadata: Bytes::new(),
            assignment: Bytes::new(),
        })
    }

    fn task_offset(&mut self) -> Option<()> {
        self.text()?;
        self.skip(4 + 8)?; // partition, offset
        self.tags()
    }

    fn assignment(&mut self) -> Option<()> {
        // Active, standby and warm-up tasks.
        for _ in 0..3 {
            self.each(|tasks| {
                tasks.text()?; // sub-topology id
                tasks.each(|partition| partition.skip(4))?;
                tasks.tags()
            })?;
        }
        self.tags()
    }

    fn skip(&mut self, bytes: usize) -> Option<()> {
        (self.0.len() >= bytes).then(|| self.0.advance(bytes))
    }

    fn varint(&mut self) -> Option<usize> {
        let mut value = 0;
        for shift in (0..32).step_by(7) {
            let byte = self.0.try_get_u8().ok()?;
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// An array's length; null counts as empty.
    fn count(&mut self) -> Option<usize> {
        Some(self.varint()?.saturating_sub(1))
    }

    fn each<T>(&mut self, mut read: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        (0..self.count()?).map(|_| read(self)).collect()
    }

    /// A string, or null.
    fn text(&mut self) -> Option<Option<String>> {
        let Some(length) = self.varint()?.checked_sub(1) else {
            return Some(None);
        };
        (self.0.len() >= length).then(|| Some(String::from_utf8_lossy(&self.0.split_to(length)).into_owned()))
    }

    /// A structure that may be null.
    fn nullable(&mut self, read: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        match self.0.try_get_i8().ok()? {
            ..0 => Some(()),
            _ => read(self),
        }
    }

    fn tags(&mut self) -> Option<()> {
        for _ in 0..self.varint()? {
            self.varint()?;
            let length = self.varint()?;
            self.skip(length)?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Vec<u8> {
        [&[value.len() as u8 + 1], value.as_bytes()].concat()
    }

    /// A group with a topology and two members, as a broker writes it.
    fn answer() -> Vec<u8> {
        let topic = [
            &text("changelog")[..],
            &[0, 0, 0, 0, 0, 0],
            &[2],
            &text("k"),
            &text("v"),
            &[0],
            &[0],
        ]
        .concat();
        let subtopology = [&text("0")[..], &[2], &text("in"), &[1], &[2], &topic, &[1], &[0]].concat();
        let topology = [&[1][..], &[0, 0, 0, 1], &[2], &subtopology, &[0]].concat();
        let tasks = [&[2][..], &text("0"), &[3], &[0, 0, 0, 0, 0, 0, 0, 1], &[0]].concat();
        let assignment = [&tasks[..], &[1], &[1], &[0]].concat();
        let member = |id: &str, endpoint: &[u8]| {
            let offsets = [&[2][..], &text("0"), &[0; 12], &[0]].concat();
            [
                &text(id)[..],
                &[0, 0, 0, 3],
                &[0],
                &[0],
                &text(&format!("client-{id}")),
                &text("/10.0.0.7"),
                &[0, 0, 0, 1],
                &text("process"),
                endpoint,
                &[2],
                &text("zone"),
                &text("a"),
                &[0],
                &offsets,
                &[1],
                &assignment,
                &assignment,
                &[0],
                // A tagged field of a later broker.
                &[1, 7, 2, 0xff, 0xff],
            ]
            .concat()
        };
        let endpoint = [&[1][..], &text("host"), &[0x1f, 0x90], &[0]].concat();
        let members = [&[3][..], &member("a", &[0xff]), &member("b", &endpoint)].concat();
        [
            &[0, 0, 0, 0][..],
            &[2],
            &[0, 0],
            &[0],
            &text("app"),
            &text("Stable"),
            &[0; 8],
            &topology,
            &members,
            &[0x80, 0, 0, 0],
            &[0, 0],
        ]
        .concat()
    }

    #[test]
    fn members_are_read_past_topology_and_assignments() {
        let (code, group) = Fields(answer().into()).answer().unwrap();
        assert_eq!(
            (code, group.kind, group.state.as_str()),
            (0, GroupKind::Streams, "Stable")
        );
        let members: Vec<_> = group
            .members
            .iter()
            .map(|m| (&*m.member_id, &*m.client_id, &*m.host))
            .collect();
        assert_eq!(
            members,
            [("a", "client-a", "/10.0.0.7"), ("b", "client-b", "/10.0.0.7")]
        );
    }

    #[test]
    fn an_answer_that_is_cut_short_is_none() {
        let whole = answer();
        // All but the tail, which is not read.
        for length in 0..whole.len() - 6 {
            assert!(
                Fields(whole[..length].to_vec().into()).answer().is_none(),
                "{length} bytes"
            );
        }
    }

    #[test]
    fn a_request_names_the_group_in_an_array_of_one() {
        assert_eq!(request("app"), [&[2, 4][..], b"app", &[0, 0]].concat());
        assert_eq!(request(&"g".repeat(200))[..3], [2, 0xc9, 1]);
    }
}
