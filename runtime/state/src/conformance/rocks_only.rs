//! What only files can do: be damaged, be moved away, be cut off within a large apply.

use super::*;
use crate::KeyRange;

/// A task with some flushed rows in both stores, closed.
fn written(bench: &Bench) {
    let mut task = bench.open();
    let mut batch = Batch::new();
    for at in 0..2_000_u32 {
        batch.put(KV, &at.to_be_bytes(), &[7; 50]);
        batch.put(WINDOWS, &window(&at.to_be_bytes(), 0), &[7; 50]);
    }
    batch.set_position(KV, position(2_000));
    batch.set_position(WINDOWS, position(2_000));
    task.apply(&mut batch).unwrap();
    task.close().unwrap();
}

#[test]
fn damaged_rows_name_directory_and_store() {
    let bench = Bench::rocks(&environment());
    written(&bench);
    for file in files_of(&bench.dir, "sst") {
        let mut bytes = std::fs::read(&file).unwrap();
        let middle = bytes.len() / 3;
        bytes[200..middle].fill(0xA5);
        std::fs::write(&file, bytes).unwrap();
    }
    let err = match bench.volume.open(&bench.dir, &stores()) {
        Err(err) => err,
        Ok(task) => {
            let read = (0..2_000_u32).try_for_each(|at| task.get(KV, &at.to_be_bytes()).map(|_| ()));
            let err = read.expect_err("damage must be seen");
            assert!(err.to_string().contains("store counts"), "{err}");
            err
        }
    };
    assert!(err.is_damage(), "{err:?}");
    assert!(err.to_string().contains(&bench.dir.display().to_string()), "{err}");
}

#[test]
fn a_missing_file_is_damage_and_the_task_can_be_set_aside() {
    let bench = Bench::rocks(&environment());
    written(&bench);
    std::fs::remove_file(&files_of(&bench.dir, "sst")[0]).unwrap();
    let err = bench.volume.open(&bench.dir, &stores()).err().unwrap();
    assert!(err.is_damage(), "{err:?}");
    for _ in 0..2 {
        let aside = bench.volume.set_aside(&bench.dir).unwrap();
        assert!(aside.exists() && !bench.volume.exists(&bench.dir));
        bench.open().close().unwrap();
    }
}

#[test]
fn files_that_a_killed_restore_left_behind_are_removed() {
    let bench = Bench::rocks(&environment());
    written(&bench);
    let left = bench.dir.join("restore-0.3.sst");
    std::fs::write(&left, "half a file").unwrap();
    let task = bench.open();
    assert!(!left.exists());
    assert_eq!(get(&*task, KV, &7_u32.to_be_bytes()), Some(vec![7; 50]));
    task.close().unwrap();
}

#[test]
fn a_broken_manifest_is_damage() {
    let bench = Bench::rocks(&environment());
    written(&bench);
    std::fs::write(bench.dir.join("CURRENT"), "MANIFEST-999999\n").unwrap();
    let err = bench.volume.open(&bench.dir, &stores()).err().unwrap();
    assert!(err.is_damage(), "{err:?}");
}

/// Rows ahead of the position are allowed; reading the changelog from the position must repair them.
#[test]
fn a_large_apply_leaves_its_position_last() {
    let bench = Bench::rocks(&environment());
    let mut task = bench.open();
    put_at(&mut *task, 1, &[(b"first", Some(b"1"))]);
    task.flush().unwrap();
    let big = vec![9; 1 << 20];
    let keys: Vec<Vec<u8>> = (0..60_u8).map(|key| vec![key]).collect();
    let rows: Vec<(&[u8], Option<&[u8]>)> = keys.iter().map(|key| (key.as_slice(), Some(&big[..]))).collect();
    put_at(&mut *task, 61, &rows);
    assert_eq!(offset(&*task, KV), Some(61));
    drop(task);
    let mut task = bench.open();
    let found = offset(&*task, KV).unwrap();
    assert!(found == 1 || found == 61);
    put_at(&mut *task, 61, &rows);
    assert_eq!(both_ways(&*task, Scan::new(KV, KeyRange::All)).len(), 61);
}

/// Files of expired segments are dropped at once, but not before the expiry itself is durable.
#[test]
fn expired_files_go_when_their_expiry_is_durable() {
    let config = EnvironmentConfig {
        memory_bytes: 32 << 20,
        restore_buffer_bytes: 16 << 20,
        ..Default::default()
    };
    let bench = Bench::rocks(&Environment::new(config).unwrap());
    let mut task = bench.open();
    let keys: Vec<Vec<u8>> = (0..5_000_u32).map(|at| window(&at.to_be_bytes(), 0)).collect();
    let mut records = keys.iter().map(|key| (key.as_slice(), Some(&key[..])));
    task.restore(WINDOWS, &mut records, &position(1), None).unwrap();
    task.finish_restore(WINDOWS).unwrap();
    let disk = |task: &dyn TaskStore| task.metrics()[WINDOWS.get()].disk_bytes;
    let full = disk(&*task);
    let mut batch = Batch::new();
    batch.advance_stream_time(WINDOWS, 10 * MINUTE);
    batch.set_position(WINDOWS, position(2));
    task.apply(&mut batch).unwrap();
    assert_eq!(both_ways(&*task, Scan::new(WINDOWS, KeyRange::All)), []);
    assert_eq!(disk(&*task), full, "a crash now would forget the expiry");
    task.flush().unwrap();
    assert!(disk(&*task) < full / 4, "{} of {full} bytes are left", disk(&*task));
    assert!(
        files_of(&bench.dir, "sst")
            .iter()
            .all(|file| !file.to_string_lossy().contains("restore"))
    );
}

