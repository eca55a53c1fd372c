//! Faults that tests plant in the engine, to see that the simulator finds them. None of it is in the product.

use std::cell::Cell;

/// A rule of the engine, broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// A store notes its changelog position before it has the rows that belong to it.
    PositionBeforeData,
    /// The state takes the rows over before their transaction is committed.
    ApplyBeforeCommit,
    /// Offsets are committed beside the transaction.
    OffsetsOutsideTransaction,
    /// Offsets are committed without the member's generation.
    OffsetsWithoutGeneration,
    /// A restore ends at the last stable offset instead of the high watermark.
    RestoreToLastStable,
    /// A restore reads records of aborted transactions.
    AbortedRestored,
}

impl Mutant {
    /// All of them.
    pub(crate) const ALL: [Self; 6] = [
        Self::PositionBeforeData,
        Self::ApplyBeforeCommit,
        Self::OffsetsOutsideTransaction,
        Self::OffsetsWithoutGeneration,
        Self::RestoreToLastStable,
        Self::AbortedRestored,
    ];
}

thread_local! {
    static PLANTED: Cell<Option<Mutant>> = const { Cell::new(None) };
}

/// From now on the engine has this fault, in this thread.
pub(crate) fn plant(mutant: Option<Mutant>) {
    PLANTED.set(mutant);
}

/// Whether the engine has it here.
pub(crate) fn is_planted(mutant: Mutant) -> bool {
    PLANTED.get() == Some(mutant)
}
