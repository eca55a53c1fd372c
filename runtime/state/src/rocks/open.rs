//! Opening a task's database and making its column families those of its stores.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use rocksdb::{ColumnFamilyDescriptor, DB, Options, WriteOptions};

use super::flush::Lag;
use super::handle::CfHandle;
use super::task::{StoreState, TaskState};
use super::{Environment, errors, options};
use crate::position::Meta;
use crate::row::{META_ROW, RowLayout};
use crate::{Error, Result, StoreConfig};

/// Column families of stores carry a prefix: a store may be called "default".
fn family_name(store: &str) -> String {
    format!("store.{store}")
}

impl TaskState {
    /// Opens (or creates) the database of a task, with one column family for each of `stores`.
    ///
    /// Column families of stores that are no longer listed are dropped, as are those of stores whose kind changed, and those
    /// whose first apply never got as far as its position: the changelog is the truth, and rows without a position are worth nothing.
    pub fn open(env: &Arc<Environment>, dir: &Path, stores: &[StoreConfig]) -> Result<Self> {
        if stores.iter().map(|store| &store.name).collect::<BTreeSet<_>>().len() < stores.len() {
            return Err(Error::Config {
                dir: dir.to_owned(),
                reason: "two stores have the same name".to_owned(),
            });
        }
        std::fs::create_dir_all(dir).map_err(|err| Error::io(dir, None, err))?;
        let mut families = BTreeSet::from(["default".to_owned()]);
        if dir.join("CURRENT").exists() {
            families.extend(DB::list_cf(&env.database, dir).map_err(|err| errors::classify_open(err, dir))?);
        }
        let unknown: Vec<String> = families
            .iter()
            .filter(|name| *name != "default" && !stores.iter().any(|store| family_name(&store.name) == **name))
            .cloned()
            .collect();
        families.extend(stores.iter().map(|store| family_name(&store.name)));
        let descriptors = families.into_iter().map(|name| {
            let settings = stores
                .iter()
                .find(|store| family_name(&store.name) == name)
                .map_or_else(Options::default, |store| options::store(store.kind, &env.cache));
            ColumnFamilyDescriptor::new(name, settings)
        });
        let mut db =
            DB::open_cf_descriptors(&env.database, dir, descriptors).map_err(|err| errors::classify_open(err, dir))?;
        // Not before the lock is ours.
        super::restore::remove_leftovers(dir).map_err(|err| Error::io(dir, None, err))?;
        for name in unknown {
            tracing::info!(dir = %dir.display(), family = name, "dropping state of a store that is no longer used");
            db.drop_cf(&name)
                .map_err(|err| errors::classify(err, dir, Some(&name)))?;
        }
        let mut opened = Vec::with_capacity(stores.len());
        for config in stores {
            opened.push(open_store(&mut db, env, dir, config)?);
        }
        Ok(Self::new(Arc::clone(env), dir.to_owned(), db, opened))
    }
}

/// Drops a store's column family and creates it empty. Handles of the old one dangle from here on, whatever becomes of it.
pub(super) fn recreate(db: &mut DB, env: &Environment, dir: &Path, config: &StoreConfig) -> Result<StoreState> {
    let name = family_name(&config.name);
    let classify = |err| errors::classify(err, dir, Some(&config.name));
    // An earlier attempt may have got as far as dropping it.
    if db.cf_handle(&name).is_some() {
        db.drop_cf(&name).map_err(classify)?;
    }
    db.create_cf(&name, &options::store(config.kind, &env.cache))
        .map_err(classify)?;
    state_of(db, dir, config, Meta::new(RowLayout::of(config.kind)), true)
}

fn open_store(db: &mut DB, env: &Environment, dir: &Path, config: &StoreConfig) -> Result<StoreState> {
    let family = handle(db, dir, config)?;
    let classify = |err| errors::classify(err, dir, Some(&config.name));
    let Some(bytes) = db.get_pinned_cf(&family, META_ROW).map_err(classify)? else {
        let mut rows = db.raw_iterator_cf(&family);
        rows.seek_to_first();
        let is_empty = !rows.valid();
        rows.status().map_err(classify)?;
        drop(rows);
        if is_empty {
            return state_of(db, dir, config, Meta::new(RowLayout::of(config.kind)), true);
        }
        return recreate(db, env, dir, config);
    };
    let meta = Meta::decode(&bytes).ok_or_else(|| {
        Error::damaged(
            dir,
            Some(&config.name),
            "its position cannot be read; a newer version wrote it?",
        )
    })?;
    drop(bytes);
    if config.logged && meta.position.is_none() {
        return recreate(db, env, dir, config);
    }
    if !meta.layout.is_of(config.kind) {
        tracing::info!(dir = %dir.display(), store = config.name, "dropping state of a store whose kind changed");
        return recreate(db, env, dir, config);
    }
    state_of(db, dir, config, meta, false)
}

fn state_of(db: &DB, dir: &Path, config: &StoreConfig, meta: Meta, is_empty: bool) -> Result<StoreState> {
    let family = handle(db, dir, config)?;
    Ok(StoreState {
        config: config.clone(),
        family,
        is_broken: false,
        meta,
        is_empty,
        lag: Lag::default(),
        bulk: None,
        dropped_below: None,
        expired_rows: 0,
    })
}

fn handle(db: &DB, dir: &Path, config: &StoreConfig) -> Result<CfHandle> {
    db.cf_handle(&family_name(&config.name))
        .map(CfHandle::of)
        .ok_or_else(|| Error::damaged(dir, Some(&config.name), "its column family is missing"))
}

/// Writes that no log precedes: the changelog is the log.
pub(super) fn write_options() -> WriteOptions {
    let mut options = WriteOptions::default();
    options.disable_wal(true);
    options
}
