//! Writes input to topics: each record to its stated partition, with its own timestamp.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};

use crate::Broker;
use crate::data::Input;

/// A producer that fails the test when a record is not accepted.
pub struct Feeder {
    producer: BaseProducer<Strict>,
}

struct Strict;

impl rdkafka::ClientContext for Strict {}

impl ProducerContext for Strict {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((e, _)) = result {
            panic!("the broker refused a record of the input: {e}");
        }
    }
}

impl Feeder {
    pub fn new(broker: &Broker) -> Self {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", broker.bootstrap())
            .set("enable.idempotence", "true")
            .set("linger.ms", "20")
            .set("batch.size", "262144")
            .set("message.max.bytes", "16777216")
            .set("queue.buffering.max.messages", "500000")
            .create_with_context(Strict)
            .expect("a producer");
        Feeder { producer }
    }

    /// Queues one record; waits while the queue is full.
    ///
    /// # Panics
    /// If the client refuses it.
    pub fn send(&self, topic: &str, input: &Input) {
        let mut record = BaseRecord::<[u8], [u8]>::to(topic)
            .partition(input.partition)
            .timestamp(input.timestamp);
        if let Some(key) = &input.key {
            record = record.key(key);
        }
        if let Some(value) = &input.value {
            record = record.payload(value);
        }
        loop {
            match self.producer.send(record) {
                Ok(()) => return,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    self.producer.poll(Duration::from_millis(10));
                }
                Err((e, _)) => panic!("writing to {topic}: {e}"),
            }
        }
    }

    /// Waits until the broker has everything.
    ///
    /// # Panics
    /// If it does not take it within three minutes: it may be away for a while.
    pub fn flush(&self) {
        self.producer
            .flush(Duration::from_secs(180))
            .expect("the broker takes the input");
    }
}

/// Writes the same records to each of the topics.
pub fn feed(broker: &Broker, topics: &[&str], inputs: &[Input]) {
    let feeder = Feeder::new(broker);
    for topic in topics {
        for input in inputs {
            feeder.send(topic, input);
        }
    }
    feeder.flush();
}
