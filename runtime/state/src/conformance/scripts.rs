//! Scripts: what is done, then what must be seen.

use super::*;
use crate::{Error, FlushBounds, KeyRange};

#[test]
fn rows_are_put_read_overwritten_and_deleted() {
    for bench in benches() {
        let mut task = bench.open();
        put_at(
            &mut *task,
            3,
            &[(b"a", Some(b"1")), (b"b", Some(b"2")), (b"a", Some(b"3")), (b"b", None)],
        );
        put_at(&mut *task, 4, &[(b"", Some(b"empty key")), (b"c", Some(b""))]);
        assert_eq!(get(&*task, KV, b"a").as_deref(), Some(&b"3"[..]));
        assert_eq!(get(&*task, KV, b"b"), None);
        assert_eq!(get(&*task, KV, b"").as_deref(), Some(&b"empty key"[..]));
        assert_eq!(get(&*task, KV, b"c").as_deref(), Some(&b""[..]));
        assert_eq!((offset(&*task, KV), offset(&*task, WINDOWS)), (Some(4), None));
        let mut found = Vec::new();
        task.multi_get(KV, &[b"c", b"nothing", b"a"], &mut found).unwrap();
        let found: Vec<_> = found.iter().map(|value| value.as_deref()).collect();
        assert_eq!(found, [Some(&b""[..]), None, Some(b"3")]);
    }
}

#[test]
fn key_ranges_hold_what_they_say_and_never_the_position() {
    let keys: [&[u8]; 7] = [b"", b"a", b"a\0", b"ab", b"b", b"\xff", b"\xff\xff"];
    for bench in benches() {
        let mut task = bench.open();
        let rows: Vec<_> = keys.iter().map(|key| (*key, Some(&b"v"[..]))).collect();
        put_at(&mut *task, 1, &rows);
        let found = |range: KeyRange<'_>| -> Vec<Vec<u8>> {
            both_ways(&*task, Scan::new(KV, range))
                .into_iter()
                .map(|(key, _)| key)
                .collect()
        };
        assert_eq!(found(KeyRange::All), keys);
        assert_eq!(found(KeyRange::One(b"a")), [b"a"]);
        assert_eq!(found(KeyRange::Prefix(b"a")), [&b"a"[..], b"a\0", b"ab"]);
        assert_eq!(found(KeyRange::Prefix(b"\xff")), [&b"\xff"[..], b"\xff\xff"]);
        assert_eq!(found(KeyRange::Prefix(b"")), keys);
        assert_eq!(
            found(KeyRange::Between(Some(b"a\0"), Some(b"b"))),
            [&b"a\0"[..], b"ab", b"b"]
        );
        assert_eq!(found(KeyRange::Between(None, Some(b"a"))), [&b""[..], b"a"]);
        assert_eq!(
            found(KeyRange::Between(Some(b"b"), None)),
            [&b"b"[..], b"\xff", b"\xff\xff"]
        );
        assert_eq!(found(KeyRange::Between(Some(b"b"), Some(b"a"))), Vec::<Vec<u8>>::new());
    }
}

