//! RocksDB's settings, all of them, with the reasons.

use rocksdb::{
    BlockBasedOptions, Cache, DBCompressionType, DataBlockIndexType, Env, LogLevel, Options, WriteBufferManager,
};

use super::EnvironmentConfig;
use crate::StoreKind;

/// One memtable of a store. The process-wide write-buffer budget usually flushes earlier.
pub(super) const WRITE_BUFFER: usize = 16 << 20;
/// Level-0 files at which writes slow down; ingested runs of a restore lie there until they are compacted.
pub(super) const L0_SLOWDOWN: i32 = 40;

pub(super) fn database(
    config: &EnvironmentConfig,
    env: &Env,
    write_buffers: &WriteBufferManager,
) -> Result<Options, rocksdb::Error> {
    // A drop without close must lose what was not flushed, as a crash would. The crate has no setter for it.
    let mut options = Options::default().get_options_from_string("avoid_flush_during_shutdown=true")?;
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_env(env);
    options.set_write_buffer_manager(write_buffers);
    options.set_max_background_jobs(i32::try_from(config.background_threads + 1).unwrap_or(2));
    if let Some(rate) = config.background_write_bytes_per_second {
        options.set_ratelimiter(i64::try_from(rate).unwrap_or(i64::MAX), 100_000, 10);
    }
    // Hundreds of databases in a process: few threads to open each, no per-database statistics threads, small logs.
    options.set_max_file_opening_threads(1);
    options.set_skip_stats_update_on_db_open(true);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    options.set_log_level(LogLevel::Warn);
    options.set_keep_log_file_num(2);
    options.set_max_log_file_size(1 << 20);
    options.set_max_manifest_file_size(4 << 20);
    options.set_bytes_per_sync(1 << 20);
    // Each file that a compaction reads has such a buffer, outside of the block cache: RocksDB's 2 MiB are too much for a small budget.
    options.set_compaction_readahead_size((config.memory_bytes / 256).clamp(64 << 10, 2 << 20));
    tune_memtable(&mut options);
    Ok(options)
}

/// Settings of a store's column family.
pub(super) fn store(kind: StoreKind, cache: &Cache) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_format_version(6);
    table.set_bloom_filter(10.0, false);
    table.set_optimize_filters_for_memory(true);
    // Index and filters count against the one memory budget; those of level 0 stay.
    table.set_cache_index_and_filter_blocks(true);
    table.set_cache_index_and_filter_blocks_with_high_priority(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    table.set_block_size(8 << 10);

    let mut options = Options::default();
    tune_memtable(&mut options);
    options.set_level_compaction_dynamic_level_bytes(true);
    options.set_level_zero_file_num_compaction_trigger(4);
    options.set_level_zero_slowdown_writes_trigger(L0_SLOWDOWN);
    options.set_level_zero_stop_writes_trigger(L0_SLOWDOWN + 20);
    options.set_compression_type(DBCompressionType::Lz4);
    match kind {
        StoreKind::KeyValue => {
            // Point reads: a hash index in each block saves the binary search.
            table.set_data_block_index_type(DataBlockIndexType::BinaryAndHash);
            table.set_data_block_hash_ratio(0.75);
        }
        StoreKind::Window { .. } => {}
    }
    options.set_target_file_size_base(file_bytes(kind));
    options.set_block_based_table_factory(&table);
    options
}

/// Size of a file. Smaller ones hold fewer segments each, so that expiry can drop them whole.
pub(super) fn file_bytes(kind: StoreKind) -> u64 {
    match kind {
        StoreKind::KeyValue => 64 << 20,
        StoreKind::Window { .. } => 16 << 20,
    }
}

fn tune_memtable(options: &mut Options) {
    options.set_write_buffer_size(WRITE_BUFFER);
    options.set_max_write_buffer_number(4);
    // An idle store costs one arena block, and the filter below.
    options.set_arena_block_size(64 << 10);
    // A get that misses the memtable skips its tree. The filter is allocated with the memtable, whole: 33 KB, which are ten bits for each
    // row of 150 bytes in 4 MiB. Few memtables grow beyond that before the shared budget flushes them, and with twice as many rows four
    // in five misses are still skipped.
    options.set_memtable_whole_key_filtering(true);
    options.set_memtable_prefix_bloom_ratio(0.002);
}
