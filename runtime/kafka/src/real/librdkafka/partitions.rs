//! Lists of partitions, as librdkafka takes them, and what can be done with them.

use std::ffi::CString;
use std::ptr;

use rdkafka_sys::bindings as native;

use super::client::{Native, c_string};
use super::errors::{NativeError, kind_of_code, text_of_code};
use crate::log::TopicPartition;
use crate::{Error, Result};

/// A list of partitions, each with an offset and metadata.
pub(crate) struct PartitionList {
    pub(super) pointer: *mut native::rd_kafka_topic_partition_list_t,
}

impl PartitionList {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        let capacity = i32::try_from(capacity).unwrap_or(0);
        // SAFETY: no pointer is passed; never null.
        Self {
            pointer: unsafe { native::rd_kafka_topic_partition_list_new(capacity) },
        }
    }

    pub(crate) fn of<'a>(partitions: impl ExactSizeIterator<Item = &'a TopicPartition>) -> Result<Self> {
        let mut list = Self::with_capacity(partitions.len());
        for partition in partitions {
            list.add(partition, None, "")?;
        }
        Ok(list)
    }

    pub(crate) fn add(&mut self, at: &TopicPartition, offset: Option<i64>, metadata: &str) -> Result<()> {
        let topic: CString = c_string(&at.topic)?;
        // SAFETY: the list and the name are alive; the new element lives in the list. Metadata is allocated by C, because the list frees it so.
        unsafe {
            let element = native::rd_kafka_topic_partition_list_add(self.pointer, topic.as_ptr(), at.partition);
            if let Some(offset) = offset {
                (*element).offset = offset;
            }
            if !metadata.is_empty() {
                let copy = libc::malloc(metadata.len());
                if !copy.is_null() {
                    ptr::copy_nonoverlapping(metadata.as_ptr(), copy.cast(), metadata.len());
                    (*element).metadata = copy;
                    (*element).metadata_size = metadata.len();
                }
            }
        }
        Ok(())
    }

    /// The offset of the first element.
    fn first_offset(&self) -> Option<i64> {
        // SAFETY: the list is alive, and holds `cnt` elements.
        unsafe { ((*self.pointer).cnt > 0).then(|| (*(*self.pointer).elems).offset) }
    }
}

impl Drop for PartitionList {
    fn drop(&mut self) {
        // SAFETY: ours, freed once.
        unsafe { native::rd_kafka_topic_partition_list_destroy(self.pointer) };
    }
}

impl Native {
    /// Begins to read the partitions, from their offsets.
    pub(crate) fn assign(&self, partitions: &PartitionList) -> Result<()> {
        // SAFETY: client and list are alive; the list is copied.
        let error = unsafe { native::rd_kafka_incremental_assign(self.pointer, partitions.pointer) };
        NativeError::take(error).map_or(Ok(()), |error| Err(error.into_error("assign")))
    }

    /// Reads the partitions no more.
    pub(crate) fn unassign(&self, partitions: &PartitionList) -> Result<()> {
        // SAFETY: client and list are alive; the list is copied.
        let error = unsafe { native::rd_kafka_incremental_unassign(self.pointer, partitions.pointer) };
        NativeError::take(error).map_or(Ok(()), |error| Err(error.into_error("unassign")))
    }

    /// The offset after the last record or marker taken from librdkafka; `None` before the first.
    pub(crate) fn position(&self, at: &TopicPartition) -> Result<Option<i64>> {
        let list = PartitionList::of(std::iter::once(at))?;
        // SAFETY: client and list are alive; the offset is written into the list.
        checked(
            unsafe { native::rd_kafka_position(self.pointer, list.pointer) } as i32,
            "position",
        )?;
        Ok(list.first_offset().filter(|offset| *offset >= 0))
    }

    /// The high watermark, as the last fetch said.
    pub(crate) fn high_watermark(&self, at: &TopicPartition) -> Option<i64> {
        let topic = c_string(&at.topic).ok()?;
        let (mut low, mut high) = (-1, -1);
        // SAFETY: client and name are alive, and so are the two integers.
        let code = unsafe {
            native::rd_kafka_get_watermark_offsets(
                self.pointer,
                topic.as_ptr(),
                at.partition,
                &raw mut low,
                &raw mut high,
            )
        } as i32;
        (code == 0 && high >= 0).then_some(high)
    }
}

fn checked(code: i32, what: &str) -> Result<()> {
    if code == 0 {
        Ok(())
    } else {
        Err(Error::new(
            kind_of_code(code),
            format!("{what}: {}", text_of_code(code)),
        ))
    }
}