/// Keys that are prefixes of each other, over several segments.
#[test]
fn windows_come_by_segment_then_key_then_start() {
    for bench in benches() {
        let mut task = bench.open();
        let mut batch = Batch::new();
        for key in [&b"k"[..], b"k\0\0\0\0\0\0\0\0\0", b"kk", b""] {
            for start in [0, 10, MINUTE, 2 * MINUTE, 2 * MINUTE + 5] {
                batch.put(WINDOWS, &window(key, start), &start.to_be_bytes());
            }
        }
        task.apply(&mut batch).unwrap();
        let starts = |scan: Scan<'_>| -> Vec<i64> {
            let rows = both_ways(&*task, scan).into_iter();
            rows.map(|(_, value)| i64::from_be_bytes(value.try_into().unwrap()))
                .collect()
        };
        let of_key = Scan::new(WINDOWS, KeyRange::One(b"k"));
        assert_eq!(starts(of_key), [0, 10, MINUTE, 2 * MINUTE, 2 * MINUTE + 5]);
        assert_eq!(starts(of_key.starts(1, 2 * MINUTE)), [10, MINUTE, 2 * MINUTE]);
        assert_eq!(starts(of_key.starts(20, 30)), Vec::<i64>::new());
        assert_eq!(starts(of_key.starts(5, 4)), Vec::<i64>::new());
        assert_eq!(starts(of_key.starts(2 * MINUTE + 5, i64::MAX)), [2 * MINUTE + 5]);
        let pair = Scan::new(WINDOWS, KeyRange::Between(Some(b"k"), Some(b"k\0\0\0\0\0\0\0\0\0")));
        assert_eq!(starts(pair.starts(MINUTE, MINUTE)), [MINUTE, MINUTE]);
        assert_eq!(
            starts(Scan::new(WINDOWS, KeyRange::Prefix(b"k")).starts(0, 0)),
            [0, 0, 0]
        );
        let all = starts(Scan::new(WINDOWS, KeyRange::All));
        assert_eq!(all.len(), 20);
        assert!(all.is_sorted_by_key(|start| start / MINUTE));
        assert_eq!(
            task.get_window(WINDOWS, b"kk", MINUTE).unwrap().as_deref(),
            Some(&MINUTE.to_be_bytes()[..])
        );
    }
}

#[test]
fn segments_expire_by_committed_stream_time_and_it_survives() {
    for bench in benches() {
        let mut task = bench.open();
        let mut batch = Batch::new();
        for minute in 0..4 {
            batch.put(WINDOWS, &window(b"k", minute * MINUTE), b"v");
        }
        task.apply(&mut batch).unwrap();
        let live = |task: &dyn TaskStore| both_ways(task, Scan::new(WINDOWS, KeyRange::All)).len();
        assert_eq!(live(&*task), 4, "nothing expires before stream time is committed");
        batch.advance_stream_time(WINDOWS, 3 * MINUTE);
        batch.put(WINDOWS, &window(b"late", 0), b"v");
        batch.put(WINDOWS, &window(b"in time", MINUTE), b"v");
        batch.set_position(WINDOWS, position(9));
        task.apply(&mut batch).unwrap();
        // 3 minutes less 2 of retention: the segment of minute 1 is the oldest.
        assert_eq!(live(&*task), 4);
        assert_eq!(get(&*task, WINDOWS, &window(b"k", 0)), None);
        assert!(get(&*task, WINDOWS, &window(b"k", MINUTE)).is_some());
        assert_eq!(task.metrics()[1].expired_rows, 1);
        batch.advance_stream_time(WINDOWS, 1);
        task.apply(&mut batch).unwrap();
        assert_eq!(
            task.stream_time(WINDOWS),
            Some(3 * MINUTE),
            "stream time does not go back"
        );
        task.close().unwrap();
        let mut task = bench.open();
        assert_eq!((task.stream_time(WINDOWS), live(&*task)), (Some(3 * MINUTE), 4));
        batch.advance_stream_time(WINDOWS, 100 * MINUTE);
        task.apply(&mut batch).unwrap();
        assert_eq!(live(&*task), 0);
    }
}

#[test]
fn a_close_keeps_everything_and_a_drop_only_what_was_flushed() {
    for bench in benches() {
        let mut task = bench.open();
        put_at(&mut *task, 1, &[(b"a", Some(b"1"))]);
        assert_eq!(durable(&*task, KV), None);
        task.flush().unwrap();
        assert_eq!(durable(&*task, KV), Some(1));
        put_at(&mut *task, 2, &[(b"a", Some(b"2"))]);
        assert_eq!((durable(&*task, KV), offset(&*task, KV)), (Some(1), Some(2)));
        task.close().unwrap();
        let mut task = bench.open();
        assert_eq!(
            (offset(&*task, KV), get(&*task, KV, b"a")),
            (Some(2), Some(b"2".to_vec()))
        );
        assert_eq!(task.position(KV), Some(&position(2)));
        put_at(&mut *task, 3, &[(b"a", Some(b"3"))]);
        drop(task);
        let task = bench.open();
        let found = offset(&*task, KV).unwrap();
        assert!(found == 2 || found == 3);
        assert_eq!(get(&*task, KV, b"a"), Some(found.to_string().into_bytes()));
    }
}

