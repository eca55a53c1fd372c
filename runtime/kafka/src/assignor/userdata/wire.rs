//! Reads and writes the fields of user data.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use uuid::Uuid;

use super::UserdataError;
use crate::assignor::TaskId;

/// More tasks than any group has: what a damaged run length may claim at most.
const MOST_TASKS: u64 = 1_000_000;

pub(super) struct Writer {
    out: Vec<u8>,
}

impl Writer {
    pub fn new(version: u16) -> Self {
        Self {
            out: version.to_be_bytes().to_vec(),
        }
    }

    pub fn field(&mut self, tag: u64, write: impl FnOnce(&mut Self)) {
        let mut body = Self { out: Vec::new() };
        write(&mut body);
        self.number(tag);
        self.number(body.out.len() as u64);
        self.out.append(&mut body.out);
    }

    pub fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.out.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.out.push(number as u8);
    }

    /// Zig-zag.
    pub fn signed(&mut self, number: i64) {
        self.number(((number << 1) ^ (number >> 63)) as u64);
    }

    pub fn flag(&mut self, flag: bool) {
        self.out.push(flag.into());
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub fn strings(&mut self, strings: &[String]) {
        self.number(strings.len() as u64);
        for string in strings {
            self.number(string.len() as u64);
            self.bytes(string.as_bytes());
        }
    }

    /// Per sub-topology: runs of (gap since the last run's end, length). Partitions below 0 do not exist.
    pub fn tasks(&mut self, tasks: &BTreeSet<TaskId>) {
        let mut runs: BTreeMap<u32, Vec<(i64, i64)>> = BTreeMap::new();
        for task in tasks {
            debug_assert!(task.partition >= 0, "partitions are counted from 0");
            let runs = runs.entry(task.subtopology).or_default();
            match runs.last_mut() {
                Some((first, length)) if *first + *length == i64::from(task.partition) => *length += 1,
                _ => runs.push((task.partition.into(), 1)),
            }
        }
        self.number(runs.len() as u64);
        for (subtopology, runs) in runs {
            self.number(subtopology.into());
            self.number(runs.len() as u64);
            let mut end = 0;
            for (first, length) in runs {
                self.number((first - end) as u64);
                self.number(length as u64);
                end = first + length;
            }
        }
    }

    pub fn finish(self) -> Bytes {
        self.out.into()
    }
}

pub(super) struct Reader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// Past the version, which every version so far is read alike.
    pub fn new(bytes: &'a [u8], what: &'static str) -> Result<Self, UserdataError> {
        let mut reader = Self { rest: bytes, what };
        let version = reader.take(2)?;
        if version == [0, 0] {
            return Err(reader.invalid("version"));
        }
        Ok(reader)
    }

    pub fn next_field(&mut self) -> Result<Option<(u64, Reader<'a>)>, UserdataError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.number()?;
        let length = self.number()?;
        Ok(Some((
            tag,
            Self {
                rest: self.take(length)?,
                what: self.what,
            },
        )))
    }

    pub fn invalid(&self, field: &'static str) -> UserdataError {
        UserdataError::Invalid(self.what, field)
    }

    #[cfg(test)]
    pub fn rest_len(&self) -> usize {
        self.rest.len()
    }

    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], UserdataError> {
        let length = usize::try_from(length).ok().filter(|length| *length <= self.rest.len());
        let (taken, rest) = self.rest.split_at(length.ok_or(UserdataError::Truncated(self.what))?);
        self.rest = rest;
        Ok(taken)
    }

    pub fn number(&mut self) -> Result<u64, UserdataError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(self.invalid("number"))
    }

    pub fn number_u32(&mut self, field: &'static str) -> Result<u32, UserdataError> {
        u32::try_from(self.number()?).map_err(|_| self.invalid(field))
    }

    pub fn signed(&mut self) -> Result<i64, UserdataError> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    pub fn flag(&mut self) -> Result<bool, UserdataError> {
        Ok(self.take(1)?[0] != 0)
    }

    pub fn text(&mut self, field: &'static str) -> Result<String, UserdataError> {
        let bytes = self.rest();
        self.utf8(bytes, field)
    }

    fn utf8(&self, bytes: &[u8], field: &'static str) -> Result<String, UserdataError> {
        std::str::from_utf8(bytes)
            .map(str::to_owned)
            .map_err(|_| self.invalid(field))
    }

    /// A field that is a process id and nothing else.
    pub fn uuid(&mut self, field: &'static str) -> Result<Uuid, UserdataError> {
        Uuid::from_slice(self.rest()).map_err(|_| self.invalid(field))
    }

    pub fn take_uuid(&mut self) -> Result<Uuid, UserdataError> {
        let bytes = self.take(16)?;
        Ok(Uuid::from_slice(bytes).expect("sixteen bytes"))
    }

    pub fn strings(&mut self, field: &'static str) -> Result<Vec<String>, UserdataError> {
        let count = self.number()?;
        let mut strings = Vec::new();
        for _ in 0..count {
            let length = self.number()?;
            let bytes = self.take(length)?;
            strings.push(self.utf8(bytes, field)?);
        }
        Ok(strings)
    }

    pub fn tasks(&mut self) -> Result<BTreeSet<TaskId>, UserdataError> {
        let mut tasks = BTreeSet::new();
        for _ in 0..self.number()? {
            let subtopology = self.number_u32("sub-topology")?;
            let runs = self.number()?;
            let mut end = 0_u64;
            for _ in 0..runs {
                let first = end
                    .checked_add(self.number()?)
                    .ok_or_else(|| self.invalid("partition"))?;
                let length = self.number()?;
                end = first.checked_add(length).ok_or_else(|| self.invalid("partition"))?;
                // Empty runs would let a few bytes keep the reader busy without an end in sight.
                if length == 0 || length > MOST_TASKS - tasks.len() as u64 || end > i32::MAX as u64 {
                    return Err(self.invalid("partition"));
                }
                tasks.extend((first..end).map(|partition| TaskId::new(subtopology, partition as i32)));
            }
        }
        Ok(tasks)
    }
}
