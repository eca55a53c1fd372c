//! What the state layer does in a second on this machine: applying, reading, filling from a changelog.
//!
//! `cargo run --release -p millrace-state --example measure`

use std::time::Instant;

use millrace_state::{
    Batch, Dirty, Environment, EnvironmentConfig, Lookup, Position, StateVolume, StoreConfig, StoreIndex, StoreOverlay,
};

const ROWS: u64 = 2_000_000;
const STORE: StoreIndex = StoreIndex(0);
const VALUE: [u8; 100] = [0x5a; 100];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = tempfile::tempdir()?;
    let env = Environment::new(EnvironmentConfig::default())?;
    let stores = [StoreConfig::key_value("rows")];

    let mut task = env.open(&root.path().join("0_0"), &stores)?;
    let mut batch = Batch::new();
    timed("apply, batches of 1,000, 16 + 100 bytes", ROWS, || {
        for at in 0..ROWS {
            batch.put(STORE, &key(at), &value(at));
            if batch.len() == 1_000 {
                batch.set_position(STORE, position(at));
                task.apply(&mut batch)?;
            }
        }
        task.flush()
    })?;
    let reads = 200_000;
    timed("get, present, random", reads, || {
        for at in 0..reads {
            assert!(task.get(STORE, &key(at * 7 % ROWS))?.is_some());
        }
        Ok(())
    })?;
    timed("get, absent", reads, || {
        for at in 0..reads {
            assert!(task.get(STORE, &key(ROWS + at))?.is_none());
        }
        Ok(())
    })?;
    task.close()?;

    let mut task = env.open(&root.path().join("0_1"), &stores)?;
    timed("restore from nothing, calls of 10,000 records", ROWS, || {
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        for first in (0..ROWS).step_by(10_000) {
            keys.clear();
            values.clear();
            keys.extend((first..first + 10_000).map(key));
            values.extend((first..first + 10_000).map(value));
            let mut records = keys
                .iter()
                .zip(&values)
                .map(|(key, value)| (&key[..], Some(&value[..])));
            task.restore(STORE, &mut records, &position(first + 10_000), None)?;
        }
        task.finish_restore(STORE)
    })?;
    task.close()?;

    let mut overlay = StoreOverlay::<u64>::new(None, 64);
    timed("overlay: read and overwrite 10,000 keys", ROWS, || {
        for at in 0..ROWS {
            let key = key(at % 10_000);
            assert!(at < 10_000 || matches!(overlay.get(&key), Lookup::Hit(Some(_))));
            overlay.put_cached(&key, Some(&VALUE), at);
        }
        let mut dirty = Dirty::default();
        while overlay.pop_dirty(&mut dirty) {}
        overlay.take_uncommitted_into(STORE, &mut batch);
        Ok(())
    })?;
    Ok(())
}

/// Keys in no order.
fn key(at: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&at.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    key[8..].copy_from_slice(&at.to_be_bytes());
    key
}

/// Half of it does not compress.
fn value(at: u64) -> [u8; 100] {
    let mut value = VALUE;
    let mut random = at;
    for chunk in value[..48].chunks_exact_mut(8) {
        random = random
            .wrapping_mul(0x5851_F42D_4C95_7F2D)
            .wrapping_add(0x1405_7B7E_F767_814F);
        chunk.copy_from_slice(&random.to_be_bytes());
    }
    value
}

fn position(next_offset: u64) -> Position {
    let next_offset = i64::try_from(next_offset).unwrap_or(i64::MAX);
    Position {
        next_offset,
        topic_id: [1; 16],
        cluster_id: "measure".into(),
        time_ms: 0,
    }
}

fn timed(what: &str, rows: u64, work: impl FnOnce() -> millrace_state::Result<()>) -> millrace_state::Result<()> {
    let start = Instant::now();
    work()?;
    let took = start.elapsed();
    let each = took.as_nanos() / u128::from(rows);
    println!("{what}: {rows} in {:.2} s, {each} ns each", took.as_secs_f64());
    Ok(())
}