#[test]
fn a_lagging_store_is_flushed_in_the_background() {
    let bounds = FlushBounds {
        bytes: 10_000,
        time_ms: 1_000,
    };
    for bench in benches() {
        let mut task = bench.open();
        let settle = |task: &mut dyn TaskStore, now: i64, expected: i64| {
            let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
            loop {
                task.flush_if_lagging(now, &bounds).unwrap();
                if durable(task, KV) == Some(expected) {
                    return;
                }
                assert!(std::time::Instant::now() < deadline, "no flush of offset {expected}");
                std::thread::yield_now();
            }
        };
        put_at(&mut *task, 1, &[(b"a", Some(b"1"))]);
        task.flush_if_lagging(0, &bounds).unwrap();
        task.flush_if_lagging(999, &bounds).unwrap();
        assert_eq!(durable(&*task, KV), None, "within both bounds nothing is flushed");
        settle(&mut *task, 1_000, 1);
        put_at(&mut *task, 2, &[(b"a", Some(&[0; 20_000]))]);
        settle(&mut *task, 1_001, 2);
    }
}

#[test]
fn stores_come_and_go_between_opens() {
    for bench in benches() {
        let mut task = bench.open();
        put_at(&mut *task, 5, &[(b"a", Some(b"1"))]);
        task.close().unwrap();
        let added = [StoreConfig::key_value("default"), StoreConfig::key_value("counts")];
        let task = bench.volume.open(&bench.dir, &added).unwrap();
        assert_eq!(
            (offset(&*task, StoreIndex(0)), offset(&*task, StoreIndex(1))),
            (None, Some(5))
        );
        task.close().unwrap();
        let other_kind = [StoreConfig::window("counts", MINUTE, 2 * MINUTE)];
        let task = bench.volume.open(&bench.dir, &other_kind).unwrap();
        assert_eq!((offset(&*task, KV), task.segment_interval_ms(KV)), (None, Some(MINUTE)));
        task.close().unwrap();
        let longer = [StoreConfig::window("counts", MINUTE, 20 * MINUTE)];
        let mut task = bench.volume.open(&bench.dir, &longer).unwrap();
        let mut batch = Batch::new();
        batch.put(KV, &window(b"k", 0), b"v");
        batch.set_position(KV, position(1));
        task.apply(&mut batch).unwrap();
        let interval = task.segment_interval_ms(KV);
        task.close().unwrap();
        let shorter = [StoreConfig::window("counts", MINUTE, 4 * MINUTE)];
        let task = bench.volume.open(&bench.dir, &shorter).unwrap();
        assert_eq!(
            task.segment_interval_ms(KV),
            interval,
            "rows keep the layout they were written with"
        );
        assert!(get(&*task, KV, &window(b"k", 0)).is_some());
    }
}

#[test]
fn one_writer_at_a_time_and_destroy_spares_an_open_task() {
    for bench in benches() {
        let task = bench.open();
        assert!(bench.volume.exists(&bench.dir));
        let second = bench.volume.open(&bench.dir, &stores()).err();
        assert!(matches!(second, Some(Error::Locked { .. })), "{second:?}");
        assert!(matches!(bench.volume.destroy(&bench.dir), Err(Error::Locked { .. })));
        task.close().unwrap();
        bench.volume.destroy(&bench.dir).unwrap();
        assert!(!bench.volume.exists(&bench.dir));
        bench.volume.destroy(&bench.dir).unwrap();
        assert_eq!(offset(&*bench.open(), KV), None);
    }
}

#[test]
fn a_malformed_window_key_is_refused_whole() {
    for bench in benches() {
        let mut task = bench.open();
        let mut batch = Batch::new();
        batch.put(KV, b"a", b"1");
        batch.put(WINDOWS, b"too short", b"1");
        let err = task.apply(&mut batch).unwrap_err();
        assert_eq!(
            err.to_string(),
            "a key of 9 bytes is no window key of store sums: it needs at least 12"
        );
        assert_eq!(get(&*task, KV, b"a"), None);
    }
}