#[test]
fn a_process_may_have_many_tasks() {
    let env = environment();
    let benches: Vec<Bench> = (0..20).map(|_| Bench::rocks(&env)).collect();
    let mut tasks: Vec<_> = benches.iter().map(Bench::open).collect();
    for (at, task) in tasks.iter_mut().enumerate() {
        put_at(&mut **task, at as i64, &[(b"k", Some(b"v"))]);
    }
    assert!(env.write_buffers_used() > 0 && env.memory_used() >= env.write_buffers_used());
    for task in tasks {
        task.close().unwrap();
    }
}

/// A crash must look like one: RocksDB would flush on its way out if it were not told otherwise.
#[test]
fn a_drop_loses_what_was_not_flushed() {
    let bench = Bench::rocks(&environment());
    let mut task = bench.open();
    put_at(&mut *task, 1, &[(b"a", Some(b"1"))]);
    task.flush().unwrap();
    put_at(&mut *task, 2, &[(b"a", Some(b"2"))]);
    drop(task);
    let task = bench.open();
    assert_eq!(
        (offset(&*task, KV), get(&*task, KV, b"a")),
        (Some(1), Some(b"1".to_vec()))
    );
}

/// RocksDB takes a run by linking its files to numbers of its own: directories in their place make it refuse.
#[test]
fn a_restore_whose_files_are_refused_keeps_its_rows_and_its_position() {
    let bench = Bench::rocks(&environment());
    let mut task = bench.open();
    let keys: Vec<Vec<u8>> = (0..100_u32).map(|at| at.to_be_bytes().to_vec()).collect();
    let mut records = keys.iter().map(|key| (key.as_slice(), Some(&b"v"[..])));
    task.restore(KV, &mut records, &position(100), None).unwrap();
    let obstacles: Vec<PathBuf> = (1..200)
        .map(|number| bench.dir.join(format!("{number:06}.sst")))
        .collect();
    obstacles.iter().for_each(|path| std::fs::create_dir(path).unwrap());
    for _ in 0..2 {
        task.finish_restore(KV).expect_err("nothing can be linked");
        assert_eq!((offset(&*task, KV), durable(&*task, KV)), (None, None));
    }
    task.apply(&mut Batch::new())
        .expect_err("a write would go past what is missing");
    obstacles.iter().for_each(|path| std::fs::remove_dir(path).unwrap());
    assert_eq!(files_of(&bench.dir, "sst"), Vec::<PathBuf>::new());
    task.close().unwrap();
    let task = bench.open();
    assert_eq!(offset(&*task, KV), Some(100));
    assert_eq!(both_ways(&*task, Scan::new(KV, KeyRange::All)).len(), 100);
}

/// The store is gone when a wipe fails halfway; what holds its handle must find out, not read freed memory.
#[test]
fn a_wipe_that_fails_breaks_its_store_alone() {
    let bench = Bench::rocks(&environment());
    written(&bench);
    let mut task = bench.open();
    task.flush().unwrap();
    let hidden = bench.dir.with_extension("hidden");
    std::fs::rename(&bench.dir, &hidden).unwrap();
    let wiped = task.wipe(WINDOWS);
    std::fs::rename(&hidden, &bench.dir).unwrap();
    wiped.expect_err("its directory was away");

    let expected = "could not be emptied";
    let err = task.get(WINDOWS, &window(b"k", 0)).err().unwrap();
    assert!(err.to_string().contains(expected), "{err}");
    let err = task.scan(&Scan::new(WINDOWS, KeyRange::All)).err().unwrap();
    assert!(err.to_string().contains(expected), "{err}");
    let err = task
        .restore(WINDOWS, &mut std::iter::empty(), &position(1), None)
        .unwrap_err();
    assert!(err.to_string().contains(expected), "{err}");
    let mut batch = Batch::new();
    batch.put(KV, b"not", b"this");
    batch.set_position(WINDOWS, position(1));
    let err = task.apply(&mut batch).unwrap_err();
    assert!(err.to_string().contains(expected), "{err}");
    assert_eq!((offset(&*task, WINDOWS), durable(&*task, WINDOWS)), (None, None));
    assert_eq!(task.metrics()[WINDOWS.get()].keys, 0);

    assert_eq!(get(&*task, KV, b"not"), None);
    assert_eq!(get(&*task, KV, &7_u32.to_be_bytes()), Some(vec![7; 50]));
    task.close().unwrap();
    let mut task = bench.open();
    assert_eq!(offset(&*task, KV), Some(2_000));
    task.wipe(WINDOWS).unwrap();
    assert_eq!(both_ways(&*task, Scan::new(WINDOWS, KeyRange::All)), []);
}
