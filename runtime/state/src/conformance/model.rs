//! Random histories with crashes against a sorted map. A failure prints the history that proptest shrank it to.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::KeyRange;

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Clone, Debug)]
enum Event {
    /// Rows of one batch: key, value length or deletion.
    Apply(Vec<(u8, Option<u16>)>),
    /// The same, as records of a restore, with and without its end.
    Restore(Vec<(u8, Option<u16>)>, bool),
    Flush,
    Close,
    Crash,
}

fn rows() -> impl Strategy<Value = Vec<(u8, Option<u16>)>> {
    prop::collection::vec((0..40_u8, prop::option::weighted(0.8, 0..400_u16)), 0..30)
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => rows().prop_map(Event::Apply),
        2 => (rows(), any::<bool>()).prop_map(|(rows, ends)| Event::Restore(rows, ends)),
        1 => Just(Event::Flush),
        1 => Just(Event::Close),
        2 => Just(Event::Crash),
    ]
}

fn value(len: u16, offset: i64) -> Vec<u8> {
    let mut value = offset.to_be_bytes().to_vec();
    value.resize(8 + usize::from(len), 0x5a);
    value
}

/// Runs a history. `logs[n]` is the content after the changelog's first `n` batches: what a store at offset `n` must hold.
fn run(bench: &Bench, events: Vec<Event>) {
    let mut task = bench.open();
    let mut logs: Vec<Map> = vec![Map::new()];
    let mut least = 0;
    let mut is_restoring = false;
    for event in events {
        match event {
            Event::Apply(rows) | Event::Restore(rows, _) if rows.is_empty() => {}
            Event::Apply(ref rows) | Event::Restore(ref rows, _) => {
                let next = i64::try_from(logs.len()).unwrap();
                let mut now = logs.last().unwrap().clone();
                let records: Vec<(Vec<u8>, Option<Vec<u8>>)> = rows
                    .iter()
                    .map(|(key, len)| (vec![*key], len.map(|len| value(len, next))))
                    .collect();
                for (key, value) in &records {
                    match value {
                        Some(value) => now.insert(key.clone(), value.clone()),
                        None => now.remove(key),
                    };
                }
                logs.push(now);
                if let Event::Restore(_, ends) = event {
                    let mut records = records.iter().map(|(key, value)| (key.as_slice(), value.as_deref()));
                    task.restore(KV, &mut records, &position(next), None).unwrap();
                    is_restoring = true;
                    if ends {
                        task.finish_restore(KV).unwrap();
                        is_restoring = false;
                    }
                } else {
                    let records: Vec<_> = records
                        .iter()
                        .map(|(key, value)| (key.as_slice(), value.as_deref()))
                        .collect();
                    put_at(&mut *task, next, &records);
                    is_restoring = false;
                }
            }
            Event::Flush => {
                task.flush().unwrap();
                if !is_restoring {
                    least = logs.len() - 1;
                }
            }
            Event::Close => {
                task.close().unwrap();
                task = bench.open();
                is_restoring = false;
                least = logs.len() - 1;
            }
            Event::Crash => {
                let durable = durable(&*task, KV).unwrap_or(0);
                drop(task);
                task = bench.open();
                is_restoring = false;
                let found = offset(&*task, KV).unwrap_or(0);
                assert!(found >= durable, "offset {found} after a crash at durable {durable}");
                let found = usize::try_from(found).unwrap();
                assert!(
                    found >= least && found < logs.len(),
                    "offset {found}, flushed {least}, written {}",
                    logs.len()
                );
                // The rest of the changelog comes again, in other batches now.
                logs.truncate(found + 1);
                least = found;
            }
        }
        if !is_restoring {
            let expected: Vec<Row> = logs.last().unwrap().clone().into_iter().collect();
            assert_eq!(offset(&*task, KV).unwrap_or(0), i64::try_from(logs.len() - 1).unwrap());
            assert_eq!(both_ways(&*task, Scan::new(KV, KeyRange::All)), expected);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn memory_is_a_prefix_of_its_changelog(seed: u64, events in prop::collection::vec(event(), 1..40)) {
        run(&Bench::memory(seed), events);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn rocks_is_a_prefix_of_its_changelog(events in prop::collection::vec(event(), 1..40)) {
        run(&Bench::rocks(&environment()), events);
    }

    /// A changelog taken in bulk, in several runs, leaves what applying it leaves.
    #[test]
    fn ingestion_equals_application(
        records in prop::collection::vec((0..300_u16, prop::option::weighted(0.7, 0..700_u16)), 0..1500),
        calls in 1..9_usize,
    ) {
        let env = environment();
        let (bulk, plain) = (Bench::rocks(&env), Bench::rocks(&env));
        let (mut by_bulk, mut by_batch) = (bulk.open(), plain.open());
        let records: Vec<(Vec<u8>, Option<Vec<u8>>)> = records
            .into_iter()
            .enumerate()
            .map(|(at, (key, len))| (key.to_be_bytes().to_vec(), len.map(|len| value(len, at as i64))))
            .collect();
        let mut next = 0;
        for chunk in records.chunks(records.len().div_ceil(calls).max(1)) {
            next += chunk.len() as i64;
            let mut rows = chunk.iter().map(|(key, value)| (key.as_slice(), value.as_deref()));
            by_bulk.restore(KV, &mut rows, &position(next), None).unwrap();
            let rows: Vec<_> = chunk.iter().map(|(key, value)| (key.as_slice(), value.as_deref())).collect();
            put_at(&mut *by_batch, next, &rows);
        }
        by_bulk.finish_restore(KV).unwrap();
        let all = Scan::new(KV, KeyRange::All);
        prop_assert_eq!(both_ways(&*by_bulk, all), both_ways(&*by_batch, all));
        prop_assert_eq!(by_bulk.position(KV), by_batch.position(KV));
        prop_assert_eq!(by_bulk.durable_position(KV).unwrap(), by_bulk.position(KV).cloned());
    }

    /// Cut off while it is filled in bulk, a store goes on from the position it then has, and ends the same.
    #[test]
    fn a_crash_in_a_bulk_restore_is_no_loss(
        records in prop::collection::vec((0..300_u16, prop::option::weighted(0.7, 0..700_u16)), 1..1500),
        cut in 0..1500_usize,
    ) {
        let bench = Bench::rocks(&environment());
        let records: Vec<(Vec<u8>, Option<Vec<u8>>)> = records
            .into_iter()
            .enumerate()
            .map(|(at, (key, len))| (key.to_be_bytes().to_vec(), len.map(|len| value(len, at as i64))))
            .collect();
        let fill = |task: &mut dyn TaskStore, from: usize, to: usize| {
            for at in (from..to).step_by(50) {
                let end = (at + 50).min(to);
                let mut rows = records[at..end].iter().map(|(key, value)| (key.as_slice(), value.as_deref()));
                task.restore(KV, &mut rows, &position(end as i64), None).unwrap();
            }
        };
        let mut task = bench.open();
        fill(&mut *task, 0, cut.min(records.len()));
        drop(task);
        let mut task = bench.open();
        let from = usize::try_from(offset(&*task, KV).unwrap_or(0)).unwrap();
        fill(&mut *task, from, records.len());
        task.finish_restore(KV).unwrap();
        let mut expected = Map::new();
        for (key, value) in &records {
            match value {
                Some(value) => expected.insert(key.clone(), value.clone()),
                None => expected.remove(key),
            };
        }
        prop_assert_eq!(both_ways(&*task, Scan::new(KV, KeyRange::All)), expected.into_iter().collect::<Vec<_>>());
        prop_assert_eq!(offset(&*task, KV), Some(records.len() as i64));
    }
}