#[test]
fn a_restore_skips_expired_windows_and_a_wipe_forgets() {
    for bench in benches() {
        let mut task = bench.open();
        let keys: Vec<Vec<u8>> = (0..6).map(|minute| window(b"k", minute * MINUTE)).collect();
        let mut records = keys.iter().map(|key| (key.as_slice(), Some(&b"v"[..])));
        task.restore(WINDOWS, &mut records, &position(6), Some(4 * MINUTE))
            .unwrap();
        task.finish_restore(WINDOWS).unwrap();
        // The newest start seen is 5 minutes: segments from minute 3 live.
        assert_eq!(both_ways(&*task, Scan::new(WINDOWS, KeyRange::All)).len(), 3);
        assert_eq!(
            (offset(&*task, WINDOWS), task.stream_time(WINDOWS)),
            (Some(6), Some(5 * MINUTE))
        );
        task.wipe(WINDOWS).unwrap();
        assert_eq!(both_ways(&*task, Scan::new(WINDOWS, KeyRange::All)).len(), 0);
        assert_eq!((offset(&*task, WINDOWS), task.stream_time(WINDOWS)), (None, None));
        drop(task);
        assert_eq!(offset(&*bench.open(), WINDOWS), None);
    }
}

#[test]
fn an_empty_changelog_restores_to_its_position() {
    for bench in benches() {
        let mut task = bench.open();
        task.restore(KV, &mut std::iter::empty(), &position(17), None).unwrap();
        task.finish_restore(KV).unwrap();
        assert_eq!(offset(&*task, KV), Some(17));
        assert_eq!(both_ways(&*task, Scan::new(KV, KeyRange::All)), []);
    }
}

/// Rows whose place in the changelog is unknown are worth nothing, unless there is no changelog.
#[test]
fn rows_without_a_position_are_not_trusted() {
    for bench in benches() {
        let unlogged = StoreConfig {
            logged: false,
            ..StoreConfig::key_value("unlogged")
        };
        let stores = [StoreConfig::key_value("counts"), unlogged];
        let mut task = bench.volume.open(&bench.dir, &stores).unwrap();
        let mut batch = Batch::new();
        for index in [0, 1] {
            batch.put(StoreIndex(index), b"a", b"1");
            batch.advance_stream_time(StoreIndex(index), 1);
        }
        task.apply(&mut batch).unwrap();
        task.close().unwrap();
        let task = bench.volume.open(&bench.dir, &stores).unwrap();
        assert_eq!(get(&*task, StoreIndex(0), b"a"), None);
        assert_eq!(get(&*task, StoreIndex(1), b"a").as_deref(), Some(&b"1"[..]));
    }
}

/// Expired rows are deleted, not just hidden: a longer retention does not bring them back.
#[test]
fn a_longer_retention_does_not_revive_what_expired() {
    for bench in benches() {
        let with_retention = |minutes: i64| [StoreConfig::window("sums", MINUTE, minutes * MINUTE)];
        let mut task = bench.volume.open(&bench.dir, &with_retention(2)).unwrap();
        let mut batch = Batch::new();
        for minute in 0..10 {
            batch.put(KV, &window(b"k", minute * MINUTE), b"v");
        }
        batch.set_position(KV, position(10));
        task.apply(&mut batch).unwrap();
        batch.advance_stream_time(KV, 9 * MINUTE);
        task.apply(&mut batch).unwrap();
        task.close().unwrap();
        let task = bench.volume.open(&bench.dir, &with_retention(100)).unwrap();
        assert_eq!(both_ways(&*task, Scan::new(KV, KeyRange::All)).len(), 3);
    }
}

/// A simulated crash may keep any prefix of what was not flushed, store by store.
#[test]
fn crashes_in_memory_end_everywhere() {
    let found: std::collections::BTreeSet<_> = (0..200)
        .map(|seed| {
            let bench = Bench::memory(seed);
            let mut task = bench.open();
            for next in 1..4 {
                let mut batch = Batch::new();
                batch.set_position(KV, position(next));
                batch.set_position(WINDOWS, position(next));
                task.apply(&mut batch).unwrap();
            }
            drop(task);
            let task = bench.open();
            (offset(&*task, KV).unwrap_or(0), offset(&*task, WINDOWS).unwrap_or(0))
        })
        .collect();
    assert_eq!(found.len(), 16, "{found:?}");
}
